"""Plots for metadata: small SVG pictures, cheap enough for every partition of a batch.

At most 160 points a line, plain text, no drawing library; shown by the UI as an
image inside markdown. What is drawn is computed elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg
import numpy as np
import numpy.typing as npt

WIDTH: Final = 640
HEIGHT: Final = 220
POINTS: Final = 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 24, 22
_FONT: Final = 'font-family="sans-serif" font-size="11" fill="#57606a"'

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its values at equal steps and its colour."""

    values: Floats
    colour: str = "#0b6bcb"


@dataclass(frozen=True, slots=True)
class Band:
    """An area between two lines, such as low and high."""

    low: Floats
    high: Floats
    colour: str = "#b6d4f2"


def price_plot(title: str, low: Floats, high: Floats, close: Floats) -> dg.MarkdownMetadataValue:
    """Close over its range of low and high."""
    edges = _edges(close.size)
    band = Band(np.minimum.reduceat(low, edges), np.maximum.reduceat(high, edges))
    return _picture(title, (band,), (Line(_sampled(close)),))


def equity_plot(title: str, curves: Sequence[Floats]) -> dg.MarkdownMetadataValue:
    """Equity curves of the strategies of one partition."""
    colours = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce")
    lines = [
        Line(_sampled(curve), colours[index % len(colours)]) for index, curve in enumerate(curves)
    ]
    return _picture(title, (), lines)


def _edges(size: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, size - 1, min(POINTS, size)).astype(np.int64))


def _sampled(values: Floats) -> Floats:
    return values[_edges(values.size)]


def _picture(title: str, bands: Sequence[Band], lines: Sequence[Line]) -> dg.MarkdownMetadataValue:
    parts = [line.values for line in lines]
    parts += [part for band in bands for part in (band.low, band.high)]
    bottom = min(float(part.min()) for part in parts)
    top = max(float(part.max()) for part in parts)
    span = (top - bottom) or 1.0

    def points(values: Floats) -> str:
        x = np.linspace(_LEFT, WIDTH - _RIGHT, values.size)
        y = HEIGHT - _BOTTOM - (values - bottom) / span * (HEIGHT - _TOP - _BOTTOM)
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))

    body = "".join(
        f'<polygon points="{points(band.high)} {_reversed(points(band.low))}" '
        f'fill="{band.colour}"/>'
        for band in bands
    ) + "".join(
        f'<polyline points="{points(line.values)}" fill="none" stroke="{line.colour}" '
        'stroke-width="1.5"/>'
        for line in lines
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{body}'
        f'<text x="{_LEFT}" y="15" {_FONT}>{title}</text>'
        f'<text x="4" y="{_TOP + 8}" {_FONT}>{top:,.2f}</text>'
        f'<text x="4" y="{HEIGHT - _BOTTOM}" {_FONT}>{bottom:,.2f}</text></svg>'
    )
    encoded = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{encoded})")


def _reversed(points: str) -> str:
    return " ".join(reversed(points.split(" ")))
