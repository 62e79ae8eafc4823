"""What one group of events does: add, withdraw, modify, trade; with its rows.

Every action leaves a well-formed book: it never crosses, no side falls below
`MIN_ORDERS` orders, no side spans `WINDOW_TICKS`. An action that would is refused and
writes nothing. The rows follow the semantics of DBN, see ``docs/mbo-tape.md``.
"""

from __future__ import annotations

from engine.arrays import Ints
from engine.book.events import ADD, CANCEL, FILL, MODIFY, TRADE
from engine.jit import kernel
from engine.tapes.kernels_queue import emit, enter, join, leave, remove
from engine.tapes.layout import (
    BEST,
    COUNT,
    DEPTH,
    FREE,
    HEAD,
    ID,
    LOTS,
    MAX_FILLS,
    MIN_ORDERS,
    ORDERS,
    ROW,
    ROW_SIZE,
    SIDE,
    SIDE_BID,
    TICK,
    WINDOW_TICKS,
    WORST,
)

_MASK = WINDOW_TICKS - 1


@kernel
def fits(ints: Ints, side: int, tick: int) -> bool:
    """Whether an order at a price neither crosses nor widens its side beyond the window."""
    sign = 1 if side == SIDE_BID else -1
    if tick < 1 or sign * (ints[BEST + 1 - side] - tick) <= 0:
        return False
    if sign * (tick - ints[BEST + side]) > 0:
        return bool(sign * (tick - ints[WORST + side]) < WINDOW_TICKS - 1)
    return bool(sign * (ints[BEST + side] - tick) < WINDOW_TICKS - 1)


@kernel
def add(
    ints: Ints,
    orders: Ints,
    levels: Ints,
    members: Ints,
    out: Ints,
    tick_int: int,
    side: int,
    tick: int,
    lots: int,
    patience: int,
) -> bool:
    """Add an order; false if it would cross, does not fit or there is no room for it."""
    if ints[FREE] < 0 or not fits(ints, side, tick):
        return False
    slot = enter(ints, orders, levels, members, side, tick, lots, patience)
    emit(ints, out, ADD, side, orders[slot, ID], tick * tick_int, lots)
    return True


@kernel
def withdraw(
    ints: Ints,
    orders: Ints,
    levels: Ints,
    members: Ints,
    out: Ints,
    tick_int: int,
    slot: int,
    lots: int,
) -> bool:
    """Cancel `lots` of an order, or all of it if it has no more."""
    side, tick, held = orders[slot, SIDE], orders[slot, TICK], orders[slot, LOTS]
    if ints[ORDERS + side] <= MIN_ORDERS:
        return False
    lots = min(lots, held)
    emit(ints, out, CANCEL, side, orders[slot, ID], tick * tick_int, lots)
    if lots == held:
        remove(ints, orders, levels, members, slot)
        return True
    orders[slot, LOTS] = held - lots
    levels[side, tick & _MASK, DEPTH] -= lots
    return True


@kernel
def modify(
    ints: Ints,
    orders: Ints,
    levels: Ints,
    out: Ints,
    tick_int: int,
    slot: int,
    tick: int,
    lots: int,
) -> bool:
    """Give an order another price or size; it keeps its priority only if it shrinks."""
    side, old, held = orders[slot, SIDE], orders[slot, TICK], orders[slot, LOTS]
    if ints[ORDERS + side] <= MIN_ORDERS or not fits(ints, side, tick):
        return False
    emit(ints, out, MODIFY, side, orders[slot, ID], tick * tick_int, lots)
    if tick == old and lots <= held:
        orders[slot, LOTS] = lots
        levels[side, tick & _MASK, DEPTH] += lots - held
        return True
    leave(ints, orders, levels, slot)
    orders[slot, TICK] = tick
    orders[slot, LOTS] = lots
    join(ints, orders, levels, slot)
    return True


@kernel
def trade(
    ints: Ints,
    orders: Ints,
    levels: Ints,
    members: Ints,
    out: Ints,
    tick_int: int,
    side: int,
    lots: int,
    swept: int,
) -> bool:
    """Execute a market order against at most `swept` prices of the other side."""
    other = 1 - side
    fills = 0
    while lots > 0 and swept > 0 and fills < MAX_FILLS and ints[ORDERS + other] > MIN_ORDERS:
        tick = ints[BEST + other]
        price_int = tick * tick_int
        at = tick & _MASK
        head = ints[ROW]
        done = 0
        emit(ints, out, TRADE, side, 0, price_int, 0)
        while lots > 0 and fills < MAX_FILLS and levels[other, at, COUNT] > 0:
            if ints[ORDERS + other] <= MIN_ORDERS:
                break
            slot = levels[other, at, HEAD]
            held = orders[slot, LOTS]
            filled = min(lots, held)
            emit(ints, out, FILL, other, orders[slot, ID], price_int, filled)
            if filled == held:
                emit(ints, out, CANCEL, other, orders[slot, ID], price_int, held)
                remove(ints, orders, levels, members, slot)
            else:
                emit(ints, out, MODIFY, other, orders[slot, ID], price_int, held - filled)
                orders[slot, LOTS] = held - filled
                levels[other, at, DEPTH] -= filled
            lots -= filled
            done += filled
            fills += 1
        out[head, ROW_SIZE] = done
        swept -= 1
    return fills > 0
