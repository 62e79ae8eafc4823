"""A field of a grid gathered into cells of time × absolute price, and its palette image.

Arithmetic only; the picture is drawn in ``field_maps``, the field itself is made by
``engine.grid``.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from engine.arrays import Floats, Ints
from islandflow_assets.heat_cells import LEVELS, colour
from islandflow_assets.time_axes import TimeColumns, numbers, time_columns

COLUMNS: Final = 160
"""Most cells along time."""
ROWS: Final = 90
"""Most cells along price."""
FieldName = Literal["composite", "flow_score", "force"]
FIELD_COLUMNS: Final[dict[FieldName, tuple[str, ...]]] = {
    "composite": ("composite",),
    "flow_score": ("flow_score",),
    "force": ("pressure_variant", "vacuum_variant"),
}
"""Columns of `contracts.columns.GRID_ROWS` that a field needs besides `bin_seq` and `k`."""
BLANK: Final = "#dfe3e8"
"""Of a cell without a value; darker than 0, which is almost white."""
_BLANK_INDEX: Final = 2 * LEVELS + 1
_LARGEST: Final = 1e100
_STRAY: Final = 4
_CORE: Final = (1.0, 99.0)


@dataclass(frozen=True, slots=True, eq=False)
class FieldCells:
    """Mean of the field in each cell.

    Attributes
    ----------
    columns : TimeColumns
        Of the bins.
    low_tick : int
        First tick of the lowest row, in ticks from 0.
    row_ticks : int
        Ticks to a row.
    means : ndarray of float64, shape (rows, columns)
        The lowest price first; NaN where there is no finite value.
    cut : bool
        Whether some bins lie outside, because a few stray prices would hide all others.
    """

    columns: TimeColumns
    low_tick: int
    row_ticks: int
    means: Floats
    cut: bool


def field_cells(
    tick_int: int,
    radius_ticks: int,
    bins: pa.Table,
    rows: pa.Table | Iterable[pa.RecordBatch],
    field: FieldName,
) -> FieldCells | None:
    """Gather the rows of a grid; None if no bin has a spot, so that no row has a price.

    Parameters
    ----------
    tick_int, radius_ticks : int
        Tick in 1e-9 of the quote currency, and reach of the window.
    bins : pyarrow.Table
        `contracts.columns.GRID_BINS`, ascending.
    rows : pyarrow.Table or iterable of pyarrow.RecordBatch
        Columns of `contracts.columns.GRID_ROWS`, any cut; rows of bins without a spot, of other
        bins and that are not finite are left out.
    field : {'composite', 'flow_score', 'force'}
        What is averaged; the force is pressure less vacuum.
    """
    spot_ticks = numbers(bins, "spot_ref_price_int", np.int64) // tick_int
    if not (spot_ticks > 0).any():
        return None
    columns = time_columns(bins, COLUMNS)
    low_tick, high_tick, cut = _price_range(spot_ticks[spot_ticks > 0], radius_ticks)
    row_ticks = -(-(high_tick - low_tick + 1) // ROWS)
    shape = -(-(high_tick - low_tick + 1) // row_ticks), columns.count
    sums, counts = np.zeros(shape[0] * shape[1]), np.zeros(shape[0] * shape[1])
    for at, k, values in _placed(bins, rows, FIELD_COLUMNS[field]):
        price = (spot_ticks[at] + k - low_tick) // row_ticks
        kept = (spot_ticks[at] > 0) & (price >= 0) & (price < shape[0]) & np.isfinite(values)
        cell = price[kept] * shape[1] + columns.of_bin[at[kept]]
        shown = np.clip(values[kept], -_LARGEST, _LARGEST)
        sums += np.bincount(cell, weights=shown, minlength=sums.size)
        counts += np.bincount(cell, minlength=sums.size)
    means = np.divide(sums, counts, out=np.full(sums.size, np.nan), where=counts > 0)
    return FieldCells(columns, low_tick, row_ticks, means.reshape(shape), cut)


def batches(rows: Any) -> Iterable[pa.RecordBatch]:
    """Rows of a table, or of what already is batches, piece by piece."""
    return rows.to_batches() if isinstance(rows, pa.Table) else rows


def positions(known: Ints, batch: pa.RecordBatch) -> Ints:
    """Place of each row's bin among `bin_seq` of the bins, ascending; -1 for none."""
    asked = numbers(batch, "bin_seq", np.int64)
    at = np.minimum(np.searchsorted(known, asked), known.size - 1)
    return np.where(known[at] == asked, at, -1)


def palette_image(shades: Ints, known: np.ndarray) -> str:
    """Address of a PNG with one pixel for each cell.

    Parameters
    ----------
    shades : ndarray of int64, shape (rows, columns)
        See `heat_cells.colour`; the first row is the top one.
    known : ndarray of bool, shape (rows, columns)
        Others are `BLANK`.
    """
    pixels = np.where(known, shades + LEVELS, _BLANK_INDEX).astype(np.uint8)
    high, wide = pixels.shape
    lines = np.hstack([np.zeros((high, 1), dtype=np.uint8), pixels])
    colours = [*(colour(shade) for shade in range(-LEVELS, LEVELS + 1)), BLANK]
    png = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", bytes.fromhex("".join(colours).replace("#", "")))
        + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _placed(
    bins: pa.Table, rows: pa.Table | Iterable[pa.RecordBatch], names: tuple[str, ...]
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Place in `bins`, distance from the spot and value of rows: the first column less others."""
    known = numbers(bins, "bin_seq", np.int64)
    for batch in batches(rows):
        at = positions(known, batch)
        first, *others = (numbers(batch, name, np.float64) for name in names)
        with np.errstate(invalid="ignore", over="ignore"):
            values = first - sum(others) if others else first
        kept = at >= 0
        yield at[kept], numbers(batch, "k", np.int64)[kept], values[kept]


def _price_range(spot_ticks: Ints, radius_ticks: int) -> tuple[int, int, bool]:
    """Lowest and highest tick shown, and whether stray ones are not."""
    whole = int(spot_ticks.min()), int(spot_ticks.max())
    low, high = (int(edge) for edge in np.percentile(spot_ticks, _CORE))
    cut = whole[1] - whole[0] > _STRAY * (high - low + 2 * radius_ticks)
    low, high = (low, high) if cut else whole
    return max(0, low - radius_ticks), high + radius_ticks, cut
