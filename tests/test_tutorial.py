"""docs/tutorial.md does what it says: its blocks applied to a copy of the packages, and run.

The kernels are interpreted, so that nothing is compiled.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """Kind, file and body of every block, in order."""
    return [found.groups() for found in BLOCK.finditer(text)]


def changed(text, diff):
    """A text with a diff applied whose old lines it must hold exactly once."""
    lines = diff.splitlines(keepends=True)
    assert all(line[0] in " +-\n" for line in lines)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The packages that the page changes, with every block applied; what it runs, by name."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ("contracts", "engine", "tests/oracles"):
        ignored = shutil.ignore_patterns("__pycache__", "fixtures", "schemas")
        shutil.copytree(TOP / name, folder / name, ignore=ignored)
    (folder / "tests/__init__.py").touch()
    expected, last = {}, None
    for kind, name, body in blocks((TOP / "docs/tutorial.md").read_text("utf-8")):
        if kind == "text":
            expected[last] = body
            continue
        path = folder / name
        assert (kind == "diff") == path.exists(), name
        path.write_text(changed(path.read_text("utf-8"), body) if kind == "diff" else body, "utf-8")
        last = name
    return folder, expected


def test_what_the_page_runs_prints_what_the_page_says(copy):
    folder, expected = copy
    assert expected.keys() == {"try_family.py", "try_signal.py"}
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(folder)}
    for name, printed in expected.items():
        done = _ran(folder, name, env=environment)
        assert (done.stdout, done.returncode) == (printed, 0), done.stderr


def test_its_code_is_formatted_and_linted_as_the_projects(copy):
    folder, _ = copy
    for name in ("contracts/scenario.py", "engine/paths/uniform.py", "engine/signals/lean.py"):
        options = ("--config", str(TOP / "pyproject.toml"), name)
        for command in (("format", "--check"), ("check",)):
            done = _ran(folder, "-m", "ruff", *command, "--no-cache", *options)
            assert done.returncode == 0, done.stdout + done.stderr


def _ran(folder, *arguments, env=None):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_diff_that_no_longer_fits_is_found():
    with pytest.raises(AssertionError):
        changed("a\nb\n", " c\n+d\n")
    assert changed("a\nb\n", " a\n-b\n+c\n") == "a\nc\n"
