"""What is written of a closed bin: the window around the spot, moves and labels.

``docs/order-book.md`` 4.1 and 4.2.
"""

from __future__ import annotations

import math

from engine.book.depth import slot_of
from engine.book.layout import ANCHOR, BEST_ASK, BEST_BID, EVENTS, ORDERS, TICK, VALID
from engine.grid import layout as at
from engine.grid.layout import CELL_COLUMNS, GridOutput, GridState
from engine.grid.model import dominant, update_model
from engine.grid.spectrum import projected
from engine.jit import inlined, kernel

_ROWS = len(at.FIELDS)
_CELLS = len(CELL_COLUMNS)


@inlined
def spot_of(state: GridState) -> int:
    """Price in the middle of the best ones, on a tick; 0 if a side is empty."""
    book = state.market.book
    bid, ask = book[BEST_BID], book[BEST_ASK]
    if bid <= 0 or ask <= 0:
        return 0
    tick_int = int(book[TICK])
    return math.floor(((float(bid) + float(ask)) / 2.0) / tick_int + 0.5) * tick_int


@inlined
def centre_of(state: GridState, spot: int) -> int:
    """Slot of the spot, −1 if there is none."""
    return slot_of(state.market, spot) if spot > 0 else -1


@inlined
def move(state: GridState, now: int, before: int) -> int:
    """Move of a best price in ticks; 0 where either is missing."""
    if not state.frame[at.HAS_BEFORE] or now <= 0 or before <= 0:
        return 0
    return round((now - before) / float(state.market.book[TICK]))


@inlined
def sign(value: int) -> int:
    """−1, 0 or 1."""
    return int(value > 0) - int(value < 0)


@inlined
def code_above(ask_sign: int, bid_sign: int) -> int:
    """Label of the rows above the centre."""
    if ask_sign >= 0 and bid_sign > 0:
        return 2
    if (ask_sign == 0 and bid_sign == 0) or (ask_sign < 0 and bid_sign > 0):
        return 0
    return -1


@inlined
def code_below(above: int) -> int:
    """Label of the rows below the centre, which follows from that above."""
    if above == 2:
        return 1
    return 0 if above == 0 else -2


@kernel
def _write_fields(state: GridState, out: GridOutput, bin_: int, row: int, slot: int) -> None:
    cell, trace_row = state.cells[slot], state.times[slot, at.ROW]
    for field in range(_CELLS):
        out.fields[field, bin_, row] = cell[CELL_COLUMNS[field]]
    out.events[bin_, row] = state.times[slot, at.LAST_EVENT]
    spectrum = len(at.SPECTRUM)
    if trace_row < 0:
        for field in range(_ROWS, out.fields.shape[0]):
            out.fields[field, bin_, row] = 0.0
        out.codes[0, bin_, row] = 0
        return
    trace, params = state.traces[trace_row], state.params
    for field in range(spectrum):
        out.fields[_ROWS + field, bin_, row] = trace[at.ROLLED + field]
    score, neutral = trace[at.SCORE], params[at.NEUTRAL]
    out.codes[0, bin_, row] = int(score >= neutral) - int(score <= -neutral)
    cubic = state.frame[at.CUBIC] != 0
    first = at.PARAMS_WIDTH + state.frame[at.WINDOWS]
    for i in range(state.frame[at.HORIZONS]):
        value = projected(trace, params, float(params[first + i]), cubic)
        out.fields[_ROWS + spectrum + i, bin_, row] = value


@kernel
def _empty_row(out: GridOutput, bin_: int, row: int) -> None:
    for field in range(out.fields.shape[0]):
        out.fields[field, bin_, row] = 0.0
    out.codes[0, bin_, row] = 0
    out.events[bin_, row] = 0


@kernel
def write_rows(
    state: GridState, out: GridOutput, bin_: int, centre: int, above: int, below: int
) -> None:
    """The rows of a bin around its centre."""
    radius, slots = state.frame[at.RADIUS], state.cells.shape[0]
    for row in range(2 * radius + 1):
        slot = centre - radius + row
        if centre < 0 or slot < 0 or slot >= slots:
            _empty_row(out, bin_, row)
        else:
            _write_fields(state, out, bin_, row, slot)
        out.codes[1, bin_, row] = below if row < radius else (above if row > radius else 0)


@kernel
def write_bin(state: GridState, out: GridOutput, bin_: int, spot: int, centre: int) -> None:
    """Moves, labels, state model, rows: everything of a closed bin."""
    frame, book, ints = state.frame, state.market.book, out.ints[bin_]
    bid, ask = book[BEST_BID], book[BEST_ASK]
    ask_move = move(state, ask, frame[at.ASK_BEFORE])
    bid_move = move(state, bid, frame[at.BID_BEFORE])
    ask_sign, bid_sign = sign(ask_move), sign(bid_move)
    above = code_above(ask_sign, bid_sign)
    below = code_below(above)
    update_model(
        state.params,
        state.model,
        state.model_rings,
        state.model_ranks,
        frame[at.MODEL_MIN],
        frame[at.BINS],
        above,
        below,
    )
    write_rows(state, out, bin_, centre, above, below)
    frame[at.HAS_BEFORE], frame[at.BID_BEFORE], frame[at.ASK_BEFORE] = 1, bid, ask
    seen = frame[at.BINS] + 1
    ready = seen >= frame[at.MODEL_MIN]
    written = (
        frame[at.BIN_END],
        frame[at.BINS],
        frame[at.BIN_START],
        frame[at.BIN_END],
        frame[at.BIN_EVENTS],
        book[EVENTS],
        spot if centre >= 0 else 0,
        bid,
        ask,
        book[VALID],
        ask_move,
        bid_move,
        ask_sign,
        bid_sign,
        (ask_sign + 1) * 3 + (bid_sign + 1),
        int(ask_sign > 0 and bid_sign > 0),
        int(ask_sign < 0 and bid_sign < 0),
        int(ready),
        seen,
        dominant(state.params, above, below),
        book[ANCHOR],
        book[ORDERS],
    )
    for i in range(len(written)):
        ints[i] = written[i]
    out.floats[bin_, 0] = (float(bid) + float(ask)) * 0.5 * 1e-9 if centre >= 0 else 0.0
    for i in range(at.MODEL_WIDTH):
        out.floats[bin_, 1 + i] = state.model[i]
