"""Candidates against an oracle: every trial run singly, its returns summed up in plain Python."""

import json
import math
import statistics

import numpy as np
import pytest

from contracts.validation import BLOCKS
from islandflow_resources.campaign_reports import candidates_of
from islandflow_resources.candidates import Board, candidates_table, pooled_sharpe
from islandflow_resources.table_schemas import from_arrays
from islandflow_resources.trials import TRIALS, ParameterSets
from tests.islandflow_resources.campaigning import (
    BUSTED,
    Home,
    empty_home,
    entrant,
    finished_folder,
    returns_of,
    trials_alone,
)
from tests.oracles import montecarlo, validation

GAP = 2
METRICS = ("sharpe", "total_return", "max_drawdown", "trades")
GRID = [(2, 8), (2, 12), (3, 8), (3, 12), (4, 8), (4, 12)]


@pytest.fixture(scope="module")
def home():
    return Home.embedded(finished_folder())


@pytest.fixture(scope="module")
def rows(home):
    return candidates_of(home.store, home.database, home.ready()).table.to_pylist()


@pytest.fixture(scope="module")
def alone(home):
    """Outcomes of every candidate, a list over the datasets each."""
    cells = [outcomes for _, _, _, outcomes in trials_alone(home, home.ready())]
    return [list(one) for one in zip(*cells, strict=True)]


@pytest.fixture(scope="module")
def returns(home, alone):
    settings = home.ready().spec.settings
    return [[returns_of(outcome, settings) for outcome in outcomes] for outcomes in alone]


def test_candidates_are_the_grid_in_its_order(home, rows):
    assert [row["candidate"] for row in rows] == list(range(6))
    assert [tuple(json.loads(row["params"]).values()) for row in rows] == GRID
    [(spec, _)] = home.ready().entrants
    assert {(row["strategy_id"], row["strategy_hash"]) for row in rows} == {
        (spec.id, spec.strategy_hash)
    }
    assert len({row["set_id"] for row in rows}) == 6


def test_medians_and_worsts_are_those_of_the_single_trials(rows, alone):
    for row, outcomes in zip(rows, alone, strict=True):
        values = {name: [one.report.values[name] for one in outcomes] for name in METRICS}
        gains = values["total_return"]
        assert row["score"] == statistics.median(values["sharpe"]) == row["median_sharpe"]
        assert row["median_total_return"] == statistics.median(gains)
        assert math.isclose(row["p5_total_return"], montecarlo.percentile(gains, 5), rel_tol=1e-12)
        assert row["worst_max_drawdown"] == min(values["max_drawdown"])
        assert row["trades"] == sum(values["trades"])
        assert row["share_profitable"] == sum(gain > 0 for gain in gains) / 4
        assert (row["datasets"], row["defined"]) == (4, 4)
    assert len({row["score"] for row in rows}) == 6


def test_sums_of_returns_are_those_of_the_single_trials(rows, returns):
    for row, candidate in zip(rows, returns, strict=True):
        parts = [validation.moments(one, GAP) for one in candidate]
        assert row["bars"] == sum(len(one) for one in candidate) == 2 * (480 + 560)
        for k in range(4):
            wanted = math.fsum(part["powers"][k] for part in parts)
            assert math.isclose(row[f"return_power_{k + 1}"], wanted, rel_tol=1e-11, abs_tol=1e-15)
        for b in range(BLOCKS):
            assert row[f"block_bars_{b:02}"] == sum(part["bars"][b] for part in parts)
            for name, key in (("sum", "sums"), ("squares", "squares")):
                wanted = math.fsum(part[key][b] for part in parts)
                found = row[f"block_{name}_{b:02}"]
                assert math.isclose(found, wanted, rel_tol=1e-11, abs_tol=1e-15)


def test_the_pooled_ratio_is_that_of_all_returns_one_behind_the_other(rows, returns):
    for row, candidate in zip(rows, returns, strict=True):
        wanted = validation.sharpe(validation.whole(candidate))
        assert math.isclose(row["pooled_sharpe"], wanted, rel_tol=1e-9)


def test_returns_that_do_not_vary_have_a_ratio_of_zero_and_lost_ones_none():
    flat, still = [1.0, 0.01, 1e-4, 1e-6], [0.0, 0.0, 0.0, 0.0]
    lost = [math.nan] * 4
    found = pooled_sharpe(np.array([flat, still, lost]), 100)
    assert found[:2].tolist() == [0.0, 0.0]
    assert np.isnan(found[2])


def test_a_candidate_without_equity_has_no_ratio_but_keeps_its_row():
    with empty_home() as home:
        campaign = home.ready(strategies=[entrant(), {"strategy": BUSTED}], seeds="1")
        found = home.trials(campaign).candidates.table.to_pylist()
        assert [row["candidate"] for row in found] == list(range(7))
        lost = found[6]
        assert (lost["strategy_id"], lost["params"]) == ("busted", "{}")
        assert (lost["score"], lost["pooled_sharpe"], lost["defined"]) == (None, None, 0)
        assert lost["median_total_return"] is not None
        assert {lost[f"block_sum_{b:02}"] for b in range(BLOCKS)} == {None}
        assert all(row["score"] is not None for row in found[:6])


def test_a_board_to_which_no_dataset_was_added_defines_nothing(home):
    [(strategy, _)] = home.ready().entrants
    sets = ParameterSets(strategy, ("fast", "slow"), np.array([[2.0, 8.0], [3.0, 12.0]]))
    board = Board(sets, "sharpe", [480, 560], GAP)
    summary = board.rows.summary
    assert np.isnan(summary.score).all()
    assert summary.defined.tolist() == summary.trades.tolist() == [0, 0]
    assert board.rows.datasets == board.rows.bars == 0


def test_candidates_are_numbered_through_in_the_order_of_their_parts(home):
    [(strategy, _)] = home.ready().entrants
    values = np.array([[2.0, 8.0], [3.0, 12.0], [4.0, 8.0]])
    parts = [
        Board(ParameterSets(strategy, ("fast", "slow"), part), "sharpe", [480], GAP)
        for part in (values[:2], values[2:])
    ]
    trials = from_arrays(
        TRIALS,
        {
            column.name: ["x"] * 3 if column.kind == "string" else np.ones(3, column.kind)
            for column in TRIALS.columns
        },
    )
    parts[0].add(0, trials.slice(0, 2))
    parts[1].add(0, trials.slice(2))
    table = candidates_table([part.rows for part in parts])
    assert table["candidate"].to_pylist() == [0, 1, 2]
    assert [json.loads(text)["fast"] for text in table["params"].to_pylist()] == [2, 3, 4]
