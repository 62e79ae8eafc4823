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
from engine.arrays import Floats, Ints
from islandflow_assets.drawing import (
    COLOURS,
    DARK,
    FLOOR,
    FONT,
    LEFT,
    RIGHT,
    TOP,
    Frame,
    alternative,
    bar,
    figure,
    finite,
    floor_labels,
    floor_name,
    heading,
    image,
    legend,
    level_line,
    level_lines,
    limits,
    nothing,
    picture,
    text,
)
from islandflow_assets.time_axes import clock, time_ticks

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
_WINDOWS: Final = 78
_ROOM: Final = 16
"""Least width of a cell that has room for its number."""
_SHADES: Final = 8


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
    """Bursts of each profile in the windows of coverage, as cells with their numbers.

    Of a long tape each cell is of several windows, and shows the least number of them.
    """
    coverage = series["coverage"]
    counts = np.array([coverage["bursts"][family] for family in FAMILIES], dtype=np.int64)
    step = max(1, -(-counts.shape[1] // _WINDOWS))
    least = np.minimum.reduceat(counts, np.arange(0, counts.shape[1], step), axis=1)
    rows, columns = least.shape
    floor = TOP + rows * _CELL
    frame = Frame(LEFT + 96, RIGHT, TOP, floor, (0.0, float(columns)), (float(rows), 0.0))
    words = "".join(
        text(frame.left - 6, frame.up(row + 0.65), family, "end")
        for row, family in enumerate(FAMILIES)
    )
    if (frame.right - frame.left) / columns >= _ROOM:
        words += "".join(
            text(frame.across(column + 0.5), frame.up(row + 0.65), str(count), "middle")
            for (row, column), count in np.ndenumerate(least)
        )
    said = (
        f"bursts: {counts.sum():,} in windows of {coverage['window_minutes']} minutes"
        f"{f', least of {step}' if step > 1 else ''} · orange: none, "
        f"{np.count_nonzero(counts == 0)} of {counts.size}"
    )
    labels = _time_labels(frame, coverage["times_ns"], step)
    body = f"<g {FONT}>{heading(title)}{legend([], said)}</g>{_cells(frame, least)}"
    return image(floor + 44, f"{body}<g {FONT}>{words}{labels}</g>", alternative(title))


def _cells(frame: Frame, counts: Ints) -> str:
    """Cells as dark as their numbers are large, one path for all of one shade."""
    most = max(1, int(counts.max(initial=0)))
    paths: dict[int, list[str]] = {}
    for (row, column), count in np.ndenumerate(counts):
        left, right = frame.across(float(column)), frame.across(column + 1.0) - 1
        top, floor = frame.up(float(row)), frame.up(row + 1.0) - 1
        shade = -(-_SHADES * int(count) // most)
        paths.setdefault(shade, []).append(
            f"M{left:.1f} {top:.0f}H{right:.1f}V{floor:.0f}H{left:.1f}z"
        )
    return "".join(
        f'<path class="cells" d="{"".join(places)}" fill="{COLOURS[0 if shade else 1]}" '
        f'fill-opacity="{0.6 * shade / _SHADES if shade else 0.25:.2f}"/>'
        for shade, places in sorted(paths.items())
    )


def _regimes(frame: Frame, regimes: Sequence[str | None]) -> str:
    """Bands of the colour of the regime that held, one path for all of a regime."""
    bands: dict[str, str] = {}
    start = 0
    for place in range(1, len(regimes) + 1):
        if place < len(regimes) and regimes[place] == regimes[start]:
            continue
        name = regimes[start]
        if name is not None:
            left, right = frame.across(float(start)), frame.across(float(place))
            band = f"M{left:.1f} {frame.top}H{right:.1f}V{frame.floor}H{left:.1f}z"
            bands[name] = bands.get(name, "") + band
        start = place
    return "".join(
        f'<path class="regime" d="{bands[name]}" fill="{REGIME_COLOURS[name]}" fill-opacity="0.6"/>'
        for name in REGIMES
        if name in bands
    )


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
    parts: list[str] = []
    for place, label in _days(times) or _clock_times(times, frame.right - frame.left):
        x = frame.across(place / in_one)
        parts.append(f'<path d="M{x:.1f} {frame.floor}v4" stroke="#8c959f"/>')
        parts.append(text(x, frame.floor + 15, label, "middle"))
    name = f"UTC, {clock(times[0], _DAY_NS)}"
    return "".join(parts) + text(frame.right, frame.floor + 32, name, "end")


def _days(times: Sequence[int]) -> list[tuple[float, str]]:
    """Evenly spaced places of a tape of several days with their dates; none for a single day."""
    if len({ns // _DAY_NS for ns in times}) == 1:
        return []
    step = max(1, math.ceil(len(times) / _LABELS))
    places = range(0, len(times), step)
    return [(float(place), clock(times[place], _DAY_NS)[5:]) for place in places]


def _clock_times(times: Sequence[int], room: float) -> list[tuple[float, str]]:
    """Round times of a day with their places."""
    width = times[1] - times[0] if len(times) > 1 else _MINUTE_NS
    ticks = time_ticks(times[0], times[-1] + width, room)
    return [((at - times[0]) / width, label) for at, label in ticks]


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
