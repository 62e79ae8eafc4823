"""Where things stand in the arrays of a book: names of columns, nothing else.

A book is three arrays (`BookState`): scalars, an open-addressed table of orders, depth by
slot. Kernels index them with the names below.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.arrays import Ints

V1: Final = 1
V2: Final = 2

COMPAT: Final = 0
TICK: Final = 1
SLOTS: Final = 2

ID: Final = 0
PRICE: Final = 1
QUANTITY: Final = 2
AWAITED: Final = 3
SIDE: Final = 4
SLOT: Final = 5
USED: Final = 6
ORDER_WIDTH: Final = 8

BID_DEPTH: Final = 0
ASK_DEPTH: Final = 1
BID_ORDERS: Final = 2
ASK_ORDERS: Final = 3

ANCHOR: Final = 3
BEST_BID_SLOT: Final = 4
BEST_ASK_SLOT: Final = 5
BEST_BID: Final = 6
BEST_ASK: Final = 7
EVENTS: Final = 8
CLOCK: Final = 9
VALID: Final = 10
IN_SNAPSHOT: Final = 11
ORDERS: Final = 12
SEQUENCE: Final = 13
TOUCHES: Final = 14
TOUCH: Final = 15  # two touches of TOUCH_WIDTH numbers
COUNTERS: Final = 23

ANOMALIES: Final = (
    "duplicate_add",
    "unknown_cancel",
    "unknown_modify",
    "unknown_fill",
    "over_cancel",
    "over_fill",
    "zero_size",
    "bad_side",
    "side_change",
    "off_tick",
    "out_of_range",
    "time_regression",
    "sequence_regression",
    "crossed",
)
DUPLICATE_ADD: Final = COUNTERS
UNKNOWN_CANCEL: Final = COUNTERS + 1
UNKNOWN_MODIFY: Final = COUNTERS + 2
UNKNOWN_FILL: Final = COUNTERS + 3
OVER_CANCEL: Final = COUNTERS + 4
OVER_FILL: Final = COUNTERS + 5
ZERO_SIZE: Final = COUNTERS + 6
BAD_SIDE: Final = COUNTERS + 7
SIDE_CHANGE: Final = COUNTERS + 8
OFF_TICK: Final = COUNTERS + 9
OUT_OF_RANGE: Final = COUNTERS + 10
TIME_REGRESSION: Final = COUNTERS + 11
SEQUENCE_REGRESSION: Final = COUNTERS + 12
CROSSED: Final = COUNTERS + 13
BOOK_WIDTH: Final = COUNTERS + len(ANOMALIES)

TOUCH_WIDTH: Final = 4
TOUCH_SLOT: Final = 0
ADDED: Final = 1
PULLED: Final = 2
FILLED: Final = 3

SYNCED: Final = 1
CLEARED: Final = 2
MOVED: Final = 4


class BookState(NamedTuple):
    """All that a book is.

    Attributes
    ----------
    book : ndarray, shape (BOOK_WIDTH,), int64
        Rules, anchor, best prices, clock, touches of the last event, counters.
    orders : ndarray, shape (2^m, ORDER_WIDTH), int64
        Open-addressed table, linear probing, at most half full.
    depth : ndarray, shape (slots, 4), int64
        Lots and orders by side.
    """

    book: Ints
    orders: Ints
    depth: Ints
