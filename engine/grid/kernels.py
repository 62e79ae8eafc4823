"""The loop over events: apply, touch, close bins as time passes.

The one loop behind datasets, checkpoints and live streams. It stops, between two events
or two bins, where the caller must make room, and goes on from there.
"""

from __future__ import annotations

from typing import Final

from engine import status
from engine.book.events import Events
from engine.book.kernels import (
    apply_row,
    borrowed_book,
    borrowed_events,
    is_full,
    tick_clock,
)
from engine.book.layout import (
    ADDED,
    CLEARED,
    CLOCK,
    COMPAT,
    EVENTS,
    FILLED,
    MOVED,
    PULLED,
    SYNCED,
    TOUCH,
    TOUCH_SLOT,
    TOUCH_WIDTH,
    TOUCHES,
    V2,
)
from engine.grid import layout as at
from engine.grid.cells import advance_cells, restart, sync, touch_cell
from engine.grid.layout import GridOutput, GridState
from engine.grid.spectrum import update_spectrum
from engine.grid.window import centre_of, spot_of, write_bin
from engine.jit import borrowed, inlined, kernel

MAX_EMPTY_BINS: Final = 5_000_000


@inlined
def _borrowed_state(state: GridState) -> GridState:
    return GridState(
        borrowed_book(state.market),
        borrowed(state.frame),
        borrowed(state.params),
        borrowed(state.cells),
        borrowed(state.times),
        borrowed(state.rows),
        borrowed(state.traces),
        borrowed(state.composites),
        borrowed(state.rings),
        borrowed(state.ranks),
        borrowed(state.model),
        borrowed(state.model_rings),
        borrowed(state.model_ranks),
    )


@inlined
def _borrowed_output(out: GridOutput) -> GridOutput:
    return GridOutput(
        borrowed(out.ints),
        borrowed(out.floats),
        borrowed(out.fields),
        borrowed(out.codes),
        borrowed(out.events),
    )


@kernel
def close_bin(state: GridState, out: GridOutput, written: int) -> None:
    """Section 4: advance, spectrum, window, labels, state model; then the next bin."""
    frame = state.frame
    advance_cells(state, frame[at.BIN_END])
    spot = spot_of(state)
    centre = centre_of(state, spot)
    update_spectrum(state, centre)
    write_bin(state, out, written, spot, centre)
    frame[at.BINS] += 1
    frame[at.BIN_EVENTS] = 0
    frame[at.BIN_START] = frame[at.BIN_END]
    frame[at.BIN_END] += frame[at.WIDTH_NS]


@inlined
def _start(state: GridState, ts_ns: int) -> None:
    """The first bin starts at the first event that is not only there to warm up."""
    frame = state.frame
    wanted = frame[at.EMIT_FROM]
    if frame[at.STARTED] or ts_ns < wanted:
        return
    frame[at.STARTED] = 1
    frame[at.BIN_START] = wanted if wanted >= 0 else ts_ns
    frame[at.BIN_END] = frame[at.BIN_START] + frame[at.WIDTH_NS]


@inlined
def _touch(state: GridState, outcome: int, ts_ns: int) -> None:
    book = state.market.book
    if outcome & MOVED:
        restart(state)
    if outcome & SYNCED or (outcome & CLEARED and book[COMPAT] == V2):
        sync(state)
    for i in range(book[TOUCHES]):
        first = TOUCH + i * TOUCH_WIDTH
        touch_cell(
            state,
            book[first + TOUCH_SLOT],
            book[first + ADDED],
            book[first + PULLED],
            book[first + FILLED],
            ts_ns,
            book[EVENTS],
        )


@inlined
def _room(state: GridState) -> int:
    if is_full(state.market):
        return status.TABLE_FULL
    if state.frame[at.ACTIVE] + 2 > state.rows.shape[0]:
        return status.CELLS_FULL
    return status.OK


@kernel
def run(
    given: GridState, batch: Events, room: GridOutput, start: int, written: int
) -> tuple[int, int, int]:
    """Take rows ``start …`` of a batch; closed bins go to ``room`` from ``written`` on.

    Returns
    -------
    (int, int, int)
        Status, row to go on from, number of bins in ``room``. `status.OK`: all rows taken;
        `OUTPUT_FULL`, `TABLE_FULL`, `CELLS_FULL`: make room and call again; `TIME_JUMPS`: the row
        lies more than `MAX_EMPTY_BINS` bins behind the open one.
    """
    state, events, out = _borrowed_state(given), borrowed_events(batch), _borrowed_output(room)
    frame, book = state.frame, state.market.book
    new_rules = book[COMPAT] == V2
    for row in range(start, events.ts_ns.shape[0]):
        room_left = _room(state)
        if room_left != status.OK:
            return room_left, row, written
        ts_ns = events.ts_ns[row]
        if new_rules:
            ts_ns = max(ts_ns, book[CLOCK])
        _start(state, ts_ns)
        if frame[at.STARTED]:
            if (ts_ns - frame[at.BIN_END]) // frame[at.WIDTH_NS] > MAX_EMPTY_BINS:
                return status.TIME_JUMPS, row, written
            while ts_ns >= frame[at.BIN_END]:
                if written >= out.ints.shape[0]:
                    return status.OUTPUT_FULL, row, written
                close_bin(state, out, written)
                written += 1
        ts_ns = tick_clock(state.market, events.ts_ns[row], events.sequence[row])
        outcome = apply_row(state.market, events, row)
        _touch(state, outcome, ts_ns)
        if frame[at.STARTED]:
            frame[at.BIN_EVENTS] += 1
    return status.OK, events.ts_ns.shape[0], written


@kernel
def finish(state: GridState, out: GridOutput) -> int:
    """Close the last bin if it holds an event; number of bins written."""
    if state.frame[at.BIN_EVENTS] == 0:
        return 0
    close_bin(state, out, 0)
    return 1
