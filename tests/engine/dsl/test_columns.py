"""Indicator columns equal naive ones on any series, and NaN stands for undefined.

How conditions use them is tested in tests/engine/backtest/test_agreement.py.
"""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.strategy import strategy_from
from engine.dsl import compile_strategy, fill_columns
from engine.dsl.columns import moving_average
from tests.oracles import expressions
from tests.properties import strategies

LEAVES = {"if": "close < 1", "then": "close"}
EXACT = 1e-9
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


def mean(x, n):
    out = np.full(len(x), 99.0)
    moving_average(np.array(x, dtype=np.float64), n, out)
    return out


def naive_mean(x, n):
    """Mean of every window from its exact sum; NaN before the first and over a NaN."""
    windows = [x[max(0, i - n + 1) : i + 1] for i in range(len(x))]
    return [
        math.fsum(window) / n if len(window) == n and not np.isnan(window).any() else math.nan
        for window in windows
    ]


def column(text, columns):
    """Values of a numeric term on every bar, as a program computes them."""
    rules = [{"if": f"crossover({text}, open - 1e9)", "then": "buy"}, LEAVES]
    program = compile_strategy(strategy_from(strategies.document(rules)))
    table = fill_columns(program.columns, columns)
    return table[program.code[0, 1] >> 32]


@pytest.mark.parametrize("n", [1, 2, 3, 20, 97])
@pytest.mark.parametrize("kind", ["walk", "flat", "up", "jumps", "zigzag"])
def test_a_mean_is_the_naive_one(n, kind):
    for count in (1, 2, n, n + 1, 600):
        x = strategies.bars(kind, count, n)["close"]
        np.testing.assert_allclose(mean(x, n), naive_mean(x, n), rtol=EXACT, atol=0)


@hypothesis_settings(max_examples=120)
@given(
    st.lists(st.floats(-1e12, 1e12) | st.just(math.nan), max_size=60),
    st.integers(1, 12),
)
def test_a_mean_of_any_numbers_is_the_naive_one(x, n):
    scale = max((abs(value) for value in x if not math.isnan(value)), default=0.0)
    np.testing.assert_allclose(
        mean(x, n), naive_mean(np.array(x), n), rtol=EXACT, atol=1e-18 * scale
    )


def test_a_mean_is_undefined_until_its_window_is_full_and_again_after_a_gap():
    nan = math.nan
    found = mean([1, 2, 3, nan, 5, 6, 7, 8], 3)
    np.testing.assert_array_equal(found, [nan, nan, 2, nan, nan, nan, 6, 7])
    assert np.isnan(mean([1, 2], 3)).all()
    assert mean([], 3).size == 0


def test_a_mean_does_not_drift_over_a_million_bars():
    rng = np.random.default_rng(1)
    x = np.abs(100 + np.cumsum(rng.normal(0, 0.05, 1_000_000))) + 0.01
    found = mean(x, 50)
    for bar in [*range(49, 1_000_000, 9_973), 999_999]:
        wanted = math.fsum(x[bar - 49 : bar + 1]) / 50
        assert found[bar] == pytest.approx(wanted, rel=1e-14)


def test_a_value_that_left_the_window_leaves_no_trace():
    x = np.ones(400)
    x[[20, 150, 151]] = 1e15
    x[300] = 1e308
    found = mean(x, 7)
    far = np.ones(400, dtype=bool)
    for spike in (20, 150, 151, 300):
        far[spike : spike + 7] = False
    far[:6] = False
    assert set(found[far].tolist()) == {1.0}


@pytest.mark.parametrize("price", [100.1, 0.1, 0.37, 99.99, 1e-5, 12345.678])
def test_the_mean_of_a_flat_series_never_moves(price):
    for n in (1, 3, 7, 20, 100):
        assert len(set(mean([price] * 3000, n)[n - 1 :].tolist())) == 1


def test_a_sum_beyond_the_doubles_is_undefined_and_forgotten():
    found = mean([1, 1e308, 1e308, 1e308, 2, 2, 2, 2], 3)
    assert np.isnan(found[:5]).tolist() == [True, True, True, True, True]
    assert found[6:].tolist() == [2, 2]


def test_a_lag_looks_back_and_is_undefined_before():
    columns = strategies.bars("walk", 10, 1)
    for n in (0, 1, 9, 10, 11):
        found = column(f"lag(close, {n})", columns)
        assert np.isnan(found[:n]).all()
        assert found[n:].tolist() == columns["close"][: max(0, 10 - n)].tolist()


def test_division_by_zero_and_overflow_are_undefined():
    columns = strategies.bars("flat", 5, 1)
    for text in ("1 / (close - close)", "close * 1e308", "close * 1e308 - close * 1e308"):
        assert np.isnan(column(f"lag({text}, 0)", columns)).all()


@hypothesis_settings(max_examples=150, suppress_health_check=SLOW)
@given(strategies.numbers(), strategies.series(60))
def test_a_numeric_term_is_the_oracles_on_every_bar(text, columns):
    found = column(text, columns)
    plain = {name: values.tolist() for name, values in columns.items()}
    tree, params = expressions.parse(text), {"fast": 4.0, "level": 100.5}
    for t, value in enumerate(found.tolist()):
        wanted = expressions.value_at(tree, t, plain, params)
        if wanted is None:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(wanted, rel=EXACT, abs=1e-300)


def test_columns_leave_the_data_alone_and_are_made_once_each():
    columns = strategies.bars("walk", 50, 1)
    before = {name: values.copy() for name, values in columns.items()}
    text = "crossover(ma(close, 3), ma(close, 7)) or ma(close, 3) > ma(close, 7) + ma(open, 3)"
    rules = [{"if": text, "then": "buy"}, {"if": "ma(close, 3) < 0", "then": "close"}]
    program = compile_strategy(strategy_from(strategies.document(rules)))
    fill_columns(program.columns, columns)
    means = [spec for spec in program.columns if spec.function == "ma"]
    assert len(means) == 3
    assert len(set(program.columns)) == len(program.columns)
    for name, values in columns.items():
        assert values.tobytes() == before[name].tobytes()
