"""Pictures of synthetic tapes for metadata: session, volume, smile, term structure, coverage.

What is drawn stands in the report of a tape (``islandflow_resources.tape_series``); pieces of
pictures are in ``drawing``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
import numpy as np

from contracts.control import FAMILIES
from contracts.regime import REGIMES
from engine.arrays import Floats
from islandflow_assets.drawing import (
    COLOURS,
    DARK,
    FLOOR,
    FONT,
    LEFT,
    RIGHT,
    TOP,
    Frame,
    bar,
    figure,
    finite,
    floor_labels,
    floor_name,
    legend,
    level_line,
    level_lines,
    limits,
    nothing,
    picture,
    text,
)
from islandflow_assets.time_axes import clock

Series = Mapping[str, Any]

REGIME_COLOURS: Final = {
    "trend_up": "#b7e4c7",
    "trend_down": "#f8c4b4",
    "mean_revert": "#cfe3fb",
    "retail_chase": "#ffe08a",
    "event_ramp": "#e7c6ff",
    "dealer_gamma": "#ffcad4",
    "arb_calm": "#e5e7eb",
}
_FLOOR: Final = FLOOR + 24
_HEIGHT: Final = _FLOOR + 60
_MINUTE_NS: Final = 60_000_000_000
_DAY_NS: Final = 86_400_000_000_000
_LABELS: Final = 7
_CELL: Final = 24
_BARS: Final = 80


def session_chart(title: str, series: Series) -> dg.MarkdownMetadataValue:
    """Prices of some symbols as change in percent, over bands of the regimes that held.

    Parameters
    ----------
    title : str
    series : mapping
        As `TapeSeries.document` gives it.
    """
    lines = {name: _change(series["prices"][name]) for name in series["symbols"]}
    known = {name: line for name, line in lines.items() if finite(line).size}
    if not known:
        return nothing(title)
    count = len(series["times_ns"])
    y = limits(finite(np.concatenate([*known.values(), np.zeros(1)])))
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, (0.0, float(count)), y)
    hues = dict(zip(known, COLOURS, strict=False))
    shapes = _regimes(frame, series["regimes"]) + level_line(frame, 0.0)
    shapes += "".join(_line(frame, line, hues[name]) for name, line in known.items())
    keys = [(hues[name], 1.0, f"{name} {_signed(line)}") for name, line in known.items()]
    words = legend(keys, "") + level_lines(frame, " %") + _time_labels(frame, series["times_ns"])
    return picture(title, words + _regime_names(series["regimes"]), shapes, _HEIGHT)


def volume_chart(title: str, series: Series) -> dg.MarkdownMetadataValue:
    """Shares and option contracts over the time of the tape, each as a share of its total."""
    step = max(1, -(-len(series["times_ns"]) // _BARS))
    parts = {name: _gathered(series[name], step) for name in ("shares", "contracts")}
    totals = {name: float(values.sum()) for name, values in parts.items()}
    if not totals["shares"] and not totals["contracts"]:
        return nothing(title)
    shares = {name: 100.0 * values / totals[name] for name, values in parts.items() if totals[name]}
    count = max(len(values) for values in shares.values())
    most = max(float(values.max()) for values in shares.values())
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, (0.0, float(count)), (0.0, max(most, 1e-9)))
    shapes = ""
    if "shares" in shares:
        shapes += "".join(
            bar(frame, frame.across(k + 0.1), frame.across(k + 0.9), value, COLOURS[0])
            for k, value in enumerate(shares["shares"].tolist())
        )
    if "contracts" in shares:
        shapes += _line(frame, shares["contracts"], COLOURS[1])
    keys = [
        (COLOURS[0], 1.0, f"shares {figure(totals['shares'], 'number')}"),
        (COLOURS[1], 1.0, f"option contracts {figure(totals['contracts'], 'number')}"),
    ]
    words = legend(keys, "share of the total") + level_lines(frame, " %")
    return picture(title, words + _time_labels(frame, series["times_ns"], step), shapes)


def smile_chart(title: str, series: Series) -> dg.MarkdownMetadataValue:
    """Implied volatility out of the money by strike, of the first symbol's next expiries."""
    smiles = series["smiles"]
    curves = [one for one in smiles["curves"] if len(one["moneyness"]) > 1]
    mine = [one for one in curves if one["symbol"] == curves[0]["symbol"]][: len(COLOURS)]
    if not mine:
        return nothing(title)
    x = limits(100.0 * np.concatenate([_floats(one["moneyness"]) for one in mine]))
    y = limits(100.0 * np.concatenate([_floats(one["volatility"]) for one in mine]))
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, x, y)
    shapes = "".join(
        _curve(frame, 100.0 * _floats(one["moneyness"]), 100.0 * _floats(one["volatility"]), hue)
        for one, hue in zip(mine, COLOURS, strict=False)
    )
    keys = [(hue, 1.0, f"{one['days']:.1f} d") for one, hue in zip(mine, COLOURS, strict=False)]
    at = clock(int(smiles["time_ns"]), _MINUTE_NS)
    words = legend(keys, f"{mine[0]['symbol']} at {at} UTC, days to expiry")
    words += level_lines(frame, " %") + floor_labels(frame, " %")
    return picture(title, words + floor_name("log strike over spot →"), shapes)


