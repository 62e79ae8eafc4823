"""Charts of campaigns for metadata: fans, histograms, folds and heat maps as small SVG pictures.

Less than 40 kB each, whatever is drawn. Curves of one partition are in ``plots``, pieces of
pictures in ``drawing``, the heat map itself in ``heat_maps``; what is drawn is computed elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

import dagster as dg
import numpy as np

from engine.arrays import Floats
from islandflow_assets.drawing import (
    COLOURS,
    FLOOR,
    LEFT,
    RIGHT,
    TOP,
    Frame,
    Unit,
    band,
    bar,
    figure,
    finite,
    floor_labels,
    floor_name,
    legend,
    level_line,
    level_lines,
    limits,
    mark_line,
    nothing,
    picture,
    place_labels,
)
from islandflow_assets.heat_maps import heat_map

POINTS: Final = 120
BINS: Final = 40
FOLDS: Final = 60
_CONSTANT_BINS: Final = 21

__all__ = [
    "BINS",
    "FOLDS",
    "POINTS",
    "counts",
    "distribution",
    "equity_fan",
    "fold_stability",
    "heat_map",
]


def equity_fan(title: str, fan: Floats) -> dg.MarkdownMetadataValue:
    """Spread of growth along many paths: two bands and the median, as change in percent.

    Parameters
    ----------
    title : str
    fan : ndarray of float64, shape (points, 5)
        Percentiles 5, 25, 50, 75 and 95 of growth (1.0 at the start, which is not among the
        points) at evenly spaced points of which the last is the end. Points that are not finite
        are left out; at most `POINTS` are drawn.
    """
    kept = np.flatnonzero(np.isfinite(fan).all(axis=1))
    if not kept.size:
        return nothing(title)
    kept = kept[np.linspace(0, kept.size - 1, min(POINTS, kept.size)).astype(np.int64)]
    x = [0.0, *(100.0 * (kept + 1) / len(fan)).tolist()]
    change = 100.0 * (np.vstack([np.ones(5), np.clip(fan[kept], -1e100, 1e100)]) - 1.0)
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, (0.0, 100.0), limits(change))
    low, quarter, median, upper, high = (frame.line(x, change[:, k]) for k in range(5))
    blue = COLOURS[0]
    shapes = (
        band(low, high, 0.16)
        + band(quarter, upper, 0.3)
        + f'<polyline points="{" ".join(median)}" fill="none" stroke="{blue}" stroke-width="2"/>'
    )
    ends = [figure(value, "percent") for value in (change[-1, [0, 2, 4]] / 100.0).tolist()]
    key = legend(
        [(blue, 0.16, "5–95 %"), (blue, 0.46, "25–75 %"), (blue, 1.0, "median")],
        f"at the end: {ends[0]} to {ends[2]}, median {ends[1]}",
    )
    axes = level_lines(frame, " %") + floor_labels(frame, " %") + floor_name("of the path")
    return picture(title, key + axes, shapes + level_line(frame, 0.0))


def distribution(
    title: str, values: Floats, mark: float | None, unit: Unit
) -> dg.MarkdownMetadataValue:
    """Histogram of values, with a line at one that matters.

    Parameters
    ----------
    title : str
    values : ndarray of float64, shape (values,)
        Those that are not finite are left out and counted in the legend.
    mark : float or None
        Such as a percentile of the values; None or not finite for no line.
    unit : {'percent', 'number'}
        Values (and mark) in percent are given as fractions: 0.12 is shown as 12 %.
    """
    known = finite(values)
    if not known.size:
        return nothing(title)
    scale = 100.0 if unit == "percent" else 1.0
    marks = finite(np.array([math.nan if mark is None else mark]))
    first, last = limits(scale * known)
    constant = first < float(scale * known.min())
    bins = _CONSTANT_BINS if constant else min(BINS, math.ceil(math.sqrt(known.size)))
    found, _ = np.histogram(scale * known, bins=bins, range=(first, last))
    left_out = values.size - known.size
    said = f"values: {known.size:,} · median: {figure(float(np.median(known)), unit)}"
    said += f" · left out, not finite: {left_out:,}" if left_out else ""
    edges = limits(np.concatenate([[first, last], scale * marks]))
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, edges, (0.0, float(found.max())))
    shapes = _bars(
        frame, np.linspace(first, last, bins + 1, dtype=np.float64), found.tolist(), -math.inf
    )
    if marks.size:
        shapes += mark_line(frame, scale * float(marks[0]), figure(float(marks[0]), unit))
    labels = level_lines(frame, finest=1.0) + floor_labels(frame, " %" if scale > 1 else "")
    return picture(title, legend([], said) + labels, shapes)


def counts(
    title: str, first: float, last: float, counts: Sequence[int]
) -> dg.MarkdownMetadataValue:
    """Histogram from its counts, with a line at 0 and what is below it in another colour.

    Parameters
    ----------
    title : str
    first, last : float
        Left edge of the first bar and right edge of the last.
    counts : sequence of int
        Of bars of equal width, ≥ 0; of more than `POINTS`, neighbours are added up.
    """
    total = sum(counts)
    if not (total > 0 and math.isfinite(first) and math.isfinite(last) and first <= last):
        return nothing(title)
    start, end = limits(np.clip([first, last], -1e100, 1e100))
    size = -(-len(counts) // POINTS)
    merged = [sum(counts[k : k + size]) for k in range(0, len(counts), size)]
    width = (end - start) * size / len(counts)
    edges = start + width * np.arange(len(merged) + 1, dtype=np.float64)
    x = limits(np.append(edges, 0.0))
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, x, (0.0, float(max(merged))))
    shapes = _bars(frame, edges, merged, 0.0) + mark_line(frame, 0.0, "0")
    key = legend([(COLOURS[1], 1.0, "below 0"), (COLOURS[0], 1.0, "above 0")], f"values: {total:,}")
    return picture(title, key + level_lines(frame, finest=1.0) + floor_labels(frame), shapes)


def fold_stability(
    title: str, train: Sequence[Sequence[float]], test: Sequence[Sequence[float]]
) -> dg.MarkdownMetadataValue:
    """Objective of each fold in training and in its test: median and range over datasets.

    Parameters
    ----------
    title : str
    train, test : sequence of sequence of float
        Per fold, values over datasets (any number of them); the first `FOLDS` folds are drawn.
        Values that are not finite are left out.
    """
    folds = [
        (_spread(first), _spread(second))
        for first, second in zip_longest(train, test, fillvalue=())
    ]
    shown = folds[:FOLDS]
    known = [value for pair in shown for spread in pair if spread for value in spread]
    if not known:
        return nothing(title)
    x, y = (0.5, len(shown) + 0.5), limits(np.array([*known, 0.0]))
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, x, y)
    offset = min(8.0, 0.18 * (RIGHT - LEFT) / len(shown))
    shapes = "".join(
        _ranges(frame, [pair[k] for pair in shown], hue, shift)
        for k, (hue, shift) in enumerate(((COLOURS[0], -offset), (COLOURS[1], offset)))
    )
    key = legend(
        [(COLOURS[0], 1.0, "training"), (COLOURS[1], 1.0, "test")],
        "median and 10–90 % over datasets",
    )
    labels = place_labels([str(k + 1) for k in range(len(shown))], frame)
    more = len(folds) - len(shown)
    name = floor_name(f"fold ({more} more)" if more else "fold")
    axes = key + level_lines(frame) + labels + name
    return picture(title, axes, level_line(frame, 0.0) + shapes)


def _spread(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Percentiles 10, 50 and 90 of what is finite."""
    known = finite(np.asarray(values, dtype=np.float64))
    if not known.size:
        return None
    low, median, high = np.percentile(known, (10, 50, 90)).tolist()
    return low, median, high


