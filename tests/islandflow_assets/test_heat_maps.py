"""A heat map paints each cell once, by its score, and outlines the best."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from islandflow_assets.charts import heat_map
from islandflow_assets.heat_cells import LEVELS, MISSING, SIDE, colour
from tests.islandflow_assets.pictures import bars, cells, is_inside, named, numbers, picture, words

BYTES = 40_000
ANY = st.floats(width=64)


def place_of_best(root, columns, rows):
    """Column and row, from the top, that the outline is around."""
    [outline] = named(root, "rect", "best")
    [back] = [rect for rect in named(root, "rect") if rect.get("fill") == MISSING]
    left, top, width, height = numbers(back, "x", "y", "width", "height")
    x, y, wide, high = numbers(outline, "x", "y", "width", "height")
    assert (wide, high) == pytest.approx((width / columns, height / rows), abs=0.1)
    return round((x - left) / width * columns), round((y - top) / height * rows)


def test_a_cell_has_the_colour_of_its_score_and_larger_parameters_are_right_and_up():
    x, y = [1, 2, 3] * 2, [10] * 3 + [20] * 3
    root = picture(heat_map("sharpe", x, y, [-2, -1, 0, 1, 2, 1.5], "fast", "slow"))
    painted = cells(root)
    assert painted[0, 1] == colour(-LEVELS)
    assert painted[1, 0] == colour(LEVELS)
    assert painted[2, 1] == colour(0)
    assert len(set(painted.values())) == 6
    assert place_of_best(root, 3, 2) == (1, 0)
    assert {"outlined: best 2 at 2, 20", "fast →", "↑ slow", "10", "20"} <= set(words(root))
    assert {"-2", "-1", "0", "1", "2"} <= set(words(root))


def test_a_cell_is_the_median_of_its_finite_scores():
    x, y = [1] * 5 + [2], [1] * 6
    same = heat_map("sharpe", x, y, [9, math.nan, 1, 2, math.inf, -4], "a", "b")
    assert "outlined: best 2 at 1, 1" in words(picture(same))


def test_a_cell_without_a_score_is_left_grey():
    x, y = [1, 2, 1, 2], [1, 1, 2, 2]
    root = picture(heat_map("sharpe", x, y, [1, math.nan, 3, 4], "a", "b"))
    assert set(cells(root)) == {(0, 0), (1, 0), (0, 1)}
    assert "outlined: best 4 at 2, 2 · grey: no score" in words(root)
    assert place_of_best(root, 2, 2) == (1, 0)


def test_a_full_grid_of_every_colour_is_painted_whole_and_small():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(SIDE), np.geomspace(1e-4, 1e4, SIDE)))
    scores = np.random.default_rng(5).normal(size=x.size)
    value = heat_map("&<\U0001f600" * 200, x, y, scores, "name " * 60, "other " * 60)
    painted = cells(picture(value))
    assert len(painted) == SIDE * SIDE
    best = int(np.argmax(scores))
    place = place_of_best(picture(value), SIDE, SIDE)
    assert place == (best % SIDE, SIDE - 1 - best // SIDE)
    assert is_inside(picture(value))
    assert len(value.value) < BYTES


def test_one_ruined_trial_does_not_make_all_others_look_alike():
    scores = [*np.linspace(-1, 1, 35), -1000.0]
    x, y = [k % 6 for k in range(36)], [k // 6 for k in range(36)]
    root = picture(heat_map("sharpe", x, y, scores, "a", "b"))
    assert len(set(cells(root).values())) > 10
    assert {"≤ -2.65", "≥ 2.65"} <= set(words(root))


def test_scores_by_one_parameter_are_bars_from_0():
    root = picture(heat_map("sharpe", [5, 20, 10], [], [-1, 2, 1], "fast", ""))
    first, second, third = bars(root)
    assert second[3] == pytest.approx(first[3], abs=0.02)
    assert third[3] == pytest.approx(2 * second[3], abs=0.02)
    assert first[1] == pytest.approx(second[1] + second[3], abs=0.02)
    assert first[0] < second[0] < third[0]
    [outline] = named(root, "rect", "best")
    assert numbers(outline, "x", "y", "width", "height") == pytest.approx(third, abs=0.1)
    fills = [bar.get("fill") for bar in named(root, "rect", "bar")]
    assert fills[0] != fills[1] == fills[2]
    assert {"outlined: best 2 at 20", "fast →", "5", "10", "20"} <= set(words(root))


def test_the_best_of_only_negative_scores_is_the_shortest_bar():
    root = picture(heat_map("sharpe", [1, 2, 3], [], [-3, -1, -2], "fast", ""))
    [outline] = named(root, "rect", "best")
    shortest = min(bars(root), key=lambda bar: bar[3])
    assert numbers(outline, "x", "y", "width", "height") == pytest.approx(shortest, abs=0.1)


def test_trials_without_any_varied_parameter_are_one_bar():
    root = picture(heat_map("sharpe", [0.0] * 4, [], [1, 2, 3, 4], "", ""))
    assert len(bars(root)) == 1
    assert "outlined: best 2.5 at 0" in words(root)


def test_names_of_parameters_are_shown_letter_by_letter():
    root = picture(heat_map("a<b&c", [1, 2], [1, 2], [1, 2], "x<b&c", 'y"<&'))
    assert {"a<b&c", "x<b&c →", '↑ y"<&'} <= set(words(root))


@pytest.mark.parametrize("scores", [[math.nan, math.inf], []])
def test_a_heat_map_without_a_score_says_so(scores):
    x = list(range(len(scores)))
    for y in (x, []):
        said = words(picture(heat_map("sharpe", x, y, scores, "a", "b")))
        assert said == ["sharpe", "nothing to draw: there is no finite value"]


@settings(max_examples=50)
@given(st.lists(st.tuples(ANY, ANY, ANY), max_size=60), st.booleans(), st.text(), st.text())
def test_a_heat_map_of_any_numbers_stays_inside_its_picture(trials, one, x_name, title):
    x, y, scores = ([trial[k] for trial in trials] for k in range(3))
    value = heat_map(title, x, [] if one else y, scores, x_name[:20], "y")
    assert is_inside(picture(value))
    assert len(value.value) < BYTES
