"""What an event does to the book by the rules of an earlier engine, oddities included.

``docs/order-book.md`` 2.3, set ``v1``: a cancel takes the whole order, a fill reduces it,
a repeated add leaks its depth. Kept to reproduce what that engine made.
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
    """`A`: insert, or overwrite without taking the old depth away."""
    slot = inspect(state, side, price_int, size)
    row = find(state.orders, order_id)
    if row < 0:
        enter(state, order_id, side, price_int, size, slot)
    else:
        note(state, at.DUPLICATE_ADD)
        write_order(state, row, side, price_int, size, slot)
    touch(state, slot, size, 0, 0)


@inlined
def cancel(state: BookState, order_id: int, size: int) -> None:
    """`C`: the whole order goes whatever the size."""
    orders = state.orders
    row = find(orders, order_id)
    if size == 0:
        note(state, at.ZERO_SIZE)
    if row < 0:
        note(state, at.UNKNOWN_CANCEL)
        return
    quantity = orders[row, at.QUANTITY]
    if size > quantity:
        note(state, at.OVER_CANCEL)
    touch(state, orders[row, at.SLOT], 0, quantity, 0)
    leave(state, row)
    scan_raw(state)


@inlined
def modify(state: BookState, order_id: int, side: int, price_int: int, size: int) -> None:
    """`M`: restate side, price and size; one that is not known is inserted untouched."""
    orders = state.orders
    row = find(orders, order_id)
    to = inspect(state, side, price_int, size)
    if row < 0:
        note(state, at.UNKNOWN_MODIFY)
        enter(state, order_id, side, price_int, size, to)
        scan_raw(state)
        return
    kept = orders[row, at.SIDE]
    if side in (BID, ASK) and kept in (BID, ASK) and side != kept:
        note(state, at.SIDE_CHANGE)
    slot, quantity = orders[row, at.SLOT], orders[row, at.QUANTITY]
    withdraw(state, row)
    write_order(state, row, side, price_int, size, to)
    scan_raw(state)
    if slot != to:
        touch(state, slot, 0, quantity, 0)
        touch(state, to, size, 0, 0)
    elif size > quantity:
        touch(state, slot, size - quantity, 0, 0)
    else:
        touch(state, slot, 0, quantity - size, 0)


@inlined
def fill(state: BookState, order_id: int, size: int) -> None:
    """`F`: reduce the order; the flow is the whole size, however much was left."""
    orders = state.orders
    row = find(orders, order_id)
    if size == 0:
        note(state, at.ZERO_SIZE)
    if row < 0:
        note(state, at.UNKNOWN_FILL)
        return
    quantity, slot = orders[row, at.QUANTITY], orders[row, at.SLOT]
    if size > quantity:
        note(state, at.OVER_FILL)
    touch(state, slot, 0, 0, size)
    if size >= quantity:
        leave(state, row)
        scan_raw(state)
        return
    orders[row, at.QUANTITY] = quantity - size
    shift_depth(state, slot, orders[row, at.SIDE], -size, 0)
