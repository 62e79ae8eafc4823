"""``islandflow tape register``: profiles become requests and partitions, from the command line."""

import json

import pytest

from islandflow_jobs.instance import open_instance
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.tape_requests import registered_requests, resolved
from tests.graph import write_json
from tests.islandflow_jobs.commands import refused
from tests.islandflow_resources.small_markets import DEPLOYED, log_of, profile


@pytest.fixture
def documents(tmp_path):
    """Two profiles as files: one that holds its control, one that follows the deployment."""
    held, named = profile(), profile(control=DEPLOYED, session={"first_date": "2026-01-13"})
    return [
        write_json(tmp_path / f"{name}.json", one.model_dump(mode="json"))
        for name, one in (("held", held), ("named", named))
    ]


def partitions(home, dimension):
    resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(home)})
    with open_instance(resources.settings) as instance:
        return list(instance.get_dynamic_partitions(dimension))


def requests(home):
    resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(home)})
    try:
        return registered_requests(resources.database)
    finally:
        resources.database.dispose()


def test_profiles_are_registered_with_their_seeds_and_told_by_their_keys(
    islandflow, bare_home, documents
):
    code, out, _ = islandflow("tape", "register", *documents, "--seeds", "1-2,5")
    found = requests(bare_home)
    keys = {resolved(one, log_of()).key for one in found}
    assert code == 0
    assert {line.removeprefix("registered ") for line in out} == keys
    assert set(partitions(bare_home, "market")) == keys
    assert partitions(bare_home, "seed") == ["1", "2", "5"]
    assert [one.seeds for one in found] == [(1, 2, 5)] * 2
    assert sorted(one.follows_deployment for one in found) == [False, True]
    code, out, _ = islandflow("tape", "register", *documents, "--seeds", "1-2,5")
    assert (code, {line.removeprefix("unchanged ") for line in out}) == (0, keys)


def test_without_seeds_the_shared_seed_is_meant(islandflow, bare_home, documents):
    assert islandflow("tape", "register", documents[0])[0] == 0
    assert partitions(bare_home, "seed") == ["11"]
    [one] = requests(bare_home)
    assert one.seeds == ()


def test_bad_profiles_are_refused_whole_and_nothing_is_registered(
    islandflow, bare_home, documents, tmp_path
):
    whole = json.loads(documents[0].read_text())
    del whole["flow"]["branching"]
    lacking = write_json(tmp_path / "lacking.json", whole)
    outcome = islandflow("tape", "register", documents[1], lacking)
    [line] = refused(outcome, "/flow/branching")
    assert "lacking.json" in line
    assert not bare_home.exists()


def test_bad_seeds_are_refused(islandflow, bare_home, documents):
    refused(islandflow("tape", "register", documents[0], "--seeds", "5-1"), "SEEDS_INVALID")
    assert not bare_home.exists()
