"""Pictures of how right a detector is, for the metadata of reports: curves, levels, confusion.

What is drawn is computed in ``engine.evaluation``; pictures of one detection, and the colours of
hypotheses, are ``flow_plots``. A figure of nothing is left out, or said to be of nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg
import numpy as np

from contracts.smart_flow import HYPOTHESES, HYPOTHESIS_NAMES
from engine.arrays import Floats
from engine.evaluation import Curves, Delay, Figure, GroupScore, Point
from engine.evaluation.levels import MIN_COVERED, MIN_PRECISION, MIN_RECALL
from islandflow_assets.drawing import (
    COLOURS,
    DARK,
    FLOOR,
    FONT,
    LEFT,
    RIGHT,
    TOP,
    Frame,
    figure,
    floor_labels,
    floor_name,
    legend,
    level_lines,
    mark_line,
    nothing,
    picture,
    text,
)
from islandflow_assets.figure_rows import (
    ROW_LEFT,
    Row,
    interval,
    is_known,
    row_frame,
    row_picture,
    stroke,
)
from islandflow_assets.flow_plots import HYPOTHESIS_COLOURS, key_lines

POINTS: Final = 60
"""Most points of a line, evenly spread over the horizontal axis."""
EVERYTHING: Final = "all"
"""Name of the curves of all hypotheses together."""

_DOWN: Final = 22
_TOP: Final = TOP + _DOWN
_FLOOR: Final = FLOOR + _DOWN
_CELL: Final = 26
_SHADES: Final = 8
_MANY: Final = 1_000_000
_NS: Final = 1e9

Line = tuple[str, str, Floats, Floats]
"""Colour, words of the key, x and y in percent."""


def precision_recall_chart(title: str, curves: Mapping[str, Curves]) -> dg.MarkdownMetadataValue:
    """Precision by recall of every hypothesis, from its surest clusters on.

    Parameters
    ----------
    title : str
    curves : mapping of str to Curves
        By hypothesis, as `engine.evaluation.curves` gives them.
    """
    lines: list[Line] = []
    for name in HYPOTHESES:
        one = curves.get(name)
        points = [] if one is None else [p for p in one.precision_recall if p.recall is not None]
        if one is None or not points:
            continue
        x, y = _sampled([p.recall or 0.0 for p in points], [p.precision for p in points])
        words = _named(name, one.average_precision)
        lines.append((HYPOTHESIS_COLOURS[name], words, x, y))
    if not lines:
        return nothing(title)
    frame = Frame(LEFT, RIGHT, _TOP, _FLOOR, (0.0, 100.0), (0.0, 100.0))
    shapes = mark_line(frame, 100 * MIN_RECALL, f"recall {100 * MIN_RECALL:g} %")
    shapes += _level(frame, 100 * MIN_PRECISION) + _lines(frame, lines)
    return _curve_picture(
        title, frame, lines, shapes, "precision; key: average precision", "recall →"
    )


def reliability_chart(title: str, curves: Mapping[str, Curves]) -> dg.MarkdownMetadataValue:
    """How often what a hypothesis is said to be likely of is so; a dot's size is of its clusters.

    Parameters
    ----------
    title : str
    curves : mapping of str to Curves
        By hypothesis.
    """
    lines: list[Line] = []
    shapes = ""
    frame = Frame(LEFT, RIGHT, _TOP, _FLOOR, (0.0, 100.0), (0.0, 100.0))
    for name in HYPOTHESES:
        one = curves.get(name)
        bins = [
            (bin_.stated, bin_.observed, bin_.clusters)
            for bin_ in ([] if one is None else one.reliability)
            if is_known(bin_.stated) and is_known(bin_.observed)
        ]
        if one is None or not bins:
            continue
        stated, observed, clusters = np.array(bins, dtype=np.float64).T
        x, y = _percent(stated), _percent(observed)
        lines.append((HYPOTHESIS_COLOURS[name], _named(name, one.brier), x, y))
        dots = "".join(
            f'<circle cx="{frame.across(a):.1f}" cy="{frame.up(b):.1f}" '
            f'r="{1.5 + min(5.0, 0.8 * math.log10(max(n, 1.0))):.1f}"/>'
            for a, b, n in zip(x.tolist(), y.tolist(), clusters.tolist(), strict=True)
        )
        shapes += f'<g fill="{HYPOTHESIS_COLOURS[name]}">{dots}</g>'
    if not lines:
        return nothing(title)
    ends = f"{frame.left},{frame.floor} {frame.right},{frame.top}"
    even = f'<polyline class="even" points="{ends}" stroke="#8c959f" stroke-dasharray="5 3"/>'
    shapes = even + _lines(frame, lines) + shapes
    return _curve_picture(
        title, frame, lines, shapes, "observed; key: Brier score", "stated probability →"
    )


def abstention_chart(title: str, curves: Mapping[str, Curves]) -> dg.MarkdownMetadataValue:
    """Precision of the alerts that are kept as more confidence is asked for, the surest left.

    Parameters
    ----------
    title : str
    curves : mapping of str to Curves
        By hypothesis, and of all alerts as ``all``.
    """
    lines: list[Line] = []
    hues = {**HYPOTHESIS_COLOURS, EVERYTHING: DARK}
    for name in (*HYPOTHESES, EVERYTHING):
        points: Sequence[Point] = curves[name].abstention if name in curves else ()
        if not points:
            continue
        x, y = _sampled([p.share_kept for p in points], [p.precision for p in points])
        lines.append((hues[name], f"{name} {_count(points[-1].kept)}", x, y))
    if not lines:
        return nothing(title)
    bottom = min(80.0, 10.0 * math.floor(min(float(y.min()) for *_, y in lines) / 10.0))
    frame = Frame(LEFT, RIGHT, _TOP + 16, _FLOOR + 16, (0.0, 100.0), (bottom, 100.0))
    shapes = _level(frame, 100 * MIN_PRECISION) + _lines(frame, lines)
    return _curve_picture(
        title, frame, lines, shapes, "precision; key: alerts", "share of the alerts kept →"
    )


def levels_chart(title: str, group: GroupScore) -> dg.MarkdownMetadataValue:
    """Precision and recall of every profile with their intervals, beside what must be reached."""
    hues = COLOURS[:2]
    levels = MIN_PRECISION, MIN_RECALL
    pairs = {
        name: (group.profiles[name].precision, group.profiles[name].recall)
        for name in HYPOTHESES
        if name in group.profiles
    }
    every = [one for pair in pairs.values() for one in pair]
    values = [float(v) for one in every for v in (one.value, one.low) if v is not None]
    if not [value for value in values if math.isfinite(value)]:
        return nothing(title)
    missed = {
        name: [not _reached(one, level) for one, level in zip(pair, levels, strict=True)]
        for name, pair in pairs.items()
    }
    rows = [
        Row(name, tuple(zip(map(_ratio, pair), missed[name], strict=True)))
        for name, pair in pairs.items()
    ]
    bottom = 10.0 * math.floor(10.0 * min([v for v in values if math.isfinite(v)] + [0.6]))
    frame = row_frame(len(rows), (max(0.0, bottom), 100.0))
    shapes = "".join(
        mark_line(frame, 100 * level, f"{name} {100 * level:g} %")
        for name, level in zip(("precision", "recall"), levels, strict=True)
    )
    for k, pair in enumerate(pairs.values()):
        for place, (one, hue) in enumerate(zip(pair, hues, strict=True)):
            shapes += interval(frame, k + 0.32 + 0.36 * place, one, hue)
    below = sum(map(sum, missed.values()))
    said = f"below their level: {below} of {len(every)} · intervals: 95 % over {group.seeds} seeds"
    keys = legend([(hues[0], 1.0, "precision"), (hues[1], 1.0, "recall")], said)
    return row_picture(title, frame, rows, keys, shapes, " %")


def delay_chart(title: str, group: GroupScore) -> dg.MarkdownMetadataValue:
    """Seconds from a burst's first and last print to its alert: median, and 90 % at most."""
    hues = COLOURS[:2]
    profiles = [(name, group.profiles[name]) for name in HYPOTHESES if name in group.profiles]
    pairs = {name: (one.from_first_print, one.from_last_print) for name, one in profiles}
    times = [t / _NS for pair in pairs.values() for one in pair for t in _seconds(one)]
    if not times:
        return nothing(title)
    low, high = min(0.0, *times), max(0.0, *times)
    frame = row_frame(len(pairs), (low, high if high > low else low + 1.0))
    rows = [Row(name, tuple((_wait(one), False) for one in pair)) for name, pair in pairs.items()]
    shapes = ""
    for k, pair in enumerate(pairs.values()):
        for place, (one, hue) in enumerate(zip(pair, hues, strict=True)):
            ends = [t / _NS for t in _seconds(one)]
            if len(ends) == 2:
                at = k + 0.32 + 0.36 * place
                shapes += stroke(frame, at, (ends[0], ends[0], ends[1]), hue)
    entries = [(hues[0], 1.0, "from the first print"), (hues[1], 1.0, "from the last print")]
    keys = legend(entries, "dot: median, stroke: to 90 %")
    return row_picture(title, frame, rows, keys, shapes, " s")


