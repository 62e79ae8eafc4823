"""Tables hold the row of every start; paths depend on their number alone; the fan is their course.

What a row is, and that paths are those of their bars, is tested in test_kernels.py.
"""

import itertools

import numpy as np
import pytest

from contracts.validation import MonteCarloSettings
from engine.montecarlo.blocks import FAN_PATHS, Resampler, Room
from tests.oracles import montecarlo as oracle

METHODS = ("circular", "stationary")


def returns_of(bars, seed=1):
    return np.random.default_rng([seed, bars]).normal(1e-4, 1e-2, bars)


def resampler(returns, room=None, **changes):
    chosen = MonteCarloSettings(**{"block_bars": 12, "seed": 3} | changes)
    return Resampler(returns, chosen, 252.0, room or Room())


@pytest.mark.parametrize("method", METHODS)
def test_more_paths_extend_fewer(method):
    made = resampler(returns_of(301), method=method)
    few, many = made.walk(0, 30)[0], made.walk(0, 75)[0]
    assert few.tobytes() == many[:, :30].tobytes()
    assert len(np.unique(many[0])) == 75


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cuts", [[0, 1, 40], [0, 13, 26, 39, 40]])
def test_chunks_of_paths_are_the_paths(method, cuts):
    made = resampler(returns_of(301), method=method)
    parts = [made.walk(low, high - low)[0] for low, high in itertools.pairwise(cuts)]
    assert np.concatenate(parts, axis=1).tobytes() == made.walk(0, 40)[0].tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_seeds_and_methods_make_other_paths(method):
    returns = returns_of(301)
    paths = resampler(returns, method=method).walk(0, 20)[0]
    other = "circular" if method == "stationary" else "stationary"
    for changed in ({"seed": 4, "method": method}, {"method": other}):
        assert not np.isin(paths[0], resampler(returns, **changed).walk(0, 20)[0][0]).any()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_of_the_series_before(method):
    used = Room()
    for bars in (700, 30, 900, 3, 701):
        returns = returns_of(bars)
        again = resampler(returns, used, method=method).walk(0, 25, 5)
        fresh = resampler(returns, method=method).walk(0, 25, 5)
        assert [one.tobytes() for one in again] == [one.tobytes() for one in fresh]


@pytest.mark.parametrize("method", METHODS)
def test_the_fan_is_the_growth_at_the_end_of_the_row_that_reaches_a_point(method):
    returns = returns_of(120)
    chosen = MonteCarloSettings(method=method, block_bars=12, seed=3)
    longest = 12 if method == "circular" else 64
    paths, fan = Resampler(returns, chosen, 252.0, Room()).walk(0, 40, 7)
    assert fan.shape == (40, 7)
    np.testing.assert_array_equal(fan[:, -1] - 1.0, paths[3])
    for number, course in enumerate(fan):
        growth = np.cumprod(1.0 + np.array(oracle.resample(returns.tolist(), chosen, number)))
        ends = []
        for point, value in enumerate(course):
            first = -(-(point + 1) * 120 // 7)
            near = growth[first - 1 : first + longest - 1]
            assert np.isclose(near, value, rtol=1e-12).any()
            ends.append(first + int(np.argmin(np.abs(near - value))))
        assert ends == sorted(ends)
        assert ends[-1] == 120


def test_a_block_of_one_bar_has_an_exact_fan():
    returns = returns_of(100)
    chosen = MonteCarloSettings(block_bars=1, seed=3)
    _, fan = Resampler(returns, chosen, 252.0, Room()).walk(0, 20, 250)
    for number, course in enumerate(fan):
        growth = np.cumprod(1.0 + np.array(oracle.resample(returns.tolist(), chosen, number)))
        wanted = growth[np.ceil(np.arange(1, 251) * 100 / 250).astype(int) - 1]
        np.testing.assert_allclose(course, wanted, rtol=1e-12)


def test_the_fan_is_of_the_first_thousand_paths_at_most():
    made = resampler(returns_of(50))
    assert made.walk(0, FAN_PATHS + 500, 3)[1].shape == (1_000, 3)
    assert made.walk(0, 20, 3)[1].shape == (20, 3)
    assert made.walk(0, 20)[1].size == 0
