"""Heat map of scores by two parameters, or bars by one, drawn as a small SVG picture.

Which trials share a cell, and the colours, are ``heat_cells``; pieces of pictures ``drawing``.
Callers find it beside the other charts, in ``charts``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import dagster as dg
import numpy as np

from islandflow_assets.colour_bars import colour_bar, colour_labels
from islandflow_assets.drawing import (
    COLOURS,
    FLOOR,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Frame,
    bar,
    figure,
    floor_name,
    level_line,
    level_lines,
    limits,
    nothing,
    picture,
    place_labels,
    plain,
    shortened,
    text,
)
from islandflow_assets.heat_cells import (
    MISSING,
    HeatCells,
    colour,
    heat_cells,
    scale_limit,
    shade_of,
)

_BAR_RIGHT: Final = WIDTH - 104
_NAME_CHARS: Final = 44
_LINE_CHARS: Final = 98


def heat_map(
    title: str,
    x: Sequence[float],
    y: Sequence[float],
    values: Sequence[float],
    x_name: str,
    y_name: str,
) -> dg.MarkdownMetadataValue:
    """Score by two parameters as coloured cells, or by one as bars; the best is outlined.

    Parameters
    ----------
    title : str
    x, y : sequence of float, one per trial
        Parameters; an empty `y` for one parameter. How many values share a cell is said at
        `heat_cells.heat_cells`.
    values : sequence of float, one per trial
        Scores, higher is better; a cell shows the median of its finite ones, grey for none.
    x_name, y_name : str
        Names of the parameters.
    """
    rows = np.asarray(y if len(y) else np.zeros(len(x)), dtype=np.float64)
    scores = np.asarray(values, dtype=np.float64)
    scores = np.where(np.isfinite(scores), np.clip(scores, -1e100, 1e100), np.nan)
    cells = heat_cells(np.asarray(x, dtype=np.float64), rows, scores)
    if not np.isfinite(cells.scores).any():
        return nothing(title)
    if len(y):
        return _cell_map(title, cells, x_name, y_name)
    return _score_bars(title, cells, x_name)


def _cell_map(title: str, cells: HeatCells, x_name: str, y_name: str) -> dg.MarkdownMetadataValue:
    rows, columns = cells.scores.shape
    floor = TOP + max(120, min(320, 24 * rows))
    frame = Frame(LEFT, _BAR_RIGHT, TOP, floor, (0.0, columns), (0.0, rows))
    limit, beyond = scale_limit(cells.scores)
    row, column = cells.best
    best = _best(cells, f"{cells.x[column]}, {cells.y[row]}")
    up = [
        text(LEFT - 6, frame.up(k + 0.5) + 4, cells.y[k], "end")
        for k in range(0, rows, math.ceil(14 * rows / (floor - TOP)))
    ]
    words = (
        text(8, 33, f"↑ {shortened(plain(y_name), min(_NAME_CHARS, _LINE_CHARS - len(best)))}")
        + text(WIDTH - 8, 33, best, "end")
        + "".join(up)
        + place_labels(cells.x, frame)
        + floor_name(_x_name(x_name), frame)
        + colour_labels(frame, limit, beyond=beyond)
    )
    return picture(title, words, _painted(frame, cells, limit) + colour_bar(frame), floor + 40)


def _painted(frame: Frame, cells: HeatCells, limit: float) -> str:
    """Cells in units of cells, one path for all of one shade, and the outline of the best."""
    rows, columns = cells.scores.shape
    paths: dict[int, list[str]] = {}
    for row, column in np.argwhere(np.isfinite(cells.scores)).tolist():
        shade = shade_of(float(cells.scores[row, column]), limit)
        paths.setdefault(shade, []).append(f"M{column} {rows - 1 - row}h1v1h-1z")
    wide, high = (frame.right - frame.left) / columns, (frame.floor - frame.top) / rows
    painted = "".join(
        f'<path fill="{colour(shade)}" d="{"".join(places)}"/>'
        for shade, places in sorted(paths.items())
    )
    row, column = cells.best
    return (
        f'<rect x="{frame.left}" y="{frame.top}" width="{frame.right - frame.left}" '
        f'height="{frame.floor - frame.top}" fill="{MISSING}"/>'
        f'<g class="cells" shape-rendering="crispEdges" '
        f'transform="translate({frame.left} {frame.top}) scale({wide:.4f} {high:.4f})">'
        f"{painted}</g>"
        f"{_outline(frame, (column, column + 1), (row + 1, row))}"
    )


def _score_bars(title: str, cells: HeatCells, x_name: str) -> dg.MarkdownMetadataValue:
    scores = cells.scores[0]
    y = limits(np.append(scores[np.isfinite(scores)], 0.0))
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, (0.0, scores.size), y)
    gap = 0.1 if scores.size > 1 else 0.3
    shapes: list[str] = []
    for k in np.flatnonzero(np.isfinite(scores)).tolist():
        hue = COLOURS[1] if scores[k] < 0 else COLOURS[0]
        edges = frame.across(k + gap), frame.across(k + 1 - gap)
        shapes.append(bar(frame, *edges, float(scores[k]), hue))
    best = cells.best[1]
    high, low = max(0.0, scores[best]), min(0.0, scores[best])
    shapes.append(_outline(frame, (best + gap, best + 1 - gap), (high, low)))
    words = text(WIDTH - 8, 33, _best(cells, cells.x[best]), "end") + level_lines(frame)
    words += place_labels(cells.x, frame) + floor_name(_x_name(x_name))
    return picture(title, words, level_line(frame, 0.0) + "".join(shapes))


def _outline(frame: Frame, x: tuple[float, float], y: tuple[float, float]) -> str:
    """A dark edge around what lies between two numbers (the top one first) on either axis."""
    left, right = map(frame.across, x)
    top, floor = map(frame.up, y)
    return (
        f'<rect class="best" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{floor - top:.1f}" fill="none" stroke="#000000" stroke-width="2"/>'
    )


def _best(cells: HeatCells, at: str) -> str:
    score = figure(float(cells.scores[cells.best]), "number")
    missing = " · grey: no score" if np.isnan(cells.scores).any() and len(cells.y) > 1 else ""
    return f"outlined: best {score} {'near' if cells.merged else 'at'} {at}{missing}"


def _x_name(name: str) -> str:
    return f"{shortened(plain(name), _NAME_CHARS)} →" if name else ""