def coverage_windows_chart(title: str, group: GroupScore) -> dg.MarkdownMetadataValue:
    """Windows of coverage in which each profile is found, over those in which it has a burst."""
    profiles = [(name, group.profiles[name]) for name in HYPOTHESES if name in group.profiles]
    pairs: dict[str, tuple[Figure, Figure]] = {
        name: (one.covered, one.there) for name, one in profiles
    }
    pairs["every profile"] = group.covered, group.there
    if not any(is_known(one.value) for pair in pairs.values() for one in pair):
        return nothing(title)
    frame = row_frame(len(pairs), (0.0, 100.0))
    rows: list[Row] = []
    shapes = ""
    for k, (name, (covered, there)) in enumerate(pairs.items()):
        is_missed = name not in HYPOTHESES and not _reached(covered, MIN_COVERED)
        rows.append(Row(name, ((_ratio(covered), is_missed), (f"there {_ratio(there)}", False))))
        for one, opacity, inset in ((there, 0.25, 0.15), (covered, 1.0, 0.3)):
            if not is_known(one.value):
                continue
            right = frame.across(100.0 * min(1.0, one.value or 0.0))
            top, floor = frame.up(k + inset), frame.up(k + 1 - inset)
            shapes += (
                f'<rect class="bar" x="{frame.left}" y="{top:.1f}" '
                f'width="{max(0.0, right - frame.left):.1f}" height="{floor - top:.1f}" '
                f'fill="{COLOURS[0]}" fill-opacity="{opacity}"/>'
            )
        shapes += interval(frame, k + 0.5, covered, DARK)
    shapes += mark_line(frame, 100 * MIN_COVERED, f"every profile {100 * MIN_COVERED:g} %")
    entries = [(COLOURS[0], 1.0, "found"), (COLOURS[0], 0.25, "a burst is there")]
    keys = legend(entries, f"interval: 95 % over {group.seeds} seeds")
    return row_picture(title, frame, rows, keys, shapes, " %")


