"""The grid machine: events pushed in, closed bins out; resumable at any event.

`GridMachine.push` is the one way in: a dataset is made by pushing batches, a live stream by
pushing what arrives. Names of columns are in ``engine.grid.layout``; files, datasets and
checkpoint files in ``islandflow_resources``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError
from contracts.grid import Compat, GridConfig
from engine import status
from engine.arrays import Floats, Ints, Labels
from engine.book import layout as book_at
from engine.book.api import anomalies, empty_book, grown, live_orders, prepared
from engine.book.events import Events
from engine.book.layout import BookState
from engine.book.orders import copy_orders
from engine.grid import layout as at
from engine.grid.kernels import MAX_EMPTY_BINS, finish, run
from engine.grid.layout import GridOutput, GridState
from engine.grid.setup import make_frame, make_params
from engine.grid.spectrum import BEHIND

VERSION: Final = "1"
_FIRST_CELLS = 256
_ROOM_BINS = 128
_FEW_EVENTS = 64


class Bins:
    """Some closed bins, in columns.

    Attributes
    ----------
    ints, floats : dict of str to ndarray, shape (b,)
        Fields of each bin: int64 by `BIN_INTS`, float64 by `BIN_FLOATS`.
    fields : dict of str to ndarray, shape (b, 2R + 1), float64
        Fields of each row by `FIELDS`, `SPECTRUM` and the projections.
    flow_state_code, state5_code : ndarray, shape (b, 2R + 1), int8
    last_event_id : ndarray, shape (b, 2R + 1), int64
    """

    def __init__(self, out: GridOutput, written: int, names: tuple[str, ...]) -> None:
        self.rows = written
        self.ints = {name: out.ints[:written, i] for i, name in enumerate(at.BIN_INTS)}
        self.floats = {name: out.floats[:written, i] for i, name in enumerate(at.BIN_FLOATS)}
        self.fields = {name: out.fields[i, :written] for i, name in enumerate(names)}
        self.flow_state_code: Labels = out.codes[0, :written]
        self.state5_code: Labels = out.codes[1, :written]
        self.last_event_id: Ints = out.events[:written]


class GridMachine:
    """From events to grids.

    Parameters
    ----------
    config : GridConfig
    compat : {"v2", "v1"}
        Set of rules, see ``docs/order-book.md``.
    emit_from_ns : int, optional
        Start of the first bin; earlier events warm the machine up. By default the
        first bin starts at the first event.

    Examples
    --------
    >>> machine = GridMachine(config)  # doctest: +SKIP
    >>> for bins in machine.push(events):  # doctest: +SKIP
    ...     print(bins.floats["state_model_score"])
    """

    def __init__(
        self, config: GridConfig, compat: Compat = "v2", emit_from_ns: int | None = None
    ) -> None:
        runtime = config.runtime_config
        self.config = config
        self.compat: Compat = compat
        self.emit_from_ns = emit_from_ns
        self.names = (
            *at.FIELDS,
            *at.SPECTRUM,
            *(f"proj_score_h{horizon}" for horizon in runtime.horizons_ms),
        )
        slots = runtime.n_absolute_ticks
        times = np.zeros((slots, at.TIMES_WIDTH), dtype=np.int64)
        times[:, at.ROW] = -1
        window = runtime.state_model_zscore_window_bins
        self.state = GridState(
            market=empty_book(compat, runtime.tick_int, slots),
            frame=make_frame(runtime, config.projection, emit_from_ns),
            params=make_params(runtime, config.projection),
            cells=np.zeros((slots, at.CELL_WIDTH)),
            times=times,
            **self._row_arrays(_FIRST_CELLS),
            model=np.zeros(at.MODEL_WIDTH),
            model_rings=np.zeros((3, window)),
            model_ranks=np.zeros((3, window)),
        )
        self._spare = self._room(1)

    def push(self, events: Events) -> Iterator[Bins]:
        """Take events in order; closed bins come out as they close.

        Events are taken as the iterator is run, which must be to its end. Each item has
        arrays of its own.

        Raises
        ------
        ContractError
            ``MBO_VALUE_INVALID`` for a time or size below 0, before any event is taken;
            ``TIME_JUMPS`` at a row so far behind the open bin that no session lies between.
        """
        batch = prepared(events)
        self._check(batch)
        return self._taken(batch)

    def _taken(self, batch: Events) -> Iterator[Bins]:
        few = batch.rows <= _FEW_EVENTS
        row, room = 0, self._spare if few else self._room(_ROOM_BINS)
        while True:
            code, row, written = run(self.state, batch, room, row, 0)
            while code in (status.TABLE_FULL, status.CELLS_FULL):
                self._grow(code)
                code, row, written = run(self.state, batch, room, row, written)
            if written:
                yield Bins(room, written, self.names)
                room = self._room(room.ints.shape[0])
                self._spare = room if few else self._spare
            if code == status.TIME_JUMPS:
                self._refuse_jump(batch, row)
            if code == status.OK:
                return

    def finish(self) -> Bins | None:
        """Close the last bin if it holds an event: the stream has ended."""
        room = self._room(1)
        written = finish(self.state, room)
        return Bins(room, written, self.names) if written else None

    @property
    def anomalies(self) -> dict[str, int]:
        """Counts of what was wrong with the events, by name."""
        return anomalies(self.state.market)

    @property
    def event_count(self) -> int:
        """Number of events taken."""
        return int(self.state.market.book[book_at.EVENTS])

    @property
    def bin_count(self) -> int:
        """Number of bins closed."""
        return int(self.state.frame[at.BINS])

    def cells(self) -> dict[str, npt.NDArray[Any]]:
        """Every slot as it is now, by column."""
        cells, times, depth = self.state.cells, self.state.times, self.state.market.depth
        order = (*range(2, len(at.FIELDS)), 0, 1)
        columns = {at.FIELDS[i]: cells[:, at.CELL_COLUMNS[i]] for i in order}
        return {
            "idx": np.arange(cells.shape[0], dtype=np.int32),
            **columns,
            "last_ts_ns": times[:, at.LAST_TS],
            "last_event_id": times[:, at.LAST_EVENT],
            "depth_bid_arr": depth[:, book_at.BID_DEPTH],
            "depth_ask_arr": depth[:, book_at.ASK_DEPTH],
        }

    def orders(self) -> dict[str, npt.NDArray[Any]]:
        """Live orders by id, by column; sides as ASCII codes."""
        rows = live_orders(self.state.market)
        return {
            "order_id": rows[:, book_at.ID],
            "side": rows[:, book_at.SIDE].astype(np.uint8),
            "price_int": rows[:, book_at.PRICE],
            "qty": rows[:, book_at.QUANTITY],
            "idx": rows[:, book_at.SLOT].astype(np.int32),
        }

    def freeze(self) -> dict[str, npt.NDArray[Any]]:
        """All that must be kept to go on later, to the bit: arrays by name."""
        state, market = self.state, self.state.market
        used = state.frame[at.ACTIVE]
        shown = np.flatnonzero(state.cells.any(axis=1) | (state.times[:, at.ROW] >= 0))
        deep = np.flatnonzero(market.depth.any(axis=1))
        frozen: dict[str, npt.NDArray[Any]] = {
            "book": market.book,
            "orders": live_orders(market),
            "deep": deep,
            "depth": market.depth[deep],
            "frame": state.frame,
            "shown": shown,
            "cells": state.cells[shown],
            "times": state.times[shown],
            **{name: getattr(state, name)[:used] for name in _ROW_ARRAYS},
            "model": state.model,
            "model_rings": state.model_rings,
            "model_ranks": state.model_ranks,
        }
        return {name: array.copy() for name, array in frozen.items()}

    def thaw(self, frozen: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `freeze` gave, of a machine with the same configuration.

        Where the first bin is to start stays as this machine was told, as long as the
        frozen one had not started any.
        """
        emit_from = self.state.frame[at.EMIT_FROM]
        used = int(frozen["frame"][at.ACTIVE])
        size = _FIRST_CELLS
        while size < used + 2:
            size *= 2
        self.state = self.state._replace(market=self._thawed_book(frozen), **self._row_arrays(size))
        state = self.state
        for name in ("frame", "model", "model_rings", "model_ranks"):
            getattr(state, name)[:] = frozen[name]
        if not state.frame[at.STARTED]:
            state.frame[at.EMIT_FROM] = emit_from
        state.cells[frozen["shown"]] = frozen["cells"]
        state.times[frozen["shown"]] = frozen["times"]
        for name in _ROW_ARRAYS:
            getattr(state, name)[:used] = frozen[name]

    def _thawed_book(self, frozen: Mapping[str, npt.NDArray[Any]]) -> BookState:
        book = empty_book(
            self.compat, self.config.runtime_config.tick_int, self.state.cells.shape[0]
        )
        book.book[:] = frozen["book"]
        book.depth[frozen["deep"]] = frozen["depth"]
        return with_orders(book, frozen["orders"])

    def _check(self, events: Events) -> None:
        for name, column in (("ts_ns", events.ts_ns), ("size", events.size)):
            if column.min(initial=0) >= 0:
                continue
            row = int(np.argmax(column < 0))
            raise ContractError(
                "MBO_VALUE_INVALID",
                f"the events cannot be taken: {name} is {column[row]}, below 0",
                f"row {self.event_count + row}",
                ("give times since 1970 in nanoseconds and sizes in lots",),
            )

    def _room(self, bins: int) -> GridOutput:
        rows = 2 * int(self.state.frame[at.RADIUS]) + 1
        return GridOutput(
            np.empty((bins, len(at.BIN_INTS)), dtype=np.int64),
            np.empty((bins, len(at.BIN_FLOATS))),
            np.empty((len(self.names), bins, rows)),
            np.empty((2, bins, rows), dtype=np.int8),
            np.empty((bins, rows), dtype=np.int64),
        )

    def _row_arrays(self, rows: int) -> dict[str, Any]:
        runtime = self.config.runtime_config
        windows, window = runtime.flow_windows, runtime.flow_zscore_window_bins
        return {
            "rows": np.zeros((rows, 2), dtype=np.int64),
            "traces": np.zeros((rows, at.WINDOW_SUM + len(windows))),
            "composites": np.zeros((rows, max(*windows, 3))),
            "rings": np.zeros((rows, 3, window + BEHIND)),
            "ranks": np.zeros((rows, 3, window)),
        }

    def _grow(self, code: int) -> None:
        if code == status.TABLE_FULL:
            self.state = self.state._replace(market=grown(self.state.market))
            return
        longer = self._row_arrays(2 * self.state.rows.shape[0])
        for name in _ROW_ARRAYS:
            old: Floats = getattr(self.state, name)
            longer[name][: old.shape[0]] = old
        self.state = self.state._replace(**longer)

    def _refuse_jump(self, events: Events, row: int) -> None:
        raise ContractError(
            "TIME_JUMPS",
            f"the events cannot be cut into bins: {int(events.ts_ns[row])} lies more than "
            f"{MAX_EMPTY_BINS} bins behind the event before",
            f"row {self.event_count}",
            ("split the file at the gap, or choose wider bins",),
        )


_ROW_ARRAYS = ("rows", "traces", "composites", "rings", "ranks")


def with_orders(book: BookState, rows: Ints) -> BookState:
    """An empty book with a table of orders that holds these rows."""
    size = book.orders.shape[0]
    while size < 2 * (rows.shape[0] + 1):
        size *= 2
    orders = np.zeros((size, book_at.ORDER_WIDTH), dtype=np.int64)
    copy_orders(np.ascontiguousarray(rows), orders)
    return book._replace(orders=orders)