def term_chart(title: str, series: Series) -> dg.MarkdownMetadataValue:
    """Implied volatility at the money by days to expiry, a line for each symbol."""
    points: dict[str, list[tuple[float, float]]] = {}
    for one in series["smiles"]["curves"]:
        if one["at_the_money"] is not None:
            at = float(one["days"]), 100.0 * float(one["at_the_money"])
            points.setdefault(one["symbol"], []).append(at)
    if not points:
        return nothing(title)
    every = np.array([point for line in points.values() for point in line])
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, limits(np.append(every[:, 0], 0.0)), limits(every[:, 1]))
    shapes, keys = "", []
    for (name, line), hue in zip(points.items(), COLOURS, strict=False):
        days, volatility = np.array(line).T
        shapes += _curve(frame, days, volatility, hue)
        keys.append((hue, 1.0, name))
    at = clock(int(series["smiles"]["time_ns"]), _MINUTE_NS)
    words = legend(keys, f"at the money, {at} UTC") + level_lines(frame, " %")
    return picture(title, words + floor_labels(frame) + floor_name("days to expiry →"), shapes)


def coverage_chart(title: str, series: Series) -> dg.MarkdownMetadataValue:
    """Bursts of each profile in the windows of coverage, as cells with their numbers."""
    coverage = series["coverage"]
    bursts: Mapping[str, Sequence[int]] = coverage["bursts"]
    rows, windows = len(bursts), len(coverage["times_ns"])
    most = max((max(counts, default=0) for counts in bursts.values()), default=0)
    left = LEFT + 96
    floor = TOP + rows * _CELL
    frame = Frame(left, RIGHT, TOP, floor, (0.0, float(max(windows, 1))), (0.0, float(rows)))
    cells, words = "", ""
    width = (frame.right - frame.left) / max(windows, 1)
    for row, family in enumerate(FAMILIES):
        counts = bursts[family]
        top = TOP + row * _CELL
        words += text(left - 6, top + 16, family, "end")
        for window, count in enumerate(counts):
            x = frame.across(float(window))
            opacity = 0.6 * count / most if count else 0.25
            cells += (
                f'<rect class="cell" x="{x:.1f}" y="{top}" width="{width - 1:.1f}" '
                f'height="{_CELL - 1}" fill="{COLOURS[0] if count else COLOURS[1]}" '
                f'fill-opacity="{opacity:.2f}"/>'
            )
            if width >= 16:
                cells += f"<g {FONT}>{text(x + width / 2, top + 16, str(count), 'middle')}</g>"
    total = sum(sum(counts) for counts in bursts.values())
    missed = sum(count == 0 for counts in bursts.values() for count in counts)
    said = (
        f"bursts: {total:,} in windows of {coverage['window_minutes']} minutes · "
        f"orange: none, {missed} of {rows * windows}"
    )
    words += legend([], said) + _time_labels(frame, coverage["times_ns"])
    return picture(title, words, cells, floor + 44)


