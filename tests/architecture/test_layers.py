"""The import contracts of pyproject.toml, by import-linter: kept by the tree, and able to fail."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT

LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)


def lint_imports_in(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False
    )


def blind_modules() -> list[str]:
    """Modules that the contracts of the detector name: import-linter asks that they exist."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {one["id"]: one for one in settings["tool"]["importlinter"]["contracts"]}
    named = [contracts["blind"], contracts["blind_path"]]
    return [module for one in named for module in one["source_modules"] + one["forbidden_modules"]]


@pytest.fixture
def small_tree(tmp_path):
    """Five packages that keep every contract, under the project's own configuration."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "engine" / "rng.py").write_text("import contracts\n")
    (tmp_path / "engine" / "paths.py").write_text("import engine.rng\n")
    for module in blind_modules():
        (tmp_path / module.replace(".", "/")).with_suffix(".py").write_text("")
    return tmp_path


def test_the_packages_import_only_what_lies_below_them():
    linted = lint_imports_in(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_a_tree_that_keeps_the_contracts_passes(small_tree):
    linted = lint_imports_in(small_tree)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("contracts/scenario.py", "import engine", "the five packages point one way"),
        ("islandflow_assets/keys.py", "import islandflow_jobs", "the five packages point one way"),
        ("engine/jit.py", "import dagster", "know no orchestrator"),
        ("contracts/columns.py", "import pyarrow", "know no orchestrator"),
        ("contracts/seeds.py", "import numpy", "contracts compute nothing"),
        ("engine/rng.py", "import engine.paths", "only domains below it"),
        ("engine/digest.py", "import engine.jit", "only domains below it"),
        ("engine/flow.py", "import contracts.labels", "the detector is blind"),
        (
            "islandflow_resources/flow_feed.py",
            "import islandflow_resources.tape_batches",
            "the path of a detection is blind",
        ),
        (
            "islandflow_resources/flow_parity.py",
            "import engine.tapes",
            "the path of a detection is blind",
        ),
    ],
)
def test_an_import_against_the_direction_is_found(small_tree, module, line, broken):
    for needed in ("engine/jit.py", module):
        path = small_tree / needed
        path.write_text(path.read_text() if path.exists() else "")
    (small_tree / module).write_text(f"{line}\n")
    linted = lint_imports_in(small_tree)
    assert linted.returncode == 1
    assert [text for text in linted.stdout.splitlines() if broken in text and "BROKEN" in text]


def test_what_the_detector_imports_by_another_module_is_found_too(small_tree):
    (small_tree / "engine" / "rng.py").write_text("import contracts.labels\n")
    (small_tree / "engine" / "flow.py").write_text("import engine.rng\n")
    linted = lint_imports_in(small_tree)
    assert linted.returncode == 1
    assert "the detector is blind BROKEN" in linted.stdout


def test_what_the_path_of_a_detection_imports_by_another_module_is_found_too(small_tree):
    resources = small_tree / "islandflow_resources"
    (resources / "tape_files.py").write_text("import contracts.labels\n")
    (resources / "flow_folder.py").write_text("import islandflow_resources.tape_files\n")
    linted = lint_imports_in(small_tree)
    assert linted.returncode == 1
    assert "the path of a detection is blind BROKEN" in linted.stdout


def test_an_engine_domain_without_a_place_in_the_order_is_found(small_tree):
    (small_tree / "engine" / "sorcery.py").write_text("")
    linted = lint_imports_in(small_tree)
    assert linted.returncode == 1
    assert "sorcery" in linted.stdout
