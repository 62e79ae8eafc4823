"""Scenario assets in real runs: what is published, refused, found again or found damaged."""

import dagster as dg
import pytest

from contracts.errors import NotFoundError
from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_assets.scenarios import registered_specs, spec_key
from islandflow_resources import datasets
from islandflow_resources.materialise import dataset_ref
from tests.graph import CALM, MOODY, SINKING, finished_home, graph_of, market


def flip(graph, key, place):
    """Change one bit of a stored object, at a fraction of its length."""
    path = graph.resources.store.root / key
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x01
    path.write_bytes(bytes(data))


@pytest.fixture(scope="module")
def batch():
    """A run over four cells, two of which no market can fill, with its graph."""
    with graph_of(finished_home()) as graph:
        good, _ = graph.scenario_keys
        [bad] = graph.register(market(SINKING))
        run = graph.run(Partition(good, 1), Partition(bad, 2))
        yield graph, run, bad


def test_every_cell_of_a_run_gets_a_dataset_that_reads_back(graph):
    run = graph.run()
    assert run.success
    assert sorted(run.materialised(keys.SCENARIO_DATASET)) == graph.cells
    specs = {spec.partition_key: spec for spec in (market(CALM), market(MOODY))}
    for cell, digest in run.metadata(keys.SCENARIO_DATASET, "content_digest").items():
        name, seed = cell.split("|")
        read = datasets.read(graph.resources.store, dataset_ref(specs[name], int(seed)))
        assert read.manifest.content_digest == digest


def test_the_metadata_of_a_dataset_is_what_a_person_asks_for(batch):
    _, run, _ = batch
    for one in run.materialised(keys.SCENARIO_DATASET).values():
        assert {
            *("price", "dagster/row_count", "uri", "manifest", "content_digest"),
            *("recipe_digest", "used_cache", "seconds", "tick_size", "timeframe"),
        } <= set(one.metadata)
        assert one.tags["dagster/data_version"] in str(one.metadata["content_digest"].value)
        assert one.metadata["price"].value.startswith(f"![{one.partition}")


def test_a_scenario_document_is_stored_once_and_is_its_canonical_text(batch):
    graph, run, _ = batch
    spec = market(CALM)
    stored = graph.resources.store.get(spec_key(spec))
    assert stored.endswith(b"\n")
    assert b'"seed"' not in stored
    versions = {
        one.tags["dagster/data_version"]
        for cell, one in run.materialised(keys.SCENARIO_SPEC).items()
        if cell.startswith(spec.partition_key)
    }
    assert versions == {spec.scenario_hash.removeprefix("sha256:")}


def test_a_batch_publishes_the_good_partitions_and_names_the_bad(batch):
    graph, run, bad = batch
    named = dict.fromkeys([f"{bad}|1", f"{bad}|2"], "SCENARIO_UNREPRESENTABLE")
    assert sorted(run.materialised(keys.SCENARIO_DATASET)) == [
        cell for cell in graph.cells if not cell.startswith(bad)
    ]
    assert run.failures(keys.GUARDS_HOLD) == named
    assert run.check(keys.GUARDS_HOLD).severity == dg.AssetCheckSeverity.WARN
    assert run.check(keys.SCHEMA_HOLDS).passed
    assert run.check(keys.DIGEST_MATCHES).passed


def test_nothing_of_a_refused_market_is_stored_or_recorded(batch):
    graph, _, bad = batch
    scenario_hash = market(SINKING).scenario_hash.removeprefix("sha256:")
    objects = [key for key in graph.objects() if scenario_hash in key]
    assert objects == [spec_key(market(SINKING))]
    recorded = {row.scenario_key for row in graph.resources.database.artefacts()}
    assert bad not in recorded


