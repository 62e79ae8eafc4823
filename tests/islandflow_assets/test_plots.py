"""Plots are whole SVG pictures of finite points, whatever the series."""

import base64
import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from islandflow_assets.plots import (
    HEIGHT,
    POINTS,
    WIDTH,
    Span,
    drawdown_plot,
    equity_plot,
    price_plot,
)

SPAN = Span(1_704_067_200_000_000_000, 1_704_667_200_000_000_000)
SVG = "{http://www.w3.org/2000/svg}"


def picture(value):
    """The picture in a markdown value, parsed."""
    text = re.fullmatch(r"!\[[^\]]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", value.value)
    assert text, value.value[:200]
    root = ET.fromstring(base64.b64decode(text.group(1), validate=True).decode("utf-8"))
    assert root.tag == f"{SVG}svg"
    return root


def points(element):
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def all_points(root):
    shapes = [*root.iter(f"{SVG}polyline"), *root.iter(f"{SVG}polygon")]
    return [point for shape in shapes for point in points(shape)]


@pytest.mark.parametrize("bars", [1, 2, POINTS - 1, POINTS, POINTS + 1, 10_000])
def test_every_point_of_a_price_plot_lies_inside_the_picture(bars):
    close = 100 + np.cumsum(np.random.default_rng(bars).normal(size=bars))
    root = picture(price_plot("cell|1", SPAN, close - 1, close + 2, close))
    drawn = all_points(root)
    assert drawn
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)
    assert all(len(points(line)) <= POINTS for line in root.iter(f"{SVG}polyline"))


@pytest.mark.parametrize("level", [0.0, 1e-6, 1.0, 9e12])
def test_a_flat_series_is_drawn_as_a_finite_line(level):
    flat = np.full(50, level)
    for value in (price_plot("c", SPAN, flat, flat, flat), equity_plot("c", SPAN, {"s": flat})):
        assert all(math.isfinite(part) for point in all_points(picture(value)) for part in point)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_a_series_of_any_size_is_drawn_inside_the_picture(scale):
    close = scale * (1 + np.linspace(0, 1, 300))
    drawn = all_points(picture(price_plot("c", SPAN, close, close, close)))
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)


def test_the_highest_and_lowest_bar_survive_the_reduction():
    close = np.full(10_000, 100.0)
    high, low = close.copy(), close.copy()
    high[4321], low[8765] = 200.0, 50.0
    root = picture(price_plot("c", SPAN, low, high, close))
    heights = [y for _, y in all_points(root)]
    spiked = picture(price_plot("c", SPAN, close, close, close))
    assert max(heights) - min(heights) > HEIGHT / 2
    assert len(heights) == len(all_points(spiked))


def test_equity_curves_are_drawn_one_per_strategy_and_named():
    curves = {"one": np.linspace(1, 2, 200), "two": np.linspace(2, 1, 200)}
    value = equity_plot("cell|1", SPAN, curves)
    root = picture(value)
    assert len(list(root.iter(f"{SVG}polyline"))) == 2
    said = "".join(root.itertext())
    assert "one" in said
    assert "two" in said
    assert "2024-01-01 00:00" in said


def labels(root):
    """Numbers of the vertical axis, from bottom to top."""
    ends = [text for text in root.iter(f"{SVG}text") if text.get("text-anchor") == "end"]
    return [float(text.text.replace(",", "")) for text in ends if "UTC" not in text.text]


def test_a_drawdown_is_the_fall_below_the_peak_in_percent():
    equity = np.concatenate([np.linspace(100, 200, 60), np.linspace(200, 150, 60)])
    root = picture(drawdown_plot("cell|1", SPAN, {"one": equity, "flat": np.full(120, 5.0)}))
    one, flat = (points(line) for line in root.iter(f"{SVG}polyline"))
    top, bottom = labels(root)[-1], labels(root)[0]
    assert (top, bottom) == (0.0, -25.0)
    assert {y for _, y in one[:60]} == {y for _, y in flat} == {one[0][1]}
    assert max(y for _, y in one) == one[-1][1] > one[0][1]
    assert "drawdown in percent: one, flat" in "".join(root.itertext())


@pytest.mark.parametrize("top", [1.0, 1.9, 2.1, 4.9, 5.1, 9.9])
@pytest.mark.parametrize("power", [-3, 0, 4])
def test_an_axis_has_three_to_seven_round_labels(top, power):
    level = np.linspace(0, top * 10.0**power, 50)
    found = labels(picture(equity_plot("c", SPAN, {"s": level})))
    assert 3 <= len(found) <= 7
    assert found == sorted(set(found))
    steps = {round((b - a) / 10.0**power, 6) for a, b in pairwise(found)}
    assert len(steps) == 1


def test_long_names_are_shortened_where_they_are_drawn_and_whole_in_the_title():
    names = [f"{'long_' * 12}{index}" for index in range(4)]
    curves = {name: np.linspace(1, 2 + index, 50) for index, name in enumerate(names)}
    value = equity_plot("a_scenario-0123456789ab|1", SPAN, curves, more=996)
    [legend] = [text for text in picture(value).iter(f"{SVG}text") if text.get("y") == "17"]
    said = "".join(legend.itertext())
    assert len(said) <= 130
    assert said.endswith("3 and 996 more")
    assert len({span.text for span in legend.iter(f"{SVG}tspan")}) == 4
    assert all(name in value.value for name in names)


def test_a_picture_is_small_enough_for_every_partition_of_a_batch():
    close = 100 + np.cumsum(np.random.default_rng(1).normal(size=1_000_000))
    assert len(price_plot("c", SPAN, close - 1, close + 1, close).value) < 16_000
