"""Which numbers of a campaign the pictures show."""

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_assets.campaign_pictures import heat_map
from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaigns import registered
from tests.campaign_graph import campaign_home, empty_home, only_campaign, register, run_job
from tests.graph import graph_of
from tests.islandflow_assets.pictures import cells, picture, words
from tests.islandflow_resources.campaigning import CALM_MARKET, entrant


@pytest.fixture(scope="module")
def finished():
    """The finished campaign with its leaderboard and the pictures of its robustness."""
    with graph_of(campaign_home()) as graph:
        resources = graph.resources
        campaign = registered(resources.database, only_campaign(graph))
        board = make_leaderboard(resources.store, resources.database, campaign, "run")
        wanted = dg.AssetRecordsFilter(
            dg.AssetKey(keys.CAMPAIGN_ROBUSTNESS), asset_partitions=[campaign.key]
        )
        [record] = graph.instance.fetch_materializations(wanted, limit=1).records
        yield campaign, board, record.asset_materialization.metadata


def drawn_map(**changes):
    """The heat map of a tiny campaign on one dataset, with some fields changed."""
    with graph_of(empty_home()) as graph:
        key = register(
            graph,
            **{
                "scenarios": [CALM_MARKET],
                "seeds": "1",
                "robustness": {
                    "monte_carlo": None,
                    "walk_forward": None,
                    "overfitting": {"blocks": 2, "probes": 1},
                },
                **changes,
            },
        )
        run = run_job(graph, key)
        assert run.success, run.said
        return picture(run.materialised(keys.CAMPAIGN_LEADERBOARD)[key].metadata["heat_map"])


def test_the_heat_map_has_a_cell_for_every_set_and_names_both_parameters(finished):
    campaign, board, _ = finished
    root = picture(heat_map(campaign, board))
    assert len(cells(root)) == 6
    said = words(root)
    assert any("fast" in word for word in said)
    assert any("slow" in word for word in said)
    assert any("sharpe of crossing" in word for word in said)


def test_equity_fan_and_drawdowns_are_those_of_the_first_dataset(finished):
    campaign, _, metadata = finished
    scenario, seed = campaign.cells[0]
    for name in ("equity_fan", "drawdowns"):
        assert f"{scenario.partition_key}|{seed}" in " ".join(words(picture(metadata[name])))


def test_the_drawdowns_are_counted_in_percent(finished):
    _, _, metadata = finished
    assert any("%" in word for word in words(picture(metadata["drawdowns"])))


def test_the_stability_has_a_place_for_every_fold(finished):
    campaign, _, metadata = finished
    said = " ".join(words(picture(metadata["fold_stability"])))
    folds = campaign.spec.robustness.walk_forward.folds
    assert all(str(fold + 1) in said or str(fold) in said for fold in range(folds))


def test_a_strategy_without_ranges_still_has_a_picture():
    root = drawn_map(strategies=[entrant(params={"fast": 3, "slow": 9})])
    assert any("sharpe of crossing" in word for word in words(root))


def test_a_third_parameter_does_not_hide_what_the_first_two_say():
    third = {
        "fast": {"default": 3, "min": 2, "max": 4, "step": 1},
        "slow": {"default": 9, "min": 8, "max": 12, "step": 4},
        "far": {"default": 0, "min": 0, "max": 1, "step": 1},
    }
    rules = [
        {"if": "crossover(ma(close, fast), ma(close, slow)) and close > far", "then": "buy"},
        {"if": "crossunder(ma(close, fast), ma(close, slow))", "then": "close"},
    ]
    root = drawn_map(strategies=[entrant(params=third, rules=rules)])
    assert len(cells(root)) == 6
