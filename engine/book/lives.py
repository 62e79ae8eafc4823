"""The lives of orders, as both sets of rules use them: enter, leave, count, touch."""

from __future__ import annotations

from engine.book import layout as at
from engine.book.depth import empty_depth, raise_raw, shift_depth, slot_of
from engine.book.events import ASK, BID
from engine.book.layout import BookState
from engine.book.orders import free_row, take_row
from engine.jit import inlined, kernel


@inlined
def note(state: BookState, anomaly: int) -> None:
    """Count an anomaly."""
    state.book[anomaly] += 1


@inlined
def touch(state: BookState, slot: int, added: int, pulled: int, filled: int) -> None:
    """Remember what the event changed at a slot; nothing without a slot."""
    if slot < 0:
        return
    book = state.book
    first = at.TOUCH + at.TOUCH_WIDTH * book[at.TOUCHES]
    book[first + at.TOUCH_SLOT] = slot
    book[first + at.ADDED] = added
    book[first + at.PULLED] = pulled
    book[first + at.FILLED] = filled
    book[at.TOUCHES] += 1


@inlined
def inspect(state: BookState, side: int, price_int: int, size: int) -> int:
    """Slot of an add or modify, its anomalies counted."""
    if price_int % state.book[at.TICK] != 0:
        note(state, at.OFF_TICK)
    if side not in (BID, ASK):
        note(state, at.BAD_SIDE)
    if size == 0:
        note(state, at.ZERO_SIZE)
    slot = slot_of(state, price_int)
    if slot < 0 and state.book[at.ANCHOR] >= 0:
        note(state, at.OUT_OF_RANGE)
    return slot


@inlined
def write_order(
    state: BookState, row: int, side: int, price_int: int, size: int, slot: int
) -> None:
    """Let a row say what the order is now, and put its lots at its slot."""
    orders = state.orders
    orders[row, at.SIDE] = side
    orders[row, at.PRICE] = price_int
    orders[row, at.QUANTITY] = size
    orders[row, at.AWAITED] = 0
    orders[row, at.SLOT] = slot
    shift_depth(state, slot, side, size, 1)
    raise_raw(state, side, price_int)


@inlined
def enter(state: BookState, order_id: int, side: int, price_int: int, size: int, slot: int) -> None:
    """A new order; its id must not be in the table."""
    row = take_row(state.orders, order_id)
    state.book[at.ORDERS] += 1
    write_order(state, row, side, price_int, size, slot)


@inlined
def withdraw(state: BookState, row: int) -> None:
    """Take an order's lots off its slot; its row stays."""
    orders = state.orders
    shift_depth(state, orders[row, at.SLOT], orders[row, at.SIDE], -orders[row, at.QUANTITY], -1)


@inlined
def leave(state: BookState, row: int) -> None:
    """An order goes, with what is left of it."""
    withdraw(state, row)
    free_row(state.orders, row)
    state.book[at.ORDERS] -= 1


@kernel
def clear(state: BookState) -> None:
    """No orders and no depth; the anchor stays."""
    for row in range(state.orders.shape[0]):
        state.orders[row, at.USED] = 0
    state.book[at.ORDERS] = 0
    empty_depth(state)
