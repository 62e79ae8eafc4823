"""The invariants of a book, recomputed from its table of orders.

Section 2.5 of docs/order-book.md, under the rules ``v2``; and what the kernels rely on:
every order is found by its id, stands in its slot and awaits no more than it has. One
audit costs a pass over the table, so it can follow every batch of a tape.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.arrays import Ints
from engine.book import layout as at
from engine.book.depth import price_of, slot_of
from engine.book.events import ASK, BID
from engine.book.kernels import borrowed_book
from engine.book.layout import BookState
from engine.book.orders import find
from engine.jit import borrowed, inlined, kernel

INVARIANTS: Final = (
    "orders_counted",
    "ids_found",
    "sides_known",
    "quantities_positive",
    "awaited_within_quantity",
    "slots_right",
    "depth_is_sum_of_orders",
    "level_orders_counted",
    "best_prices_right",
)
_ORDERS_COUNTED: Final = 0
_IDS_FOUND: Final = 1
_SIDES_KNOWN: Final = 2
_QUANTITIES: Final = 3
_AWAITED: Final = 4
_SLOTS: Final = 5
_DEPTH: Final = 6
_LEVEL_ORDERS: Final = 7
_BEST: Final = 8


def audit(state: BookState) -> dict[str, int]:
    """How often each invariant is broken in a book as it stands; zeros for a sound one.

    Returns
    -------
    dict of str to int
        Orders, slots by side, or best prices that offend, by name of `INVARIANTS`.
    """
    found = np.zeros(len(INVARIANTS), np.int64)
    _audit(state, np.zeros_like(state.depth), found)
    return dict(zip(INVARIANTS, found.tolist(), strict=True))


@kernel
def _audit(given: BookState, scratch: Ints, broken: Ints) -> None:
    state, sums, found = borrowed_book(given), borrowed(scratch), borrowed(broken)
    orders = state.orders
    used = 0
    for row in range(orders.shape[0]):
        used += orders[row, at.USED] != 0
    found[_ORDERS_COUNTED] += used != state.book[at.ORDERS]
    # In a table without an empty row a search has no end.
    can_search = used < orders.shape[0]
    for row in range(orders.shape[0]):
        if orders[row, at.USED] != 0:
            found[_IDS_FOUND] += not can_search or find(orders, orders[row, at.ID]) != row
            _audit_order(state, row, sums, found)
    _audit_depth(state, sums, found)
    if state.book[at.ANCHOR] >= 0:
        _audit_best(state, sums, found)
    else:
        _audit_raw_best(state, found)


@inlined
def _audit_order(state: BookState, row: int, sums: Ints, found: Ints) -> None:
    """Judge an order by itself and add it to the sums of its slot."""
    orders = state.orders
    side, quantity, slot = orders[row, at.SIDE], orders[row, at.QUANTITY], orders[row, at.SLOT]
    found[_SIDES_KNOWN] += side not in (BID, ASK)
    found[_QUANTITIES] += quantity <= 0
    found[_AWAITED] += orders[row, at.AWAITED] < 0 or orders[row, at.AWAITED] > quantity
    found[_SLOTS] += slot != slot_of(state, orders[row, at.PRICE])
    if 0 <= slot < sums.shape[0]:
        column = 0 if side == BID else 1
        sums[slot, at.BID_DEPTH + column] += quantity
        sums[slot, at.BID_ORDERS + column] += 1


@inlined
def _audit_depth(state: BookState, sums: Ints, found: Ints) -> None:
    """Compare depths and numbers of orders, each slot and side."""
    for slot in range(sums.shape[0]):
        for side in range(2):
            lots, count = at.BID_DEPTH + side, at.BID_ORDERS + side
            found[_DEPTH] += sums[slot, lots] != state.depth[slot, lots]
            found[_LEVEL_ORDERS] += sums[slot, count] != state.depth[slot, count]


@inlined
def _audit_best(state: BookState, sums: Ints, found: Ints) -> None:
    """Compare slots and prices of the best levels with those of the orders."""
    book = state.book
    bid, ask = -1, -1
    for slot in range(sums.shape[0]):
        if sums[slot, at.BID_DEPTH] > 0:
            bid = slot
        if ask < 0 and sums[slot, at.ASK_DEPTH] > 0:
            ask = slot
    bid_price = price_of(state, bid) if bid >= 0 else 0
    ask_price = price_of(state, ask) if ask >= 0 else 0
    found[_BEST] += book[at.BEST_BID_SLOT] != bid or book[at.BEST_BID] != bid_price
    found[_BEST] += book[at.BEST_ASK_SLOT] != ask or book[at.BEST_ASK] != ask_price


@inlined
def _audit_raw_best(state: BookState, found: Ints) -> None:
    """Compare the best prices without an anchor.

    By the rules 0 is both a price and none, so prices up to 0 prove nothing.
    """
    orders = state.orders
    bid, ask, bids, asks = 0, 0, 0, 0
    for row in range(orders.shape[0]):
        if orders[row, at.USED] == 0:
            continue
        price_int = orders[row, at.PRICE]
        if orders[row, at.SIDE] == BID:
            bid = price_int if bids == 0 else max(bid, price_int)
            bids += 1
        else:
            ask = price_int if asks == 0 else min(ask, price_int)
            asks += 1
    if bids == 0 or bid > 0:
        found[_BEST] += state.book[at.BEST_BID] != bid
    if asks == 0 or ask > 0:
        found[_BEST] += state.book[at.BEST_ASK] != ask