def confusion_map(title: str, group: GroupScore) -> dg.MarkdownMetadataValue:
    """Clusters by what they are and what was said; cells are as dark as their shares of a row."""
    names = HYPOTHESIS_NAMES
    counts = np.array(
        [[group.confusion.get(true, {}).get(said, 0) for said in names] for true in names],
        dtype=np.int64,
    )
    if not counts.any():
        return nothing(title)
    size, top = len(names), TOP + 44
    floor = top + _CELL * size
    frame = Frame(ROW_LEFT, RIGHT, top, floor, (0.0, float(size)), (float(size), 0.0))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    paths: dict[tuple[str, int], list[str]] = {}
    words = ""
    for (row, column), count in np.ndenumerate(counts):
        middle = frame.across(column + 0.5), frame.up(row + 0.65)
        words += text(*middle, _count(int(count)), "middle")
        if not count:
            continue
        shade = math.ceil(_SHADES * float(shares[row, column]))
        key = COLOURS[0 if row == column else 1], shade
        left, right = frame.across(float(column)), frame.across(column + 1.0) - 1
        upper, lower = frame.up(float(row)), frame.up(row + 1.0) - 1
        place = f"M{left:.0f} {upper:.0f}H{right:.0f}V{lower:.0f}H{left:.0f}z"
        paths.setdefault(key, []).append(place)
    cells = "".join(
        f'<path class="cells" d="{"".join(places)}" fill="{hue}" '
        f'fill-opacity="{0.6 * shade / _SHADES:.2f}"/>'
        for (hue, shade), places in sorted(paths.items())
    )
    labels = legend([], "rows: what it is, columns: what was said · unclear: noise, or silence")
    labels += "".join(
        text(frame.left - 6, frame.up(row + 0.65), name, "end") for row, name in enumerate(names)
    )
    for column, name in enumerate(names):
        for k, part in enumerate(reversed(name.split("_"))):
            labels += text(frame.across(column + 0.5), top - 6 - 12 * k, part, "middle")
    return picture(title, labels, f'{cells}<g {FONT}><g fill="{DARK}">{words}</g></g>', floor + 12)


