"""Tapes, recorded files and checkpoints in real runs: published, judged, found again, damaged."""

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_assets.partitions import TapeCell
from islandflow_resources.mbo_tapes import tape_ref
from tests.book_graph import books_graph, check, failures
from tests.islandflow_resources.books import (
    BAD_SEED,
    GOOD_SEED,
    SECOND_NS,
    flip,
    short_tape,
    tape,
)


@pytest.fixture
def books():
    with books_graph() as books:
        yield books


@pytest.fixture(scope="module")
def batch():
    """A run over a good tape, one that leaves a band, and two that no market can fill."""
    scenario = {**tape().scenario.document(), "params": {"drift": -5000, "sigma": 5}}
    sinking = tape(id="sinking", scenario=scenario, start_price_ticks=2000)
    with books_graph() as books:
        good, bad = books.register(tape(), sinking, seeds=[GOOD_SEED, BAD_SEED])
        run = books.run(TapeCell(good, GOOD_SEED), TapeCell(bad, BAD_SEED))
        yield books, run, good, bad


def test_a_batch_publishes_the_good_tape_names_the_bad_and_fails(batch):
    _, run, good, bad = batch
    assert not run.success
    assert list(run.materialised(keys.MBO_TAPE)) == [f"{GOOD_SEED}|{good}"]
    assert list(run.materialised(keys.GRID_DATASET)) == [f"{GOOD_SEED}|{good}"]
    found = failures(run, keys.MBO_TAPE, keys.GUARDS_HOLD)
    assert found.keys() == {f"1|{bad}", f"2|{bad}"}
    assert all(code.endswith("UNREPRESENTABLE") for code in found.values())
    unreal = failures(run, keys.MBO_TAPE, keys.REALISM_HOLDS)
    assert unreal == {f"{BAD_SEED}|{good}": "TAPE_UNREALISTIC"}
    assert failures(run, keys.GRID_DATASET, keys.NOTHING_MISSING) == {
        **dict.fromkeys(found, "TAPE_NOT_FOUND"),
        **unreal,
    }


def test_the_check_of_realism_says_which_band_is_left_and_shows_every_figure(batch):
    _, run, _, _ = batch
    realism = check(run, keys.MBO_TAPE, keys.REALISM_HOLDS)
    assert "lifetime_median_s is 0.3" in realism.description
    assert "not 0.5 … 20" in realism.description
    shown = {record.data["statistic"]: record.data for record in
             realism.metadata["statistics"].records}  # fmt: skip
    assert len(shown) == 16
    assert shown["lifetime_median_s"]["outside"] == 1
    assert shown["size_median_lots"]["outside"] == 0


def test_a_good_tape_passes_every_check_and_shows_what_a_person_asks_for(batch):
    books, run, _, _ = batch
    for name in (keys.DIGEST_MATCHES, keys.BOOK_INVARIANTS_HOLD):
        assert check(run, keys.MBO_TAPE, name).passed
    [one] = run.materialised(keys.MBO_TAPE).values()
    assert {
        *("scorecard", "depth", "dagster/row_count", "uri", "manifest", "content_digest"),
        *("recipe_digest", "used_cache", "seconds", "events_per_second", "anomalies"),
    } <= set(one.metadata)
    assert one.metadata["crossed_at_end"].value is False
    ref = tape_ref(tape(), GOOD_SEED)
    assert books.graph.resources.store.exists(ref.manifest_key)
    assert one.tags["dagster/data_version"] in one.metadata["content_digest"].value


def test_a_second_run_finds_the_tape_again(batch):
    books, _, good, _ = batch
    before = books.graph.objects()
    run = books.run(TapeCell(good, GOOD_SEED), parity_events=100)
    assert run.success, run.said
    assert run.metadata(keys.MBO_TAPE, "used_cache") == {f"{GOOD_SEED}|{good}": True}
    assert run.metadata(keys.GRID_DATASET, "used_cache") == {f"{GOOD_SEED}|{good}": True}
    assert books.graph.objects() == before


def test_a_damaged_tape_is_named_left_and_stops_what_is_made_of_it(batch):
    books, _, good, _ = batch
    key = tape_ref(tape(), GOOD_SEED).events_key
    data = (books.objects / key).read_bytes()
    flip(books.objects / key)
    run = books.run(TapeCell(good, GOOD_SEED))
    assert not run.success
    matches = check(run, keys.MBO_TAPE, keys.DIGEST_MATCHES)
    assert (matches.passed, matches.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert key in matches.description
    assert run.materialised(keys.MBO_TAPE) == run.materialised(keys.GRID_DATASET) == {}
    (books.objects / key).write_bytes(data)


def test_a_key_that_was_added_by_other_means_is_refused(books):
    books.graph.instance.add_dynamic_partitions("tape", ["stranger-000000000000"])
    run = books.run(TapeCell("stranger-000000000000", 1))
    assert not run.success
    assert "TAPE_NOT_REGISTERED" in run.said


def test_a_recorded_file_is_checked_warmed_up_and_built(books, tmp_path):
    key = books.record(tmp_path)
    opening = books.run_recorded(key)
    assert opening.success, opening.said
    [warm] = opening.materialised(keys.BOOK_CHECKPOINT).values()
    assert warm.metadata["emit_from_ns"].value == str(short_tape().start_ns + 1)
    start_ns = short_tape().start_ns + SECOND_NS
    run = books.run_recorded(key, emit_from_ns=str(start_ns))
    assert run.success, run.said
    for name in (keys.MBO_SOURCE, keys.BOOK_CHECKPOINT, keys.RECORDED_GRID_DATASET):
        assert list(run.materialised(name)) == [key]
    assert check(run, keys.MBO_SOURCE, keys.BOOK_INVARIANTS_HOLD).passed
    [warm] = run.materialised(keys.BOOK_CHECKPOINT).values()
    assert warm.metadata["emit_from_ns"].value == str(start_ns)
    assert warm.metadata["events"].value > 100
    grids = [one.metadata(keys.RECORDED_GRID_DATASET, "dataset_id") for one in (opening, run)]
    assert grids[0].keys() == grids[1].keys() == {key}
    assert grids[0] != grids[1]


def test_a_damaged_recorded_file_is_named_and_stops_what_is_made_of_it(books, tmp_path):
    key = books.record(tmp_path)
    [stored] = books.graph.resources.store.keys("sources/mbo/")[:1]
    flip(books.objects / stored)
    run = books.run_recorded(key)
    assert not run.success
    matches = check(run, keys.MBO_SOURCE, keys.DIGEST_MATCHES)
    assert stored in matches.description
    assert run.materialised(keys.RECORDED_GRID_DATASET) == {}
