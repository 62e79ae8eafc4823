"""Plots are whole SVG pictures of finite points, whatever the series."""

import base64
import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from islandflow_assets.plots import HEIGHT, POINTS, WIDTH, Span, equity_plot, price_plot

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


def test_a_picture_is_small_enough_for_every_partition_of_a_batch():
    close = 100 + np.cumsum(np.random.default_rng(1).normal(size=1_000_000))
    assert len(price_plot("c", SPAN, close - 1, close + 1, close).value) < 16_000
