"""Rows of Monte Carlo and walk-forward: where chunks end, what is null, and what is averaged."""

import itertools
import json

import numpy as np
import pytest

from contracts.backtest import BacktestSettings
from contracts.columns import MONTE_CARLO, WALK_FORWARD
from contracts.strategy import strategy_from
from contracts.validation import MONTE_CARLO_STATISTICS, MonteCarloSettings, WalkForwardSettings
from islandflow_resources.robustness import (
    Cell,
    means_by_dataset,
    monte_carlo,
    table_of,
    walk_forward,
)
from islandflow_resources.trials import ParameterSets
from tests.islandflow_resources.backtests import bars
from tests.islandflow_resources.campaigning import BUSTED, CROSSING, runtime

SETTINGS = BacktestSettings()
FOLDS = WalkForwardSettings(folds=3)


def cell(rows=300, seed=1):
    return Cell("calm-000000000000", seed, bars(rows, seed).bars)


def sets(*rows, spec=None):
    spec = spec or strategy_from(CROSSING)
    names = tuple(spec.params)
    return ParameterSets(spec, names, np.array(rows, np.float64).reshape(len(rows), len(names)))


def test_a_cell_is_annualised_by_its_timeframe():
    assert cell().bars_per_year == 252 * 1440
    assert cell().names == {"scenario_key": "calm-000000000000", "seed": 1}


def test_where_chunks_of_sets_end_changes_no_row():
    grid = [(fast, slow) for fast in (2, 3, 4) for slow in (8, 12)]
    whole = walk_forward(runtime(), cell(seed=5), [sets(*grid)], SETTINGS, FOLDS, "sharpe")
    for places in ((1,), (5,), (2, 4), (1, 2, 3, 4, 5)):
        edges = [0, *places, 6]
        parts = [sets(*grid[a:b]) for a, b in itertools.pairwise(edges)]
        assert walk_forward(runtime(), cell(seed=5), parts, SETTINGS, FOLDS, "sharpe") == whole
    assert len({row["params"] for row in whole}) > 1


def test_the_choice_is_the_best_in_training_whatever_it_does_in_the_test():
    grid = [(fast, slow) for fast in (2, 3, 4) for slow in (8, 12)]
    rows = walk_forward(runtime(), cell(), [sets(*grid)], SETTINGS, FOLDS, "total_return")
    for row in rows:
        alone = [
            walk_forward(runtime(), cell(), [sets(one)], SETTINGS, FOLDS, "total_return")
            for one in grid
        ]
        trained = [found[row["fold"]]["train_objective"] for found in alone]
        best = trained.index(max(trained))
        assert row["train_objective"] == trained[best]
        assert tuple(json.loads(row["params"]).values()) == grid[best]
        assert row["test_objective"] == alone[best][row["fold"]]["test_objective"]


def test_only_the_bars_that_are_traded_are_folded():
    cut = BacktestSettings(max_bars=200)
    rows = walk_forward(runtime(), cell(300), [sets((3, 9))], cut, FOLDS, "sharpe")
    short = walk_forward(runtime(), cell(300), [sets((3, 9))], SETTINGS, FOLDS, "sharpe")
    assert rows[-1]["test_stop"] == 200
    assert short[-1]["test_stop"] == 300


def test_a_trial_without_equity_has_a_row_without_numbers():
    how = MonteCarloSettings(paths=50, block_bars=10)
    busted = sets((), spec=strategy_from(BUSTED))
    found = monte_carlo(runtime(), cell(), [busted, sets((3, 9))], SETTINGS, how)
    lost, own = table_of(found.rows, MONTE_CARLO).to_pylist()
    assert {lost[name] for name in MONTE_CARLO_STATISTICS} == {None}
    assert (lost["strategy_id"], lost["params"]) == ("busted", "{}")
    assert all(own[name] is not None for name in MONTE_CARLO_STATISTICS)
    alone = monte_carlo(runtime(), cell(), [sets((3, 9))], SETTINGS, how)
    assert alone.rows == found.rows[1:]


def test_rows_become_a_table_of_the_layout_even_if_there_are_none():
    rows = walk_forward(runtime(), cell(), [sets((3, 9))], SETTINGS, FOLDS, "sharpe")
    assert table_of(rows, WALK_FORWARD).to_pylist() == rows
    assert table_of([], WALK_FORWARD).num_rows == 0


def fold(test, train=1.0):
    return {"test_objective": test, "train_objective": train}


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([fold(1.0, 2.0), fold(2.0, 4.0)], (1.5, 0.5)),
        ([fold(-1.0, 2.0)], (-1.0, -0.5)),
        ([fold(1.0, -2.0), fold(1.0, 1.0)], (1.0, None)),
        ([fold(1.0, 0.0)], (1.0, None)),
        ([], (None, None)),
        ([fold(5.0), fold(5.0), fold(5.0), fold(None)], (None, None)),
        ([fold(1.0, None), fold(1.0, 1.0)], (1.0, None)),
    ],
)
def test_means_are_over_all_folds_and_unknown_where_one_is(rows, wanted):
    """A fold that is left out would flatter the rest: its equity may be lost."""
    assert means_by_dataset(rows) == wanted
