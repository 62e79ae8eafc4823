"""Commands as whole child processes: what only a fresh process can show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from islandflow_resources.materialise import dataset_ref
from tests.architecture.sources import ROOT
from tests.graph import CALM, link_kernels, market, write_json

SCRIPTS = Path(sys.executable).parent


@pytest.fixture
def child(tmp_path):
    """Run a command in an empty folder, with a home of its own and the session's kernels."""
    home = tmp_path / "home"
    link_kernels(home)
    outside = ("ISLANDFLOW_", "DAGSTER_")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(outside)}
    path = os.pathsep.join([inherited["PYTHONPATH"], str(ROOT)])
    variables = {**inherited, "ISLANDFLOW_HOME": str(home), "PYTHONPATH": path}
    folder = tmp_path / "folder"
    folder.mkdir()

    def run(*command):
        return subprocess.run(
            [str(part) for part in command],
            cwd=folder, env=variables, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    return run


def test_bad_input_ends_a_process_with_two_and_one_line(child, tmp_path):
    path = write_json(tmp_path / "spec.json", CALM | {"family": "trned"})
    done = child(SCRIPTS / "islandflow", "scenario", "make", path)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "at /family: " in line
    assert "(hint: " in line


def test_a_fresh_process_makes_the_very_bytes_that_this_one_makes(child, tmp_path, finished):
    path = write_json(tmp_path / "spec.json", CALM)
    out = tmp_path / "out"
    done = child(SCRIPTS / "islandflow", "scenario", "make", path, "--seed", "2", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    ref = dataset_ref(market(CALM), 2)
    for key in (ref.dataset_key, ref.manifest_key):
        assert (out / key).read_bytes() == finished.resources.store.get(key)


def test_a_command_that_needs_no_graph_loads_neither_dagster_nor_the_engine(child):
    code = (
        "import sys; from islandflow_jobs import cli; "
        "print([name for name in ('dagster', 'numba', 'sqlalchemy', 'boto3', 'pyarrow')"
        " if name in sys.modules])"
    )
    assert child(sys.executable, "-c", code).stdout == "[]\n"


def test_loading_the_definitions_writes_nothing_and_warns_if_dagster_has_no_home(child, tmp_path):
    done = child(sys.executable, "-c", "import islandflow_jobs.definitions")
    assert done.returncode == 0, done.stderr
    assert "DAGSTER_HOME is not set: a run would know no registered partition" in done.stderr
    assert 'eval "$(islandflow env)"' in done.stderr
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["kernels"]
    assert list((tmp_path / "folder").iterdir()) == []
