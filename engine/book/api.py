"""A book that events are pushed into; allocation, growth and read-outs.

Reading levels in passing is in ``engine.book.levels``, checking invariants in
``engine.book.audit``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine import status
from engine.arrays import Ints
from engine.book import layout as at
from engine.book.events import Events
from engine.book.kernels import run
from engine.book.layout import ANOMALIES, BOOK_WIDTH, COUNTERS, ORDER_WIDTH, BookState
from engine.book.orders import copy_orders

VERSION: Final = "1"
COMPATS: Final = {"v1": at.V1, "v2": at.V2}
_FIRST_ROWS = 4096


def empty_book(compat: str, tick_int: int, slots: int) -> BookState:
    """A book without orders and without anchor."""
    book = np.zeros(BOOK_WIDTH, dtype=np.int64)
    book[[at.COMPAT, at.TICK, at.SLOTS]] = COMPATS[compat], tick_int, slots
    book[[at.ANCHOR, at.BEST_BID_SLOT, at.BEST_ASK_SLOT]] = -1
    book[at.CLOCK] = np.iinfo(np.int64).min
    orders = np.zeros((_FIRST_ROWS, ORDER_WIDTH), dtype=np.int64)
    depth = np.zeros((slots, 4), dtype=np.int64)
    return BookState(book, orders, depth)


def grown(state: BookState) -> BookState:
    """The same book with a table of orders twice as long."""
    orders = np.zeros((2 * state.orders.shape[0], ORDER_WIDTH), dtype=np.int64)
    copy_orders(state.orders, orders)
    return state._replace(orders=orders)


_KINDS: Final = tuple(
    np.dtype(kind)
    for kind in (np.int64, np.uint8, np.uint8, np.int64, np.int64, np.int64, np.int32, np.int64)
)


def prepared(events: Events) -> Events:
    """The events in arrays that kernels take: contiguous, writable, of the exact types."""
    for column, kind in zip(events, _KINDS, strict=True):
        flags = column.flags
        if column.dtype != kind or not (flags.c_contiguous and flags.writeable):
            break
    else:
        return events
    return Events(
        *(
            np.require(column, dtype=kind, requirements=["C", "W"])
            for column, kind in zip(events, _KINDS, strict=True)
        )
    )


def anomalies(state: BookState) -> dict[str, int]:
    """Counts of what was wrong with the events, by name; see ``docs/order-book.md`` 2.4."""
    counts = state.book[COUNTERS:].tolist()
    used = state.orders[state.orders[:, at.USED] != 0]
    waiting = int(np.count_nonzero(used[:, at.AWAITED] > 0))
    return {**dict(zip(ANOMALIES, counts, strict=True)), "unconfirmed_fills": waiting}


def live_orders(state: BookState) -> Ints:
    """Rows of the table of orders that are in use, by id."""
    used = state.orders[state.orders[:, at.USED] != 0]
    return used[np.argsort(used[:, at.ID], kind="stable")]


class Book:
    """A book alone, without forces.

    Parameters
    ----------
    slots : int
        Number of slots of the lattice.
    tick_int : int
        Tick in 1e-9 of the quote currency.
    anchor : int, optional
        Price of slot ``slots // 2`` in ticks; without one it is found from the events.
    compat : {"v2", "v1"}
        Set of rules.

    Examples
    --------
    >>> book = Book(slots=8192, tick_int=250_000_000)  # doctest: +SKIP
    >>> book.push(events)  # doctest: +SKIP
    >>> book.best_bid_price_int, book.best_ask_price_int  # doctest: +SKIP
    """

    def __init__(
        self, slots: int, tick_int: int, anchor: int | None = None, compat: str = "v2"
    ) -> None:
        self.state = empty_book(compat, tick_int, slots)
        if anchor is not None:
            self.state.book[at.ANCHOR] = anchor

    def push(self, events: Events) -> None:
        """Apply events in order."""
        batch, row = prepared(events), 0
        while True:
            code, row = run(self.state, batch, row)
            if code == status.OK:
                return
            self.state = grown(self.state)

    @property
    def best_bid_price_int(self) -> int:
        """Best bid, 1e-9 of the quote currency; 0 if there is none."""
        return int(self.state.book[at.BEST_BID])

    @property
    def best_ask_price_int(self) -> int:
        """Best ask, 1e-9 of the quote currency; 0 if there is none."""
        return int(self.state.book[at.BEST_ASK])

    @property
    def order_count(self) -> int:
        """Number of live orders."""
        return int(self.state.book[at.ORDERS])

    @property
    def anomalies(self) -> dict[str, int]:
        """Counts of what was wrong with the events, by name."""
        return anomalies(self.state)
