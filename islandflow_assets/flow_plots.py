"""Pictures of one detection for metadata: alerts and premium by time, confidence, reasons.

How right a detection is, is ``flow_curves``, which takes its colours from here; pieces of pictures
are ``drawing``, the tables ``contracts.flow_columns``. Rows without a value that is drawn are left
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg
import numpy as np
import pyarrow as pa

from contracts.smart_flow import (
    HIGH_FROM,
    HYPOTHESES,
    HYPOTHESIS_NAMES,
    MEDIUM_FROM,
    PROFILES_OF,
    STATUSES,
    band_of,
)
from engine.arrays import Floats, Ints
from islandflow_assets.drawing import (
    COLOURS,
    DARK,
    FLOOR,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Frame,
    bar,
    floor_labels,
    floor_name,
    legend,
    level_lines,
    mark_line,
    nothing,
    picture,
    shortened,
    text,
)
from islandflow_assets.time_axes import TimeColumns, clock, numbers, step_line, time_ticks

HYPOTHESIS_COLOURS: Final = dict(
    zip(
        HYPOTHESIS_NAMES,
        ("#0072b2", "#e69f00", "#cc79a7", "#009e73", "#d55e00", "#56b4e9", "#8c959f"),
        strict=True,
    )
)
"""Of the scheme of Okabe and Ito, which readers with deficient colour vision can tell apart."""
KEYS_IN_LINE: Final = 3
NOT_NAMED: Final = "none named"
BIN: Final = 0.02
"""Confidence that a bar of `confidence_chart` spans; the limits of bands are multiples of it."""
BARS: Final = 200
"""Most places of time: a longer detection has longer ones."""

_STATUS_COLOURS: Final = dict(zip(STATUSES, (COLOURS[0], "#e69f00", "#c9cdd2"), strict=True))
_MINUTE_NS: Final = 60_000_000_000
_STEP_NS: Final = 5 * _MINUTE_NS
_DAY_NS: Final = 1_440 * _MINUTE_NS
_KEY_WIDTH: Final = 236
_LINE: Final = 16
_LINE_CHARS: Final = 110
_MOST_USD: Final = 1e15
_STRUCTURES: Final = 6
_ROW: Final = 18
_REASONS: Final = 12
_REASON_LEFT: Final = 216
_REASON_RIGHT: Final = WIDTH - 112


def alerts_chart(title: str, alerts: pa.Table) -> dg.MarkdownMetadataValue:
    """How many alerts each five minutes have, stacked by what they say.

    Parameters
    ----------
    title : str
    alerts : pyarrow.Table
        Columns `emitted_ns` and `hypothesis_type` of `contracts.flow_columns.ALERTS`.
    """
    return _by_time(title, alerts, "hypothesis_type", HYPOTHESIS_NAMES, "alerts")


def events_chart(title: str, events: pa.Table) -> dg.MarkdownMetadataValue:
    """How many clusters each five minutes have, stacked by their likeliest profile if one is named.

    Parameters
    ----------
    title : str
    events : pyarrow.Table
        Columns `emitted_ns` and `primary_profile_id` of
        `contracts.flow_columns.SMART_MONEY_EVENTS`.
    """
    names = (*(PROFILES_OF[name] for name in HYPOTHESES), NOT_NAMED)
    return _by_time(title, events, "primary_profile_id", names, "events")


def packets_chart(title: str, packets: pa.Table) -> dg.MarkdownMetadataValue:
    """Premium of each five minutes, stacked by how good it is as evidence; shapes are counted.

    Parameters
    ----------
    title : str
    packets : pyarrow.Table
        Columns `start_ns`, `status`, `structure_type` and `premium_usd` of
        `contracts.flow_columns.FLOW_PACKETS`.
    """
    names = ["start_ns", "status", "structure_type", "premium_usd"]
    rows = packets.select(names).drop_null()
    if not rows.num_rows:
        return nothing(title)
    columns = _five_minutes(numbers(rows, "start_ns", np.int64))
    status = _codes(rows.column("status"), STATUSES)
    premium = np.nan_to_num(numbers(rows, "premium_usd", np.float64), posinf=_MOST_USD)
    layers = _sums(columns, status, np.clip(premium, 0.0, _MOST_USD), len(STATUSES))
    scale, unit = _dollars(float(layers.sum(axis=0).max()))
    keys = [
        (_STATUS_COLOURS[name], f"{name} {count:,} · {_money(float(layer.sum()))}")
        for name, count, layer in zip(
            STATUSES, np.bincount(status, minlength=len(STATUSES)).tolist(), layers, strict=True
        )
    ]
    frame = _time_frame(columns, layers / scale, 2)
    words = key_lines(keys) + text(8, 33 + _LINE, _shapes(rows))
    words += _above(frame, f"premium in {_minutes(columns)}, ${unit}")
    words += level_lines(frame) + _time_labels(frame, columns)
    hues = list(_STATUS_COLOURS.values())
    return picture(title, words, _stacked(frame, layers / scale, hues), round(frame.floor) + 40)


def confidence_chart(title: str, alerts: pa.Table) -> dg.MarkdownMetadataValue:
    """How many alerts there are of each confidence, with the limits of the bands.

    Parameters
    ----------
    title : str
    alerts : pyarrow.Table
        Column `confidence` of `contracts.flow_columns.ALERTS`.
    """
    values = numbers(alerts.select(["confidence"]).drop_null(), "confidence", np.float64)
    values = np.clip(values[np.isfinite(values)], 0.0, 1.0)
    if not values.size:
        return nothing(title)
    last = round(1.0 / BIN) - 1
    # Rounded: the limits of bands have no exact double, and must begin a bin.
    places = np.minimum(np.floor(np.round(values / BIN, 6)), last).astype(np.int64)
    counts = np.bincount(places)
    ends = BIN * min(places.min(), 25), BIN * max(places.max() + 1, 38)
    frame = Frame(LEFT, RIGHT, TOP + _LINE, FLOOR + _LINE, ends, (0.0, float(counts.max())))
    hues = {"low": "#c9cdd2", "medium": COLOURS[0], "high": COLOURS[1]}
    found, shapes = dict.fromkeys(hues, 0), ""
    for place in np.flatnonzero(counts).tolist():
        band = band_of((place + 0.5) * BIN)
        found[band] += int(counts[place])
        left, right = frame.across(place * BIN), frame.across((place + 1) * BIN) - 1
        shapes += bar(frame, left, right, float(counts[place]), hues[band])
    shapes += mark_line(frame, MEDIUM_FROM, f"medium from {MEDIUM_FROM:g}")
    shapes += mark_line(frame, HIGH_FROM, f"high from {HIGH_FROM:g}")
    keys = [(hues[band], 1.0, f"{band} {count:,}") for band, count in found.items() if count]
    words = legend(keys, f"alerts: {values.size:,}") + level_lines(frame, finest=1.0)
    words += floor_labels(frame) + floor_name("confidence →", frame)
    return picture(title, words, shapes, HEIGHT + _LINE)


def reasons_chart(title: str, hypotheses: pa.Table) -> dg.MarkdownMetadataValue:
    """Why nothing is said of clusters that are evidence, and why others are none.

    A cluster has one reason to be rejected, and may have several to be abstained from.

    Parameters
    ----------
    title : str
    hypotheses : pyarrow.Table
        Columns `status`, `reason_code`, `abstained` and `abstention_reasons` of
        `contracts.flow_columns.HYPOTHESIS_ROWS`.
    """
    rows = hypotheses.select(["status", "reason_code", "abstained", "abstention_reasons"])
    rows = rows.drop_null()
    if not rows.num_rows:
        return nothing(title)
    is_rejected = _codes(rows.column("status"), STATUSES) == STATUSES.index("rejected")
    rejected, eligible = rows.filter(pa.array(is_rejected)), rows.filter(pa.array(~is_rejected))
    silent = eligible.filter(eligible.column("abstained"))
    reasons: dict[str, int] = {}
    for several, count in word_counts(silent.column("abstention_reasons")).items():
        for reason in several.split():
            reasons[reason] = reasons.get(reason, 0) + count
    said = eligible.num_rows - silent.num_rows
    parts = (
        (
            f"clusters that are evidence: {eligible.num_rows:,}, said aloud: {said:,}",
            _most(reasons),
            eligible.num_rows,
            COLOURS[0],
        ),
        (
            f"clusters rejected as evidence: {rejected.num_rows:,}",
            _most(word_counts(rejected.column("reason_code"))),
            rejected.num_rows,
            COLOURS[1],
        ),
    )
    words, shapes, top = "", "", 24
    for heading, counts, of, hue in parts:
        words += f'<g fill="{DARK}">{text(8, top + 13, heading)}</g>'
        more, drawn = _reason_bars(counts, of, hue, top + 20)
        words, shapes = words + more, shapes + drawn
        top += 20 + _ROW * len(counts) + 6
    return picture(title, words, shapes, top + 4)


def key_lines(entries: Sequence[tuple[str, str]], top: int = 24) -> str:
    """Squares of a colour with words, `KEYS_IN_LINE` in a line, below the heading."""
    parts: list[str] = []
    for k, (colour, words) in enumerate(entries):
        x, y = 8 + _KEY_WIDTH * (k % KEYS_IN_LINE), top + _LINE * (k // KEYS_IN_LINE)
        parts.append(
            f'<rect class="key" x="{x}" y="{y}" width="10" height="10" fill="{colour}"/>'
            f"{text(x + 14, y + 9, words)}"
        )
    return "".join(parts)


def word_counts(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each text of a column occurs, the most frequent first; nulls are left out."""
    found = column.cast(pa.string()).drop_null().value_counts()
    pairs = zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def _by_time(
    title: str, table: pa.Table, column: str, names: Sequence[str], what: str
) -> dg.MarkdownMetadataValue:
    """Rows of each five minutes, stacked by a text; any that is no name counts for the last."""
    rows = table.select(["emitted_ns", column]).drop_null()
    if not rows.num_rows:
        return nothing(title)
    columns = _five_minutes(numbers(rows, "emitted_ns", np.int64))
    code = _codes(rows.column(column), names)
    layers = _sums(columns, code, np.ones(rows.num_rows), len(names))
    hues = list(HYPOTHESIS_COLOURS.values())
    keys = [
        (hue, f"{name} {int(layer.sum()):,}")
        for hue, name, layer in zip(hues, names, layers, strict=True)
        if layer.any() or name != names[-1]
    ]
    frame = _time_frame(columns, layers, -(-len(keys) // KEYS_IN_LINE))
    words = key_lines(keys) + level_lines(frame, finest=1.0) + _time_labels(frame, columns)
    words += _above(frame, f"{what} in {_minutes(columns)} · in all {rows.num_rows:,}")
    return picture(title, words, _stacked(frame, layers, hues), round(frame.floor) + 40)


def _five_minutes(times: Ints) -> TimeColumns:
    """Places of five minutes, or of more where there would be more than `BARS`."""
    span = int(times.max()) - int(times.min()) + _STEP_NS
    width = _STEP_NS * -(-span // (BARS * _STEP_NS))
    start = int(times.min()) // width * width
    of_bin = (times - start) // width
    return TimeColumns(start, width, int(of_bin.max()) + 1, of_bin)


def _codes(column: pa.ChunkedArray, names: Sequence[str]) -> Ints:
    """Place of each text among names; any other text has the last."""
    array = column.cast(pa.string()).combine_chunks().dictionary_encode()
    place = {name: k for k, name in enumerate(names)}
    known = [place.get(name, len(names) - 1) for name in array.dictionary.to_pylist()]
    return np.array(known, dtype=np.int64)[array.indices.to_numpy(zero_copy_only=False)]


def _sums(columns: TimeColumns, code: Ints, weights: Floats, codes: int) -> Floats:
    """Sums of weights by code and place, shape (codes, places)."""
    place = code * columns.count + columns.of_bin
    sums: Floats = np.zeros(codes * columns.count)
    np.add.at(sums, place, weights)
    return sums.reshape(codes, columns.count)


def _time_frame(columns: TimeColumns, layers: Floats, lines: int) -> Frame:
    """A frame below so many lines of keys and a line of words."""
    down = _LINE * (lines - 1) + 6
    most = max(float(layers.sum(axis=0).max()), 1e-9)
    return Frame(LEFT, RIGHT, TOP + down, FLOOR + down, columns.span_ns, (0.0, most))


def _stacked(frame: Frame, layers: Floats, hues: Sequence[str]) -> str:
    """Steps upon one another, the first layer lowest: each path reaches down to the floor."""
    tops = np.cumsum(layers, axis=0)
    tops = np.minimum(tops, frame.y[1])
    return "".join(
        f'<path class="layer" d="{step_line(frame, tops[k])}V{frame.floor:.0f}H{frame.left:.0f}z" '
        f'fill="{hues[k]}"/>'
        for k in reversed(range(len(hues)))
        if layers[k].any()
    )


def _time_labels(frame: Frame, columns: TimeColumns) -> str:
    """Round times below the frame, and the day that they begin on."""
    end_ns = columns.start_ns + columns.count * columns.width_ns
    parts: list[str] = []
    for at_ns, label in time_ticks(columns.start_ns, end_ns, frame.right - frame.left):
        x = frame.across(float(at_ns - columns.start_ns))
        parts.append(f'<path d="M{x:.1f} {frame.floor}v4" stroke="#8c959f"/>')
        parts.append(text(x, frame.floor + 15, label, "middle"))
    return "".join(parts) + floor_name(f"UTC, {clock(columns.start_ns, _DAY_NS)}", frame)


def _above(frame: Frame, words: str) -> str:
    """What the vertical axis counts, above its top."""
    return text(8, frame.top - 8, words)


def _minutes(columns: TimeColumns) -> str:
    return f"{columns.width_ns // _MINUTE_NS} minutes"


def _shapes(rows: pa.Table) -> str:
    """Packets by their structure, the most frequent first."""
    counts = list(word_counts(rows.column("structure_type")).items())
    told = [f"{name} {count:,}" for name, count in counts[:_STRUCTURES]]
    more = [f"others {sum(n for _, n in counts[_STRUCTURES:]):,}"] if counts[_STRUCTURES:] else []
    return shortened(" · ".join(["packets", *told, *more]), _LINE_CHARS)


def _dollars(most: float) -> tuple[float, str]:
    """What dollars are divided by to be short, and its letter."""
    if most >= 1e6:
        return 1e6, "M"
    return (1e3, "k") if most >= 1e3 else (1.0, "")


def _money(dollars: float) -> str:
    scale, letter = _dollars(dollars)
    return f"${dollars / scale:,.4g}{letter}"


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ordered[:_REASONS]


def _reason_bars(counts: Sequence[tuple[str, int]], of: int, hue: str, top: int) -> tuple[str, str]:
    """Names with their numbers, and bars as long as their shares."""
    words, shapes = "", ""
    for k, (name, count) in enumerate(counts):
        y, share = top + _ROW * k, count / of
        long = share * (_REASON_RIGHT - _REASON_LEFT)
        words += text(_REASON_LEFT - 6, y + 12, shortened(name, 34), "end")
        words += text(_REASON_LEFT + long + 5, y + 12, f"{count:,} · {100 * share:.1f} %")
        shapes += (
            f'<rect class="bar" x="{_REASON_LEFT}" y="{y + 2}" width="{long:.1f}" '
            f'height="{_ROW - 5}" fill="{hue}"/>'
        )
    return words, shapes
