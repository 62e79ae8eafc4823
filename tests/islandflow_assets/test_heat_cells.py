"""Cells gather scores by parameters without losing one, and their colours keep the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from islandflow_assets.heat_cells import (
    LEVELS,
    SIDE,
    colour,
    heat_cells,
    scale_limit,
    shade_of,
)


def lightness(hexed):
    """CIE 1976 lightness of an sRGB colour."""
    channels = np.array([int(hexed[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * luminance ** (1 / 3) - 16


@pytest.mark.parametrize("sign", [-1, 1])
def test_colours_darken_steadily_away_from_0(sign):
    found = [lightness(colour(sign * shade)) for shade in range(LEVELS + 1)]
    falls = -np.diff(found)
    assert falls.min() > 0.5
    assert falls.max() < 5 * falls.min()


def test_every_shade_has_its_own_colour():
    assert len({colour(shade) for shade in range(-LEVELS, LEVELS + 1)}) == 2 * LEVELS + 1


def test_shades_are_symmetric_and_end_at_the_limit():
    assert [shade_of(score, 2.0) for score in (-9, -2, -1, 0, 1, 2, 9)] == [
        -LEVELS, -LEVELS, -LEVELS // 2, 0, LEVELS // 2, LEVELS, LEVELS
    ]  # fmt: skip


def test_the_limit_is_the_largest_size_unless_that_is_an_outlier():
    assert scale_limit(np.array([-3.0, 1.0, np.nan])) == (3.0, False)
    assert scale_limit(np.array([1.0, -1.0, 1.0, -100.0])) == (5.0, True)
    assert scale_limit(np.array([0.0, 0.0, 0.0, 7.0])) == (7.0, False)
    assert scale_limit(np.zeros(3)) == (1.0, False)


@pytest.mark.parametrize("columns", [1, 7, SIDE])
def test_up_to_forty_values_have_a_column_each(columns):
    x, y = (axis.ravel() for axis in np.meshgrid(np.geomspace(1, 9, columns), np.arange(SIDE)))
    scores = np.arange(x.size, dtype=np.float64)
    found = heat_cells(x, y.astype(np.float64), scores)
    assert not found.merged
    assert found.scores.ravel().tolist() == scores.tolist()
    assert found.best == (SIDE - 1, columns - 1)
    assert len(set(found.x)) == columns


def test_neighbours_among_more_values_share_a_cell_by_its_median():
    x = np.arange(2.0 * SIDE)
    found = heat_cells(x, np.zeros(x.size), x**2)
    assert found.merged
    assert found.scores[0].tolist() == ((x[::2] ** 2 + x[1::2] ** 2) / 2).tolist()
    assert found.x == tuple(f"{value:.0f}" for value in x[::2])


def test_a_logarithmic_range_fills_the_columns_as_evenly_as_a_linear_one():
    spread = np.geomspace(1e-6, 1e6, 10 * SIDE)
    filled = heat_cells(spread, np.zeros(spread.size), np.ones(spread.size)).scores
    assert filled.shape == (1, SIDE)
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("trials", [30, 100, 1600, 20_000])
def test_a_random_search_is_gathered_into_cells_of_which_most_are_filled(trials):
    rng = np.random.default_rng(trials)
    found = heat_cells(rng.random(trials), rng.random(trials), rng.normal(size=trials))
    assert found.merged
    assert np.isfinite(found.scores).mean() > 0.5
    assert max(found.scores.shape) == min(SIDE, int(np.ceil(np.sqrt(trials))))


def test_labels_are_as_long_as_tells_them_apart():
    assert heat_cells(np.array([1 / 3, 1.0]), np.zeros(2), np.ones(2)).x == ("0.3333", "1")
    close = heat_cells(np.array([100_001.0, 100_002.0]), np.zeros(2), np.ones(2))
    assert close.x == ("100001", "100002")


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.integers(0, 60),
            st.floats(-9, 9, allow_subnormal=False) | st.just(np.nan),
        ),
        min_size=1,
        max_size=150,
    )
)
def test_every_score_lies_within_the_scores_of_the_cells(trials):
    x, y, scores = (np.array(column, dtype=np.float64) for column in zip(*trials, strict=True))
    found = heat_cells(x, y, scores)
    known = found.scores[np.isfinite(found.scores)]
    assert bool(known.size) == bool(np.isfinite(scores).any())
    if known.size:
        assert np.nanmin(scores) <= known.min() <= known.max() <= np.nanmax(scores)
    assert known.size <= np.isfinite(scores).sum()
    assert found.scores.shape == (len(found.y), len(found.x))
