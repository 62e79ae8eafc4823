"""Rows and paths are those of bars walked one by one, compiled or not.

The oracle is tests/oracles/montecarlo.py, which draws and walks on its own. Tables are in
test_blocks.py, statistics over paths in test_percentiles.py.
"""

import math
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.validation import MonteCarloSettings
from engine.montecarlo import kernels as k
from engine.montecarlo.blocks import Resampler, Room, single_bars
from tests.oracles import montecarlo as oracle

METHODS = ("circular", "stationary")
BARS_PER_DAY = 390.0
YEAR = 252 * BARS_PER_DAY
SERIES = {
    "moving": lambda rng, bars: rng.normal(1e-4, 1e-3, bars),
    "jumping": lambda rng, bars: np.where(rng.random(bars) < 0.1, rng.uniform(-0.9, 4, bars), 1e-6),
    "often flat": lambda rng, bars: rng.normal(0, 1e-2, bars) * (rng.random(bars) < 0.2),
    "two values": lambda rng, bars: rng.choice([0.001, -0.0005], bars),
    "only gains": lambda rng, bars: rng.uniform(1e-6, 0.01, bars),
    "only losses": lambda rng, bars: -rng.uniform(1e-6, 0.01, bars),
    "constant": lambda _, bars: np.full(bars, 0.001),
    "zero of both signs": lambda rng, bars: rng.choice([0.0, -0.0], bars),
}


def series(name, bars, seed=1):
    return SERIES[name](np.random.default_rng([seed, bars]), bars)


def settings(method, block_bars, seed=7):
    return MonteCarloSettings(method=method, block_bars=block_bars, seed=seed, paths=20)


def assert_paths_are_walked(returns, chosen, numbers):
    """Compare every statistic of some paths with the oracle's."""
    resampler = Resampler(returns, chosen, YEAR, Room())
    paths, _ = resampler.walk(numbers.start, len(numbers))
    for found, number in zip(paths.T, numbers, strict=True):
        made = oracle.resample(returns.tolist(), chosen, number)
        wanted = oracle.measure(made, BARS_PER_DAY)
        assert found[k.SHARPE] == pytest.approx(wanted.sharpe, rel=1e-9, abs=1e-10)
        assert found[k.MAX_DRAWDOWN] == pytest.approx(wanted.max_drawdown, rel=1e-9, abs=1e-13)
        assert found[k.TOTAL_RETURN] == pytest.approx(wanted.total_return, rel=1e-9, abs=1e-13)
        factor = math.nan if wanted.profit_factor is None else wanted.profit_factor
        assert found[k.PROFIT_FACTOR] == pytest.approx(factor, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize(("bars", "block_bars"), [(203, 10), (64, 16), (90, 1), (5, 3)])
def test_a_path_is_that_of_its_bars(name, method, bars, block_bars):
    assert_paths_are_walked(series(name, bars), settings(method, block_bars), range(8))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bars", [2, 3, 7, 65])
def test_blocks_may_be_longer_than_the_series(bars, method):
    assert_paths_are_walked(series("moving", bars), settings(method, 100_000), range(12))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("bars", "block_bars"), [(2_000, 1), (1_500, 2), (3_000, 700)])
def test_draws_go_on_from_batch_to_batch(method, bars, block_bars):
    """With blocks of 1 and 2 bars a path needs more than are drawn at once."""
    assert_paths_are_walked(series("moving", bars), settings(method, block_bars), range(2))


@pytest.mark.parametrize("method", METHODS)
def test_any_path_has_draws_of_its_own(method):
    last = 10_000_000 - 1
    assert_paths_are_walked(
        series("moving", 50), settings(method, 6, 2**63 - 1), range(last, last + 1)
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(6))
def test_a_path_of_equal_bars_has_no_ratio_though_the_series_varies(method, seed):
    returns = series("jumping", 3, seed) + np.array([0.1, 0.3, 0.7])
    chosen = settings(method, 1, seed)
    assert_paths_are_walked(returns, chosen, range(60))
    paths, _ = Resampler(returns, chosen, YEAR, Room()).walk(0, 60)
    assert 0 < np.count_nonzero(paths[k.SHARPE] == 0.0) < 20


