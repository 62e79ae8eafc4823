"""What a file's events do to a book: anomalies, invariants, how it stands at the end.

The file is read twice, first for its prices (``engine.book.ladder``); the book follows
the rules ``v2`` over all of them, so that nothing depends on a tick or a range. Reading is
in ``mbo_files``; how a report is printed in ``islandflow_jobs.book_run``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from engine.arrays import Ints
from engine.book import layout as at
from engine.book.api import Book
from engine.book.audit import audit
from engine.book.events import ACTIONS, CLEAR, LAST, SNAPSHOT, Events
from engine.book.ladder import first_slot, ladder_book, prices_of, ranked
from islandflow_resources.mbo_files import Ingestion, read_events

_UNJUDGED: Final = ("off_tick", "out_of_range")


@dataclass(frozen=True, slots=True)
class Quote:
    """The best level of a side: price in 1e-9 of the quote currency, lots, orders."""

    price_int: int
    size: int
    orders: int


@dataclass(frozen=True, slots=True)
class BookReport:
    """What a file's events did to a book.

    Attributes
    ----------
    ingestion : Ingestion
        The file, and what became of its records.
    actions : mapping of str to int
        Events by letter.
    groups, snapshots : int
        Events with flag 128, and clears that begin a snapshot.
    first_ns, last_ns : int
        Least and greatest time; zeros without events.
    prices : int
        Different prices of adds and modifies.
    anomalies : mapping of str to int
        By the names of section 2.4 of docs/order-book.md, without those that take a tick
        or a lattice: ``off_tick`` and ``out_of_range``.
    broken : mapping of str to int
        How often each invariant was found broken, by the names of ``engine.book.audit``.
    audits : int
        How often they were looked at: after every batch of events.
    live_orders : int
    best_bid, best_ask : Quote, optional
        At the end.
    """

    ingestion: Ingestion
    actions: Mapping[str, int]
    groups: int
    snapshots: int
    first_ns: int
    last_ns: int
    prices: int
    anomalies: Mapping[str, int]
    broken: Mapping[str, int]
    audits: int
    live_orders: int
    best_bid: Quote | None
    best_ask: Quote | None

    @property
    def is_sound(self) -> bool:
        """Whether every invariant held at every audit."""
        return not any(self.broken.values())

    @property
    def crossing(self) -> str:
        """``crossed``, ``locked`` or ``no``: how the best prices lie at the end."""
        if self.best_bid is None or self.best_ask is None:
            return "no"
        if self.best_bid.price_int == self.best_ask.price_int:
            return "locked"
        return "crossed" if self.best_bid.price_int > self.best_ask.price_int else "no"


def check_events(path: Path, symbol: str | None = None) -> BookReport:
    """Run a file's events through a book and say what they did to it.

    Parameters
    ----------
    symbol : str, optional
        The instrument, needed if the file has several.

    Raises
    ------
    ContractError
        As ``mbo_files.read_events``.
    """
    prices = prices_of(read_events(path, symbol=symbol))
    reader = read_events(path, symbol=symbol)
    book, tally, broken = ladder_book(prices), _Tally(), Counter[str]()
    for events in reader:
        tally.add(events)
        book.push(ranked(events, prices))
        broken.update(audit(book.state))
    if not tally.audits:
        broken.update(audit(book.state))
    return BookReport(
        reader.summary,
        tally.actions,
        tally.groups,
        tally.snapshots,
        tally.first_ns,
        tally.last_ns,
        len(prices),
        {name: count for name, count in book.anomalies.items() if name not in _UNJUDGED},
        dict(broken),
        max(tally.audits, 1),
        book.order_count,
        _quote(book, prices, 0),
        _quote(book, prices, 1),
    )


class _Tally:
    """What can be counted of events without a book."""

    def __init__(self) -> None:
        self.audits = 0
        self.actions = dict.fromkeys(ACTIONS, 0)
        self.groups = self.snapshots = self.first_ns = self.last_ns = 0

    def add(self, events: Events) -> None:
        """Count a batch, not empty."""
        counts = np.bincount(events.action, minlength=256)
        for letter in ACTIONS:
            self.actions[letter] += int(counts[ord(letter)])
        self.groups += int(np.count_nonzero(events.flags & LAST))
        clears = events.flags[events.action == CLEAR]
        self.snapshots += int(np.count_nonzero(clears & SNAPSHOT))
        first, last = int(events.ts_ns.min()), int(events.ts_ns.max())
        self.first_ns = min(self.first_ns, first) if self.audits else first
        self.last_ns = max(self.last_ns, last)
        self.audits += 1


def _quote(book: Book, prices: Ints, side: int) -> Quote | None:
    slot = int(book.state.book[at.BEST_BID_SLOT + side])
    if slot < 0:
        return None
    lots, orders = book.state.depth[slot, [at.BID_DEPTH + side, at.BID_ORDERS + side]].tolist()
    return Quote(int(prices[slot - first_slot(book)]), lots, orders)
