"""What a campaign's reports show a person: tables, pictures, checks, and the gate's reasons."""

import dagster as dg
import pytest

from contracts.columns import CAMPAIGN_LEADERBOARD, MONTE_CARLO, WALK_FORWARD
from islandflow_assets import keys
from islandflow_assets.campaign_reports import PASSED_TAG
from tests.campaign_graph import campaign_home, empty_home, only_campaign, register, run_job
from tests.graph import graph_of
from tests.islandflow_assets.pictures import picture, words
from tests.islandflow_resources.campaigning import SHUT_GATE, entrant


@pytest.fixture(scope="module")
def shown():
    """Metadata of every report of the finished campaign, and its key."""
    with graph_of(campaign_home()) as graph:
        key = only_campaign(graph)
        found = {}
        for asset in (
            *(keys.CAMPAIGN_LEADERBOARD, keys.CAMPAIGN_ROBUSTNESS, keys.OVERFIT_REPORT),
            keys.PROMOTION_DOSSIER,
        ):
            wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key])
            [record] = graph.instance.fetch_materializations(wanted, limit=1).records
            found[asset] = record.asset_materialization
        yield found, key


@pytest.fixture(scope="module")
def alone():
    """A run of a campaign with a single candidate, a shut gate and nothing else asked for."""
    with graph_of(empty_home()) as graph:
        key = register(
            graph,
            id="alone",
            strategies=[entrant(params={"fast": 3, "slow": 9})],
            robustness={
                "monte_carlo": None,
                "walk_forward": None,
                "overfitting": {"blocks": 2, "probes": 1},
            },
            gate=SHUT_GATE,
        )
        run = run_job(graph, key)
        assert run.success, run.said
        yield run, key


def test_the_leaderboard_shows_the_best_first_with_its_score(shown):
    found, _ = shown
    metadata = found[keys.CAMPAIGN_LEADERBOARD].metadata
    records = [record.data for record in metadata["leaderboard"].records]
    assert [record["rank"] for record in records] == [1, 2, 3, 4, 5, 6]
    scores = [record["score"] for record in records]
    assert scores == sorted(scores, reverse=True)
    assert metadata["best_score"].value == pytest.approx(scores[0], rel=1e-3)
    columns = [column.name for column in metadata["leaderboard"].schema.columns]
    assert columns[:4] == ["rank", "strategy_id", "params", "score"]
    assert set(columns) <= set(CAMPAIGN_LEADERBOARD.names)


def test_robustness_shows_monte_carlo_and_walk_forward_and_their_pictures(shown):
    found, key = shown
    metadata = found[keys.CAMPAIGN_ROBUSTNESS].metadata
    for name, schema in (("monte_carlo", MONTE_CARLO), ("walk_forward", WALK_FORWARD)):
        assert {one.name for one in metadata[name].schema.columns} <= set(schema.names)
        assert metadata[name].records
    for name in ("equity_fan", "drawdowns", "fold_stability"):
        assert words(picture(metadata[name]))
    assert metadata["used_cache"].value is False
    assert key in metadata["fold_stability"].value


def test_the_overfitting_report_shows_its_two_numbers(shown):
    found, _ = shown
    metadata = found[keys.OVERFIT_REPORT].metadata
    report = metadata["report"].value
    assert metadata["pbo"].value == report["pbo"]
    assert metadata["deflated_sharpe"].value == report["deflated"]["deflated_sharpe"]
    assert 0.0 <= metadata["pbo"].value <= 1.0
    assert picture(metadata["logits"]) is not None


def test_the_dossier_shows_every_criterion_with_its_reason_and_where_it_would_be_served(shown):
    found, _ = shown
    dossier = found[keys.PROMOTION_DOSSIER]
    records = [record.data for record in dossier.metadata["criteria"].records]
    assert all(record["passed"] and record["why"] for record in records)
    assert {"trades", "parity", "latency", "checksums"} <= {one["criterion"] for one in records}
    assert dossier.metadata["alias"].value == "best"
    assert dossier.metadata["winner"].value["strategy_id"] == "crossing"
    assert dossier.metadata["latency_ms"].value > 0.0
    assert dossier.tags[PASSED_TAG] == "true"


def test_a_shut_gate_says_every_reason_and_fails_nothing_but_its_check(alone):
    run, key = alone
    check = run.check(keys.GATE_PASSED)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    for said in ("closed trades", "out of sample", "ruin", "takes more than"):
        assert said in check.description
    dossier = run.materialised(keys.PROMOTION_DOSSIER)[key]
    assert dossier.tags[PASSED_TAG] == "false"
    logged = [one.user_message for one in run.instance.all_logs(run.result.run_id)]
    assert sum(line.startswith("gate: ") for line in logged) == check.description.count("; ") + 1


def test_what_is_not_defined_is_said_with_its_reason_and_never_shown_as_a_number(alone):
    run, key = alone
    check = run.check(keys.OVERFITTING_KNOWN)
    assert not check.passed
    assert "pbo is not defined: one candidate" in check.description
    assert run.metadata(keys.OVERFIT_REPORT, "pbo") == {key: "not defined"}


def test_a_campaign_that_leaves_out_monte_carlo_and_walk_forward_shows_neither(alone):
    run, key = alone
    metadata = run.materialised(keys.CAMPAIGN_ROBUSTNESS)[key].metadata
    assert {"monte_carlo", "walk_forward", "equity_fan", "fold_stability"}.isdisjoint(metadata)
    assert run.check(keys.PATHS_CONVERGED).passed


def test_of_two_known_numbers_the_check_says_so(shown):
    with graph_of(campaign_home()) as graph:
        run = run_job(graph, only_campaign(graph))
        check = run.check(keys.OVERFITTING_KNOWN)
        assert (check.passed, check.description) == (True, "both are")
