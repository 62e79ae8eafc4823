"""The tail of the daily returns, on any number of days; a whole run's is in test_metrics.py."""

import math

import numpy as np
import pytest

from engine.backtest.daily import DAY_NS, last_bars_of_days, tail_of_days

SPREADS = {
    "many": lambda rng, days: rng.normal(0, 0.02, days),
    "few values": lambda rng, days: rng.choice([-0.01, 0.0, 0.02], days),
    "falling": lambda rng, days: np.linspace(0.02, -0.02, days),
    "none": lambda rng, days: np.zeros(days),
}


@pytest.mark.parametrize("days", [20, 21, 22, 99, 100, 101, 102, 201, 700, 1580, 3650, 9001])
@pytest.mark.parametrize("spread", SPREADS)
def test_the_tail_is_a_percentile_and_the_mean_of_the_worst(days, spread):
    rng = np.random.default_rng([days, 1])
    bars = rng.integers(1, 4, days)
    ends = np.cumsum(bars) - 1
    equity = rng.uniform(50, 150, ends[-1] + 1)
    equity[ends] = 100 * np.cumprod(1 + SPREADS[spread](rng, days))
    returns = np.diff(np.append(100.0, equity[ends])) / np.append(100.0, equity[ends])[:-1]
    p5, worst = tail_of_days(equity, 100.0, ends, np.empty(days + 7))
    assert p5 == pytest.approx(np.percentile(returns, 5), rel=1e-12, abs=1e-15)
    lowest = np.sort(returns)[: (days - 1) // 100 + 1]
    assert worst == pytest.approx(lowest.mean(), rel=1e-12, abs=1e-15)


def test_fewer_than_twenty_days_have_no_tail():
    for days in (0, 1, 19):
        tail = tail_of_days(np.full(days + 1, 9.0), 9.0, np.arange(days), np.empty(512))
        assert all(math.isnan(value) for value in tail)


def test_a_day_ends_with_its_last_bar_and_the_data_with_the_last_day():
    days = np.array([3, 3, 4, 4, 4, 7, 9])
    ts_ns = days * DAY_NS + np.array([0, DAY_NS - 1, 0, 1, 2, 5, 0])
    assert last_bars_of_days(ts_ns).tolist() == [1, 4, 5, 6]
    assert last_bars_of_days(ts_ns[:1]).tolist() == [0]
