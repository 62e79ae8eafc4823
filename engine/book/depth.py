"""Slots, depth and best prices: the lattice of a book, and its anchor.

``docs/order-book.md`` 2.1 and 2.5. What an event does to orders is in ``rules_v1`` and
``rules_v2``.
"""

from __future__ import annotations

import math

from engine.book import layout as at
from engine.book.events import ASK, BID
from engine.book.layout import BookState
from engine.jit import inlined, kernel


@inlined
def slot_of(state: BookState, price_int: int) -> int:
    """Slot of a price, −1 without an anchor or outside the lattice."""
    anchor = state.book[at.ANCHOR]
    if anchor < 0:
        return -1
    slots = state.book[at.SLOTS]
    ticks = round(price_int / state.book[at.TICK])
    slot = int(ticks) - anchor + slots // 2
    return slot if 0 <= slot < slots else -1


@inlined
def price_of(state: BookState, slot: int) -> int:
    """Price of a slot, 1e-9 units."""
    return (state.book[at.ANCHOR] - state.book[at.SLOTS] // 2 + slot) * state.book[at.TICK]


@inlined
def shift_bid(state: BookState, slot: int, lots: int) -> None:
    """Change the bid depth of a slot and keep the best bid right."""
    book, depth = state.book, state.depth
    before = depth[slot, at.BID_DEPTH]
    after = before + lots
    depth[slot, at.BID_DEPTH] = after
    best = book[at.BEST_BID_SLOT]
    if after > 0:
        if slot > best:
            book[at.BEST_BID_SLOT] = slot
            book[at.BEST_BID] = price_of(state, slot)
        return
    if before <= 0 or slot != best:
        return
    while best >= 0 and depth[best, at.BID_DEPTH] <= 0:
        best -= 1
    book[at.BEST_BID_SLOT] = best
    book[at.BEST_BID] = price_of(state, best) if best >= 0 else 0


@inlined
def shift_ask(state: BookState, slot: int, lots: int) -> None:
    """Change the ask depth of a slot and keep the best ask right."""
    book, depth = state.book, state.depth
    before = depth[slot, at.ASK_DEPTH]
    after = before + lots
    depth[slot, at.ASK_DEPTH] = after
    best = book[at.BEST_ASK_SLOT]
    if after > 0:
        if best < 0 or slot < best:
            book[at.BEST_ASK_SLOT] = slot
            book[at.BEST_ASK] = price_of(state, slot)
        return
    if before <= 0 or slot != best:
        return
    slots = state.book[at.SLOTS]
    while best < slots and depth[best, at.ASK_DEPTH] <= 0:
        best += 1
    book[at.BEST_ASK_SLOT] = best if best < slots else -1
    book[at.BEST_ASK] = price_of(state, best) if best < slots else 0


@inlined
def shift_depth(state: BookState, slot: int, side: int, lots: int, orders: int) -> None:
    """Change lots and number of orders of a slot; nothing without a slot."""
    if slot < 0:
        return
    if side == BID:
        state.depth[slot, at.BID_ORDERS] += orders
        if lots != 0:
            shift_bid(state, slot, lots)
        return
    state.depth[slot, at.ASK_ORDERS] += orders
    if lots != 0:
        shift_ask(state, slot, lots)


@inlined
def raise_raw(state: BookState, side: int, price_int: int) -> None:
    """Best prices before there is an anchor, after an order came in."""
    book = state.book
    if book[at.ANCHOR] >= 0:
        return
    if side == BID:
        book[at.BEST_BID] = max(book[at.BEST_BID], price_int)
        return
    if book[at.BEST_ASK] == 0 or price_int < book[at.BEST_ASK]:
        book[at.BEST_ASK] = price_int


@kernel
def raw_best(state: BookState) -> tuple[int, int]:
    """Best prices over all orders with a positive quantity, in range or not; 0 for none."""
    bid, ask, bids, asks = 0, 0, 0, 0
    orders = state.orders
    for row in range(orders.shape[0]):
        if orders[row, at.USED] == 0 or orders[row, at.QUANTITY] <= 0:
            continue
        side, price_int = orders[row, at.SIDE], orders[row, at.PRICE]
        if side == BID:
            bid = price_int if bids == 0 else max(bid, price_int)
            bids += 1
        if side == ASK:
            ask = price_int if asks == 0 else min(ask, price_int)
            asks += 1
    return bid, ask


@inlined
def scan_raw(state: BookState) -> None:
    """Best prices before there is an anchor, after an order left or changed."""
    if state.book[at.ANCHOR] >= 0:
        return
    state.book[at.BEST_BID], state.book[at.BEST_ASK] = raw_best(state)


@inlined
def anchor_at(state: BookState, bid: int, ask: int) -> int:
    """Anchor in ticks in the middle of two prices."""
    tick_int = float(state.book[at.TICK])
    return math.floor((float(bid) + float(ask)) / (2.0 * tick_int) + 0.5)


@kernel
def empty_depth(state: BookState) -> None:
    """No depth at any slot, and no best prices."""
    for slot in range(state.depth.shape[0]):
        for column in range(4):
            state.depth[slot, column] = 0
    state.book[at.BEST_BID_SLOT] = -1
    state.book[at.BEST_ASK_SLOT] = -1
    state.book[at.BEST_BID] = 0
    state.book[at.BEST_ASK] = 0


@kernel
def rebuild(state: BookState, anchor: int) -> None:
    """Move the lattice: every order gets its slot, depth and best prices are made anew."""
    book, orders = state.book, state.orders
    book[at.ANCHOR] = anchor
    empty_depth(state)
    for row in range(orders.shape[0]):
        if orders[row, at.USED] == 0:
            continue
        slot = slot_of(state, orders[row, at.PRICE])
        orders[row, at.SLOT] = slot
        shift_depth(state, slot, orders[row, at.SIDE], orders[row, at.QUANTITY], 1)


@inlined
def try_anchor(state: BookState) -> bool:
    """Set the anchor if it is unset and both sides are there."""
    book = state.book
    if book[at.ANCHOR] >= 0 or book[at.BEST_BID] <= 0 or book[at.BEST_ASK] <= 0:
        return False
    rebuild(state, anchor_at(state, book[at.BEST_BID], book[at.BEST_ASK]))
    return True


@kernel
def recentre(state: BookState) -> bool:
    """Move an anchor that a snapshot has left in an outer quarter of the lattice."""
    bid, ask = raw_best(state)
    if state.book[at.ANCHOR] < 0 or bid <= 0 or ask <= 0:
        return False
    slots = state.book[at.SLOTS]
    wanted = anchor_at(state, bid, ask)
    slot = wanted - state.book[at.ANCHOR] + slots // 2
    if slots // 4 <= slot < slots - slots // 4:
        return False
    rebuild(state, wanted)
    return True
