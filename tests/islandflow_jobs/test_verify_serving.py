"""A published spec's chain, whole and with one link changed: that link is named, and no other."""

import shutil

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_jobs.verify_serving import is_serving, verify_serving
from islandflow_resources.campaigns import registered
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.published import read_published, spec_key
from islandflow_resources.registry import Registry
from tests.campaign_graph import only_campaign, promoted_home
from tests.graph import graph_of
from tests.islandflow_resources.campaigning import remove


@pytest.fixture(scope="module")
def graph():
    """A home whose winner is served; every test leaves its objects as they were."""
    with graph_of(promoted_home()) as graph:
        yield graph


@pytest.fixture
def store(graph, tmp_path):
    """The store of the home, put back afterwards."""
    root = graph.resources.store.root
    shutil.copytree(root, tmp_path / "objects")
    yield graph.resources.store
    shutil.rmtree(root)
    shutil.copytree(tmp_path / "objects", root)


def verify(graph, name="best"):
    resources = graph.resources
    return verify_serving(
        resources.store, resources.database, resources.engine_runtime, resources.keyring, name
    )


def served(graph):
    return Registry(graph.resources.database).resolve("best")


def spec_of(graph):
    return read_published(graph.resources.store, graph.resources.keyring, served(graph).serving_id)


def links(graph):
    """Key of one object of every link, by what its damage is called."""
    spec = spec_of(graph)
    campaign = registered(graph.resources.database, only_campaign(graph))
    scenario, seed = campaign.cells[-1]
    return {
        "published spec": spec_key(served(graph).serving_id),
        "campaign document": f"campaigns/{campaign.key}/campaign.json",
        "evidence": spec.evidence.object_key,
        "gate report": served(graph).gate_key,
        f"dataset {scenario.partition_key}|{seed}": dataset_ref(scenario, seed).dataset_key,
    }


LINKS = ("published spec", "campaign document", "evidence", "gate report", "dataset")


def flip(store, key):
    """Change one byte of an object, of a table's in its first page: its statistics say nothing."""
    path = store.root / key
    data = bytearray(path.read_bytes())
    data[40 if key.endswith(".parquet") else len(data) // 2] ^= 0x01
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def broken_link(graph):
    """Which link a verification calls the first that differs."""
    with pytest.raises(IntegrityError) as caught:
        verify(graph)
    assert caught.value.code == "CHAIN_BROKEN"
    assert f"the first link that differs is the {caught.value.loc}:" in caught.value.message
    return caught.value.loc


@pytest.mark.parametrize("name", ["alias", "id", "beginning", "uri"])
def test_a_whole_chain_is_recomputed_under_any_of_its_names(graph, name):
    row = served(graph)
    names = {
        "alias": "best",
        "id": row.serving_id,
        "beginning": row.serving_id.removeprefix("sha256:")[:8],
        "uri": graph.resources.store.uri(row.object_key),
    }
    assert is_serving(graph.resources.store, names[name])
    lines = verify(graph, names[name])
    assert lines[0] == f"verified {row.serving_id}"
    assert "4 datasets recomputed" in lines[2]


@pytest.mark.parametrize("link", LINKS)
def test_a_changed_byte_names_its_link(graph, store, link):
    [(name, key)] = [(name, key) for name, key in links(graph).items() if name.startswith(link)]
    flip(store, key)
    assert broken_link(graph) == name


@pytest.mark.parametrize("link", LINKS[:4])
def test_a_lost_object_names_its_link(graph, store, link):
    remove(store, links(graph)[link])
    assert broken_link(graph) == link


def test_of_several_changed_links_the_first_is_named(graph, store):
    for name in LINKS[1:4]:
        flip(store, links(graph)[name])
    assert broken_link(graph) == "campaign document"


def test_a_dataset_that_is_not_stored_any_more_is_recomputed_from_its_seed(graph, store):
    campaign = registered(graph.resources.database, only_campaign(graph))
    for scenario, seed in campaign.cells:
        ref = dataset_ref(scenario, seed)
        remove(store, ref.manifest_key)
    assert verify(graph)[0].startswith("verified ")


def test_a_name_that_nothing_is_served_under_is_not_found(graph):
    with pytest.raises(NotFoundError, match="SERVING_NOT_FOUND"):
        verify(graph, "champion")
    with pytest.raises((NotFoundError, ContractError)):
        verify(graph, "0" * 8)


@pytest.mark.parametrize("name", ["scenarios/a/b.parquet", "trials/x", "NOT AN ALIAS", ""])
def test_what_names_something_else_is_left_to_the_other_verifications(graph, name):
    assert not is_serving(graph.resources.store, name)
