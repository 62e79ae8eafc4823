"""What one group of events does: add, withdraw, modify, trade; with its rows.

Every action leaves a well-formed book: it never crosses, no side falls below
`MIN_ORDERS` orders, no side spans `WINDOW_TICKS`. An action that would is refused and
writes nothing. The rows follow the semantics of DBN, see ``docs/mbo-tape.md``.
"""

from __future__ import annotations

from engine.book.events import ADD, CANCEL, FILL, MODIFY, TRADE
from engine.jit import inlined
from engine.tapes.mbo import layout as at
from engine.tapes.mbo.kernels_queue import MASK, emit, enter, join, leave, remove
from engine.tapes.mbo.layout import TapeModel, TapeState

ALL_LOTS = 2**62


@inlined
def fits(tape: TapeState, side: int, tick: int) -> bool:
    """Whether an order at a price neither crosses nor widens its side beyond the window."""
    ints = tape.ints
    sign = 1 if side == at.SIDE_BID else -1
    if tick < 1 or sign * (ints[at.BEST + 1 - side] - tick) <= 0:
        return False
    to_worst = sign * (tick - ints[at.WORST + side])
    to_best = sign * (ints[at.BEST + side] - tick)
    return bool(to_worst < at.WINDOW_TICKS - 1 and to_best < at.WINDOW_TICKS - 1)


@inlined
def add(tape: TapeState, model: TapeModel, side: int, tick: int, lots: int, patience: int) -> bool:
    """Add an order; false if it would cross, does not fit or there is no room for it."""
    if tape.ints[at.FREE] < 0 or not fits(tape, side, tick):
        return False
    slot = enter(tape, side, tick, lots, patience)
    emit(tape, ADD, side, tape.orders[slot, at.ID], tick * model.ints[at.TICK_INT], lots)
    return True


@inlined
def withdraw(tape: TapeState, model: TapeModel, slot: int, lots: int) -> bool:
    """Cancel `lots` of an order, or all of it if it has no more."""
    order = tape.orders[slot]
    side, tick, held = order[at.SIDE], order[at.TICK], order[at.LOTS]
    if tape.ints[at.ORDERS + side] <= at.MIN_ORDERS:
        return False
    lots = min(lots, held)
    emit(tape, CANCEL, side, order[at.ID], tick * model.ints[at.TICK_INT], lots)
    if lots == held:
        remove(tape, slot)
        return True
    order[at.LOTS] = held - lots
    tape.levels[side, tick & MASK, at.DEPTH] -= lots
    return True


@inlined
def modify(tape: TapeState, model: TapeModel, slot: int, tick: int, lots: int) -> bool:
    """Give an order another price or size; it keeps its priority only if it shrinks."""
    order = tape.orders[slot]
    side, old, held = order[at.SIDE], order[at.TICK], order[at.LOTS]
    if tape.ints[at.ORDERS + side] <= at.MIN_ORDERS or not fits(tape, side, tick):
        return False
    emit(tape, MODIFY, side, order[at.ID], tick * model.ints[at.TICK_INT], lots)
    if tick == old and lots <= held:
        order[at.LOTS] = lots
        tape.levels[side, tick & MASK, at.DEPTH] += lots - held
        return True
    leave(tape, slot)
    order[at.TICK] = tick
    order[at.LOTS] = lots
    join(tape, slot)
    return True


@inlined
def trade(tape: TapeState, model: TapeModel, side: int, lots: int, limit_tick: int) -> bool:
    """Execute a market order against the other side, up to a price."""
    ints, other, fills = tape.ints, 1 - side, 0
    sign = 1 if side == at.SIDE_BID else -1
    while lots > 0 and can_fill(tape, other, fills):
        tick = ints[at.BEST + other]
        if sign * (tick - limit_tick) > 0:
            break
        price_int = tick * model.ints[at.TICK_INT]
        level = tape.levels[other, tick & MASK]
        printed, before = ints[at.ROW], lots
        emit(tape, TRADE, side, 0, price_int, 0)
        while lots > 0 and level[at.COUNT] > 0 and can_fill(tape, other, fills):
            slot = level[at.HEAD]
            order_id, held = tape.orders[slot, at.ID], tape.orders[slot, at.LOTS]
            filled = min(lots, held)
            emit(tape, FILL, other, order_id, price_int, filled)
            if filled == held:
                emit(tape, CANCEL, other, order_id, price_int, held)
                remove(tape, slot)
            else:
                emit(tape, MODIFY, other, order_id, price_int, held - filled)
                tape.orders[slot, at.LOTS] = held - filled
                level[at.DEPTH] -= filled
            lots -= filled
            fills += 1
        tape.out[printed, at.ROW_SIZE] = before - lots
    return fills > 0


@inlined
def can_fill(tape: TapeState, side: int, fills: int) -> bool:
    """Whether a market order may take one more order of a side."""
    return bool(fills < at.MAX_FILLS and tape.ints[at.ORDERS + side] > at.MIN_ORDERS)
