"""Grids of tapes in real runs: checks, pictures, cache, damage, settings, another instrument."""

import json

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_assets.partitions import TapeCell
from tests.book_graph import books_graph, check, failures
from tests.graph import Run
from tests.islandflow_resources.books import GOOD_SEED, flip, grid_document, tape

CHECKS = (
    keys.NOTHING_MISSING,
    keys.CHECKSUMS_MATCH,
    keys.SCHEMA_HOLDS,
    keys.PARITY_HOLDS,
)


@pytest.fixture(scope="module")
def built():
    """A good tape and its grid, after one run."""
    with books_graph() as books:
        [key] = books.register(tape(), seeds=[GOOD_SEED])
        cell = TapeCell(key, GOOD_SEED)
        yield books, cell, books.run(cell)


def dataset_id(run):
    [found] = run.metadata(keys.GRID_DATASET, "dataset_id").values()
    return found


def test_a_grid_passes_every_check_and_shows_what_a_person_asks_for(built):
    _, _, run = built
    assert run.success, run.said
    for name in CHECKS:
        assert check(run, keys.GRID_DATASET, name).passed
    [one] = run.materialised(keys.GRID_DATASET).values()
    assert {
        *("field", "depth", "state", "bins", "events", "anomalies", "parity", "uri"),
        *("content_digest", "recipe_digest", "used_cache", "events_per_second"),
    } <= set(one.metadata)
    events = one.metadata["events"].value
    assert one.metadata["parity"].value.startswith(f"{events} of {events} events pushed one by one")
    assert one.metadata["bins"].value >= 599
    assert one.metadata["dagster/row_count"].value == 9 * one.metadata["bins"].value
    [tape_event] = run.materialised(keys.MBO_TAPE).values()
    assert (
        one.tags[f"dagster/input_data_version/{keys.MBO_TAPE}"]
        == tape_event.tags["dagster/data_version"]
    )


@pytest.mark.parametrize("name", ["grid.parquet", "bins.parquet", "manifest.json"])
def test_a_damaged_object_is_named_and_the_run_fails(built, name):
    books, cell, first = built
    path = books.objects / "datasets" / dataset_id(first) / name
    data = path.read_bytes()
    flip(path)
    run = books.run(cell)
    assert not run.success
    matches = check(run, keys.GRID_DATASET, keys.CHECKSUMS_MATCH)
    assert (matches.passed, matches.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"{dataset_id(first)}/{name}" in matches.description
    assert run.materialised(keys.GRID_DATASET) == {}
    path.write_bytes(data)


def test_the_rules_of_the_run_make_another_dataset_and_its_parity_as_much_as_it_says(built):
    books, cell, first = built
    run = books.run(cell, compat="v1", parity_events=500)
    assert run.success, run.said
    assert dataset_id(run) != dataset_id(first)
    [said] = run.metadata(keys.GRID_DATASET, "parity").values()
    assert said.startswith("500 of ")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"compat": "v3"}, "GRID_RULES_UNKNOWN"),
        ({"emit_from_ns": "tomorrow"}, "GRID_START_INVALID"),
        ({"grid_config": "nosuch.json"}, "GRID_CONFIG_UNREADABLE"),
        ({"grid_config": '{"projection": {}}'}, "FIELD_MISSING"),
        ({"grid_config": json.dumps(grid_document(symbol="ESH6"))}, "INSTRUMENT_LOCKED"),
    ],
)
def test_settings_that_are_wrong_are_refused_before_anything_is_built(built, settings, code):
    books, cell, _ = built
    before = books.graph.objects()
    run = books.run(cell, **settings)
    assert not run.success
    assert code in run.said
    assert books.graph.objects() == before


def test_a_grid_without_its_tape_is_missing(built):
    from islandflow_jobs.definitions import defs

    books, _, _ = built
    [key] = books.register(tape(id="later"))
    job = defs.resolve_implicit_global_asset_job_def()
    other = TapeCell(key, GOOD_SEED)
    result = job.execute_in_process(
        instance=books.graph.instance,
        partition_key=other.key,
        asset_selection=[dg.AssetKey(keys.GRID_DATASET)],
        raise_on_error=False,
    )
    run = Run(result, books.graph.instance)
    assert not run.success
    found = failures(run, keys.GRID_DATASET, keys.NOTHING_MISSING)
    assert found == {str(other): "TAPE_NOT_FOUND"}
