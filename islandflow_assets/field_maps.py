"""Heat map of a grid's field over time and absolute price, with the best prices above it.

What is averaged, and the palette image, are ``field_cells``; time along the picture is
``time_axes``. Callers find it beside the other pictures of books, in ``book_plots``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import dagster as dg
import numpy as np
import pyarrow as pa

from contracts.grid import RuntimeConfig
from engine.arrays import Floats
from islandflow_assets.colour_bars import colour_bar, colour_labels
from islandflow_assets.drawing import (
    LEFT,
    TOP,
    WIDTH,
    Frame,
    legend,
    level_lines,
    picture,
    text,
)
from islandflow_assets.field_cells import (
    BLANK,
    FieldCells,
    FieldName,
    field_cells,
    palette_image,
)
from islandflow_assets.heat_cells import LEVELS, scale_limit
from islandflow_assets.time_axes import numbers, step_line, time_labels

BID: Final = "#15803d"
ASK: Final = "#7e22ce"
MID: Final = "#1f2328"
_RIGHT: Final = WIDTH - 104
_FLOOR: Final = TOP + 320
_LINES: Final = (
    ("bid", "best_bid_price_int", 1e-9, BID, 1.6),
    ("ask", "best_ask_price_int", 1e-9, ASK, 1.6),
    ("mid", "mid_price", 1.0, MID, 1.0),
)
"""Class, column, what makes it quote currency, colour and width."""
_NAMES: Final[dict[FieldName, tuple[str, str]]] = {
    "composite": ("composite", "blue: pressure outweighs, red: vacuum"),
    "flow_score": ("flow score", "blue: pressure builds up, red: vacuum"),
    "force": ("lots/s", "blue: pressure outweighs, red: vacuum"),
}


def field_map(
    title: str,
    runtime: RuntimeConfig,
    bins: pa.Table,
    rows: pa.Table | Iterable[pa.RecordBatch],
    field: FieldName = "composite",
) -> dg.MarkdownMetadataValue:
    """Mean of a field over time and price as colours, with best bid, best ask and mid as lines.

    Parameters
    ----------
    title : str
    runtime : RuntimeConfig
        Of the grid: its tick and radius are used.
    bins : pyarrow.Table
        `contracts.columns.GRID_BINS`, ascending.
    rows : pyarrow.Table or iterable of pyarrow.RecordBatch
        `bin_seq`, `k` and the columns of the field (`field_cells.FIELD_COLUMNS`) of
        `contracts.columns.GRID_ROWS`, in any cut: read batch by batch, memory stays flat.
    field : {'composite', 'flow_score', 'force'}
        The force is pressure less vacuum. The deepest colour is the largest mean, or five times
        the median one where some are larger.
    """
    if not bins.num_rows:
        return without(title, "the grid has no bin")
    cells = field_cells(runtime.tick_int, runtime.grid_radius_ticks, bins, rows, field)
    if cells is None:
        return without(title, "no bin has a best bid and a best ask")
    frame = _frame(cells, runtime.tick_int)
    limit, beyond = scale_limit(cells.means)
    name, meaning = _NAMES[field]
    words = (
        _legend(f"{meaning} · stray prices cut" if cells.cut else meaning)
        + _price_labels(frame)
        + time_labels(cells.columns, frame)
        + colour_labels(frame, limit, beyond=beyond)
        + text(WIDTH - 8, frame.floor + 32, name, "end")
    )
    shapes = (
        _painted(frame, cells.means, limit) + colour_bar(frame) + _best_prices(frame, cells, bins)
    )
    return picture(title, words, shapes, _FLOOR + 40)


def without(title: str, reason: str) -> dg.MarkdownMetadataValue:
    """A picture that says why there is none."""
    return picture(title, text(WIDTH / 2, 56, f"nothing to draw: {reason}", "middle"), "", 80)


def _frame(cells: FieldCells, tick_int: int) -> Frame:
    """Rows in the quote currency, a tick's cell around its price."""
    low = (cells.low_tick - 0.5) * tick_int / 1e9
    reach = len(cells.means) * cells.row_ticks * tick_int / 1e9
    # Labels need a range that numbers of this size can tell apart, however fine the tick is.
    high = low + max(reach, 1e-14 * abs(low))
    return Frame(LEFT, _RIGHT, TOP, _FLOOR, cells.columns.span_ns, (low, high))


def _painted(frame: Frame, means: Floats, limit: float) -> str:
    known = np.isfinite(means)
    part = np.clip(np.where(known, means, 0.0) / limit, -1.0, 1.0)
    shades = np.rint(LEVELS * part).astype(np.int64)
    return (
        f'<image class="cells" x="{frame.left}" y="{frame.top}" width="{frame.right - frame.left}" '
        f'height="{frame.floor - frame.top}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="{palette_image(shades[::-1], known[::-1])}"/>'
    )


def _best_prices(frame: Frame, cells: FieldCells, bins: pa.Table) -> str:
    """Means of the columns as steps, each line with a light edge that parts it from the cells."""
    lines: list[str] = []
    for name, column, unit, hue, wide in _LINES:
        prices = numbers(bins, column, np.float64)
        means = cells.columns.means(np.where(prices > 0, prices * unit, np.nan))
        drawn = f'd="{step_line(frame, means)}" fill="none"'
        edge = f'<path {drawn} stroke="#ffffff" stroke-width="{wide + 1.6}" stroke-opacity="0.7"/>'
        lines.append(edge if wide > 1 else "")
        lines.append(f'<path class="{name}" {drawn} stroke="{hue}" stroke-width="{wide}"/>')
    return "".join(lines)


def _legend(meaning: str) -> str:
    lines = ((BID, 1.0, "best bid"), (ASK, 1.0, "best ask"), (MID, 1.0, "mid"))
    return legend((*lines, (BLANK, 1.0, "no value")), meaning)


def _price_labels(frame: Frame) -> str:
    return level_lines(frame) + text(8, TOP - 6, "↑ price, quote currency")
