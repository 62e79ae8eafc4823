"""Detections in real runs: made, judged, found again, damaged, of seeds that tuned the policy."""

import sys

import pytest

from contracts.digest import bare
from contracts.flow_columns import ALERTS, FLOW_PACKETS, HYPOTHESIS_ROWS, SMART_MONEY_EVENTS
from contracts.flow_policy import usual_policy
from islandflow_assets import detection_reports, keys
from islandflow_assets.partitions import MarketCell
from islandflow_resources.sound_detections import sound_detection
from tests.book_graph import check
from tests.islandflow_resources.small_markets import flip
from tests.market_graph import SEEDS, made_graph

PARTS = {
    keys.FLOW_PACKETS: FLOW_PACKETS,
    keys.SMART_FLOW_HYPOTHESES: HYPOTHESIS_ROWS,
    keys.SMART_FLOW_ALERTS: ALERTS,
    keys.SMART_MONEY_EVENTS: SMART_MONEY_EVENTS,
}


@pytest.fixture(scope="module")
def detected():
    """A market of two seeds whose tapes were looked at once: the graph, its key, the run."""
    with made_graph() as markets:
        [key] = markets.partitions()
        run = markets.detect(MarketCell(key, SEEDS[0]), MarketCell(key, SEEDS[-1]))
        yield markets, key, run


def detection_of(markets, key, seed):
    """The stored detection of a cell, verified."""
    resources = markets.graph.resources
    found = sound_detection(
        resources.store,
        resources.store,
        resources.database,
        markets.ref(MarketCell(key, seed)),
        usual_policy(),
        "run",
    )
    assert found.detection is not None, found.problem
    return found.detection


def test_every_table_is_published_with_the_digest_of_what_it_says(detected):
    markets, key, run = detected
    assert run.success, run.said
    for seed in SEEDS:
        tables = detection_of(markets, key, seed).manifest.tables
        for asset, schema in PARTS.items():
            published = run.materialised(asset)[f"{key}|{seed}"]
            assert published.tags["dagster/data_version"] == bare(tables[schema.name].digest)
            assert published.metadata["dagster/row_count"].value == tables[schema.name].rows


def test_every_check_of_detection_and_judgement_passes(detected):
    _, _, run = detected
    assert check(run, keys.FLOW_PACKETS, keys.PARITY_HOLDS).passed
    for asset in PARTS:
        assert check(run, asset, keys.NOTHING_MISSING).passed
        assert check(run, asset, keys.DIGEST_MATCHES).passed
    for name in detection_reports._REPORT:
        assert check(run, keys.DETECTION_REPORT, name).passed
    for name in detection_reports._COVERAGE:
        assert check(run, keys.COVERAGE_REPORT, name).passed


def test_the_report_shows_profiles_levels_and_the_policy(detected):
    _, key, run = detected
    shown = run.materialised(keys.DETECTION_REPORT)[f"{key}|{SEEDS[0]}"].metadata
    assert len(shown["profiles"].records) == 6
    assert {one.data["level"] for one in shown["levels"].records} == {
        "precision",
        "recall",
        "noise_abstained",
        "false_high",
    }
    assert shown["policy_digest"].value == usual_policy().policy_digest
    assert shown["seeds"].value == len(SEEDS)
    for name in ("precision_and_recall", "reliability", "abstention", "confusion", "delay"):
        assert "image/svg" in shown[name].value or "nothing" in shown[name].value


def test_a_second_run_computes_and_writes_nothing(detected):
    markets, key, _ = detected
    before = markets.graph.objects()
    run = markets.detect(MarketCell(key, SEEDS[0]))
    assert run.success, run.said
    assert run.metadata(keys.FLOW_PACKETS, "used_cache") == {f"{key}|{SEEDS[0]}": True}
    assert markets.graph.objects() == before


def test_a_damaged_detection_is_named_and_the_others_go_on(detected):
    markets, key, _ = detected
    damaged = detection_of(markets, key, SEEDS[0])
    name = f"detections/{damaged.manifest.detection_id}/{HYPOTHESIS_ROWS.name}.parquet"
    kept = (markets.objects / name).read_bytes()
    try:
        flip(markets.objects / name)
        run = markets.detect(MarketCell(key, SEEDS[0]), MarketCell(key, SEEDS[-1]))
        found = check(run, keys.FLOW_PACKETS, keys.DIGEST_MATCHES)
        assert not found.passed
        assert list(run.materialised(keys.FLOW_PACKETS)) == [f"{key}|{SEEDS[1]}"]
    finally:
        (markets.objects / name).write_bytes(kept)


def test_a_seed_that_tuned_the_policy_judges_nothing(detected, monkeypatch):
    markets, key, _ = detected
    policy = usual_policy()
    tuning = policy.tuning.model_copy(update={"seeds": (SEEDS[0],)})
    tuned = policy.model_copy(update={"tuning": tuning})
    for module in ("islandflow_assets.smart_flow", "islandflow_assets.detection_reports"):
        monkeypatch.setattr(f"{module}.usual_policy", lambda: tuned)
    run = markets.detect(MarketCell(key, SEEDS[0]), MarketCell(key, SEEDS[-1]))
    found = check(run, keys.DETECTION_REPORT, keys.SEEDS_ARE_HELD_OUT)
    assert not found.passed
    assert list(run.materialised(keys.DETECTION_REPORT)) == [f"{key}|{SEEDS[1]}"]


def test_a_level_that_is_missed_blocks_and_says_which(detected, monkeypatch):
    markets, key, _ = detected
    # the package's verb has the name of its module
    module = sys.modules["engine.evaluation.levels"]
    monkeypatch.setattr(module, "MIN_RECALL", 1.0 - 1e-12)
    run = markets.detect(
        MarketCell(key, SEEDS[0]),
        MarketCell(key, SEEDS[-1]),
        only=[keys.DETECTION_REPORT, keys.COVERAGE_REPORT],
    )
    found = check(run, keys.DETECTION_REPORT, keys.RECALL_HOLDS)
    assert not found.passed
    assert "recall of" in str(found.metadata)
    assert not run.materialised(keys.COVERAGE_REPORT)
