"""Indicator kernels equal naive ones and TA-Lib's, see no future and forget what has left.

How a strategy asks for them is tested in test_columns.py.
"""

import math
from types import FunctionType

import numpy as np
import pytest
import talib
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.dsl import indicators, rolling
from tests.oracles import indicators as oracle

NAMES = ("moving_average", "ema", "rsi", "deviation", "slope", "highest", "lowest", "lag")
NAN = math.nan
EPS = 2.0**-52
BIG = 1.7e308


def interpreted_kernels():
    """Every kernel of both modules as plain Python that calls plain Python."""
    names = {**vars(rolling), **vars(indicators)}
    for name, value in list(names.items()):
        if hasattr(value, "py_func"):
            names[name] = FunctionType(value.py_func.__code__, names)
    return names


COMPILED = {**vars(rolling), **vars(indicators)}
INTERPRETED = interpreted_kernels()


def run(name, x, n, kernels=COMPILED):
    """One indicator of a series; `x` has three rows, high, low and close, for atr alone."""
    x = np.array(x, dtype=np.float64)
    out = np.full(x.shape[-1], 99.0)
    arrays = list(x) if name == "atr" else [x]
    scratch = [np.full(n, -7)] if name in {"highest", "lowest"} else []
    assert kernels[name](*arrays, n, *scratch, out) is None
    return out


def wanted(name, x, n):
    values = getattr(oracle, name)(*(x if name == "atr" else [x]), n)
    return np.array([NAN if value is None else value for value in values], dtype=np.float64)


def smallest(name):
    return {"slope": 2, "lag": 0}.get(name, 1)


def walk(count, seed=0):
    return 100 + np.cumsum(np.random.default_rng(seed).normal(0, 0.5, count))


def whole_walk(count, seed=0):
    """Whole numbers from -50 to 50, whose sums of squares and products are exact in doubles.

    TA-Lib takes the deviation from sums of x and x², which costs it a relative error of the
    variance of about EPS·mean²/variance: here variance ≥ 1/(2n), mean² ≤ 2500, so below 1e-9.
    """
    steps = np.random.default_rng(seed).integers(-4, 5, count)
    return np.abs(np.cumsum(steps) % 200 - 100.0) - 50


def bars_around(close):
    rng = np.random.default_rng(len(close))
    spread = rng.uniform(0, 1, (2, len(close)))
    return np.array([close + spread[0], close - spread[1], close])


def prices_of(name, x):
    """High, low and close one apart for atr, else the series itself."""
    return np.array([x + 1, x - 1, x]) if name == "atr" else x


SHAPES = {
    "walk": walk,
    "constant": lambda count: np.full(count, 37.1),
    "up": lambda count: 10 + 0.25 * np.arange(count),
    "down": lambda count: 1000 - np.arange(count) ** 1.1,
    "zigzag": lambda count: 50.0 + np.arange(count) % 2,
}
LENGTHS = (1, 2, 3, 4, 15, 400)
WINDOWS = (2, 3, 4, 14, 15, 100, 400, 401)


