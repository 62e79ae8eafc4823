"""One event, or a batch of them, applied to a book.

The order of things is that of ``docs/order-book.md`` 2.2. Forces and bins, which need
a hand between two events, call `apply` from ``engine.grid.kernels``; books alone are run
by `run` here.
"""

from __future__ import annotations

import numpy as np

from engine import status
from engine.book import layout as at
from engine.book import rules_v1, rules_v2
from engine.book.depth import recentre, try_anchor
from engine.book.events import ADD, CANCEL, CLEAR, FILL, LAST, MODIFY, SNAPSHOT, Events
from engine.book.layout import BookState
from engine.book.lives import clear
from engine.jit import borrowed, inlined, kernel


@inlined
def borrowed_events(events: Events) -> Events:
    """The same events, their references not counted: for the outermost kernel."""
    return Events(
        borrowed(events.ts_ns),
        borrowed(events.action),
        borrowed(events.side),
        borrowed(events.order_id),
        borrowed(events.price_int),
        borrowed(events.size),
        borrowed(events.flags),
        borrowed(events.sequence),
    )


@inlined
def borrowed_book(state: BookState) -> BookState:
    """The same book, its references not counted: for the outermost kernel."""
    return BookState(borrowed(state.book), borrowed(state.orders), borrowed(state.depth))


@inlined
def tick_clock(state: BookState, ts_ns: int, sequence: int) -> int:
    """Time that an event has by the rules; regressions of time and sequence are counted."""
    book = state.book
    latest, before = book[at.CLOCK], book[at.SEQUENCE]
    book[at.SEQUENCE] = sequence
    if ts_ns > latest:
        book[at.CLOCK] = ts_ns
        return ts_ns
    if ts_ns < latest:
        book[at.TIME_REGRESSION] += 1
        return latest if state.book[at.COMPAT] == at.V2 else ts_ns
    if sequence != 0 and sequence < before:
        book[at.SEQUENCE_REGRESSION] += 1
    return ts_ns


@inlined
def is_full(state: BookState) -> bool:
    """Whether the table of orders must grow before another event."""
    return 2 * (state.book[at.ORDERS] + 1) > state.orders.shape[0]


@inlined
def _live(state: BookState, action: int, flags: int) -> None:
    """Steps 2 and 3: the event counter, the snapshot, the validity."""
    book = state.book
    book[at.EVENTS] += 1
    if action == CLEAR and flags & SNAPSHOT:
        book[at.IN_SNAPSHOT] = 1
    if book[at.IN_SNAPSHOT] and flags & LAST:
        book[at.IN_SNAPSHOT] = 0
        book[at.VALID] = 1
    if not book[at.VALID] and not book[at.IN_SNAPSHOT]:
        book[at.VALID] = 1


@inlined
def _operate(
    state: BookState, action: int, side: int, order_id: int, price_int: int, size: int
) -> None:
    old = state.book[at.COMPAT] == at.V1
    if action == ADD:
        if old:
            rules_v1.add(state, order_id, side, price_int, size)
        else:
            rules_v2.add(state, order_id, side, price_int, size)
    elif action == CANCEL:
        if old:
            rules_v1.cancel(state, order_id, size)
        else:
            rules_v2.cancel(state, order_id, size)
    elif action == MODIFY:
        if old:
            rules_v1.modify(state, order_id, side, price_int, size)
        else:
            rules_v2.modify(state, order_id, side, price_int, size)
    elif action == FILL:
        if old:
            rules_v1.fill(state, order_id, size)
        else:
            rules_v2.fill(state, order_id, size)
    elif action == CLEAR:
        clear(state)
        state.book[at.VALID] = 0


@inlined
def apply(
    state: BookState, action: int, side: int, order_id: int, price_int: int, size: int, flags: int
) -> int:
    """Steps 2 to 5 for one event; its touches are left in ``state.book``.

    Returns
    -------
    int
        Bits `SYNCED`: cells must take over the depths; `CLEARED`: the book was emptied;
        `MOVED`: the lattice was moved and cells start afresh.
    """
    book = state.book
    was = book[at.IN_SNAPSHOT]
    book[at.TOUCHES] = 0
    _live(state, action, flags)
    _operate(state, action, side, order_id, price_int, size)
    outcome = at.CLEARED if action == CLEAR else 0
    completed = was and not book[at.IN_SNAPSHOT]
    anchored = try_anchor(state)
    if completed and state.book[at.COMPAT] == at.V2 and recentre(state):
        book[at.TOUCHES] = 0
        outcome |= at.MOVED
    if (completed or anchored) and book[at.ANCHOR] >= 0:
        outcome |= at.SYNCED
    if flags & LAST and book[at.BEST_BID] > 0 and 0 < book[at.BEST_ASK] <= book[at.BEST_BID]:
        book[at.CROSSED] += 1
    return outcome


@inlined
def apply_row(state: BookState, events: Events, row: int) -> int:
    """`apply` for a row of a batch."""
    return apply(
        state,
        np.int64(events.action[row]),  # pyright: ignore[reportArgumentType] - int() would be uint64
        np.int64(events.side[row]),  # pyright: ignore[reportArgumentType]
        events.order_id[row],
        events.price_int[row],
        events.size[row],
        np.int64(events.flags[row]),  # pyright: ignore[reportArgumentType]
    )


@kernel
def run(given: BookState, batch: Events, start: int) -> tuple[int, int]:
    """Apply rows ``start …``; stop where the table of orders must grow.

    Returns
    -------
    (int, int)
        `status.OK` and the number of rows, or `status.TABLE_FULL` and the row to go on from.
    """
    state, events = borrowed_book(given), borrowed_events(batch)
    for row in range(start, events.ts_ns.shape[0]):
        if is_full(state):
            return status.TABLE_FULL, row
        tick_clock(state, events.ts_ns[row], events.sequence[row])
        apply_row(state, events, row)
    return status.OK, events.ts_ns.shape[0]