def _regimes(frame: Frame, regimes: Sequence[str | None]) -> str:
    """Bands of the colour of the regime that held."""
    parts: list[str] = []
    start = 0
    for place in range(1, len(regimes) + 1):
        if place < len(regimes) and regimes[place] == regimes[start]:
            continue
        name = regimes[start]
        if name is not None:
            left, right = frame.across(float(start)), frame.across(float(place))
            parts.append(
                f'<rect class="regime" x="{left:.1f}" y="{frame.top}" width="{right - left:.1f}" '
                f'height="{frame.floor - frame.top}" fill="{REGIME_COLOURS[name]}" '
                f'fill-opacity="0.6"/>'
            )
        start = place
    return "".join(parts)


def _regime_names(regimes: Sequence[str | None]) -> str:
    """Names of the regimes that occur, each with its colour, in a line at the bottom."""
    parts: list[str] = []
    x = 8.0
    for name in REGIMES:
        if name not in regimes:
            continue
        parts.append(
            f'<rect class="key" x="{x:.0f}" y="{_FLOOR + 22}" width="10" height="10" '
            f'fill="{REGIME_COLOURS[name]}" stroke="{DARK}" stroke-width="0.4"/>'
            f"{text(x + 14, _FLOOR + 31, name)}"
        )
        x += 26 + 6.4 * len(name)
    return "".join(parts)


def _time_labels(frame: Frame, times_ns: Sequence[str], in_one: int = 1) -> str:
    """Times below the frame, so many in one of its places; dates where a tape has several days."""
    times = [int(ns) for ns in times_ns]
    days = len({ns // _DAY_NS for ns in times}) > 1
    step = max(1, math.ceil(len(times) / _LABELS))
    parts: list[str] = []
    for place in range(0, len(times), step):
        x = frame.across(place / in_one)
        label = clock(times[place], _DAY_NS)[5:] if days else clock(times[place], _MINUTE_NS)
        parts.append(f'<path d="M{x:.1f} {frame.floor}v4" stroke="#8c959f"/>')
        parts.append(text(x, frame.floor + 15, label, "middle"))
    name = f"UTC, {clock(times[0], _DAY_NS)}"
    return "".join(parts) + text(frame.right, frame.floor + 32, name, "end")


def _line(frame: Frame, values: Floats, hue: str) -> str:
    """A line through the middles of evenly spaced places, without what is not finite."""
    known = np.flatnonzero(np.isfinite(values))
    return _curve(frame, known.astype(np.float64) + 0.5, values[known], hue)


def _curve(frame: Frame, x: Floats, y: Floats, hue: str) -> str:
    points = " ".join(frame.line(x.tolist(), y))
    return f'<polyline points="{points}" fill="none" stroke="{hue}" stroke-width="1.6"/>'


def _change(prices: Sequence[float | None]) -> Floats:
    """Change of prices since the first known one, percent."""
    values = _floats(prices)
    known = finite(values)
    if not known.size or not known[0]:
        return np.full(values.size, np.nan)
    return 100.0 * (values / known[0] - 1.0)


def _signed(line: Floats) -> str:
    return f"{float(finite(line)[-1]):+.2f} %"


def _gathered(values: Sequence[float | None], step: int) -> Floats:
    """Sums over so many neighbours."""
    whole = np.nan_to_num(_floats(values))
    return np.add.reduceat(whole, np.arange(0, whole.size, step)) if whole.size else whole


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
