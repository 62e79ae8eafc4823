"""One short test per rule about the text, names and calls of the project's files."""

from pathlib import Path

from tests.architecture import rules
from tests.architecture.sources import (
    GENERATED,
    PACKAGES,
    ROOT,
    place,
    project_files,
    python_files,
)

PURE_PACKAGES = ("contracts", "engine", "islandflow_assets")
ENVIRONMENT_FREE = tuple(package for package in PACKAGES if package != "islandflow_resources")
# Folders of tests/ with nothing but what the tests of other folders use.
SUPPORT = ("guard", "oracles")
ALL_PYTHON = (*PACKAGES, "tests", "benchmarks")


def assert_none(rule, paths, *arguments):
    """Assert that no file in `paths` breaks `rule`, and list every offence when one does."""
    found = [offence for path in paths for offence in rule(path, *arguments)]
    assert not found, "\n" + "\n".join(found)


def test_contracts_engine_and_assets_use_no_clock_no_randomness_and_no_generated_code():
    assert_none(rules.forbidden_uses, python_files(*PURE_PACKAGES), rules.IMPURE)


def test_no_package_runs_data_as_code_or_hands_text_to_a_shell():
    assert_none(rules.forbidden_uses, python_files(*PACKAGES), rules.UNSAFE)
    assert_none(rules.shells, python_files(*PACKAGES))


def test_only_resources_read_the_environment():
    assert_none(rules.forbidden_uses, python_files(*ENVIRONMENT_FREE), rules.ENVIRONMENT)


def test_every_python_file_can_be_read_in_one_sitting():
    assert_none(rules.too_long, python_files(*ALL_PYTHON))


def test_no_module_is_named_after_no_thing():
    assert_none(rules.vague_name, python_files(*ALL_PYTHON))


def test_every_module_opens_with_a_docstring():
    assert_none(rules.undescribed_module, python_files(*ALL_PYTHON))


def test_every_public_definition_of_the_packages_is_described():
    assert_none(rules.undescribed_definitions, python_files(*PACKAGES))


def test_every_public_function_of_contracts_and_engine_is_annotated():
    assert_none(rules.unannotated_functions, python_files("contracts", "engine"))


def test_every_test_asserts_something():
    tests = [path for path in python_files("tests") if path.name.startswith("test_")]
    assert_none(rules.tests_that_cannot_fail, tests)


def test_no_file_names_a_path_of_one_machine_or_a_package_registry():
    assert_none(rules.forbidden_text, project_files())


def test_the_rules_see_the_files_they_are_for():
    seen = {place(path) for path in project_files()}
    assert {"Makefile", "pyproject.toml", ".ci/run", "requirements.lock"} <= seen
    assert place(Path(__file__)) in seen
    assert all(python_files(package) for package in PACKAGES)


def test_what_the_rules_pass_over_is_ignored_by_git():
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    assert {*GENERATED, "*.egg-info", "*.log", ".env", ".tmp_dagster_home_*"} <= ignored


def test_every_package_has_tests_in_a_folder_of_its_name():
    without = [name for name in PACKAGES if not list((ROOT / "tests" / name).rglob("test_*.py"))]
    assert without == []


def test_every_folder_of_tests_holds_a_test():
    folders = {path.parent for path in python_files("tests") if path.parent.name not in SUPPORT}
    without = [place(folder) for folder in folders if not list(folder.rglob("test_*.py"))]
    assert without == []
