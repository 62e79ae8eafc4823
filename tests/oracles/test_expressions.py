"""Values of every function on a few bars, worked out by hand from docs/backtest.md.

The oracle under test is tests/oracles/expressions.py; the engine is compared with it in
tests/engine/dsl.
"""

import math

import pytest

from tests.oracles import expressions

CLOSE = [2.0, 4.0, 3.0, 7.0, 7.0]
COLUMNS = {
    "open": CLOSE,
    "high": [3.0, 4.0, 5.0, 8.0, 7.0],
    "low": [1.0, 3.0, 2.0, 6.0, 5.0],
    "close": CLOSE,
    "volume": [1.0, 1.0, 0.0, 1.0, 1.0],
}
PARAMS = {"n": 2.0}


def values(text):
    tree = expressions.parse(text)
    return [expressions.value_at(tree, t, COLUMNS, PARAMS) for t in range(len(CLOSE))]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ma(close, n)", [None, 3, 3.5, 5, 7]),
        # 3, then 3 + 2/3 · (3 − 3), then + 2/3 · 4, then + 2/3 · 4/3
        ("ema(close, 2)", [None, 3, 3, 17 / 3, 59 / 9]),
        # Changes 2, −1, 4, 0. U: 1, 2.5, 1.25; D: 0.5, 0.25, 0.125.
        ("rsi(close, 2)", [None, None, 100 / 1.5, 250 / 2.75, 125 / 1.375]),
        # True ranges from bar 1 on: 4 − 2, 5 − 2, 8 − 3, 7 − 5. Means: 2.5, 3.75, 2.875.
        ("atr(2)", [None, None, 2.5, 3.75, 2.875]),
        ("stdev(close, 2)", [None, 1, 0.5, 2, 0]),
        ("bbands(close, 2, 1.5, upper)", [None, 4.5, 4.25, 8, 7]),
        ("bbands(close, 2, 1.5, middle)", [None, 3, 3.5, 5, 7]),
        ("bbands(close, 2, 1.5, lower)", [None, 1.5, 2.75, 2, 7]),
        # Over three bars the slope is half of last − first.
        ("slope(close, 3)", [None, None, 0.5, 1.5, 2]),
        ("slope(5, 3)", [None, None, 0, 0, 0]),
        ("highest(close, 3)", [None, None, 4, 7, 7]),
        ("lowest(low, 3)", [None, None, 1, 2, 2]),
        ("lag(close, 2)", [None, None, 2, 4, 3]),
        ("rsi(1, 1)", [None] * 5),
        ("rsi(open, 1)", [None, 100, 0, 100, None]),
    ],
)
def test_a_function_has_its_value_after_its_warm_up(text, wanted):
    for found, value in zip(values(text), wanted, strict=True):
        assert found == (value if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ma(close / volume, 2)", [None, 3, None, None, 7]),
        ("highest(close / volume, 2)", [None, 4, None, None, 7]),
        ("ema(close / volume, 2)", [None, 3, None, None, 7]),
        ("ema(close / volume, 1)", [2, 4, None, 7, 7]),
        # Changes exist on bars 1 and 4 only, where the close rises by 2 and by 0.
        ("rsi(close / volume, 1)", [None, 100, None, None, None]),
    ],
)
def test_an_undefined_value_empties_a_window_and_starts_a_seed_anew(text, wanted):
    assert values(text) == wanted


def test_what_overflows_is_undefined():
    assert values("ma(1e308, 2)") == [None] * 5
    assert values("stdev(close * 1e200, 2)")[:4] == [None] * 4
    assert values("close * 1e308 - 1")[1] is None


def test_a_crossing_is_the_and_of_two_bars():
    # Above 3 on bars 1, 3, 4; at or below on bars 0 and 2. Bar 0 is not above, whatever was before.
    assert values("crossover(close, 3)") == [False, True, False, True, False]
    # On bar 0 the close is below 3 and the bar before undefined.
    assert values("crossunder(close, 3)") == [None, False, False, False, False]
    assert values("crossunder(close, 3.5)") == [None, False, True, False, False]


def test_a_memo_changes_no_value():
    text = "ema(rsi(close, 2), 2) + ma(atr(2), 2) > lag(slope(close, 2), 1)"
    tree, memo = expressions.parse(text), {}
    kept = [expressions.value_at(tree, t, COLUMNS, PARAMS, memo) for t in range(len(CLOSE))]
    assert kept == values(text)
    assert memo


def test_a_wide_window_equals_the_formula():
    columns = {"close": [100 + 10 * math.sin(t) for t in range(40)]}
    tree = expressions.parse("slope(close, 30)")
    window = columns["close"][5:35]
    times = range(30)
    by_sums = 30 * sum(t * x for t, x in zip(times, window, strict=True)) - sum(times) * sum(window)
    by_sums /= 30 * sum(t * t for t in times) - sum(times) ** 2
    assert expressions.value_at(tree, 34, columns, {}) == pytest.approx(by_sums)