def _ranges(
    frame: Frame, spreads: Iterable[tuple[float, float, float] | None], hue: str, shift: float
) -> str:
    """A stroke from low to high and a dot at the median, per fold, the dots joined by a line."""
    strokes: list[str] = []
    dots: list[str] = []
    for k, spread in enumerate(spreads):
        if spread is None:
            continue
        x = frame.across(k + 1) + shift
        low, median, high = (frame.up(value) for value in spread)
        strokes.append(f"M{x:.1f} {low:.1f}V{high:.1f}")
        dots.append(f"{x:.1f},{median:.1f}")
    circles = "".join('<circle cx="{}" cy="{}" r="4"/>'.format(*dot.split(",")) for dot in dots)
    return (
        f'<g fill="{hue}" stroke="{hue}">'
        f'<polyline points="{" ".join(dots)}" fill="none" stroke-opacity="0.4"/>'
        f'<path d="{"".join(strokes)}" stroke-width="3" stroke-opacity="0.45"/>{circles}</g>'
    )


def _bars(frame: Frame, edges: Floats, heights: Sequence[int], above: float) -> str:
    """Bars that touch, those in the middle of which the number is below `above` in orange."""
    pixels = [frame.across(edge) for edge in edges.tolist()]
    gap = 1.0 if pixels[1] - pixels[0] > 4 else 0.0
    middles = ((edges[:-1] + edges[1:]) / 2).tolist()
    return "".join(
        bar(frame, left, right - gap, height, COLOURS[1 if middle < above else 0])
        for left, right, middle, height in zip(
            pixels[:-1], pixels[1:], middles, heights, strict=True
        )
        if height
    )
