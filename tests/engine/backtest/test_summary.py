"""Results over seeds become one row per scenario and strategy, whatever their order."""

import itertools

import pytest

from contracts.columns import SUMMARY
from engine.backtest import SeedResult, summarise_seeds


def result(seed, total_return=0.1, scenario="a", strategy="s", digest="h", **metrics):
    made = {"total_return": total_return, "sharpe": 1.0, "max_drawdown": -0.1, "trades": 4.0}
    return SeedResult(scenario, strategy, digest, seed, made | metrics)


def test_a_row_holds_the_order_statistics_of_its_seeds():
    returns = [0.4, -0.1, 0.0, 0.2, 0.1]
    rows = summarise_seeds(
        [
            result(seed, value, sharpe=value * 10, max_drawdown=-(value**2), trades=seed)
            for seed, value in enumerate(returns)
        ]
    )
    assert len(rows) == 1
    assert rows[0] == {
        "scenario_key": "a",
        "strategy_id": "s",
        "strategy_hash": "h",
        "seeds": 5,
        "median_sharpe": pytest.approx(1.0),
        "median_total_return": pytest.approx(0.1),
        "p5_total_return": pytest.approx(-0.08),
        "p95_total_return": pytest.approx(0.36),
        "median_max_drawdown": pytest.approx(-0.01),
        "worst_max_drawdown": pytest.approx(-0.16),
        "mean_trades": 2.0,
        "share_profitable": 0.6,
    }
    assert tuple(rows[0]) == SUMMARY.names


def test_seeds_without_a_metric_are_left_out_of_its_median_only():
    rows = summarise_seeds([result(1, sharpe=None), result(2, sharpe=3.0), result(3, sharpe=5.0)])
    assert rows[0]["median_sharpe"] == 4.0
    assert rows[0]["seeds"] == 3
    lost = [result(seed, -1.5, sharpe=None, max_drawdown=None) for seed in range(3)]
    [row] = summarise_seeds(lost)
    assert row["median_sharpe"] is row["median_max_drawdown"] is row["worst_max_drawdown"] is None
    assert row["median_total_return"] == -1.5


def test_the_order_of_the_results_changes_no_row():
    results = [
        result(seed, 0.013 * seed, scenario, strategy)
        for seed in (1, 2)
        for scenario in "ba"
        for strategy in "ts"
    ]
    wanted = summarise_seeds(results)
    assert [(row["scenario_key"], row["strategy_id"]) for row in wanted] == [
        ("a", "s"), ("a", "t"), ("b", "s"), ("b", "t"),
    ]  # fmt: skip
    for order in itertools.islice(itertools.permutations(results), 0, 40_000, 997):
        assert summarise_seeds(list(order)) == wanted


def test_two_versions_of_a_strategy_are_two_rows():
    rows = summarise_seeds([result(1, digest="h1"), result(1, digest="h2")])
    assert [row["strategy_hash"] for row in rows] == ["h1", "h2"]


def test_no_results_are_no_rows():
    assert summarise_seeds([]) == []
