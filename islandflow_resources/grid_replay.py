"""Events pushed one by one, as they are served, against the tables that were published.

`first_difference` compares every bin and every row to the bit. The fresh process that it
runs in is ``grid_parity``.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from engine.book.events import Events
from engine.grid.api import Bins, GridMachine
from islandflow_resources.grid_tables import bins_table, read_groups, rows_schema, rows_table
from islandflow_resources.table_schemas import numbers_of

_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Parity:
    """What a comparison of the live form with the published one found.

    Attributes
    ----------
    events : int
        Events that were pushed, one by one.
    bins, rows : int
        Bins and rows that were compared.
    is_whole : bool
        Whether those were all events of the source.
    seconds : float
    difference : str
        The first one; empty if there is none.
    """

    events: int
    bins: int
    rows: int
    is_whole: bool
    seconds: float
    difference: str = ""


def first_difference(
    machine: GridMachine, batches: Iterable[Events], folder: Path, most_events: int = 0
) -> Parity:
    """Push events one by one and compare all that closes with a dataset's tables.

    Parameters
    ----------
    machine : GridMachine
        Of the dataset's configuration, rules and start, with no event taken.
    folder : Path
        Local folder of the dataset.
    most_events : int
        Only so many events; 0 for all.
    """
    start = time.perf_counter()
    live = _Live(machine, most_events)
    bins = _Published("bins.parquet", folder)
    rows = _Published("grid.parquet", folder)
    schema = rows_schema()
    difference = ""
    for closed in _together(live.bins(batches)):
        difference = bins.compared(bins_table(closed)) or rows.compared(rows_table(closed, schema))
        if difference:
            break
    if not difference and live.is_whole:
        difference = bins.rest() or rows.rest()
    seconds = time.perf_counter() - start
    return Parity(live.events, bins.rows, rows.rows, live.is_whole, seconds, difference)


class _Live:
    """The serving path: an event in, the bins that it closes out."""

    def __init__(self, machine: GridMachine, most_events: int) -> None:
        self._machine = machine
        self._most = most_events
        self.events = 0
        self.is_whole = False

    def bins(self, batches: Iterable[Events]) -> Iterator[Bins]:
        """Bins as they close."""
        for batch in batches:
            for row in range(batch.rows):
                if self._most and self.events >= self._most:
                    return
                yield from self._machine.push(batch.part(row, row + 1))
                self.events += 1
        self.is_whole = True
        last = self._machine.finish()
        if last is not None:
            yield last


class _Published:
    """A published table, read alongside the live one."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._groups = read_groups(folder / name)
        self._waiting: pa.Table | None = None
        self.rows = 0

    def compared(self, live: pa.Table) -> str:
        """Compare the next rows; the first difference, or nothing."""
        published = self._next(live.num_rows)
        if published.num_rows < live.num_rows:
            return f"{self._name} ends after {self.rows + published.num_rows} rows, live goes on"
        found = _first(published, live)
        if found is None:
            self.rows += live.num_rows
            return ""
        row, column = found
        self.rows += row
        place = [f"bin {live['bin_seq'][row]}", f"column {column}"]
        place += [f"row k = {live['k'][row]}"] if "k" in live.column_names else []
        theirs, ours = published[column][row].as_py(), live[column][row].as_py()
        return f"{self._name}, {', '.join(place)}: published {theirs!r}, live {ours!r}"

    def rest(self) -> str:
        """What is left although the stream has ended."""
        if not self._next(1).num_rows:
            return ""
        return f"{self._name} has more than the {self.rows} rows that live gave"

    def _next(self, rows: int) -> pa.Table:
        while self._waiting is None or self._waiting.num_rows < rows:
            group = next(self._groups, None)
            if group is None:
                break
            self._waiting = pa.concat_tables([self._waiting, group]) if self._waiting else group
        if self._waiting is None:
            return pa.table({})
        taken, self._waiting = self._waiting.slice(0, rows), self._waiting.slice(rows)
        return taken


def _together(bins: Iterable[Bins]) -> Iterator[Bins]:
    """Some bins at a time, so that tables are worth their making."""
    group: list[Bins] = []
    for one in bins:
        group.append(one)
        if len(group) == _AT_ONCE:
            yield _joined(group)
            group = []
    if group:
        yield _joined(group)


def _joined(group: list[Bins]) -> Bins:
    whole = copy.copy(group[0])
    whole.rows = sum(one.rows for one in group)
    for columns in ("ints", "floats", "fields"):
        parts = [getattr(one, columns) for one in group]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        setattr(whole, columns, joined)
    for name in ("flow_state_code", "state5_code", "last_event_id"):
        setattr(whole, name, np.concatenate([getattr(one, name) for one in group]))
    return whole


def _first(published: pa.Table, live: pa.Table) -> tuple[int, str] | None:
    """First row that differs, and the first column that differs in it."""
    places = [
        (row, number, name)
        for number, name in enumerate(live.column_names)
        if (row := _first_row(published[name], live[name])) is not None
    ]
    if not places:
        return None
    row, _, name = min(places)
    return row, name


def _first_row(published: pa.ChunkedArray, live: pa.ChunkedArray) -> int | None:
    """First row in which two columns differ, floats by their bits."""
    if published.type != live.type:
        return 0
    theirs, ours = _bits(published), _bits(live)
    other = np.flatnonzero(theirs != ours)
    return int(other[0]) if other.size else None


def _bits(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    if pa.types.is_float64(column.type):
        return numbers_of(column).view(np.int64)
    return (
        np.asarray(column.to_pylist())
        if not pa.types.is_integer(column.type)
        else numbers_of(column)
    )
