"""Plots for metadata: small SVG pictures, cheap enough for every partition of a batch.

At most 120 points a curve, plain text, no drawing library; shown by the UI as an
image inside markdown. What is drawn is computed elsewhere.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dagster as dg
import numpy as np
import numpy.typing as npt

WIDTH: Final = 720
HEIGHT: Final = 260
POINTS: Final = 120
COLOURS: Final = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce")
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 14, 30, 26
_FLOOR = HEIGHT - _BOTTOM
_LEGEND_CHARS: Final = 120
_FONT: Final = 'font-family="sans-serif" font-size="11" fill="#57606a"'

Floats = npt.NDArray[np.float64]


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
        f'<tspan fill="{colour}">{_short(name, room)}</tspan>'
        for name, colour in zip(names, COLOURS, strict=False)
    )
    curves = [_curve(values, values, values) for _, values in shown]
    return _picture(title + legend + rest, title + ", ".join(names) + rest, span, curves)


def _short(name: str, chars: int) -> str:
    """A name that fits, its end kept: names that differ mostly differ there."""
    room = max(8, chars)
    return name if len(name) <= room else f"{name[: room // 2]}…{name[room // 2 + 1 - room :]}"


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
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
        f"<g {_FONT}>{_grid(bottom, top)}"
        f'<text x="{_LEFT}" y="{HEIGHT - 8}">{_moment(span.first_ns)} UTC</text>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" text-anchor="end">'
        f"{_moment(span.last_ns)} UTC</text>"
        f'<text x="8" y="17">{legend}</text></g>{drawn}</svg>'
    )
    encoded = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{encoded})")


def _drawn(curve: Curve, colour: str, bottom: float, top: float) -> str:
    x = np.linspace(_LEFT, WIDTH - _RIGHT, curve.last.size)
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


def _grid(bottom: float, top: float) -> str:
    """Lines at round values with their labels."""
    rough = (top - bottom) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(round_ * power for round_ in (1, 2, 5, 10) if round_ * power >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step)))
    parts: list[str] = []
    for index in range(math.ceil(bottom / step), math.floor(top / step) + 1):
        value = index * step
        y = _FLOOR - (value - bottom) / (top - bottom) * (_FLOOR - _TOP)
        label = f"{value:,.{digits}f}" if abs(value) < 1e7 else f"{value:.4g}"
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="#eaeef2"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    return "".join(parts)


def _moment(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")
