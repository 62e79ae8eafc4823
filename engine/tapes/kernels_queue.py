"""The generator's own book: queues of orders by price, and the rows that tell of them.

A side is a ring of `WINDOW_TICKS` price levels, each a linked list of orders in time
priority; every patience keeps a dense list of its orders, so that one is drawn at
random in constant time. Which action happens when is decided in ``kernels``.
"""

from __future__ import annotations

from engine.arrays import Ints
from engine.jit import kernel
from engine.tapes.layout import (
    BEST,
    COUNT,
    DEPTH,
    FREE,
    HEAD,
    ID,
    LOTS,
    NEXT,
    NEXT_ID,
    NOW_NS,
    ORDERS,
    PATIENCE,
    PATIENT,
    PLACE,
    PREVIOUS,
    ROW,
    ROW_ACTION,
    ROW_FLAGS,
    ROW_ID,
    ROW_PRICE,
    ROW_SEQUENCE,
    ROW_SIDE,
    ROW_SIZE,
    ROW_TS,
    SEQUENCE,
    SIDE,
    SIDE_BID,
    TAIL,
    TICK,
    WINDOW_TICKS,
    WORST,
)

_MASK = WINDOW_TICKS - 1


@kernel
def emit(
    ints: Ints, out: Ints, action: int, side: int, order_id: int, price_int: int, size: int
) -> None:
    """Write one row of the open group, without flags."""
    row = ints[ROW]
    out[row, ROW_TS] = ints[NOW_NS]
    out[row, ROW_ACTION] = action
    out[row, ROW_SIDE] = 66 if side == SIDE_BID else 65
    out[row, ROW_ID] = order_id
    out[row, ROW_PRICE] = price_int
    out[row, ROW_SIZE] = size
    out[row, ROW_FLAGS] = 0
    out[row, ROW_SEQUENCE] = ints[SEQUENCE]
    ints[ROW] = row + 1


@kernel
def join(ints: Ints, orders: Ints, levels: Ints, slot: int) -> None:
    """Queue an order last at its price."""
    side, tick = orders[slot, SIDE], orders[slot, TICK]
    at = tick & _MASK
    last = levels[side, at, TAIL]
    if levels[side, at, COUNT] == 0:
        levels[side, at, HEAD] = slot
        last = -1
    else:
        orders[last, NEXT] = slot
    orders[slot, PREVIOUS] = last
    orders[slot, NEXT] = -1
    levels[side, at, TAIL] = slot
    levels[side, at, COUNT] += 1
    levels[side, at, DEPTH] += orders[slot, LOTS]
    sign = 1 if side == SIDE_BID else -1
    empty = ints[ORDERS + side] == 0
    ints[ORDERS + side] += 1
    if empty or sign * (tick - ints[BEST + side]) > 0:
        ints[BEST + side] = tick
    if empty or sign * (tick - ints[WORST + side]) < 0:
        ints[WORST + side] = tick


@kernel
def leave(ints: Ints, orders: Ints, levels: Ints, slot: int) -> None:
    """Take an order out of its queue; other orders remain on its side."""
    side, tick = orders[slot, SIDE], orders[slot, TICK]
    at = tick & _MASK
    before, after = orders[slot, PREVIOUS], orders[slot, NEXT]
    if before >= 0:
        orders[before, NEXT] = after
    else:
        levels[side, at, HEAD] = after
    if after >= 0:
        orders[after, PREVIOUS] = before
    else:
        levels[side, at, TAIL] = before
    levels[side, at, DEPTH] -= orders[slot, LOTS]
    levels[side, at, COUNT] -= 1
    ints[ORDERS + side] -= 1
    if levels[side, at, COUNT] > 0 or ints[ORDERS + side] == 0:
        return
    sign = 1 if side == SIDE_BID else -1
    if tick == ints[BEST + side]:
        while levels[side, tick & _MASK, COUNT] == 0:
            tick -= sign
        ints[BEST + side] = tick
    elif tick == ints[WORST + side]:
        while levels[side, tick & _MASK, COUNT] == 0:
            tick += sign
        ints[WORST + side] = tick


@kernel
def enter(
    ints: Ints,
    orders: Ints,
    levels: Ints,
    members: Ints,
    side: int,
    tick: int,
    lots: int,
    patience: int,
) -> int:
    """Make a new order and queue it; its slot."""
    slot = ints[FREE]
    ints[FREE] = orders[slot, NEXT]
    orders[slot, SIDE] = side
    orders[slot, TICK] = tick
    orders[slot, LOTS] = lots
    orders[slot, ID] = ints[NEXT_ID]
    ints[NEXT_ID] += 1
    place = ints[PATIENT + patience]
    orders[slot, PATIENCE] = patience
    orders[slot, PLACE] = place
    members[patience, place] = slot
    ints[PATIENT + patience] = place + 1
    join(ints, orders, levels, slot)
    return slot


@kernel
def remove(ints: Ints, orders: Ints, levels: Ints, members: Ints, slot: int) -> None:
    """Take an order out of the book; its slot is free again."""
    leave(ints, orders, levels, slot)
    patience, place = orders[slot, PATIENCE], orders[slot, PLACE]
    count = ints[PATIENT + patience] - 1
    ints[PATIENT + patience] = count
    moved = members[patience, count]
    members[patience, place] = moved
    orders[moved, PLACE] = place
    orders[slot, NEXT] = ints[FREE]
    ints[FREE] = slot