def _sampled(x: Sequence[float], y: Sequence[float]) -> tuple[Floats, Floats]:
    """The first of the points at or after each of evenly spread places, and the last, percent."""
    across, up = np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)
    known = np.isfinite(across) & np.isfinite(up)
    across, up = across[known], up[known]
    if not across.size:
        return across, up
    wanted = np.linspace(float(across[0]), float(across[-1]), POINTS)
    kept = np.unique(np.append(np.searchsorted(across, wanted), across.size - 1))
    return _percent(across[kept]), _percent(up[kept])


def _percent(values: Floats) -> Floats:
    return 100.0 * np.clip(values, 0.0, 1.0)


def _named(name: str, value: float | None) -> str:
    return f"{name} {value:.3f}" if value is not None else name


def _level(frame: Frame, value: float) -> str:
    """A dashed line across the frame."""
    return (
        f'<path class="level" d="M{frame.left} {frame.up(value):.1f}H{frame.right}" '
        f'stroke="{DARK}" stroke-width="1.5" stroke-dasharray="5 3"/>'
    )


def _lines(frame: Frame, lines: Sequence[Line]) -> str:
    return "".join(
        f'<polyline class="curve" points="{" ".join(frame.line(x.tolist(), y))}" fill="none" '
        f'stroke="{hue}" stroke-width="{2.4 if hue == DARK else 1.6}"/>'
        for hue, _, x, y in lines
    )


def _curve_picture(
    title: str, frame: Frame, lines: Sequence[Line], shapes: str, up: str, across: str
) -> dg.MarkdownMetadataValue:
    keys = key_lines([(hue, words) for hue, words, *_ in lines])
    axes = level_lines(frame, " %") + floor_labels(frame, " %") + floor_name(across, frame)
    words = keys + axes + text(8, frame.top - 8, up)
    return picture(title, words, shapes, round(frame.floor) + 40)


def _reached(one: Figure, level: float) -> bool:
    return one.value is not None and one.value >= level


def _ratio(one: Figure) -> str:
    if one.value is None or not math.isfinite(one.value):
        return "of nothing"
    return f"{100.0 * one.value:.1f} % · {_count(one.hits)} of {_count(one.of)}"


def _count(number: int) -> str:
    return f"{number:,}" if number < _MANY else figure(float(number), "number")


def _seconds(one: Delay) -> list[float]:
    return [float(t) for t in (one.median_ns, one.p90_ns) if t is not None and math.isfinite(t)]


def _wait(one: Delay) -> str:
    ends = _seconds(one)
    if len(ends) < 2:
        return "no right alert"
    return f"{ends[0] / _NS:,.3g} s · 90 %: {ends[1] / _NS:,.3g} s"
