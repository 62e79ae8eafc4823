"""The best levels of a book, row by row, as events pass through it.

A row is written when a group of events ends. The levels of a side are read again only if
the group changed one of them, which the touches of its events tell: an event behind the
last level costs nothing. The reader that holds the arrays is ``engine.book.levels``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from engine import status
from engine.arrays import Ints
from engine.book import layout as at
from engine.book.events import LAST, NO_PRICE, Events
from engine.book.kernels import apply_row, borrowed_book, borrowed_events, is_full, tick_clock
from engine.book.layout import BookState
from engine.jit import borrowed, inlined, kernel

ROWS: Final = 0
IS_OPEN: Final = 1
TS: Final = 2
SEQUENCE: Final = 3
EVENT: Final = 4
FIRST: Final = 5
BEHIND: Final = 6
STALE: Final = 7  # bid, ask
BEST: Final = 9
WORST: Final = 11
CURSOR_WIDTH: Final = 13

KEYS: Final = 3
LEVEL_WIDTH: Final = 6


class LevelView(NamedTuple):
    """What reads levels, besides the book.

    Attributes
    ----------
    cursor : ndarray, shape (CURSOR_WIDTH,), int64
        Rows written, the open group, first slot and the one behind the last; of each side
        whether its levels must be read again, and the slots of the best and the worst.
    prices : ndarray, shape (prices,), int64
        Price of each slot from the first on.
    top : ndarray, shape (LEVEL_WIDTH × levels,), int64
        Levels as last read, in the order of the columns.
    out : ndarray, shape (KEYS + LEVEL_WIDTH × levels, rows), int64
        Columns of rows.
    """

    cursor: Ints
    prices: Ints
    top: Ints
    out: Ints


@inlined
def _borrowed_view(view: LevelView) -> LevelView:
    return LevelView(
        borrowed(view.cursor), borrowed(view.prices), borrowed(view.top), borrowed(view.out)
    )


@inlined
def _mark(state: BookState, view: LevelView, outcome: int) -> None:
    """Remember which sides the last event may have changed within their levels.

    A slot in front of all levels of a side matters only once the side has lots there.
    """
    book, cursor = state.book, view.cursor
    if outcome != 0:
        cursor[STALE] = 1
        cursor[STALE + 1] = 1
    for touch in range(book[at.TOUCHES]):
        slot = book[at.TOUCH + at.TOUCH_WIDTH * touch + at.TOUCH_SLOT]
        if slot >= cursor[WORST] and (slot <= cursor[BEST] or state.depth[slot, at.BID_DEPTH] > 0):
            cursor[STALE] = 1
        if slot <= cursor[WORST + 1] and (
            slot >= cursor[BEST + 1] or state.depth[slot, at.ASK_DEPTH] > 0
        ):
            cursor[STALE + 1] = 1


@inlined
def _read_side(state: BookState, view: LevelView, side: int, step: int) -> None:
    """Read the levels of a side: `side` 0 for bids, downwards; 1 for asks, upwards."""
    depth, cursor, top = state.depth, view.cursor, view.top
    first, behind = cursor[FIRST], cursor[BEHIND]
    slot = state.book[at.BEST_BID_SLOT + side]
    cursor[BEST + side] = slot if slot >= 0 else (-1 if side == 0 else behind)
    cursor[WORST + side] = -1 if side == 0 else behind
    column = side
    while first <= slot < behind and column < top.shape[0]:
        if depth[slot, at.BID_DEPTH + side] > 0:
            top[column] = view.prices[slot - first]
            top[column + 2] = depth[slot, at.BID_DEPTH + side]
            top[column + 4] = depth[slot, at.BID_ORDERS + side]
            column += LEVEL_WIDTH
            if column >= top.shape[0]:
                cursor[WORST + side] = slot
        slot += step
    while column < top.shape[0]:
        top[column] = NO_PRICE
        top[column + 2] = 0
        top[column + 4] = 0
        column += LEVEL_WIDTH
    cursor[STALE + side] = 0


@inlined
def _write_row(state: BookState, view: LevelView) -> None:
    """Write the levels as they are now for the group that is open."""
    cursor, top, out = view.cursor, view.top, view.out
    if cursor[STALE]:
        _read_side(state, view, 0, -1)
    if cursor[STALE + 1]:
        _read_side(state, view, 1, 1)
    row = cursor[ROWS]
    for key in range(KEYS):
        out[key, row] = cursor[TS + key]
    for column in range(top.shape[0]):
        out[KEYS + column, row] = top[column]
    cursor[ROWS] = row + 1
    cursor[IS_OPEN] = 0


@kernel
def read_levels(given: BookState, batch: Events, seen: LevelView, start: int) -> tuple[int, int]:
    """Apply rows ``start …`` and write a row of levels after each group.

    Returns
    -------
    (int, int)
        `status.OK` and the number of rows; `status.TABLE_FULL` or `status.OUTPUT_FULL`
        and the row to go on from.
    """
    state, events, view = borrowed_book(given), borrowed_events(batch), _borrowed_view(seen)
    cursor = view.cursor
    for row in range(start, events.ts_ns.shape[0]):
        if is_full(state):
            return status.TABLE_FULL, row
        if cursor[ROWS] == view.out.shape[1]:
            return status.OUTPUT_FULL, row
        tick_clock(state, events.ts_ns[row], events.sequence[row])
        outcome = apply_row(state, events, row)
        _mark(state, view, outcome)
        cursor[IS_OPEN] = 1
        cursor[TS] = events.ts_ns[row]
        cursor[SEQUENCE] = events.sequence[row]
        cursor[EVENT] = state.book[at.EVENTS]
        if np.int64(events.flags[row]) & LAST:
            _write_row(state, view)
    return status.OK, events.ts_ns.shape[0]


@kernel
def end_group(state: BookState, view: LevelView) -> None:
    """Write a row for a group that no flag has ended; there must be room for it."""
    if view.cursor[IS_OPEN]:
        _write_row(state, view)