# TA-Lib


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "theirs"), [("moving_average", talib.SMA), ("ema", talib.EMA), ("rsi", talib.RSI)]
)
def test_means_and_strength_are_talibs(shape, name, theirs):
    for count in LENGTHS:
        x = SHAPES[shape](count)
        for n in WINDOWS:
            found, other = run(name, x, n), theirs(x, timeperiod=n)
            if name == "rsi" and shape == "constant":
                # nothing moves: TA-Lib says 0, the language says undefined
                assert np.isnan(found).all()
                continue
            np.testing.assert_allclose(found, other, rtol=1e-9, atol=1e-12 * np.abs(x).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mean_of_one_value_is_talibs(shape):
    x = SHAPES[shape](50)
    np.testing.assert_array_equal(run("moving_average", x, 1), talib.MA(x, timeperiod=1))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_true_range_is_talibs(shape):
    for count in LENGTHS:
        x = bars_around(SHAPES[shape](count))
        for n in (1, *WINDOWS):
            np.testing.assert_allclose(run("atr", x, n), talib.ATR(*x, timeperiod=n), rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [2, 3, 5, 20, 99, 100])
def test_bands_are_talibs(seed, n):
    for count in (1, n, n + 1, 3000):
        x = whole_walk(count, seed)
        middle, width = run("moving_average", x, n), run("deviation", x, n)
        upper, center, lower = talib.BBANDS(x, timeperiod=n, nbdevup=2.5, nbdevdn=1.5)
        np.testing.assert_allclose(middle, center, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(middle + 2.5 * width, upper, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(middle - 1.5 * width, lower, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(width, talib.STDDEV(x, timeperiod=n), rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [2, 3, 5, 20, 100])
def test_the_slope_is_talibs(seed, n):
    # whole numbers again: near a slope of zero theirs would be the rounding of their sums alone
    for count in (1, n, n + 1, 3000):
        x = whole_walk(count, seed)
        found = run("slope", x, n)
        np.testing.assert_allclose(found, talib.LINEARREG_SLOPE(x, timeperiod=n), rtol=1e-9)
    for shape in ("up", "down", "constant"):
        x = SHAPES[shape](300)
        np.testing.assert_allclose(
            run("slope", x, n), talib.LINEARREG_SLOPE(x, timeperiod=n), rtol=1e-9, atol=1e-11
        )


# The naive oracle

prices = st.integers(1, 2_000).map(lambda ticks: ticks * 0.01)
near = st.integers(0, 3).map(lambda ticks: 60_000.1 + 0.1 * ticks)
signed = st.floats(-1e3, 1e3).filter(lambda value: value == 0 or abs(value) > 1e-9)
huge = st.floats(1e290, 1e300) | st.floats(-1e300, -1e290)
tiny = st.floats(1e-280, 1e-270)
undefined = st.just(NAN)


def series(*kinds):
    """Stretches of equal values, most of them of one bar, up to 60 bars or so."""
    piece = st.tuples(st.one_of(*kinds), st.sampled_from([1, 1, 1, 1, 1, 2, 5, 9]))
    return st.lists(piece, max_size=40).map(
        lambda pieces: [value for value, bars in pieces for _ in range(bars)]
    )


everyday = series(prices, prices, near, near, signed, undefined)
extreme = series(prices, signed, huge, tiny, undefined)
windows = st.sampled_from([1, 2, 3, 5, 8, 13, 70])


def assert_near(found, right, rtol, atol=0.0):
    """Defined on the same bars and close; `atol` may differ by bar."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(right))
    known = ~np.isnan(right)
    allowed = rtol * np.abs(right[known]) + np.broadcast_to(atol, right.shape)[known]
    with np.errstate(over="ignore"):
        off = np.abs(found[known] - right[known])
    assert (off <= allowed).all(), (found, right)


@hypothesis_settings(max_examples=80)
@given(everyday | extreme, windows)
def test_a_mean_is_the_naive_one(x, n):
    # twice the bits of a double are kept of the largest value that ever passed
    largest = np.nanmax(np.abs(x), initial=0.0)
    assert_near(
        run("moving_average", x, n), wanted("moving_average", x, n), 3 * EPS, EPS**2 * largest
    )


@hypothesis_settings(max_examples=80)
@given(everyday | extreme, windows)
def test_an_exponential_mean_is_the_naive_one(x, n):
    # every step rounds relative to the largest value, and a share of that is kept
    largest = np.fmax.accumulate(np.abs(np.array([0.0, *x])))[1:]
    assert_near(run("ema", x, n), wanted("ema", x, n), 0.0, 4 * n * EPS * largest)


@hypothesis_settings(max_examples=80)
@given(everyday | extreme, windows)
def test_a_strength_index_is_the_naive_one(x, n):
    # no step subtracts, so that the errors of the bars only add up
    assert_near(run("rsi", x, n), wanted("rsi", x, n), 6 * EPS * (len(x) + 1))


@hypothesis_settings(max_examples=80)
@given(st.data(), windows)
def test_a_true_range_is_the_naive_one(data, n):
    rows = [data.draw(everyday | extreme) for _ in range(3)]
    count = min(len(row) for row in rows)
    x = [row[:count] for row in rows]
    if data.draw(st.booleans()):
        x = np.sort(x, axis=0)[[2, 0, 1]].tolist()
        assert_near(run("atr", x, n), wanted("atr", x, n), 4 * EPS * (count + 1))
    largest = np.nanmax(np.abs(x), initial=0.0)
    assert_near(run("atr", x, n), wanted("atr", x, n), 0.0, 4 * EPS * (count + 1) * largest)


@hypothesis_settings(max_examples=150)
@given(everyday | extreme | series(st.floats(allow_infinity=False), prices), windows)
@example([5e-324, 0.0, 5e-324, 1.5e-323, 1.0, 0.0, 5e-324], 2)
@example([1.7e308, -1.7e308, 1.7e308, 1.0, 2.0, 4.0], 2)
@example([1e300, 1.0, 1.0000000000000002, 1.0, 1.0, 1e-300, 0.0, 3e-300], 2)
def test_a_deviation_is_the_naive_one_to_the_last_bits(x, n):
    assert_near(run("deviation", x, n), wanted("deviation", x, n), 2 * EPS, 5e-324)


@hypothesis_settings(max_examples=150)
@given(everyday | extreme | series(st.floats(allow_infinity=False), prices), windows)
@example([5e-324, 0.0, 5e-324, 1.5e-323, 1.0, 0.0, 5e-324], 2)
@example([1.7e308, -1.7e308, 1.7e308, 1.0, 2.0, 4.0], 3)
@example([3002399751580332.0, 0.03, 0.03, 112218425855.0, 0.0], 3)
def test_a_slope_is_the_naive_one_to_the_last_bits(x, n):
    n, widths = max(n, 2), np.zeros(len(x))
    for t in range(n - 1, len(x)):
        window = np.array(x[t - n + 1 : t + 1]) / 4
        widths[t] = window.max() - window.min()
    # sums to about 2**-104 are made anew at the latest when 2**-30 of them is left
    assert_near(run("slope", x, n), wanted("slope", x, n), 3 * EPS, 5e-324 + 2.0**-72 * widths)


@hypothesis_settings(max_examples=80)
@given(everyday | extreme, windows, st.sampled_from(["highest", "lowest", "lag"]))
def test_extremes_and_lags_are_the_naive_ones(x, n, name):
    np.testing.assert_array_equal(run(name, x, n), wanted(name, x, n))


@pytest.mark.parametrize("name", NAMES)
def test_many_windows_of_a_walk_with_gaps_are_the_naive_ones(name):
    x = walk(130)
    x[[40, 41, 90]] = NAN
    for n in range(smallest(name), 50, 3):
        assert_near(run(name, x, n), wanted(name, x, n), 1e-12, 1e-14)


# What the definitions imply


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1000, 1001])
def test_extremes_are_those_of_sliding_windows(n):
    for x in (walk(1000), np.round(walk(1000)), np.arange(1000.0), -np.arange(1000.0)):
        full = np.lib.stride_tricks.sliding_window_view(x, n) if n <= 1000 else np.empty((0, 1))
        for name, extreme_of in (("highest", np.max), ("lowest", np.min)):
            found = run(name, x, n)
            assert np.isnan(found[: n - 1]).all()
            if n <= 1000:
                np.testing.assert_array_equal(found[n - 1 :], extreme_of(full, axis=1))


def test_the_queue_of_an_extreme_need_be_no_longer_than_the_series():
    x, out = walk(50), np.empty(50)
    indicators.highest(x, 100_000, np.empty(50, dtype=np.int64), out)
    assert np.isnan(out).all()
    indicators.highest(x, 50, np.empty(50, dtype=np.int64), out)
    assert out[-1] == x.max()


@pytest.mark.parametrize("name", [*NAMES, "atr"])
def test_no_value_depends_on_the_future(name):
    close = np.concatenate([walk(60), np.full(9, 3.3), [1e300, NAN], walk(60, 1), [NAN], walk(70)])
    x = prices_of(name, close)
    changed = x[..., ::-1] * -3
    for n in (2, 3, 20):
        whole = run(name, x, n)
        for t in (0, 1, 2, 19, 20, 59, 66, 69, 71, 90, 131, 150, 199):
            cut = run(name, x[..., :t], n)
            assert cut.tobytes() == whole[:t].tobytes()
            other = run(name, np.concatenate([x[..., :t], changed[..., t:]], axis=-1), n)
            assert other[:t].tobytes() == whole[:t].tobytes()


@pytest.mark.parametrize("name", [*NAMES, "atr"])
def test_interpreted_kernels_give_the_compiled_bytes(name):
    edges = [1e305, -1e308, 1e308, NAN, math.inf]
    parts = [walk(40), np.full(12, 7.7), [7.8], walk(30) * 1e-200, edges, whole_walk(60), [NAN]]
    close = np.concatenate([*parts, walk(25)])
    x = prices_of(name, close)
    for n in (smallest(name), 2, 3, 10, 200):
        with np.errstate(all="ignore"):
            interpreted = run(name, x, n, INTERPRETED)
        assert interpreted.tobytes() == run(name, x, n).tobytes()


@pytest.mark.parametrize("name", [*NAMES, "atr"])
def test_inputs_are_left_alone_and_an_empty_series_is_taken(name):
    x = prices_of(name, walk(30))
    before = x.tobytes()
    run(name, x, 4)
    assert x.tobytes() == before
    assert run(name, x[..., :0], 4).size == 0


@pytest.mark.parametrize("name", ["moving_average", "deviation", "slope", "highest", "lowest"])
def test_a_window_over_an_undefined_value_is_undefined(name):
    x = walk(30)
    x[[3, 12]] = [NAN, -math.inf]
    defined = ~np.isnan(run(name, x, 4))
    assert np.flatnonzero(defined).tolist() == [*range(7, 12), *range(16, 30)]


def test_an_undefined_value_starts_seeds_anew():
    x = walk(30)
    x[[3, 12]] = NAN
    assert np.flatnonzero(~np.isnan(run("ema", x, 4))).tolist() == [*range(7, 12), *range(16, 30)]
    assert np.flatnonzero(~np.isnan(run("rsi", x, 4))).tolist() == [*range(8, 12), *range(17, 30)]
    assert run("ema", x, 4)[13:].tobytes() == run("ema", x[13:], 4).tobytes()
    assert run("rsi", x, 4)[13:].tobytes() == run("rsi", x[13:], 4).tobytes()
    true_range = run("atr", [x + 1, x - 1, np.where(np.isnan(x), 100.0, x)], 4)
    assert np.flatnonzero(~np.isnan(true_range)).tolist() == [*range(7, 12), *range(16, 30)]


@pytest.mark.parametrize(
    ("name", "start", "anew"),
    [
        ("ema", [BIG, BIG], 2),  # the sum of the seed
        ("ema", [-BIG, 0.0, 0.0, BIG], 4),  # the step to the fourth value
        ("rsi", [0.0, BIG, -BIG], 2),  # the second change
        ("rsi", [1.0, 2.0, 3.0, 4.0, -BIG, BIG], 5),  # a change after the seed
        ("atr", [0.0, BIG, -BIG], 2),
        ("atr", [0.0, BIG, 0.0], 2),  # the sum of the seed
        ("atr", [1.0, 2.0, 3.0, 4.0, -BIG, BIG], 5),
    ],
)
def test_what_overflows_is_undefined_and_starts_anew(name, start, anew):
    x = prices_of(name, np.concatenate([start, walk(40)]))
    found = run(name, x, 3)
    assert np.isnan(found[len(start) - 1])
    assert not np.isinf(found).any()
    assert found[anew:].tobytes() == run(name, x[..., anew:], 3).tobytes()
    assert not np.isnan(found[-30:]).any()


def test_a_sum_that_overflows_is_undefined_whatever_came_before():
    x = [1.0, BIG, BIG, -BIG, -BIG, BIG, 2.0, 2.0, 2.0, BIG, 1e303, -BIG, 4.0, 4.0, 4.0]
    found = run("moving_average", x, 3)
    assert_near(found, wanted("moving_average", x, 3), 3 * EPS)
    assert found[[8, 14]].tolist() == [2.0, 4.0]


@pytest.mark.parametrize("price", [100.1, 0.1, 1e-5, 12345.678, 1e300, 5e-324, -3.3])
@pytest.mark.parametrize("name", ["deviation", "slope"])
def test_equal_values_deviate_and_rise_by_exactly_nothing(name, price):
    x = np.concatenate([walk(300), np.full(200, price), walk(300)])
    for n in (2, 3, 20, 150):
        assert set(run(name, x, n)[300 + n - 1 : 500].tolist()) == {0.0}


@pytest.mark.parametrize("name", ["deviation", "slope"])
@pytest.mark.parametrize("gone", [1e6, 1e15, 1e40, 1e154, 1e300])
def test_values_that_left_leave_no_trace(name, gone):
    rng = np.random.default_rng(3)
    spikes = gone * rng.normal(0, 1, 50)
    x = np.concatenate([rng.normal(0, 1, 70), spikes, 60_000 + 0.01 * rng.integers(0, 3, 500)])
    for n in (2, 7, 60):
        found, alone = run(name, x, n)[120 + n - 1 :], run(name, x[120:], n)[n - 1 :]
        assert_near(found, alone, 4 * EPS, 1e-18)


@pytest.mark.parametrize("name", ["deviation", "slope"])
def test_a_value_does_not_depend_on_the_length_of_the_series(name):
    x = np.round(walk(300_000, 5) * 50) / 100 + 500
    for n in (3, 50, 5000):
        found = run(name, x, n)
        for bar in (120_000, 299_999):
            alone = run(name, x[bar - n + 1 : bar + 1], n)[-1]
            assert found[bar] == pytest.approx(alone, rel=4 * EPS, abs=1e-19)


def test_a_deviation_is_right_where_sums_of_squares_of_doubles_are_not():
    x = np.full(400, 1e8)
    x[::7] += 1e-7
    found = run("deviation", x, 20)
    assert_near(found, wanted("deviation", x, 20), 2 * EPS)
    assert found[30] > 0
