"""Time along a picture: bins gathered into columns, step lines over them, and labels in UTC.

Only arithmetic and pieces; the pictures are ``field_maps`` and ``book_plots``, frames and text
``drawing``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa

from engine.arrays import Floats, Ints
from islandflow_assets.drawing import Frame, text

_MS: Final = 1_000_000
_SECOND: Final = 1_000 * _MS
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 1_440 * _MINUTE
_STEPS: Final = (
    *(_MS * step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(_SECOND * step for step in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * step for step in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
)
_CHAR_WIDTH: Final = 7.0


@dataclass(frozen=True, slots=True, eq=False)
class TimeColumns:
    """Bins gathered into columns of equal time.

    Attributes
    ----------
    start_ns : int
        Start of the first bin, nanoseconds since 1970 UTC.
    width_ns : int
        Time that a column spans.
    count : int
        Number of columns.
    of_bin : ndarray of int64, shape (bins,)
        Column of each bin: the one that it starts in.
    """

    start_ns: int
    width_ns: int
    count: int
    of_bin: Ints

    @property
    def span_ns(self) -> tuple[float, float]:
        """Edges of the columns, from `start_ns` on."""
        return 0.0, float(self.count * self.width_ns)

    def means(self, values: Floats) -> Floats:
        """Mean of the finite values in each column, NaN for none."""
        known = np.isfinite(values)
        where = self.of_bin[known]
        sums = np.bincount(where, weights=values[known], minlength=self.count)
        counts = np.bincount(where, minlength=self.count)
        return np.divide(sums, counts, out=np.full(self.count, np.nan), where=counts > 0)

    def ranges(self, values: Floats) -> tuple[Floats, Floats]:
        """Lowest and highest finite value in each column, NaN for none."""
        low, high = np.full(self.count, np.nan), np.full(self.count, np.nan)
        known = np.isfinite(values)
        np.fmin.at(low, self.of_bin[known], values[known])
        np.fmax.at(high, self.of_bin[known], values[known])
        return low, high


def time_columns(bins: pa.Table, most: int) -> TimeColumns:
    """At most so many columns; each of fewer bins has its own, if none is missing between.

    Parameters
    ----------
    bins : pyarrow.Table
        Columns `bin_start_ns` and `bin_end_ns` of `contracts.columns.GRID_BINS`; one row or more.
    most : int
    """
    starts = numbers(bins, "bin_start_ns", np.int64)
    first_ns = int(starts.min())
    span_ns = max(1, int(numbers(bins, "bin_end_ns", np.int64).max()) - first_ns)
    width_ns = -(-span_ns // min(most, starts.size))
    return TimeColumns(first_ns, width_ns, -(-span_ns // width_ns), (starts - first_ns) // width_ns)


def numbers(table: pa.Table | pa.RecordBatch, name: str, kind: type[np.generic]) -> np.ndarray:
    """A column as an array of a kind."""
    column = table.column(name)
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.to_numpy(zero_copy_only=False).astype(kind, copy=False)


def step_line(frame: Frame, values: Floats) -> str:
    """Path with a level piece for each of evenly spaced columns, open where a value is NaN.

    Values beyond the frame are left out as well.
    """
    low, high = sorted(frame.y)
    edges = np.linspace(frame.left, frame.right, values.size + 1).tolist()
    parts: list[str] = []
    pen = ""
    for value, left, right in zip(values.tolist(), edges[:-1], edges[1:], strict=True):
        if not low <= value <= high:
            pen = ""
            continue
        y = f"{frame.up(value):.1f}"
        if not pen:
            parts.append(f"M{left:.1f} {y}")
        elif pen != y:
            parts.append(f"V{y}")
        elif parts[-1][0] == "H":
            parts.pop()
        parts.append(f"H{right:.1f}")
        pen = y
    return "".join(parts)


def time_labels(columns: TimeColumns, frame: Frame) -> str:
    """Strokes and labels at round times below the frame, and the day at the right below them."""
    end_ns = columns.start_ns + columns.count * columns.width_ns
    parts: list[str] = []
    for at_ns, label in time_ticks(columns.start_ns, end_ns, frame.right - frame.left):
        x = frame.across(float(at_ns - columns.start_ns))
        parts.append(f'<path d="M{x:.1f} {frame.floor}v4" stroke="#8c959f"/>')
        parts.append(text(x, frame.floor + 15, label, "middle"))
    name = f"UTC, {clock(columns.start_ns, _DAY)} from {clock(columns.start_ns, 1)}"
    return "".join(parts) + text(frame.right, frame.floor + 32, name, "end")


def time_ticks(start_ns: int, end_ns: int, room: float) -> list[tuple[int, str]]:
    """Round times between two, as many as have room, with their labels.

    Parameters
    ----------
    start_ns, end_ns : int
        Nanoseconds since 1970 UTC.
    room : float
        Pixels between them.
    """
    span_ns = end_ns - start_ns
    step_ns = next((s for s in _STEPS if _fits(span_ns, s, room)), 0)
    step_ns = step_ns or _DAY * math.ceil(span_ns / _DAY / _most(_DAY, room))
    first = -(-start_ns // step_ns)
    found = [index * step_ns for index in range(first, end_ns // step_ns + 1)]
    # Hours recur within longer spans: there a midnight says which one it is.
    days = span_ns > _DAY
    return [(at, clock(at, _DAY if days and at % _DAY == 0 else step_ns)) for at in found]


def clock(at_ns: int, step_ns: int) -> str:
    """Time of the day as fine as steps of a size need it; the date for steps of a day."""
    at = datetime.fromtimestamp(at_ns // _SECOND, UTC)
    if step_ns >= _DAY:
        return f"{at:%Y-%m-%d}"
    if step_ns >= _MINUTE:
        return f"{at:%H:%M}"
    if step_ns >= _SECOND:
        return f"{at:%H:%M:%S}"
    return f"{at:%H:%M:%S}.{at_ns % _SECOND // _MS:03}"


def _fits(span_ns: int, step_ns: int, room: float) -> bool:
    return span_ns / step_ns <= _most(step_ns, room)


def _most(step_ns: int, room: float) -> int:
    return min(8, int(room / (_CHAR_WIDTH * (len(clock(0, step_ns)) + 2))))
