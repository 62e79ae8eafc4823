"""What an event does to the book by the meaning the feed gives it: the default rules.

``docs/order-book.md`` 2.3. A fill changes nothing; the cancel or modify behind it does.
"""

from __future__ import annotations

from engine.book import layout as at
from engine.book.depth import scan_raw, shift_depth
from engine.book.events import ASK, BID
from engine.book.layout import BookState
from engine.book.lives import enter, inspect, leave, note, touch, withdraw, write_order
from engine.book.orders import find
from engine.jit import inlined


@inlined
def add(state: BookState, order_id: int, side: int, price_int: int, size: int) -> None:
    """`A`: a new order, refused if its id is known, its size 0 or its side neither."""
    slot = inspect(state, side, price_int, size)
    if find(state.orders, order_id) >= 0:
        note(state, at.DUPLICATE_ADD)
        return
    if size == 0 or (side not in (BID, ASK)):
        return
    enter(state, order_id, side, price_int, size, slot)
    touch(state, slot, size, 0, 0)


@inlined
def cancel(state: BookState, order_id: int, size: int) -> None:
    """`C`: take off lots; what a fill has announced is no pull."""
    orders = state.orders
    row = find(orders, order_id)
    if size == 0:
        note(state, at.ZERO_SIZE)
    if row < 0:
        note(state, at.UNKNOWN_CANCEL)
        return
    if size == 0:
        return
    quantity = orders[row, at.QUANTITY]
    if size > quantity:
        note(state, at.OVER_CANCEL)
    removed = min(size, quantity)
    slot = orders[row, at.SLOT]
    confirmed = min(orders[row, at.AWAITED], removed)
    touch(state, slot, 0, removed - confirmed, 0)
    if removed == quantity:
        leave(state, row)
    else:
        orders[row, at.AWAITED] -= confirmed
        orders[row, at.QUANTITY] = quantity - removed
        shift_depth(state, slot, orders[row, at.SIDE], -removed, 0)
    scan_raw(state)


@inlined
def _touch_modified(
    state: BookState, slot: int, quantity: int, awaited: int, to: int, size: int
) -> None:
    if slot != to:
        touch(state, slot, 0, quantity - awaited, 0)
        touch(state, to, size, 0, 0)
    elif size > quantity:
        touch(state, slot, size - quantity, 0, 0)
    else:
        touch(state, slot, 0, max(quantity - size - awaited, 0), 0)


@inlined
def modify(state: BookState, order_id: int, side: int, price_int: int, size: int) -> None:
    """`M`: restate an order; one that is not known is added."""
    orders = state.orders
    row = find(orders, order_id)
    to = inspect(state, side, price_int, size)
    if row < 0:
        note(state, at.UNKNOWN_MODIFY)
        if size == 0 or (side not in (BID, ASK)):
            return
        enter(state, order_id, side, price_int, size, to)
        touch(state, to, size, 0, 0)
        return
    kept = orders[row, at.SIDE]
    if side in (BID, ASK) and side != kept:
        note(state, at.SIDE_CHANGE)
        kept = side
    slot, quantity, awaited = (
        orders[row, at.SLOT],
        orders[row, at.QUANTITY],
        orders[row, at.AWAITED],
    )
    if size == 0:
        touch(state, slot, 0, quantity - awaited, 0)
        leave(state, row)
    else:
        _touch_modified(state, slot, quantity, awaited, to, size)
        withdraw(state, row)
        write_order(state, row, kept, price_int, size, to)
    scan_raw(state)


@inlined
def fill(state: BookState, order_id: int, size: int) -> None:
    """`F`: the flow of a fill; the book waits for its cancel or modify."""
    orders = state.orders
    row = find(orders, order_id)
    if size == 0:
        note(state, at.ZERO_SIZE)
    if row < 0:
        note(state, at.UNKNOWN_FILL)
        return
    if size == 0:
        return
    rest = orders[row, at.QUANTITY] - orders[row, at.AWAITED]
    if size > rest:
        note(state, at.OVER_FILL)
    filled = min(size, rest)
    orders[row, at.AWAITED] += filled
    touch(state, orders[row, at.SLOT], 0, 0, filled)
