"""A lattice of the prices that occur and of no others: exact books of any tape.

A price's place among all prices of the tape, its *rank*, takes the place of the price; so
levels off the tick, stub quotes far away and negative prices are all levels. Needs a
first pass over the tape. What is then done with the book is in ``engine.book.levels`` and
``engine.book.audit``; the lattice of one tick is ``engine.book.depth``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError
from engine.arrays import Ints
from engine.book import layout as at
from engine.book.api import Book
from engine.book.events import ADD, MODIFY, Events


def prices_of(batches: Iterable[Events]) -> Ints:
    """All prices at which a tape places orders.

    Returns
    -------
    ndarray, shape (prices,), int64
        1e-9 of the quote currency, ascending.
    """
    prices = np.zeros(0, np.int64)
    for events in batches:
        found = np.unique(events.price_int[_placing(events)])
        if not np.isin(found, prices, assume_unique=True).all():
            prices = np.union1d(prices, found)
    return prices


def ranked(events: Events, prices: Ints) -> Events:
    """The events with ranks from 1 for prices, 0 where the price has no meaning to a book.

    Raises
    ------
    ContractError
        ``BOOK_PRICE_UNKNOWN`` if the tape is not the one whose prices were collected.
    """
    places = _placing(events)
    wanted = events.price_int[places]
    found = np.searchsorted(prices, wanted)
    if wanted.size:
        met = prices[np.minimum(found, len(prices) - 1)] if len(prices) else ~wanted
        _refuse_other(wanted, met)
    ranks = np.zeros(events.rows, np.int64)
    ranks[places] = found + 1
    return events._replace(price_int=ranks)


def ladder_book(prices: Ints) -> Book:
    """An empty book over all ranks.

    The ranks are the middle half of the lattice, where no snapshot moves it (section 2.1
    of docs/order-book.md).
    """
    slots = 2 * len(prices) + 4
    return Book(slots, 1, anchor=slots // 2 - slots // 4 + 1)


def first_slot(book: Book) -> int:
    """Slot of the lowest price."""
    return int(book.state.book[at.SLOTS]) // 4


def _placing(events: Events) -> npt.NDArray[np.bool_]:
    return (events.action == ADD) | (events.action == MODIFY)


def _refuse_other(wanted: Ints, met: Ints) -> None:
    unknown = wanted[met != wanted]
    if unknown.size:
        raise ContractError(
            "BOOK_PRICE_UNKNOWN",
            f"cannot place an order at {unknown[0]}: the first pass did not meet that price",
            f"price_int {unknown[0]}",
            ("read the same, unchanged tape twice",),
        )
