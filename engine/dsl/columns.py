"""Indicator columns: each unique (function, sources, window) once per dataset.

An undefined value (warm-up, division by zero) is NaN inside the engine and
nowhere else. Which columns a strategy needs is decided in ``program`` and
``sweep``; the rolling functions are ``indicators``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from engine.arrays import Floats, Ints
from engine.dsl import indicators, rolling
from engine.dsl.program import ColumnSpec

_ROLLING: Final[dict[str, Callable[[Floats, int, Floats], None]]] = {
    "ma": indicators.moving_average,
    "ema": indicators.ema,
    "rsi": indicators.rsi,
    "stdev": rolling.deviation,
    "slope": rolling.slope,
    "lag": indicators.lag,
}
_EXTREMES: Final = {"highest": indicators.highest, "lowest": indicators.lowest}
_ARITHMETIC: Final = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


class ColumnTable:
    """Columns of one dataset, as many at a time as fit a budget.

    Parameters
    ----------
    columns : sequence of ColumnSpec
        All columns that may be asked for, sources first.
    fields : mapping of str to ndarray, shape (bars,), float64
        ``open high low close volume`` in price units and lots.
    capacity : int
        Most columns held at once; grows if one request needs more.

    Attributes
    ----------
    rows : ndarray, shape (capacity, bars + 1), float64
        Column values from index 1; index 0 is the undefined bar before the first.
    """

    def __init__(
        self, columns: Sequence[ColumnSpec], fields: Mapping[str, Floats], capacity: int
    ) -> None:
        self._columns = columns
        self._fields = fields
        self._row_of: dict[int, int] = {}
        self._closures: dict[int, frozenset[int]] = {}
        self.capacity = capacity
        self.rows = self._empty(max(min(capacity, len(columns)), 1))

    @property
    def holds_all(self) -> bool:
        """Whether no column ever has to make way."""
        return len(self._columns) <= self.capacity

    def closure(self, column: int) -> frozenset[int]:
        """A column and all that it is computed from."""
        if column not in self._closures:
            sources = self._columns[column].sources
            below = (self.closure(source) for source in sources)
            self._closures[column] = frozenset({column}).union(*below)
        return self._closures[column]

    def require(self, wanted: Iterable[int]) -> Ints:
        """Compute the columns that are wanted and not held; others may make way.

        Returns
        -------
        ndarray, shape (len(columns),), int64
            Row of every column that is wanted, −1 elsewhere.
        """
        needed = sorted(set[int]().union(*(self.closure(index) for index in set(wanted))))
        missing = [index for index in needed if index not in self._row_of]
        for index, row in zip(missing, self._free_rows(len(missing), set(needed)), strict=True):
            self._row_of[index] = row
            self._fill(self._columns[index], self.rows[row, 1:])
        rows = np.full(len(self._columns), -1, dtype=np.int64)
        for index in needed:
            rows[index] = self._row_of[index]
        return rows

    def _free_rows(self, count: int, needed: set[int]) -> list[int]:
        used = set(self._row_of.values())
        free = [row for row in range(self.rows.shape[0]) if row not in used]
        leaving = [index for index in self._row_of if index not in needed]
        free += [self._row_of.pop(index) for index in leaving[: max(count - len(free), 0)]]
        if len(free) < count:
            held = self.rows
            self.rows = self._empty(held.shape[0] + count - len(free))
            self.rows[: held.shape[0]] = held
            free += range(held.shape[0], self.rows.shape[0])
        return free[:count]

    def _empty(self, rows: int) -> Floats:
        table = np.empty((rows, self._fields["close"].shape[0] + 1))
        table[:, 0] = np.nan
        return table

    def _fill(self, spec: ColumnSpec, out: Floats) -> None:
        function, value = spec.function, float(spec.value)
        sources = [self.rows[self._row_of[source], 1:] for source in spec.sources]
        if function in self._fields:
            out[:] = self._fields[function]
        elif function == "constant":
            out[:] = value
        elif function == "atr":
            high, low, close = sources
            indicators.atr(high, low, close, int(value), out)
        elif function in _ROLLING:
            _ROLLING[function](sources[0], int(value), out)
        elif function in _EXTREMES:
            queue = np.empty(int(value), dtype=np.int64)
            _EXTREMES[function](sources[0], int(value), queue, out)
        elif function == "neg":
            np.negative(sources[0], out=out)
        else:
            with np.errstate(all="ignore"):
                _ARITHMETIC[function](sources[0], sources[1], out=out)
            out[~np.isfinite(out)] = math.nan


__all__ = ["ColumnTable"]
