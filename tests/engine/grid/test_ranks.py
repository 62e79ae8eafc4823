"""Sorted windows, medians and deviations against numpy, to the bit where it rounds alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.grid.ranks import (
    MAD_TO_SIGMA,
    enter,
    exchange,
    median,
    plain_z,
    robust_z,
    scale_of,
)

_few = st.sampled_from([-2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 1.5, 1e-9, 3.0])
_any = st.floats(-1e6, 1e6).map(lambda value: value + 0.0)
_lists = (st.lists(one, min_size=1, max_size=40) for one in (_few, _any))
_values = st.one_of(*_lists)


def sorted_window(values: list[float]) -> np.ndarray:
    ranks = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        enter(ranks, i, value)
    return ranks


@settings(max_examples=60)
@given(_values)
def test_values_entered_one_by_one_stand_in_order(values):
    ranks = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        enter(ranks, i, value)
        assert ranks[: i + 1].tolist() == sorted(values[: i + 1])
        assert np.isnan(ranks[i + 1 :]).all()


@settings(max_examples=60)
@given(_values, st.lists(st.one_of(_few, _any), max_size=30))
def test_a_full_window_stays_in_order_as_values_go_and_come(values, later):
    ranks = sorted_window(values)
    history = [*values, *later]
    for i in range(len(values), len(history)):
        exchange(ranks, history[i - len(values)], history[i])
        assert ranks.tolist() == sorted(history[i - len(values) + 1 : i + 1])


@settings(max_examples=60)
@given(_values)
def test_median_and_scale_are_those_of_numpy(values):
    n, ranks = len(values), np.append(sorted_window(values), np.nan)
    centre = median(ranks, n)
    # numpy adds the two middle ones and halves, as here: the same bits.
    assert centre == np.median(values)
    away = np.abs(np.array(values) - centre)
    assert scale_of(ranks, n, centre) == MAD_TO_SIGMA * np.median(away)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 299, 300])
def test_long_windows_of_ties_and_normals(n):
    rng = np.random.default_rng(n)
    for values in (rng.normal(size=n), rng.integers(-2, 3, n).astype(float), np.full(n, 7.0)):
        ranks = sorted_window(values.tolist())
        centre = median(ranks, n)
        assert centre == np.median(values)
        wanted = MAD_TO_SIGMA * np.median(np.abs(values - centre))
        assert scale_of(ranks, n, centre) == wanted
        value = float(values[-1])
        z = (value - centre) / wanted if wanted > 1e-9 else 0.0
        assert robust_z(ranks, n, value, n, 1e-9) == z
        assert robust_z(ranks, n, value, n + 1, 1e-9) == 0.0


def test_a_robust_z_needs_a_scale_above_the_floor():
    ranks = np.array([0.0, 1.0, 2.0])
    assert robust_z(ranks, 3, 2.0, 3, MAD_TO_SIGMA) == 0.0
    assert robust_z(ranks, 3, 2.0, 3, np.nextafter(MAD_TO_SIGMA, 0)) == 1 / MAD_TO_SIGMA


@settings(max_examples=60)
@given(_values, st.integers(0, 50), st.data())
def test_a_plain_z_is_that_of_numpy_wherever_the_ring_begins(values, turn, data):
    n = len(values)
    filled = data.draw(st.integers(1, n))
    newest = turn % n
    ring = np.full(n, 1e300)
    kept = values[-filled:]
    wide = np.array([int(value * 1024) for value in kept], dtype=np.float64)
    ring[(newest - np.arange(filled)[::-1]) % n] = wide
    spread = np.std(wide)
    wanted = (wide[-1] - np.mean(wide)) / spread if spread > 0 else 0.0
    assert plain_z(ring, filled, newest, wide[-1]) == pytest.approx(wanted, abs=1e-9)
    assert plain_z(np.full(n, 4.0), filled, newest, 4.0) == 0.0