def test_the_ui_shows_the_refused_partitions_as_failed(batch):
    graph, _, bad = batch
    from dagster._core.storage.partition_status_cache import (
        get_and_update_asset_status_cache_value,
    )

    from islandflow_assets.partitions import GRID

    status = get_and_update_asset_status_cache_value(
        graph.instance, dg.AssetKey(keys.SCENARIO_DATASET), GRID, graph.instance
    )
    failed = status.deserialize_failed_partition_subsets(GRID).get_partition_keys()
    assert sorted(failed) == [f"{bad}|1", f"{bad}|2"]


def test_a_single_bad_partition_fails_at_its_guards_and_stops_there(graph):
    [bad] = graph.register(market(SINKING))
    run = graph.run_one(Partition(bad, 1))
    assert not run.success
    guards = run.check(keys.GUARDS_HOLD)
    assert (guards.passed, guards.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"{bad}|1 (SCENARIO_UNREPRESENTABLE at bar" in guards.description
    assert run.materialised(keys.SCENARIO_DATASET) == {}
    skipped = {event.step_key for event in run.events if event.is_step_skipped}
    started = {event.step_key for event in run.events if event.is_step_start}
    inputs = {keys.SCENARIO_SPEC, keys.SCENARIO_DATASET, keys.STRATEGY_SPEC, keys.STRATEGY_IR}
    assert started == inputs
    assert skipped <= {keys.BACKTEST_RESULT, keys.BACKTEST_SUMMARY, keys.LEADERBOARD}


DAMAGE = {
    3: ("dataset_key", 0.0),
    4: ("dataset_key", 0.5),
    5: ("dataset_key", 1.0),
    6: ("manifest_key", 0.5),
    7: ("labels_key", 0.3),
    8: ("provenance_key", 0.5),
}


def test_a_flipped_byte_of_any_object_is_found_and_named_and_left_as_it_is(graph):
    spec = market(MOODY)
    seeds = (*DAMAGE, 9)
    graph.register(seeds=seeds)
    box = Partition(spec.partition_key, 3), Partition(spec.partition_key, 9)
    assert graph.run(*box).success
    damaged = {
        f"{spec.partition_key}|{seed}": getattr(dataset_ref(spec, seed), name)
        for seed, (name, _) in DAMAGE.items()
    }
    for key, (_, place) in zip(damaged.values(), DAMAGE.values(), strict=True):
        flip(graph, key, place)
    before = graph.objects()
    run = graph.run(*box)
    assert sorted(run.failures(keys.DIGEST_MATCHES)) == sorted(damaged)
    for record in run.check(keys.DIGEST_MATCHES).metadata["failures"].records:
        uri = graph.resources.store.uri(damaged[record.data["partition"]])
        assert uri in f"{record.data['message']} {record.data['where']}"
    assert sorted(run.materialised(keys.SCENARIO_DATASET)) == [f"{spec.partition_key}|9"]
    assert not run.success
    assert sorted(run.failures(keys.NOTHING_MISSING)) == sorted(damaged)
    after = graph.objects()
    assert {key: after[key] for key in before} == before


def test_a_dataset_whose_objects_are_gone_is_made_again_as_it_was(finished):
    spec = market(CALM)
    ref = dataset_ref(spec, 1)
    before = finished.objects()
    for key in (ref.dataset_key, ref.manifest_key):
        (finished.resources.store.root / key).unlink()
    cell = Partition(spec.partition_key, 1)
    run = finished.run_one(cell)
    assert run.success
    assert run.metadata(keys.SCENARIO_DATASET, "used_cache") == {str(cell): False}
    assert {key: finished.objects()[key] for key in before} == before


def test_a_key_that_was_added_by_other_means_is_refused(graph):
    graph.instance.add_dynamic_partitions("scenario", ["stranger-000000000000"])
    cells = [Partition("stranger-000000000000", 1)]
    with pytest.raises(NotFoundError) as caught:
        registered_specs(graph.resources.database, cells)
    assert caught.value.code == "SCENARIO_NOT_REGISTERED"
    run = graph.run_one(cells[0])
    assert not run.success
    assert "SCENARIO_NOT_REGISTERED" in run.said
