"""Monte Carlo and walk-forward of registered strategies, a table for each dataset."""

import pytest

from contracts.backtest import BacktestSettings
from contracts.strategy import strategy_from
from contracts.validation import MonteCarloSettings, WalkForwardSettings
from islandflow_resources import robustness
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaign_robustness import make_robust
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.strategies import StrategyList
from islandflow_resources.validations import at_defaults, make_monte_carlo, make_walk_forward
from tests.islandflow_resources.campaigning import (
    CROSSING,
    ROBUSTNESS,
    aside,
    damage,
    finished_copy,
    remove,
    runtime,
)

PATHS = MonteCarloSettings(**ROBUSTNESS["monte_carlo"])
FOLDS = WalkForwardSettings(**ROBUSTNESS["walk_forward"])
CROSSER = strategy_from(CROSSING)
PLAIN = strategy_from(CROSSING | {"id": "plain", "params": {"fast": 5, "slow": 21}})
HOURLY = strategy_from(CROSSING | {"id": "hourly", "timeframe": "1h"})
FAR = strategy_from(CROSSING | {"id": "far", "params": {"fast": 5, "slow": 490}})


@pytest.fixture
def home():
    with finished_copy() as made:
        yield made


def inputs(home):
    """Stored datasets, the one of 480 bars first and then one of 560."""
    cells = home.ready().cells
    refs = [dataset_ref(scenario, seed) for scenario, seed in (cells[0], cells[3])]
    return list(find_datasets(*home.place, refs))


def monte_carlo(home, strategies, settings=None):
    return list(
        make_monte_carlo(*home.place, inputs(home), StrategyList.of(strategies),
                         settings or BacktestSettings(), PATHS, "run")
    )  # fmt: skip


def walk_forward(home, strategies, settings=None, objective="sharpe"):
    return list(
        make_walk_forward(*home.place, inputs(home), StrategyList.of(strategies),
                          settings or BacktestSettings(), FOLDS, objective, "run")
    )  # fmt: skip


@pytest.mark.parametrize("make", [monte_carlo, walk_forward])
def test_summaries_are_made_once_and_again_where_they_are_damaged(home, make):
    first = make(home, [CROSSER, PLAIN])
    assert [one.stored.used_cache for one in first] == [False, False]
    before = home.objects()
    assert [one.stored.used_cache for one in make(home, [CROSSER, PLAIN])] == [True, True]
    damage(home.store, first[0].stored.key)
    remove(home.store, first[1].stored.key)
    again = make(home, [CROSSER, PLAIN])
    assert [one.stored.used_cache for one in again] == [False, False]
    assert home.objects() == before
    assert aside(home.store) == [first[0].stored.key]


@pytest.mark.parametrize("make", [monte_carlo, walk_forward])
def test_a_summary_depends_on_strategies_and_settings(home, make):
    recipes = {
        one.stored.recipe
        for strategies in ([CROSSER], [PLAIN], [PLAIN, CROSSER], [CROSSER, PLAIN])
        for settings in (BacktestSettings(), BacktestSettings(bar_delay=2))
        for one in make(home, strategies, settings)
    }
    assert len(recipes) == 4 * 2 * 2


def test_strategies_are_resampled_at_their_defaults(home):
    made = monte_carlo(home, [PLAIN, CROSSER])
    for one, dataset in zip(made, inputs(home), strict=True):
        spec, digest = dataset.ref.spec, dataset.manifest.content_digest
        bars = BacktestData.of_dataset(dataset.table, spec, digest).bars
        cell = robustness.Cell(spec.partition_key, dataset.ref.seed, bars)
        rows = [
            robustness.monte_carlo(runtime(), cell, [sets], BacktestSettings(), PATHS).rows[0]
            for sets in (at_defaults(PLAIN), at_defaults(CROSSER))
        ]
        assert one.stored.table.to_pylist() == rows
        assert one.first.values == {name: rows[0][name] for name in one.first.values}
    assert [one.first for one in monte_carlo(home, [PLAIN, CROSSER])] == [None, None]


def test_walking_the_grid_is_what_a_campaign_over_the_same_grid_does(home):
    campaign = home.ready()
    board = make_leaderboard(home.store, home.database, campaign, "run")
    wanted = make_robust(*home.place, campaign, board, "run").walk_forward.table.to_pylist()
    for one in walk_forward(home, [CROSSER]):
        rows = one.stored.table.to_pylist()
        key = (rows[0]["scenario_key"], rows[0]["seed"])
        assert rows == [row for row in wanted if (row["scenario_key"], row["seed"]) == key]
        assert len(rows) == 3


@pytest.mark.parametrize("make", [monte_carlo, walk_forward])
def test_what_does_not_fit_a_dataset_is_left_out_of_it(home, make):
    short, long = make(home, [CROSSER, HOURLY, FAR])
    assert set(short.stored.table["strategy_id"].to_pylist()) == {"crossing"}
    assert set(long.stored.table["strategy_id"].to_pylist()) == {"crossing", "far"}


@pytest.mark.parametrize("make", [monte_carlo, walk_forward])
def test_the_bars_that_count_are_those_that_are_traded(home, make):
    cut = BacktestSettings(max_bars=470)
    for one in make(home, [CROSSER, FAR], cut):
        assert set(one.stored.table["strategy_id"].to_pylist()) == {"crossing"}


@pytest.mark.parametrize("make", [monte_carlo, walk_forward])
def test_a_dataset_that_nothing_fits_is_told_and_leaves_nothing(home, make):
    before = home.objects()
    for one in make(home, [HOURLY]):
        assert (one.stored, one.problem.code) == (None, "STRATEGY_NONE_FITS")
        assert one.dataset is not None
    assert home.objects() == before


def test_a_grid_that_belongs_into_a_campaign_is_refused(home):
    wide = {"fast": {"default": 3, "min": 2, "max": 60, "step": 1},
            "slow": {"default": 9, "min": 8, "max": 60, "step": 1}}  # fmt: skip
    [first, _] = walk_forward(home, [strategy_from(CROSSING | {"params": wide})])
    assert first.problem.code == "WALK_FORWARD_TOO_MANY_SETS"
    assert "3,127 sets" in first.problem.message


def test_another_objective_is_another_table(home):
    one, other = (walk_forward(home, [CROSSER], objective=name)[0] for name in ("sharpe", "calmar"))
    assert one.stored.recipe != other.stored.recipe
    assert one.stored.content_digest != other.stored.content_digest
