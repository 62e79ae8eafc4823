"""Aggregated levels of a book after each group of events: blocks of columns, memory flat.

A group ends with an event that carries flag 128; what is left open at the end of the tape
is a group too. The kernel is ``kernels_levels``, the lattice ``ladder``; files of levels
are written in ``islandflow_resources.book_files``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from engine import status
from engine.arrays import Ints
from engine.book import kernels_levels as at
from engine.book.api import Book, grown, prepared
from engine.book.events import NO_PRICE, Events
from engine.book.kernels_levels import LevelView, end_group, read_levels
from engine.book.ladder import first_slot, ladder_book, ranked

MAX_LEVELS: Final = 100
# Not a power of two: the columns of a row would fall on the same lines of the cache, and a
# block take half as long again.
BLOCK_ROWS: Final = 32_776
ABSENT: Final = NO_PRICE
_BUFFERS = 2


def level_columns(levels: int) -> tuple[str, ...]:
    """Names of the columns of a block, best level first.

    Examples
    --------
    >>> level_columns(1)[3:]
    ('bid_px_00', 'ask_px_00', 'bid_sz_00', 'ask_sz_00', 'bid_ct_00', 'ask_ct_00')
    """
    parts = [f"{side}_{what}" for what in ("px", "sz", "ct") for side in ("bid", "ask")]
    keys = ("ts_ns", "sequence", "event_id")
    return (*keys, *(f"{part}_{level:02}" for level in range(levels) for part in parts))


class LevelReader:
    """The best levels of a book, written down after each group of the events pushed into it.

    Parameters
    ----------
    prices : ndarray, shape (prices,), int64
        Every price of the tape, see ``engine.book.ladder.prices_of``.
    levels : int
        1 … `MAX_LEVELS`, levels of each side.
    block_rows : int
        Rows of a block.

    Notes
    -----
    A block is an array of shape ``(columns, rows)``, its columns those of `level_columns`:
    time and sequence of the group's last event as the tape has them, the number of events
    up to it (its id, section 2.2 of docs/order-book.md), prices in 1e-9 of the quote
    currency, lots, and orders. A level that is not there has price `ABSENT` and zeros. A
    block is good until the second block after it is asked for.
    """

    def __init__(self, prices: Ints, levels: int, block_rows: int = BLOCK_ROWS) -> None:
        self.book: Book = ladder_book(prices)
        self._prices = prices
        width = at.KEYS + at.LEVEL_WIDTH * levels
        self._buffers = [np.zeros((width, block_rows), np.int64) for _ in range(_BUFFERS)]
        cursor = np.zeros(at.CURSOR_WIDTH, np.int64)
        first = first_slot(self.book)
        cursor[[at.FIRST, at.BEHIND]] = first, first + len(prices)
        cursor[[at.STALE, at.STALE + 1]] = 1
        top = np.zeros(at.LEVEL_WIDTH * levels, np.int64)
        self._view = LevelView(cursor, prices, top, self._buffers[0])

    def push(self, events: Events) -> Iterator[Ints]:
        """Apply events in order; every block that they fill."""
        batch, row = prepared(ranked(events, self._prices)), 0
        while True:
            code, row = read_levels(self.book.state, batch, self._view, row)
            if code == status.OK:
                return
            if code == status.OUTPUT_FULL:
                yield self._taken()
            else:
                self.book.state = grown(self.book.state)

    def finish(self) -> Iterator[Ints]:
        """End the group that is open; the blocks that are left, none if there are no rows."""
        if self._rows == self._view.out.shape[1]:
            yield self._taken()
        end_group(self.book.state, self._view)
        if self._rows:
            yield self._taken()

    @property
    def _rows(self) -> int:
        return int(self._view.cursor[at.ROWS])

    def _taken(self) -> Ints:
        """The block as it is; the next one is written into the other buffer."""
        block = self._view.out[:, : self._rows]
        self._buffers.append(self._buffers.pop(0))
        self._view.cursor[at.ROWS] = 0
        self._view = self._view._replace(out=self._buffers[0])
        return block