def test_one_other_bar_makes_a_ratio_wherever_it_is_drawn():
    """Even if it is drawn last, alone, after a whole batch of equal ones."""
    bars = k.BATCH + 1
    returns = np.full(bars, 0.001)
    returns[7] = 0.002
    paths, _ = Resampler(returns, settings("circular", 1), YEAR, Room()).walk(0, 20_000)
    equal = paths[k.TOTAL_RETURN] == paths[k.TOTAL_RETURN].min()
    assert 6_500 < np.count_nonzero(equal) < 8_200
    np.testing.assert_array_equal(paths[k.SHARPE] == 0.0, equal)


@hypothesis_settings(max_examples=60)
@given(
    st.lists(st.floats(-0.9, 3.0, allow_subnormal=False), min_size=2, max_size=80),
    st.sampled_from(METHODS),
    st.integers(1, 100),
    st.integers(0, 2**63 - 1),
)
def test_any_series_in_any_blocks_is_that_of_its_bars(returns, method, block_bars, seed):
    rounded = np.round(np.array(returns), 6)  # so that variances are of returns, not of rounding
    assert_paths_are_walked(rounded, settings(method, block_bars, seed), range(2))


def joined(returns, cut):
    """The row of a whole series, joined from those of its two parts."""
    rows = np.empty((returns.shape[0], k.ROW_SIZE))
    single_bars(returns, 0.0, rows)
    parts = []
    for part in (rows[:cut], rows[cut:]):
        row = part[:1].copy()
        for bar in part[1:]:
            k.join_rows(row, bar[None].copy(), 0, row)
        parts.append(row)
    k.join_rows(parts[0], parts[1], 0, parts[0])
    return parts[0][0]


@pytest.mark.parametrize("name", SERIES)
def test_where_a_stretch_is_cut_changes_nothing(name):
    returns = series(name, 40)
    wanted = joined(returns, 1)
    for cut in (2, 17, 39):
        np.testing.assert_allclose(joined(returns, cut), wanted, rtol=1e-13, atol=0)


def test_a_row_says_what_its_bars_do():
    row = joined(np.array([0.5, -0.5, 0.25, -0.25]), 2)
    assert math.isnan(row[k.SAME])
    assert row[k.SQUARES] == 0.625
    assert (row[k.GAINS], row[k.LOSSES]) == (0.75, 0.75)
    assert row[k.GROWTH] == pytest.approx(1.5 * 0.5 * 1.25 * 0.75)
    assert row[k.LOWEST] == pytest.approx(1.5 * 0.5 * 1.25 * 0.75)
    assert row[k.WORST] == pytest.approx(0.5 * 1.25 * 0.75)
    assert row[k.BELOW_PEAK] == pytest.approx(0.5 * 1.25 * 0.75)
    assert joined(np.full(4, 0.25), 2)[k.SAME] == 0.25


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["moving", "often flat", "only gains", "zero of both signs"])
def test_interpreted_kernels_give_the_compiled_bytes(monkeypatch, name, method):
    returns, chosen = series(name, 150), settings(method, 9)
    compiled = Resampler(returns, chosen, YEAR, Room()).walk(3, 6, 4)
    names = dict(vars(k))
    for own, value in vars(k).items():
        if hasattr(value, "py_func") and value.py_func.__module__ == k.__name__:
            names[own] = FunctionType(value.py_func.__code__, names)
    for own in ("join_rows", "walk"):
        assert names[own] is not getattr(k, own)
        monkeypatch.setattr(k, own, names[own])
    interpreted = Resampler(returns, chosen, YEAR, Room()).walk(3, 6, 4)
    assert [one.tobytes() for one in interpreted] == [one.tobytes() for one in compiled]
