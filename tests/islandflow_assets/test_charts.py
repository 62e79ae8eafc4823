"""Charts of campaigns say in pixels what their numbers say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from islandflow_assets.charts import (
    BINS,
    FOLDS,
    POINTS,
    counts,
    distribution,
    equity_fan,
    fold_stability,
)
from tests.islandflow_assets.pictures import (
    bars,
    is_inside,
    named,
    numbers,
    picture,
    points,
    words,
)

BYTES = 40_000
ANY = st.floats(width=64)


def fan_of(points_, seed=1):
    growth = np.cumprod(
        1 + np.random.default_rng(seed).normal(0.001, 0.02, size=(500, points_)), axis=1
    )
    return np.ascontiguousarray(np.percentile(growth, (5, 25, 50, 75, 95), axis=0).T)


def is_fit(value):
    return is_inside(picture(value)) and len(value.value) < BYTES


@pytest.mark.parametrize("size", [1, 2, POINTS, POINTS + 1, 5_000])
def test_the_bands_of_a_fan_enclose_its_median_at_every_point(size):
    value = equity_fan("growth", fan_of(size))
    outer, inner = (points(band) for band in named(picture(value), "polygon"))
    [median] = (points(line) for line in named(picture(value), "polyline"))
    drawn = len(median)
    assert drawn == min(size, POINTS) + 1
    for k, (x, y) in enumerate(median):
        for band in (outer, inner):
            assert band[k][0] == band[-1 - k][0] == x
        # pixels grow downwards
        low, quarter, upper, high = outer[k][1], inner[k][1], inner[-1 - k][1], outer[-1 - k][1]
        assert low >= quarter >= y >= upper >= high
    assert is_fit(value)


def test_a_fan_starts_at_no_change_and_ends_at_its_last_point():
    fan = np.array([[0.9, 1.0, 1.1, 1.2, 1.3], [0.8, 1.0, 1.2, 1.5, 2.0]])
    root = picture(equity_fan("growth", fan))
    [median] = (points(line) for line in named(root, "polyline"))
    outer = points(named(root, "polygon")[0])
    start, middle, end = median
    assert middle[0] == pytest.approx((start[0] + end[0]) / 2, abs=0.1)
    assert start[1] - end[1] == pytest.approx(2 * (start[1] - middle[1]), abs=0.2)
    assert start[1] - outer[3][1] == pytest.approx(5 * (start[1] - end[1]), abs=0.4)
    assert "at the end: -20 % to 100 %, median 20 %" in words(root)
    assert {"5–95 %", "25–75 %", "median", "0 %", "60 %", "100 %"} <= set(words(root))


def test_points_of_a_fan_that_are_not_finite_are_left_out():
    fan = fan_of(50)
    fan[10, 2], fan[20, 4] = math.nan, math.inf
    [median] = named(picture(equity_fan("growth", fan)), "polyline")
    assert len(points(median)) == 49
    said = words(picture(equity_fan("growth", np.full((3, 5), math.nan))))
    assert said == ["growth", "nothing to draw: there is no finite value"]
    assert words(picture(equity_fan("growth", np.empty((0, 5))))) == said


@settings(max_examples=50)
@given(st.lists(st.tuples(ANY, ANY, ANY, ANY, ANY), max_size=8))
def test_a_fan_of_any_numbers_stays_inside_its_picture(rows):
    assert is_fit(equity_fan("growth", np.array(rows).reshape(-1, 5)))


def test_bars_of_a_distribution_are_as_high_as_there_are_values():
    values = np.repeat(np.arange(9.0), np.arange(1, 10))
    drawn = bars(picture(distribution("falls", values, None, "number")))
    found, _ = np.histogram(values, bins=math.ceil(math.sqrt(values.size)))
    heights = np.array([height for *_, height in drawn])
    assert heights / heights.max() == pytest.approx(found[found > 0] / found.max(), abs=1e-4)
    assert len({round(top + height, 1) for _, top, _, height in drawn}) == 1


def test_a_distribution_in_percent_marks_its_percentile_between_the_right_bars():
    values = np.linspace(-0.4, 0.0, 1001)
    root = picture(distribution("falls", values, -0.3, "percent"))
    [line] = named(root, "path", "mark")
    x = float(line.get("d").removeprefix("M").split(" ")[0])
    left, right = bars(root)[0], bars(root)[-1]
    share = (x - left[0]) / (right[0] + right[2] - left[0])
    assert share == pytest.approx(0.25, abs=0.005)
    assert {"-30 %", "-40 %", "values: 1,001 · median: -20 %"} <= set(words(root))


@pytest.mark.parametrize("mark", [None, math.nan, math.inf])
def test_a_mark_that_is_not_finite_is_not_drawn(mark):
    root = picture(distribution("falls", np.arange(10.0), mark, "number"))
    assert not named(root, "path", "mark")


@pytest.mark.parametrize("mark", [-30.0, 30.0])
def test_a_mark_beyond_all_values_makes_room_for_itself(mark):
    value = distribution("falls", np.arange(10.0), mark, "number")
    root = picture(value)
    assert f"{mark:.0f}" in words(root)
    assert is_fit(value)
    assert bars(root)[0][2] < 60


@pytest.mark.parametrize("level", [0.0, -0.25, 1e-12, 7e13])
def test_equal_values_are_one_narrow_bar_under_their_mark(level):
    root = picture(distribution("falls", np.full(30, level), level, "percent"))
    [(left, _, width, _)] = bars(root)
    [line] = named(root, "path", "mark")
    x = float(line.get("d").removeprefix("M").split(" ")[0])
    assert left < x < left + width < left + 40


def test_values_that_are_not_finite_are_counted_in_the_legend():
    values = np.array([1.0, 2.0, math.nan, math.inf, -math.inf])
    root = picture(distribution("falls", values, 1.0, "number"))
    assert "values: 2 · median: 1.5 · left out, not finite: 3" in words(root)
    empty = picture(distribution("falls", values[2:], 1.0, "number"))
    assert words(empty) == ["falls", "nothing to draw: there is no finite value"]


@settings(max_examples=50)
@given(st.lists(ANY, max_size=50), st.none() | ANY, st.sampled_from(["percent", "number"]))
def test_a_distribution_of_any_numbers_stays_inside_its_picture(values, mark, unit):
    value = distribution("falls", np.array(values, dtype=np.float64), mark, unit)
    assert is_fit(value)
    assert len(bars(picture(value))) <= BINS
    assert bool(bars(picture(value))) == bool(np.isfinite(values).any())


def test_given_counts_are_bars_in_proportion_and_change_colour_at_0():
    root = picture(counts("logits", -2.0, 2.0, [1, 0, 4, 8]))
    heights = [height for *_, height in bars(root)]
    assert heights == pytest.approx([heights[2] / 8, heights[2] / 2, heights[2]], abs=0.02)
    below, above, last = (bar.get("fill") for bar in named(root, "rect", "bar"))
    assert below != above == last
    [line] = named(root, "path", "mark")
    x = float(line.get("d").removeprefix("M").split(" ")[0])
    assert bars(root)[1][0] == pytest.approx(x, abs=0.1)
    assert "values: 13" in words(root)


def test_more_counts_than_can_be_told_apart_are_added_up():
    value = counts("logits", 0.0, 1.0, [3] * (10 * POINTS - 5))
    heights = [height for *_, height in bars(picture(value))]
    assert len(heights) == POINTS
    assert heights[-1] == pytest.approx(heights[0] / 2, abs=0.02)
    assert is_fit(value)


@pytest.mark.parametrize(
    ("first", "last", "given_"),
    [(-1.0, 1.0, []), (-1.0, 1.0, [0, 0]), (math.nan, 1.0, [1]), (1.0, -1.0, [1])],
)
def test_counts_of_nothing_say_so(first, last, given_):
    said = words(picture(counts("logits", first, last, given_)))
    assert said == ["logits", "nothing to draw: there is no finite value"]


@settings(max_examples=50)
@given(ANY, ANY, st.lists(st.integers(0, 10**18), max_size=300))
def test_any_counts_stay_inside_their_picture(first, last, given_):
    assert is_fit(counts("logits", first, last, given_))


def test_a_fold_shows_its_median_and_range_in_training_and_in_its_test():
    train, test = [np.arange(11.0), np.arange(11.0) + 5], [np.arange(11.0) - 5, np.full(11, 5.0)]
    root = picture(fold_stability("sharpe", train, test))
    dots = [numbers(dot, "cx", "cy") for dot in named(root, "circle")]
    (x1, first), (x2, second), (x3, third), (x4, fourth) = dots
    unit = (first - second) / 5
    assert unit > 0
    assert third - first == pytest.approx(5 * unit, abs=0.1)
    assert fourth == pytest.approx(first, abs=0.1)
    assert x1 < x3 < x2 < x4
    training = named(root, "g")[1]
    stroke = named(training, "path")[0].get("d").split("M")[1]
    low, high = map(float, stroke.split(" ")[1].split("V"))
    assert low - first == pytest.approx(4 * unit, abs=0.1)
    assert first - high == pytest.approx(4 * unit, abs=0.1)
    assert {"training", "test", "fold", "1", "2"} <= set(words(root))


def test_folds_without_a_value_and_without_a_test_are_left_empty():
    root = picture(fold_stability("sharpe", [[1.0], [math.nan], [2.0]], [[0.5]]))
    assert len(named(root, "circle")) == 3
    assert "3" in words(root)
    said = words(picture(fold_stability("sharpe", [[], [math.inf]], [])))
    assert said == ["sharpe", "nothing to draw: there is no finite value"]
    assert words(picture(fold_stability("sharpe", [], []))) == said


def test_more_folds_than_have_room_are_counted():
    rows = np.random.default_rng(3).normal(size=(FOLDS + 7, 30)).tolist()
    value = fold_stability("sharpe", rows, rows)
    assert len(named(picture(value), "circle")) == 2 * FOLDS
    assert "fold (7 more)" in words(picture(value))
    assert is_fit(value)


@settings(max_examples=50)
@given(st.lists(st.lists(ANY, max_size=4), max_size=5), st.lists(st.lists(ANY, max_size=4)))
def test_folds_of_any_numbers_stay_inside_their_picture(train, test):
    assert is_fit(fold_stability("sharpe", train, test))
