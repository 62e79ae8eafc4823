"""Pictures of named rows: a number with its interval on a common axis, and words at its right.

Pieces of pictures are ``drawing``; what the rows are of is ``flow_curves``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg

from engine.evaluation import Figure
from islandflow_assets.drawing import TOP, WIDTH, Frame, floor_labels, picture, text

ROW: Final = 30
"""Height of a row in pixels."""
ROW_LEFT: Final = 168
"""Left edge of the frame: names of hypotheses end before it."""
_RIGHT: Final = WIDTH - 240
_FAULT: Final = "#b42318"


@dataclass(frozen=True, slots=True)
class Row:
    """A named row of a picture, and what is said at its right.

    Attributes
    ----------
    name : str
    said : tuple of (str, bool)
        Upper and lower words, each with whether it is a fault.
    """

    name: str
    said: tuple[tuple[str, bool], ...]


def is_known(value: float | None) -> bool:
    """Whether there is a finite value."""
    return value is not None and math.isfinite(value)


def row_frame(rows: int, x: tuple[float, float]) -> Frame:
    """A frame for so many rows, the first one at the top: row 0.5 is its middle."""
    top = TOP + 12
    return Frame(ROW_LEFT, _RIGHT, top, top + ROW * rows, x, (float(rows), 0.0))


def interval(frame: Frame, row: float, one: Figure, hue: str) -> str:
    """A share with its interval in percent; nothing of nothing, no stroke without an interval."""
    if one.value is None or not math.isfinite(one.value):
        return ""
    low, high = (
        end if end is not None and math.isfinite(end) else one.value for end in (one.low, one.high)
    )
    return stroke(frame, row, (100.0 * low, 100.0 * one.value, 100.0 * high), hue)


def stroke(frame: Frame, row: float, ends: tuple[float, float, float], hue: str) -> str:
    """A stroke from the first to the last number, a dot at the middle one, within the frame."""
    left, middle, right = (frame.across(min(max(end, frame.x[0]), frame.x[1])) for end in ends)
    y = frame.up(row)
    return (
        f'<path class="interval" d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="{hue}" '
        f'stroke-width="3" stroke-opacity="0.45"/>'
        f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="4" fill="{hue}"/>'
    )


def row_picture(
    title: str, frame: Frame, rows: Sequence[Row], keys: str, shapes: str, unit: str
) -> dg.MarkdownMetadataValue:
    """Rows with their names at the left and what is said of them at the right."""
    words = keys + floor_labels(frame, unit)
    for k, row in enumerate(rows):
        y = frame.up(float(k))
        words += f'<path d="M{frame.left} {y:.0f}H{frame.right}" stroke="#eaeef2"/>'
        words += text(frame.left - 6, y + 19, row.name, "end")
        for place, (said, is_fault) in enumerate(row.said):
            shown = text(frame.right + 10, y + 13 + 12 * place, said)
            words += f'<g fill="{_FAULT}">{shown}</g>' if is_fault else shown
    return picture(title, words, shapes, round(frame.floor) + 24)
