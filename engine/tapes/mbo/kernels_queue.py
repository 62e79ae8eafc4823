"""The generator's own book: queues of orders by price, and the rows that tell of them.

A side is a ring of `WINDOW_TICKS` prices, each a linked list of orders in time priority;
every patience keeps a dense list of its orders, so that one is drawn at random in
constant time. What happens to which order is decided in ``kernels_flow``.
"""

from __future__ import annotations

from engine.book.events import ASK, BID
from engine.jit import inlined
from engine.tapes.mbo import layout as at
from engine.tapes.mbo.layout import TapeState

MASK = at.WINDOW_TICKS - 1


@inlined
def emit(tape: TapeState, action: int, side: int, order_id: int, price_int: int, lots: int) -> None:
    """Write one row of the open group, without flags."""
    row = tape.ints[at.ROW]
    tape.out[row, at.ROW_TS] = tape.ints[at.NOW_NS]
    tape.out[row, at.ROW_ACTION] = action
    tape.out[row, at.ROW_SIDE] = BID if side == at.SIDE_BID else ASK
    tape.out[row, at.ROW_ID] = order_id
    tape.out[row, at.ROW_PRICE] = price_int
    tape.out[row, at.ROW_SIZE] = lots
    tape.out[row, at.ROW_FLAGS] = 0
    tape.out[row, at.ROW_SEQUENCE] = tape.ints[at.SEQUENCE]
    tape.ints[at.ROW] = row + 1


@inlined
def join(tape: TapeState, slot: int) -> None:
    """Queue an order last at its price."""
    ints, orders = tape.ints, tape.orders
    side, tick = orders[slot, at.SIDE], orders[slot, at.TICK]
    level = tape.levels[side, tick & MASK]
    last = level[at.TAIL]
    if level[at.COUNT] == 0:
        level[at.HEAD] = slot
        last = -1
    else:
        orders[last, at.NEXT] = slot
    orders[slot, at.PREVIOUS] = last
    orders[slot, at.NEXT] = -1
    level[at.TAIL] = slot
    level[at.COUNT] += 1
    level[at.DEPTH] += orders[slot, at.LOTS]
    sign = 1 if side == at.SIDE_BID else -1
    empty = ints[at.ORDERS + side] == 0
    ints[at.ORDERS + side] += 1
    if empty or sign * (tick - ints[at.BEST + side]) > 0:
        ints[at.BEST + side] = tick
    if empty or sign * (tick - ints[at.WORST + side]) < 0:
        ints[at.WORST + side] = tick


@inlined
def leave(tape: TapeState, slot: int) -> None:
    """Take an order out of its queue; other orders remain on its side."""
    ints, orders, levels = tape.ints, tape.orders, tape.levels
    side, tick = orders[slot, at.SIDE], orders[slot, at.TICK]
    level = levels[side, tick & MASK]
    before, after = orders[slot, at.PREVIOUS], orders[slot, at.NEXT]
    if before >= 0:
        orders[before, at.NEXT] = after
    else:
        level[at.HEAD] = after
    if after >= 0:
        orders[after, at.PREVIOUS] = before
    else:
        level[at.TAIL] = before
    level[at.DEPTH] -= orders[slot, at.LOTS]
    level[at.COUNT] -= 1
    ints[at.ORDERS + side] -= 1
    if level[at.COUNT] > 0:
        return
    sign = 1 if side == at.SIDE_BID else -1
    if tick == ints[at.BEST + side]:
        while levels[side, tick & MASK, at.COUNT] == 0:
            tick -= sign
        ints[at.BEST + side] = tick
    elif tick == ints[at.WORST + side]:
        while levels[side, tick & MASK, at.COUNT] == 0:
            tick += sign
        ints[at.WORST + side] = tick


@inlined
def enter(tape: TapeState, side: int, tick: int, lots: int, patience: int) -> int:
    """Make a new order in a free slot and queue it; its slot."""
    ints, orders = tape.ints, tape.orders
    slot = ints[at.FREE]
    ints[at.FREE] = orders[slot, at.NEXT]
    orders[slot, at.SIDE] = side
    orders[slot, at.TICK] = tick
    orders[slot, at.LOTS] = lots
    orders[slot, at.ID] = ints[at.NEXT_ID]
    ints[at.NEXT_ID] += 1
    place = ints[at.PATIENT + patience]
    orders[slot, at.PATIENCE] = patience
    orders[slot, at.PLACE] = place
    tape.members[patience, place] = slot
    ints[at.PATIENT + patience] = place + 1
    join(tape, slot)
    return int(slot)


@inlined
def remove(tape: TapeState, slot: int) -> None:
    """Take an order out of the book; its slot is free again."""
    leave(tape, slot)
    ints, orders = tape.ints, tape.orders
    patience, place = orders[slot, at.PATIENCE], orders[slot, at.PLACE]
    count = ints[at.PATIENT + patience] - 1
    ints[at.PATIENT + patience] = count
    moved = tape.members[patience, count]
    tape.members[patience, place] = moved
    orders[moved, at.PLACE] = place
    orders[slot, at.NEXT] = ints[at.FREE]
    ints[at.FREE] = slot
