"""Synthetic sessions in real runs: published, judged, found again, damaged, unrealistic."""

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from contracts.control import SECOND_NS
from contracts.digest import bare
from islandflow_assets import keys
from islandflow_assets.market_verdicts import CHECKS
from islandflow_assets.partitions import MarketCell
from islandflow_jobs.definitions import defs
from islandflow_resources import market_tapes
from tests.book_graph import check, failures
from tests.islandflow_resources.small_markets import OffGridTape, flip, profile, start_ns
from tests.market_graph import SEEDS, made_graph, markets_graph

ASSETS = (
    keys.TAPE,
    keys.MARKET_SESSION,
    keys.TAPE_LABELS,
    keys.TAPE_MANIFEST,
    keys.REPLAY_PLAN,
)


@pytest.fixture
def made():
    """A market that was made with two seeds, and its key."""
    with made_graph() as markets:
        yield markets, markets.partitions()[0]


@pytest.fixture(scope="module")
def again():
    """A second run over all of it: the graph, its key, the run, and the objects before."""
    with made_graph() as markets:
        [key] = markets.partitions()
        before = markets.graph.objects()
        run = markets.run(MarketCell(key, SEEDS[0]), MarketCell(key, SEEDS[-1]))
        assert run.success, run.said
        yield markets, key, run, before


def test_every_part_of_every_tape_is_published_with_versions_of_its_own(again):
    markets, key, run, _ = again
    cells = [f"{key}|{seed}" for seed in SEEDS]
    versions = set()
    for asset in ASSETS:
        published = run.materialised(asset)
        assert list(published) == cells
        versions |= {one.tags["dagster/data_version"] for one in published.values()}
    assert len(versions) == len(ASSETS) * len(SEEDS)
    tape = market_tapes.standing_tape(
        *[markets.graph.resources.store] * 2,
        markets.graph.resources.database,
        markets.ref(MarketCell(key, 1)),
    )
    plan = run.materialised(keys.REPLAY_PLAN)[cells[0]]
    manifest = run.materialised(keys.TAPE_MANIFEST)[cells[0]]
    assert manifest.tags["dagster/data_version"] == bare(tape.manifest.manifest_hash)
    assert plan.tags[f"dagster/input_data_version/{keys.TAPE_MANIFEST}"] == bare(
        tape.manifest.manifest_hash
    )
    labels = run.materialised(keys.TAPE_LABELS)[cells[0]]
    assert labels.tags[f"dagster/input_data_version/{keys.TAPE}"] == bare(tape.content_digest)


def test_a_second_run_computes_and_writes_nothing(again):
    markets, _, run, before = again
    assert set(run.metadata(keys.TAPE, "used_cache").values()) == {True}
    assert markets.graph.objects() == before


def test_every_check_passes_and_shows_its_figures(again):
    _, _, run, _ = again
    for name in CHECKS:
        one = check(run, keys.TAPE, name)
        assert (one.passed, one.metadata["partitions_passed"].value) == (True, len(SEEDS))
        if name not in {keys.DIGEST_MATCHES, keys.DETERMINISM_HOLDS}:
            records = [record.data for record in one.metadata["figures"].records]
            assert records
            assert all(record["outside"] == 0 for record in records)
    slices = check(run, keys.TAPE, keys.DETERMINISM_HOLDS).metadata["slices"].records
    assert [record.data["equal"] for record in slices] == [True] * len(SEEDS)
    for asset in ASSETS[1:]:
        assert check(run, asset, keys.NOTHING_MISSING).passed
        assert check(run, asset, keys.DIGEST_MATCHES).passed


def test_a_tape_shows_what_a_person_asks_for(again):
    markets, key, run, _ = again
    tape = run.materialised(keys.TAPE)[f"{key}|1"].metadata
    streams = {record.data["stream"]: record.data for record in tape["streams"].records}
    assert sum(one["rows"] for one in streams.values()) == tape["dagster/row_count"].value
    assert {one["row_groups"] for one in streams.values()} == {2}
    for name in ("volume", "smile", "term_structure"):
        assert f"{key}|1 · {name.replace('_', ' ')}" in tape[name].value
    assert tape["symbols"].value == 3
    assert tape["presets"].value == "balanced_demo"
    session = run.materialised(keys.MARKET_SESSION)[f"{key}|1"].metadata
    assert sum(session["regime_minutes"].value.values()) == 10
    assert session["dagster/row_count"].value == 10
    labels = run.materialised(keys.TAPE_LABELS)[f"{key}|1"].metadata
    assert "coverage" in labels["coverage"].value
    assert sum(labels["bursts"].value.values()) > 0
    files = run.materialised(keys.TAPE_MANIFEST)[f"{key}|1"].metadata["files"].records
    stored = set(markets.graph.objects())
    assert {record.data["path"] for record in files} < stored
    plan = run.materialised(keys.REPLAY_PLAN)[f"{key}|1"].metadata
    assert plan["replayed"].value == plan["dagster/row_count"].value
    assert plan["order_by"].value == "ts, ingest_ts, seq, trace_id"


