"""Gauges of the state model: its score on a dial, its three intensities, the score over time.

The model itself is ``engine.grid``; pieces of pictures are in ``drawing``.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import dagster as dg
import numpy as np
import pyarrow as pa

from engine.arrays import Floats
from islandflow_assets.drawing import (
    COLOURS,
    DARK,
    LEFT,
    RIGHT,
    Frame,
    level_line,
    level_lines,
    picture,
    text,
)
from islandflow_assets.field_maps import without
from islandflow_assets.heat_cells import LEVELS, colour
from islandflow_assets.time_axes import TimeColumns, numbers, step_line, time_columns, time_labels

INTERVALS: Final = 240
_HEIGHT: Final = 360
_CENTRE: Final = (150.0, 146.0)
_RADIUS: Final = 92.0
_THICK: Final = 18.0
_SEGMENTS: Final = 33
_BULL, _BEAR, _MIXED = "#2166ac", "#b2182b", "#8c959f"
_BARS: Final = Frame(378.0, RIGHT - 56.0, 72.0, 144.0)
_CURVE: Final = Frame(LEFT, RIGHT, 210.0, _HEIGHT - 40.0, y=(-1.0, 1.0))
_CURVE_NAME: Final = "score over time: mean, within lowest to highest · grey: warming up"
_STATES: Final = {
    -2: "bear vacuum",
    -1: "bear pressure",
    0: "mixed",
    1: "bull pressure",
    2: "bull vacuum",
}


def state_gauges(title: str, bins: pa.Table) -> dg.MarkdownMetadataValue:
    """Score and intensities at the last bin, and the score over time.

    Parameters
    ----------
    title : str
    bins : pyarrow.Table
        `contracts.columns.GRID_BINS`, ascending. A last score that is not finite is said, and has
        no needle; over time, such scores are left out.
    """
    if not bins.num_rows:
        return without(title, "the grid has no bin")
    last = bins.slice(bins.num_rows - 1).to_pylist()[0]
    columns = time_columns(bins, INTERVALS)
    frame = Frame(_CURVE.left, _CURVE.right, _CURVE.top, _CURVE.floor, columns.span_ns, _CURVE.y)
    score = float(last["state_model_score"])
    words = (
        text(8, 33, f"at the last bin, {_readiness(last)}")
        + _dial_labels(score)
        + _bar_labels(last)
        + text(8, frame.top - 10, _CURVE_NAME)
        + level_lines(frame)
        + time_labels(columns, frame)
    )
    shapes = _dial(score) + _intensity_bars(last) + _curve(frame, columns, bins)
    return picture(title, words, shapes, _HEIGHT)


def _readiness(last: dict[str, object]) -> str:
    bins = last["state_model_sample_count"]
    count = f"{bins:,} bin{'' if bins == 1 else 's'} so far"
    if last["state_model_ready"]:
        return f"ready, {count}"
    return f"warming up, {count}: the score does not count yet"


def _dial(score: float) -> str:
    """An arc from -1 at the left to 1 at the right, and the needle."""
    edges = np.linspace(-1.0, 1.0, _SEGMENTS + 1).tolist()
    arc = "".join(
        f'<path d="{_segment(left, right)}" fill="{colour(round(LEVELS * (left + right) / 2))}"/>'
        for left, right in pairwise(edges)
    )
    x, y = _CENTRE
    hub = f'<circle cx="{x}" cy="{y}" r="5" fill="{DARK}"/>'
    if not math.isfinite(score):
        return arc
    tip = _on_dial(score, _RADIUS - 6)
    left, right = _on_dial(score - 0.5, 4), _on_dial(score + 0.5, 4)
    corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in (left, tip, right))
    return f'{arc}<polygon class="needle" points="{corners}" fill="{DARK}"/>{hub}'


def _segment(left: float, right: float) -> str:
    outer, inner = _RADIUS, _RADIUS - _THICK
    points = (
        _on_dial(left, outer),
        _on_dial(right, outer),
        _on_dial(right, inner),
        _on_dial(left, inner),
    )
    first, second, third, fourth = (f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{first}A{outer} {outer} 0 0 1 {second}L{third}A{inner} {inner} 0 0 0 {fourth}z"


def _on_dial(score: float, radius: float) -> tuple[float, float]:
    angle = math.pi * (1.0 - score) / 2.0
    return _CENTRE[0] + radius * math.cos(angle), _CENTRE[1] - radius * math.sin(angle)


def _dial_labels(score: float) -> str:
    ends = (("-1", "end"), ("-0.5", "end"), ("0", "middle"), ("0.5", "start"), ("1", "start"))
    labels = ""
    for name, anchor in ends:
        x, y = _on_dial(float(name), _RADIUS + 6)
        labels += text(x, y, name, anchor)
    said = f"{score + 0.0:+.3f}" if math.isfinite(score) else "no score"
    x, y = _CENTRE
    labels += text(x - _RADIUS, y + 17, "bear", "middle")
    labels += text(x + _RADIUS, y + 17, "bull", "middle")
    number = text(x, y + 28, said, "middle")
    return f'{labels}<g font-size="17" font-weight="600" fill="{DARK}">{number}</g>'


def _intensities(last: dict[str, object]) -> list[tuple[str, float, str]]:
    return [
        (name, float(last[f"state_model_{name}_intensity"]), hue)  # type: ignore[arg-type]
        for name, hue in (("bull", _BULL), ("bear", _BEAR), ("mixed", _MIXED))
    ]


def _bar_labels(last: dict[str, object]) -> str:
    code = int(last["state_model_dominant_state5_code"])  # type: ignore[call-overload]
    parts = [text(_BARS.left, _BARS.top - 8, f"intensities · dominant: {_STATES.get(code, code)}")]
    for k, (name, value, _) in enumerate(_intensities(last)):
        y = _BARS.top + 24 * k + 15
        parts.append(text(_BARS.left - 8, y, name, "end"))
        parts.append(text(RIGHT, y, f"{value:.3g}", "end"))
    return "".join(parts)


def _intensity_bars(last: dict[str, object]) -> str:
    """Bars from 0 to 1, or to the largest where weights make it larger."""
    found = _intensities(last)
    most = max(1.0, *(value for _, value, _ in found if math.isfinite(value)))
    wide = _BARS.right - _BARS.left
    parts: list[str] = []
    for k, (name, value, hue) in enumerate(found):
        part = max(0.0, value / most) if math.isfinite(value) else 0.0
        place = f'x="{_BARS.left}" y="{_BARS.top + 24 * k + 3:.0f}" height="16"'
        parts.append(f'<rect {place} width="{wide}" fill="#eaeef2"/>')
        parts.append(f'<rect class="{name}" {place} width="{part * wide:.1f}" fill="{hue}"/>')
    return "".join(parts)


def _curve(frame: Frame, columns: TimeColumns, bins: pa.Table) -> str:
    scores = numbers(bins, "state_model_score", np.float64)
    low, high = columns.ranges(scores)
    mean = step_line(frame, columns.means(scores))
    warming = columns.means(1.0 - numbers(bins, "state_model_ready", np.float64)) > 0
    back = _blocks(frame, np.where(warming, -1.0, np.nan), np.ones(columns.count))
    return (
        f'<path class="warming" d="{back}" fill="#8c959f" fill-opacity="0.25"/>'
        f'<path class="range" d="{_blocks(frame, low, high)}" fill="{COLOURS[0]}" '
        f'fill-opacity="0.22"/>{level_line(frame, 0.0)}'
        f'<path class="score" d="{mean}" fill="none" stroke="{COLOURS[0]}" stroke-width="1.4"/>'
    )


def _blocks(frame: Frame, low: Floats, high: Floats) -> str:
    """Areas between two numbers, one for each run of equal ones; none where one is NaN."""
    edges = np.linspace(frame.left, frame.right, low.size + 1)
    parts: list[str] = []
    first = 0
    for k in range(1, low.size + 1):
        if k < low.size and low[k] == low[first] and high[k] == high[first]:
            continue
        if np.isfinite(low[first]) and np.isfinite(high[first]):
            top, floor = frame.up(float(high[first])), frame.up(float(low[first]))
            parts.append(f"M{edges[first]:.1f} {floor:.1f}V{top:.1f}H{edges[k]:.1f}V{floor:.1f}z")
        first = k
    return "".join(parts)
