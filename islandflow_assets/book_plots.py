"""Pictures of order-book grids and tapes for metadata: depth, state score, scorecard.

The map of the field is drawn in ``field_maps`` and found here too; pieces of pictures are in
``drawing``. Grids are made by ``engine.grid``, scorecards by ``engine.tapes.mbo``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import dagster as dg
import numpy as np
import pyarrow as pa

from contracts.grid import RuntimeConfig
from contracts.mbo import PROFILES
from engine.arrays import Floats
from engine.tapes.mbo.scorecard import Statistic
from islandflow_assets.depth_means import DepthMeans, depth_means
from islandflow_assets.drawing import (
    COLOURS,
    FLOOR,
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
    level_lines,
    mark_line,
    picture,
    place_labels,
)
from islandflow_assets.field_maps import ASK, BID, field_map, without
from islandflow_assets.state_gauges import state_gauges
from islandflow_assets.time_axes import clock, numbers, step_line

__all__ = ["depth_profile", "field_map", "scorecard_table", "state_gauges", "tape_depth"]


def depth_profile(
    title: str,
    runtime: RuntimeConfig,
    bins: pa.Table,
    rows: pa.Table | Iterable[pa.RecordBatch],
) -> dg.MarkdownMetadataValue:
    """Mean resting lots by distance from the spot, and those of the last bin as lines.

    Parameters
    ----------
    title : str
    runtime : RuntimeConfig
        Of the grid: its radius is used.
    bins : pyarrow.Table
        `contracts.columns.GRID_BINS`, ascending; bins without a spot are left out.
    rows : pyarrow.Table or iterable of pyarrow.RecordBatch
        `bin_seq`, `k`, `bid_depth` and `ask_depth` of `contracts.columns.GRID_ROWS`, in any cut.
    """
    if not bins.num_rows:
        return without(title, "the grid has no bin")
    means = depth_means(runtime.grid_radius_ticks, bins, rows)
    if means is None:
        return without(title, "no bin has a best bid and a best ask")
    most = max(1e-9, *(float(finite(side).max(initial=0.0)) for side in means.sides))
    first = -runtime.grid_radius_ticks - 0.5
    x = (first, first + means.bid.size * means.group)
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, x, (0.0, most))
    shapes = (
        _side(frame, means.bid, means.last_bid, BID)
        + _side(frame, means.ask, means.last_ask, ASK)
        + mark_line(frame, 0.0, "spot")
    )
    words = _depth_legend(means, bins) + level_lines(frame) + floor_labels(frame)
    return picture(title, words + floor_name("ticks from the spot →"), shapes)


def tape_depth(title: str, depth: Sequence[float]) -> dg.MarkdownMetadataValue:
    """Mean lots at the ticks from the best price on, both sides together, as bars.

    Parameters
    ----------
    title : str
    depth : sequence of float
        As `engine.tapes.mbo.scorecard.Scorecard.depth` gives it.
    """
    lots = np.asarray(depth, dtype=np.float64)
    known = finite(lots)
    if not known.size:
        return without(title, "the tape has no two-sided book")
    frame = Frame(LEFT, RIGHT, TOP, FLOOR, (0.0, lots.size), (0.0, max(1e-9, float(known.max()))))
    shapes = "".join(
        bar(frame, frame.across(k + 0.1), frame.across(k + 0.9), min(value, 1e100), COLOURS[0])
        for k, value in enumerate(lots.tolist())
        if math.isfinite(value)
    )
    labels = place_labels([str(k + 1) for k in range(lots.size)], frame)
    words = legend([(COLOURS[0], 1.0, "mean resting lots, both sides")], "")
    words += level_lines(frame) + labels + floor_name("level, 1 is the best price →")
    return picture(title, words, shapes)


def scorecard_table(
    rows: Sequence[Statistic], profile: str = "index_future"
) -> dg.TableMetadataValue:
    """A row per statistic: what it is, its value, the band, and whether it lies in it.

    Parameters
    ----------
    rows : sequence of Statistic
        As `engine.tapes.mbo.scorecard.Scorecard.rows` gives them.
    profile : str
        Key of `contracts.mbo.PROFILES`, for what the statistics mean.
    """
    meanings = {band.name: band.doc for band in PROFILES[profile]}
    records = [
        dg.TableRecord(
            {
                "statistic": row.name,
                "value": _value(row.value),
                "band": _band(row.low, row.high),
                "verdict": _verdict(row),
                "meaning": meanings.get(row.name, ""),
            }
        )
        for row in rows
    ]
    columns = [
        dg.TableColumn("statistic"),
        dg.TableColumn("value", "float"),
        dg.TableColumn("band", description="both ends are inside"),
        dg.TableColumn("verdict", description="ok, outside, or not measured"),
        dg.TableColumn("meaning"),
    ]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _side(frame: Frame, mean: Floats, last: Floats, hue: str) -> str:
    """Area of the means and line of the last bin; places without lots have no line."""
    edges = np.linspace(frame.left, frame.right, mean.size + 1)
    area = "".join(
        f"M{edges[k]:.1f} {frame.floor}V{frame.up(mean[k]):.1f}H{edges[k + 1]:.1f}V{frame.floor}z"
        for k in np.flatnonzero(mean > 0)
    )
    line = step_line(frame, np.where(last > 0, last, np.nan))
    return (
        f'<path class="mean" d="{area}" fill="{hue}" fill-opacity="0.35"/>'
        f'<path class="last" d="{line}" fill="none" stroke="{hue}" stroke-width="1.4"/>'
    )


def _depth_legend(means: DepthMeans, bins: pa.Table) -> str:
    ends = numbers(bins, "bin_end_ns", np.int64)
    sums = [figure(total, "number") for total in means.totals]
    at = clock(int(ends[means.last]), 1)
    said = f"areas: mean, bins: {means.bins:,} · lines: last bin, {at} UTC"
    keys = [(BID, 0.5, f"bid {sums[0]} lots"), (ASK, 0.5, f"ask {sums[1]}")]
    return legend(keys, said)


def _value(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _band(low: float, high: float) -> str:
    if math.isinf(high):
        return f"≥ {low:g}"
    return f"≤ {high:g}" if math.isinf(low) else f"{low:g} to {high:g}"


def _verdict(row: Statistic) -> str:
    if math.isnan(row.value):
        return "not measured"
    return "ok" if row.ok else "outside"
