"""The lock files against what pyproject.toml declares, and the others against the tests'.

Resolving anew needs the network and is `make lock`.
"""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def pins(lock):
    return set(PIN.findall((ROOT / lock).read_text()))


def names(requirements):
    """Normalised project names of a list of requirements."""
    found = [NAME.match(requirement) for requirement in requirements]
    return {re.sub(r"[._-]+", "-", match.group()).lower() for match in found if match}


@pytest.fixture(scope="module")
def declared():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_lock_pins_every_declared_dependency(declared):
    wanted = declared["project"]["dependencies"] + declared["dependency-groups"]["dev"]
    assert names(wanted) - {name for name, _ in pins("requirements.lock")} == set()


def test_the_image_gets_every_runtime_dependency_and_no_tool(declared):
    deployed = {name for name, _ in pins("deploy/requirements.lock")}
    assert names(declared["project"]["dependencies"]) <= deployed
    assert names(declared["dependency-groups"]["dev"]) & deployed == set()


def test_the_image_gets_the_versions_the_tests_run_with():
    assert pins("deploy/requirements.lock") <= pins("requirements.lock")


def test_the_image_of_a_node_of_ray_differs_from_the_other_by_ray_alone():
    plain, node = pins("deploy/requirements.lock"), pins("deploy/requirements-ray.lock")
    assert plain <= node <= pins("requirements.lock")
    assert "ray" in {name for name, _ in node - plain}


def test_the_peers_of_the_benchmarks_are_pinned_and_nowhere_else(declared):
    peers = names(declared["dependency-groups"]["peers"])
    assert peers - {name for name, _ in pins("benchmarks/requirements.lock")} == set()
    for lock in ("requirements.lock", "deploy/requirements.lock"):
        assert peers & {name for name, _ in pins(lock)} == set()


def test_the_tracking_server_of_the_tests_is_pinned_apart(declared):
    wanted = names(declared["dependency-groups"]["tracking-server"])
    assert wanted - {name for name, _ in pins("tests/mlflow.lock")} == set()
    assert wanted & {name for name, _ in pins("requirements.lock")} == set()


def test_the_peers_change_no_version_of_the_tests():
    tested = dict(pins("requirements.lock"))
    shared = {pin for pin in pins("benchmarks/requirements.lock") if pin[0] in tested}
    assert "numpy" in dict(shared)
    assert shared <= pins("requirements.lock")


@pytest.mark.parametrize(
    "lock",
    [
        "requirements.lock",
        "deploy/requirements.lock",
        "deploy/requirements-ray.lock",
        "benchmarks/requirements.lock",
        "tests/mlflow.lock",
    ],
)
def test_every_pin_has_a_hash_and_nothing_has_an_address(lock):
    text = (ROOT / lock).read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert len(blocks) == len(pins(lock))
    assert [block[:60] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text
