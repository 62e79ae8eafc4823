"""Pieces of small SVG pictures: frames, axes, text, and the way into metadata as markdown.

What a picture shows is in ``plots`` (curves of one partition) and ``charts`` (campaigns); no
drawing library, and the UI shows them as images, so nothing in them can be pointed at.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

import dagster as dg
import numpy as np

from engine.arrays import Floats

WIDTH: Final = 720
LEFT: Final = 84
HEIGHT: Final = 280
"""Of a chart with a heading and a legend, whose frame has the edges `LEFT` to `FLOOR`."""
RIGHT: Final = WIDTH - 24
TOP: Final = 52
FLOOR: Final = HEIGHT - 40
COLOURS: Final = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce")
FONT: Final = 'font-family="sans-serif" font-size="11" fill="#57606a"'
DARK: Final = "#1f2328"
LEAST_SPREAD: Final = 1e-7
"""Differences below it, relative to the values or to 1, are not drawn."""
_LARGEST: Final = 1e100
_CHAR_WIDTH: Final = 7.0
_TITLE_CHARS: Final = 88
_ALT_CHARS: Final = 500
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKDOWN = re.compile(r"([\\\[\]<>&`*!])")

Unit = Literal["percent", "number"]
"""How a number is written; percents are given as fractions."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of the picture in pixels, and the numbers at its edges.

    Attributes
    ----------
    left, right, top, floor : float
        Edges in pixels; `floor` is below `top`, so it is the larger number.
    x, y : tuple of two float
        Numbers at the left and right edge, and at the floor and the top.
    """

    left: float
    right: float
    top: float
    floor: float
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)

    def across(self, value: float) -> float:
        """Pixel of a number on the horizontal axis."""
        return self.left + (value - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)

    def up(self, value: float) -> float:
        """Pixel of a number on the vertical axis."""
        return self.floor - (value - self.y[0]) / (self.y[1] - self.y[0]) * (self.floor - self.top)

    def line(self, x: Sequence[float], y: Floats) -> list[str]:
        """Points of a line, as SVG writes them."""
        return [
            f"{self.across(a):.1f},{self.up(b):.1f}" for a, b in zip(x, y.tolist(), strict=True)
        ]


def image(height: int, body: str, alt: str) -> dg.MarkdownMetadataValue:
    """A picture as markdown.

    Parameters
    ----------
    height : int
        In pixels; the width is `WIDTH`.
    body : str
        SVG elements, later ones above earlier ones.
    alt : str
        Said where the picture cannot be shown; markdown, see `alternative`.
    """
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>{body}</svg>'
    )
    encoded = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return dg.MetadataValue.md(f"![{alt}](data:image/svg+xml;base64,{encoded})")


def level_lines(frame: Frame, unit: str = "", finest: float = 0.0) -> str:
    """Lines at round values of the vertical axis with their labels; see `ticks`."""
    parts: list[str] = []
    for value, label in ticks(*frame.y, finest):
        y = frame.up(value)
        parts.append(
            f'<path d="M{frame.left} {y:.1f}H{frame.right}" stroke="#eaeef2"/>'
            f'<text x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}{unit}</text>'
        )
    return "".join(parts)


def floor_labels(frame: Frame, unit: str = "") -> str:
    """Strokes and labels at round values of the horizontal axis, below the frame."""
    parts: list[str] = []
    for value, label in ticks(*frame.x):
        x = frame.across(value)
        parts.append(f'<path d="M{x:.1f} {frame.floor}v4" stroke="#8c959f"/>')
        parts.append(text(x, frame.floor + 15, f"{label}{unit}", "middle"))
    return "".join(parts)


def ticks(bottom: float, top: float, finest: float = 0.0) -> list[tuple[float, str]]:
    """Three to seven round numbers between two, with their labels.

    Parameters
    ----------
    bottom, top : float
        Finite, the first below the second.
    finest : float
        Least distance of two neighbours, such as 1 for counts.
    """
    rough = max((top - bottom) / 6, finest)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(round_ * power for round_ in (1, 2, 5, 10) if round_ * power >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step)))
    found: list[tuple[float, str]] = []
    for index in range(math.ceil(bottom / step), math.floor(top / step) + 1):
        value = index * step
        found.append((value, f"{value:,.{digits}f}" if abs(value) < 1e7 else f"{value:.4g}"))
    return found


def finite(values: Floats) -> Floats:
    """Those of the values that are finite, at most 1e100 in size so that sums stay finite."""
    return np.clip(values[np.isfinite(values)], -_LARGEST, _LARGEST)


def limits(values: Floats) -> tuple[float, float]:
    """Lowest and highest of finite values, moved apart where they are (almost) equal."""
    bottom, top = float(values.min()), float(values.max())
    size = max(abs(bottom), abs(top), 1.0)
    if top - bottom > LEAST_SPREAD * size:
        return bottom, top
    return bottom - 0.01 * size, top + 0.01 * size


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """Words of any kind at a place; centred ones are moved to end inside the picture."""
    if anchor == "middle":
        half = _CHAR_WIDTH * len(words) / 2
        x = max(min(x, WIDTH - 4 - half), 4 + half)
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{placed}>{escape(plain(words))}</text>'


def heading(title: str) -> str:
    """The first line of a picture, shortened if need be."""
    words = escape(shortened(plain(title), _TITLE_CHARS))
    return f'<text x="8" y="17" font-weight="600" fill="{DARK}">{words}</text>'


def alternative(title: str) -> str:
    """A title as markdown that says just this, in one line."""
    return _MARKDOWN.sub(r"\\\1", shortened(plain(title), _ALT_CHARS))


def plain(words: str) -> str:
    """Words without line breaks and without what XML cannot say."""
    return " ".join(_NOT_XML.sub("\ufffd", words).split())


def shortened(name: str, chars: int) -> str:
    """A name that fits, its end kept: names that differ mostly differ there."""
    room = max(8, chars)
    return name if len(name) <= room else f"{name[: room // 2]}…{name[room // 2 + 1 - room :]}"


def band(upper: Sequence[str], lower: Sequence[str], opacity: float) -> str:
    """Area between two lines."""
    area = " ".join([*upper, *reversed(lower)])
    return f'<polygon points="{area}" fill="{COLOURS[0]}" fill-opacity="{opacity}"/>'


def bar(frame: Frame, left: float, right: float, value: float, colour: str) -> str:
    """A bar from 0 to a value; edges in pixels."""
    top, floor = sorted((frame.up(value), frame.up(0.0)))
    return (
        f'<rect class="bar" x="{left:.1f}" y="{top:.2f}" width="{right - left:.1f}" '
        f'height="{floor - top:.2f}" fill="{colour}"/>'
    )


def level_line(frame: Frame, value: float) -> str:
    """A dark line across the frame, such as that of 0."""
    return f'<path d="M{frame.left} {frame.up(value):.1f}H{frame.right}" stroke="#8c959f"/>'


def mark_line(frame: Frame, value: float, label: str) -> str:
    """A dashed line at a number of the horizontal axis, its label above it."""
    x = frame.across(value)
    return (
        f'<path class="mark" d="M{x:.1f} {frame.top - 2}V{frame.floor}" stroke="{DARK}" '
        f'stroke-width="1.5" stroke-dasharray="5 3"/>'
        f"<g {FONT}>{text(x, frame.top - 6, label, 'middle')}</g>"
    )


def legend(entries: Sequence[tuple[str, float, str]], more: str) -> str:
    """Second line of a picture: squares of a colour and opacity with their names, then words."""
    parts: list[str] = []
    x = 8.0
    for colour, opacity, name in entries:
        parts.append(
            f'<rect class="key" x="{x:.0f}" y="24" width="10" height="10" fill="{colour}" '
            f'fill-opacity="{opacity}"/>{text(x + 14, 33, name)}'
        )
        x += 30 + _CHAR_WIDTH * len(name)
    return "".join(parts) + text(x, 33, more)


def place_labels(labels: Sequence[str], frame: Frame) -> str:
    """Names of evenly spaced places below the frame, as many as have room."""
    width = (frame.right - frame.left) / len(labels)
    room = _CHAR_WIDTH * (max(map(len, labels)) + 1)
    every = math.ceil(room / width)
    return "".join(
        text(frame.left + (k + 0.5) * width, frame.floor + 15, labels[k], "middle")
        for k in range(0, len(labels), every)
    )


def picture(title: str, words: str, shapes: str, height: int = HEIGHT) -> dg.MarkdownMetadataValue:
    """Heading, words and above them shapes, as markdown."""
    body = f"<g {FONT}>{heading(title)}{words}</g>{shapes}"
    return image(height, body, alternative(title))


def nothing(title: str) -> dg.MarkdownMetadataValue:
    """A picture that says that there is none."""
    words = text(WIDTH / 2, 56, "nothing to draw: there is no finite value", "middle")
    return picture(title, words, "", 80)


def floor_name(name: str, frame: Frame | None = None) -> str:
    """Name of the horizontal axis, below its labels at the right."""
    right, floor = (frame.right, frame.floor) if frame else (RIGHT, FLOOR)
    return text(right, floor + 32, name, "end")


def figure(value: float, unit: Unit) -> str:
    """A number with four digits and its unit."""
    return f"{100.0 * value:,.4g} %" if unit == "percent" else f"{value:,.4g}"
