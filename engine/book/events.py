"""Market-by-order events in columns: what a tape is to the engine.

One record a row, in the order of the feed. Actions and sides are the ASCII codes of
their letters, so that a column of letters is a column of bytes. Files of such events
are read and written in ``islandflow_resources.mbo_files``; what an event does to a book
is in ``engine.book.kernels`` and, in words, in ``docs/order-book.md``.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.arrays import Ints

Letters: TypeAlias = npt.NDArray[np.uint8]

ADD: Final = 65
CANCEL: Final = 67
FILL: Final = 70
MODIFY: Final = 77
NONE: Final = 78
CLEAR: Final = 82
TRADE: Final = 84
ACTIONS: Final = "ACFMNRT"

BID: Final = 66
ASK: Final = 65
NO_SIDE: Final = 78
SIDES: Final = "ABN"

SNAPSHOT: Final = 32
LAST: Final = 128

PRICE_UNIT: Final = 1_000_000_000
NO_PRICE: Final = 2**63 - 1


class Events(NamedTuple):
    """Rows of market-by-order events.

    Attributes
    ----------
    ts_ns : ndarray, shape (n,), int64
        Time of the exchange, nanoseconds since 1970-01-01 UTC.
    action, side : ndarray, shape (n,), uint8
        ASCII codes of letters of `ACTIONS` and `SIDES`.
    order_id : ndarray, shape (n,), int64
        An unsigned id of 64 bits, its bits unchanged.
    price_int : ndarray, shape (n,), int64
        Price in 1e-9 of the quote currency.
    size : ndarray, shape (n,), int64
        Lots, 0 … 2³² − 1.
    flags : ndarray, shape (n,), int32
        Bit 32: part of a snapshot; bit 128: last record of its event.
    sequence : ndarray, shape (n,), int64
        Number of the feed's message; 0 throughout if the source has none.
    """

    ts_ns: Ints
    action: Letters
    side: Letters
    order_id: Ints
    price_int: Ints
    size: Ints
    flags: npt.NDArray[np.int32]
    sequence: Ints

    @property
    def rows(self) -> int:
        """Number of events."""
        return int(self.ts_ns.shape[0])

    def part(self, start: int, stop: int) -> Events:
        """Rows ``start … stop − 1``, as views."""
        rows = slice(start, stop)
        return Events(
            self.ts_ns[rows],
            self.action[rows],
            self.side[rows],
            self.order_id[rows],
            self.price_int[rows],
            self.size[rows],
            self.flags[rows],
            self.sequence[rows],
        )
