"""Rows of all symbols into streams: one order of time, columns by name, labels apart."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from contracts.columns import TableSchema
from contracts.tape_columns import PRINT_LABELS, STREAMS
from engine.arrays import Ints
from engine.jit import kernel
from engine.tapes.market import layout as at
from engine.tapes.market.events import Columns

BUFFER_ROWS: Final = 150_000
_WIDTHS: Final = (
    at.EQ_COLUMNS,
    at.EP_COLUMNS + at.LABEL_COLUMNS,
    at.ON_COLUMNS,
    at.OP_COLUMNS + at.LABEL_COLUMNS,
)
_OWN: Final = (at.EQ_COLUMNS, at.EP_COLUMNS, at.ON_COLUMNS, at.OP_COLUMNS)
_TYPES: Final[dict[str, Any]] = {
    "int64": np.int64,
    "int32": np.int32,
    "int8": np.int8,
    "bool": np.bool_,
    "string": np.int32,
}


class RowBuffer:
    """Where kernels write, and what they have written before.

    Attributes
    ----------
    streams : list of ndarray, shape (BUFFER_ROWS, columns), int64
        The four below, in their order.
    equity_quotes, equity_prints, option_nbbo, option_prints : ndarray
    rows : ndarray, shape (4,), int64
        Rows that are written.
    """

    def __init__(self) -> None:
        self.streams: list[Ints] = [
            np.zeros((BUFFER_ROWS, width), dtype=np.int64) for width in _WIDTHS
        ]
        self.rows: Ints = np.zeros(4, dtype=np.int64)
        self.equity_quotes, self.equity_prints, self.option_nbbo, self.option_prints = self.streams
        self._kept: list[list[Ints]] = [[], [], [], []]

    def flush(self) -> None:
        """Put the rows aside, so that there is room again."""
        for stream, rows, kept in zip(self.streams, self.rows, self._kept, strict=True):
            kept.append(stream[:rows].copy())
        self.rows[:] = 0

    def clear(self) -> None:
        """Forget all rows."""
        self.rows[:] = 0
        self._kept = [[], [], [], []]

    def all(self, stream: int) -> Ints:
        """All rows of a stream, symbol by symbol."""
        present = self.streams[stream][: self.rows[stream]]
        return np.concatenate([*self._kept[stream], present])


@kernel
def order_ties(order: Ints, rows: Ints) -> None:
    """Put events of the same time in order of receipt; the rest is in order already.

    Sequence numbers ascend with time, so sorting by them leaves only this to do.
    """
    for i in range(1, order.shape[0]):
        j = i
        while j > 0:
            a, b = rows[order[j - 1]], rows[order[j]]
            if a[0] != b[0] or a[1] <= b[1]:
                break
            order[j - 1], order[j] = order[j], order[j - 1]
            j -= 1


def merged(buffer: RowBuffer, start_ns: int) -> tuple[dict[str, Columns], Columns]:
    """Streams in order of (``ts_ns``, ``ingest_ns``, ``seq``), and the labels of the prints.

    Parameters
    ----------
    start_ns : int
        What is earlier is left out.
    """
    streams: dict[str, Columns] = {}
    labels: list[Ints] = []
    for place, (name, schema) in enumerate(STREAMS.items()):
        rows = buffer.all(place)
        rows = rows[rows[:, 0] >= start_ns]
        order = np.argsort(rows[:, 2])
        order_ties(order, rows)
        rows = rows[order]
        streams[name] = _columns(schema, rows)
        if rows.shape[1] > _OWN[place]:
            kind = np.full(len(rows), place // 2, dtype=np.int64)
            labels.append(np.column_stack([rows[:, 2], kind, rows[:, _OWN[place] :]]))
    both = np.concatenate(labels)
    return streams, _columns(PRINT_LABELS, both[np.argsort(both[:, 0])])


def _columns(schema: TableSchema, rows: Ints) -> Columns:
    return {
        column.name: rows[:, i].astype(_TYPES[column.kind])
        for i, column in enumerate(schema.columns)
    }
