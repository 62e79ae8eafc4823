"""Plots for metadata: small SVG pictures, cheap enough for every partition of a batch.

At most 120 points a curve. Pieces of pictures are in ``drawing``, those of campaigns in
``charts``; what is drawn is computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dagster as dg
import numpy as np

from engine.arrays import Floats
from islandflow_assets.drawing import (
    COLOURS,
    FONT,
    LEFT,
    WIDTH,
    Frame,
    image,
    level_lines,
    shortened,
)

HEIGHT: Final = 260
POINTS: Final = 120
_RIGHT, _TOP, _FLOOR = WIDTH - 14, 30, HEIGHT - 26
_LEGEND_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class Span:
    """First and last bar of what is drawn, as starts in nanoseconds since 1970 UTC."""

    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Curve:
    """What is left of a series: per interval its last value, its lowest and its highest."""

    low: Floats
    high: Floats
    last: Floats


def price_plot(
    cell: str, span: Span, low: Floats, high: Floats, close: Floats
) -> dg.MarkdownMetadataValue:
    """Close over its range of low and high.

    Parameters
    ----------
    cell : str
        Names the partition.
    span : Span
    low, high, close : ndarray of float64, shape (bars,)
        Prices.
    """
    title = f"{cell} · price: close, within low to high"
    return _picture(title, title, span, [_curve(low, high, close)])


def equity_plot(
    cell: str, span: Span, equities: Mapping[str, Floats], more: int = 0
) -> dg.MarkdownMetadataValue:
    """Equity of the first strategies of one partition, each named in its colour.

    Parameters
    ----------
    cell : str
        Names the partition.
    span : Span
    equities : mapping of str to ndarray of float64, shape (bars,)
        Equity in quote currency by strategy; the first four are drawn.
    more : int
        Strategies that are not among them.
    """
    return _named_curves(f"{cell} · equity in quote currency: ", span, equities, more)


def drawdown_plot(
    cell: str, span: Span, equities: Mapping[str, Floats], more: int = 0
) -> dg.MarkdownMetadataValue:
    """Fall of equity below its highest so far, in percent; parameters as `equity_plot`."""
    falls = {
        name: 100.0 * (values / np.maximum.accumulate(values) - 1.0)
        for name, values in equities.items()
    }
    return _named_curves(f"{cell} · drawdown in percent: ", span, falls, more)


def _named_curves(
    title: str, span: Span, series: Mapping[str, Floats], more: int
) -> dg.MarkdownMetadataValue:
    shown = list(series.items())[: len(COLOURS)]
    names = [name for name, _ in shown]
    left = more + len(series) - len(shown)
    rest = f" and {left} more" if left else ""
    room = (_LEGEND_CHARS - len(title) - len(rest)) // max(1, len(names)) - 2
    legend = ", ".join(
        f'<tspan fill="{colour}">{shortened(name, room)}</tspan>'
        for name, colour in zip(names, COLOURS, strict=False)
    )
    curves = [_curve(values, values, values) for _, values in shown]
    return _picture(title + legend + rest, title + ", ".join(names) + rest, span, curves)


def _curve(low: Floats, high: Floats, close: Floats) -> Curve:
    """Reduce to `POINTS` intervals without losing an extreme."""
    size = close.size
    starts = np.linspace(0, size, min(POINTS, size), endpoint=False).astype(np.int64)
    ends = np.append(starts[1:], size) - 1
    return Curve(np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts), close[ends])


def _picture(
    legend: str, title: str, span: Span, curves: Sequence[Curve]
) -> dg.MarkdownMetadataValue:
    bottom = min(float(curve.low.min()) for curve in curves)
    top = max(float(curve.high.max()) for curve in curves)
    if bottom == top:
        margin = abs(top) * 0.01 or 1.0
        bottom, top = bottom - margin, top + margin
    drawn = "".join(
        _drawn(curve, colour, bottom, top) for curve, colour in zip(curves, COLOURS, strict=False)
    )
    frame = Frame(LEFT, _RIGHT, _TOP, _FLOOR, y=(bottom, top))
    body = (
        f"<g {FONT}>{level_lines(frame)}"
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{_moment(span.first_ns)} UTC</text>'
        f'<text x="{_RIGHT}" y="{HEIGHT - 8}" text-anchor="end">'
        f"{_moment(span.last_ns)} UTC</text>"
        f'<text x="8" y="17">{legend}</text></g>{drawn}'
    )
    return image(HEIGHT, body, title)


def _drawn(curve: Curve, colour: str, bottom: float, top: float) -> str:
    x = np.linspace(LEFT, _RIGHT, curve.last.size)
    scale = (_FLOOR - _TOP) / (top - bottom)
    low, high, last = (
        [f"{a:.0f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        for y in (
            _FLOOR - (values - bottom) * scale for values in (curve.low, curve.high, curve.last)
        )
    )
    area = " ".join(high + low[::-1])
    return (
        f'<polygon points="{area}" fill="{colour}" fill-opacity="0.25"/>'
        f'<polyline points="{" ".join(last)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    )


def _moment(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")