def test_a_tape_off_its_grid_is_named_with_its_band_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(market_tapes, "MarketTape", OffGridTape)
    with markets_graph() as markets:
        [key] = markets.register(profile(), seeds=SEEDS)
        run = markets.run(MarketCell(key, SEEDS[0]), MarketCell(key, SEEDS[-1]))
        assert not run.success
        good, bad = (f"{key}|{seed}" for seed in (1, OffGridTape.BAD_SEED))
        for asset in ASSETS:
            assert list(run.materialised(asset)) == [good]
        assert failures(run, keys.TAPE, keys.TICK_GRIDS_HOLD) == {bad: "TAPE_OFF_GRID"}
        assert failures(run, keys.TAPE, keys.REALISM_HOLDS) == {bad: "TAPE_UNREALISTIC"}
        assert failures(run, keys.TAPE, keys.DETERMINISM_HOLDS) == {bad: "TAPE_NOT_REPRODUCED"}
        realism = check(run, keys.TAPE, keys.REALISM_HOLDS)
        assert "off_grid_share is 0." in realism.description
        assert "above 0 by 0." in realism.description
        shown = {record.data["figure"]: record.data
                 for record in realism.metadata["figures"].records}  # fmt: skip
        assert (shown["off_grid_share"]["outside"], shown["off_grid_share"]["band"]) == (1, "0")
        assert check(run, keys.TAPE, keys.SCHEMA_HOLDS).passed
        for asset in ASSETS[1:]:
            assert failures(run, asset, keys.NOTHING_MISSING) == {bad: "TAPE_OFF_GRID"}


def test_alone_an_unrealistic_tape_blocks_everything_after_it(monkeypatch):
    monkeypatch.setattr(market_tapes, "MarketTape", OffGridTape)
    with markets_graph() as markets:
        [key] = markets.register(profile(), seeds=[OffGridTape.BAD_SEED])
        run = markets.run(MarketCell(key, OffGridTape.BAD_SEED))
        assert not run.success
        realism = check(run, keys.TAPE, keys.REALISM_HOLDS)
        assert (realism.passed, realism.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert "off_grid_share" in realism.description
        for asset in ASSETS:
            assert run.materialised(asset) == {}


@pytest.mark.parametrize("name", ["equity_prints.parquet", "burst_labels.parquet"])
def test_a_damaged_file_is_named_left_and_stops_what_follows(made, name):
    markets, key = made
    ref = markets.ref(MarketCell(key, 1))
    [path] = markets.objects.glob(f"*/{ref.inputs.tape_id}/{name}")
    flip(path)
    data = path.read_bytes()
    run = markets.run(MarketCell(key, 1))
    assert not run.success
    matches = check(run, keys.TAPE, keys.DIGEST_MATCHES)
    assert (matches.passed, matches.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert name in matches.description
    assert all(run.materialised(asset) == {} for asset in ASSETS)
    assert path.read_bytes() == data


def test_a_part_alone_is_verified_when_it_is_published(made):
    markets, key = made
    cell = MarketCell(key, 2)
    run = markets.run(cell, only=[keys.TAPE_LABELS])
    assert run.success, run.said
    assert list(run.materialised(keys.TAPE_LABELS)) == [str(cell)]
    ref = markets.ref(cell)
    [path] = markets.objects.glob(f"labels/{ref.inputs.tape_id}/print_labels.parquet")
    flip(path)
    damaged = markets.run(cell, only=[keys.TAPE_LABELS])
    assert not damaged.success
    assert failures(damaged, keys.TAPE_LABELS, keys.DIGEST_MATCHES) == {
        str(cell): "TAPE_FILE_DIFFERS"
    }


def test_a_part_of_a_tape_that_was_never_made_is_missing():
    with markets_graph() as markets:
        [key] = markets.register(profile(), seeds=[9])
        run = markets.run(MarketCell(key, 9), only=[keys.MARKET_SESSION])
        assert not run.success
        found = failures(run, keys.MARKET_SESSION, keys.NOTHING_MISSING)
        assert found == {f"{key}|9": "TAPE_NOT_FOUND"}


def test_a_key_that_was_added_by_other_means_is_refused(made):
    markets, _ = made
    markets.graph.instance.add_dynamic_partitions("market", ["stranger-000000000000"])
    run = markets.run(MarketCell("stranger-000000000000", 1))
    assert not run.success
    assert "TAPE_NOT_REGISTERED" in run.said


def statuses(markets, asset):
    """What Dagster thinks of each partition of an asset."""
    context = LoadingContextForTest(markets.graph.instance)
    graph = defs.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(markets.graph.instance, graph, context)
    return {
        resolver.get_status(dg.AssetKey(asset), str(MarketCell(key, seed).key))
        for key in markets.partitions()
        for seed in SEEDS
    }


def test_a_change_of_the_control_makes_no_tape_stale(made):
    markets, _ = made
    assert markets.run_control().success
    before = {asset: statuses(markets, asset) for asset in ASSETS}
    markets.save(start_ns(profile()) + 60 * SECOND_NS, preset_id="event_day")
    assert markets.run_control().success
    assert before == {asset: {StaleStatus.FRESH} for asset in ASSETS}
    assert {asset: statuses(markets, asset) for asset in ASSETS} == before
