"""Datasets of pipelines and campaigns in real runs: checks, cache, damage, what is shown."""

import json

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_jobs import registration
from tests.book_graph import books_graph, check, failures
from tests.graph import QUIET, Run
from tests.islandflow_resources.books import flip
from tests.islandflow_resources.pipelines import TAPE, campaign, pipeline

CHECKS = (keys.NOTHING_MISSING, keys.CHECKSUMS_MATCH, keys.SCHEMA_HOLDS, keys.PARITY_HOLDS)


@pytest.fixture(scope="module")
def graph():
    with books_graph() as books:
        yield books.graph


@pytest.fixture(scope="module")
def built(graph):
    """A registered pipeline and its first run, whose tape nobody has made."""
    key = register(graph, pipeline())
    return key, run(graph, "pipeline_datasets", key)


@pytest.fixture(scope="module")
def expanded(graph):
    """A registered campaign and its first run."""
    key = register(graph, campaign(axes={"tau_rest_decay": [15, 60]}))
    return key, run(graph, "dataset_campaigns", key)


def register(graph, spec):
    resources = graph.resources
    done = registration.register_dataset_spec(
        resources.store, resources.database, graph.instance, spec
    )
    return done.key


def run(graph, job, key, **settings):
    from islandflow_jobs.definitions import defs

    config = {"resources": {"grid_settings": {"config": settings}}} if settings else {}
    result = defs.resolve_job_def(job).execute_in_process(
        instance=graph.instance,
        partition_key=key,
        run_config={**QUIET, **config},
        raise_on_error=False,
    )
    return Run(result, graph.instance)


def dataset_path(graph, found, name):
    [dataset_id] = found.metadata(keys.PIPELINE_DATASET, "dataset_id").values()
    return graph.resources.store.root / "datasets" / dataset_id / name


def test_the_dataset_of_a_pipeline_and_its_tape_are_made_and_pass_every_check(graph, built):
    key, found = built
    assert found.success, found.said
    for name in CHECKS:
        assert check(found, keys.PIPELINE_DATASET, name).passed
    [(partition, one)] = found.materialised(keys.PIPELINE_DATASET).items()
    assert partition == key
    assert {"field", "depth", "state", "bins", "uri", "content_digest"} <= set(one.metadata)
    events = one.metadata["events"].value
    assert one.metadata["parity"].value.startswith(f"{events} of {events} events pushed one by one")
    [row] = graph.resources.database.artefacts(what="mbo_tape")
    assert (row.scenario_key, row.seed) == (TAPE.partition_key, 1)


def test_a_second_run_finds_the_dataset_and_proves_as_much_as_it_is_told(graph, built):
    key, first = built
    again = run(graph, "pipeline_datasets", key, parity_events=100)
    assert again.success, again.said
    assert again.metadata(keys.PIPELINE_DATASET, "used_cache") == {key: True}
    [said] = again.metadata(keys.PIPELINE_DATASET, "parity").values()
    assert said.startswith("100 of ")
    name = "content_digest"
    assert again.metadata(keys.PIPELINE_DATASET, name) == first.metadata(
        keys.PIPELINE_DATASET, name
    )


@pytest.mark.parametrize("name", ["grid.parquet", "manifest.json"])
def test_a_damaged_dataset_is_named_and_the_run_fails(graph, built, name):
    key, first = built
    path = dataset_path(graph, first, name)
    data = path.read_bytes()
    flip(path)
    found = run(graph, "pipeline_datasets", key)
    assert not found.success
    matches = check(found, keys.PIPELINE_DATASET, keys.CHECKSUMS_MATCH)
    assert (matches.passed, matches.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert found.materialised(keys.PIPELINE_DATASET) == {}
    path.write_bytes(data)


def test_every_dataset_of_a_campaign_stands_and_is_listed(graph, expanded):
    key, found = expanded
    assert found.success, found.said
    for name in (keys.CHECKSUMS_MATCH, keys.NOTHING_MISSING):
        assert check(found, keys.DATASET_CAMPAIGN, name).passed
    [one] = found.materialised(keys.DATASET_CAMPAIGN).values()
    assert one.partition == key
    records = [record.data for record in one.metadata["datasets"].records]
    assert [record["tau_rest_decay"] for record in records] == ["15.0", "15.0", "60.0", "60.0"]
    assert [record["flow_windows"] for record in records] == ["", "[3, 6]"] * 2
    [row] = graph.resources.database.artefacts(what="dataset_campaign_summary")
    summary = json.loads(graph.resources.store.get(row.object_key))
    assert [record["dataset_id"] for record in records] == [
        dataset["dataset_id"] for dataset in summary["datasets"]
    ]
    assert one.tags["dagster/data_version"] == row.content_digest.removeprefix("sha256:")


def test_a_campaign_with_a_damaged_dataset_fails_and_names_it(graph, expanded):
    key, first = expanded
    [one] = first.materialised(keys.DATASET_CAMPAIGN).values()
    damaged = one.metadata["datasets"].records[1].data
    path = graph.resources.store.root / "datasets" / damaged["dataset_id"] / "bins.parquet"
    data = path.read_bytes()
    flip(path)
    found = run(graph, "dataset_campaigns", key)
    assert not found.success
    assert failures(found, keys.DATASET_CAMPAIGN, keys.CHECKSUMS_MATCH) == {key: "GRID_DAMAGED"}
    said = check(found, keys.DATASET_CAMPAIGN, keys.CHECKSUMS_MATCH).description
    assert damaged["pipeline"] in said
    assert found.materialised(keys.DATASET_CAMPAIGN) == {}
    path.write_bytes(data)
    again = run(graph, "dataset_campaigns", key)
    assert again.success
    assert again.metadata(keys.DATASET_CAMPAIGN, "used_cache") == {key: 4}


@pytest.mark.parametrize("job", ["pipeline_datasets", "dataset_campaigns"])
def test_a_partition_that_nobody_registered_is_missing(graph, job):
    name, asset = {
        "pipeline_datasets": ("pipeline", keys.PIPELINE_DATASET),
        "dataset_campaigns": ("dataset_campaign", keys.DATASET_CAMPAIGN),
    }[job]
    graph.instance.add_dynamic_partitions(name, ["nosuch-000000000000"])
    found = run(graph, job, "nosuch-000000000000")
    assert not found.success
    [code] = failures(found, asset, keys.NOTHING_MISSING).values()
    assert code.endswith("_NOT_REGISTERED")
