"""The book of the engine and the book of the oracle are the same after every event.

Orders, depths, best prices, lattice, anomalies and invariants; the table of orders against a
dictionary. Reading levels and checking invariants in passing are tested beside this file, grids
in tests/engine/grid.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from engine.book import layout as at
from engine.book.api import Book
from engine.book.events import Events
from engine.book.layout import ANOMALIES
from tests.oracles import order_book as oracle
from tests.oracles.order_book import LAST, SNAPSHOT, Event
from tests.oracles.order_streams import (
    MIDDLE_TICK,
    SLOTS,
    START_NS,
    TICK_INT,
    adversarial,
    packed,
    streams,
    well_formed,
)

COMPATS = ("v1", "v2")


def state_of(book: Book) -> dict[str, Any]:
    """Everything that a book says of itself, in plain Python."""
    state = book.state
    used = state.orders[state.orders[:, at.USED] != 0]
    columns = [at.ID, at.SIDE, at.PRICE, at.QUANTITY, at.AWAITED, at.SLOT]
    depths = state.depth[:, [at.BID_DEPTH, at.ASK_DEPTH]]
    return {
        "orders": sorted(map(tuple, used[:, columns].tolist())),
        "order_count": book.order_count,
        "depths": {slot: depths[slot].tolist() for slot in np.flatnonzero(depths.any(axis=1))},
        "best": (book.best_bid_price_int, book.best_ask_price_int),
        "anchor": int(state.book[at.ANCHOR]),
        "valid": bool(state.book[at.VALID]),
        "in_snapshot": bool(state.book[at.IN_SNAPSHOT]),
        "events": int(state.book[at.EVENTS]),
        "anomalies": book.anomalies,
    }


def expected(book: oracle.Book) -> dict[str, Any]:
    """The same of the oracle's book."""
    orders = [
        (order_id, ord(one.side), one.price_int, one.quantity, one.awaited, one.slot)
        for order_id, one in book.orders.items()
    ]
    slots = {*book.bid_depths, *book.ask_depths}
    depths = {slot: [book.bid_depths[slot], book.ask_depths[slot]] for slot in sorted(slots)}
    counts = {name: book.anomalies[name] for name in ANOMALIES}
    return {
        "orders": sorted(orders),
        "order_count": len(orders),
        "depths": {slot: pair for slot, pair in depths.items() if any(pair)},
        "best": (book.best_bid, book.best_ask),
        "anchor": -1 if book.anchor is None else book.anchor,
        "valid": book.valid,
        "in_snapshot": book.in_snapshot,
        "events": book.event_count,
        "anomalies": {**counts, "unconfirmed_fills": book.unconfirmed_fills},
    }


def touches_of(book: Book) -> list[tuple[int, ...]]:
    """Slot, added, pulled and filled of each touch of the last event."""
    words = book.state.book[at.TOUCH : at.TOUCH + book.state.book[at.TOUCHES] * at.TOUCH_WIDTH]
    return [*map(tuple, words.reshape(-1, at.TOUCH_WIDTH).tolist())]


def assert_same_after_every_event(events: Events, compat: str, slots: int = SLOTS) -> None:
    book = Book(slots, TICK_INT, compat=compat)
    other = oracle.Book(compat, TICK_INT, slots)
    for row, event in enumerate(oracle.unpacked(events)):
        book.push(events.part(row, row + 1))
        outcome = other.apply(event)
        assert state_of(book) == expected(other), (row, event)
        assert touches_of(book) == outcome.touches, (row, event)
        if compat == "v2":
            assert_invariants(book)


def assert_invariants(book: Book) -> None:
    """What holds of every book under v2, counted anew (docs/order-book.md 2.5)."""
    state = book.state
    orders = state.orders[state.orders[:, at.USED] != 0]
    assert (orders[:, at.QUANTITY] > 0).all()
    assert (orders[:, at.AWAITED] >= 0).all()
    assert (orders[:, at.AWAITED] <= orders[:, at.QUANTITY]).all()
    counted = np.zeros_like(state.depth)
    inside = orders[orders[:, at.SLOT] >= 0]
    side = (inside[:, at.SIDE] != ord("B")).astype(np.int64)
    np.add.at(counted, (inside[:, at.SLOT], at.BID_DEPTH + side), inside[:, at.QUANTITY])
    np.add.at(counted, (inside[:, at.SLOT], at.BID_ORDERS + side), 1)
    assert (counted == state.depth).all()


@settings(max_examples=30)
@given(streams)
def test_a_book_is_the_oracles_after_every_event_of_any_stream(events):
    for compat in COMPATS:
        assert_same_after_every_event(events, compat)


@pytest.mark.parametrize("compat", COMPATS)
@pytest.mark.parametrize("slots", [3, 4, 9, 64, 501])
def test_a_book_is_the_oracles_on_lattices_of_any_size(slots, compat):
    assert_same_after_every_event(well_formed(51, 150), compat, slots)
    assert_same_after_every_event(adversarial(52, 200, spread=slots), compat, slots)


@pytest.mark.parametrize("compat", COMPATS)
def test_batches_give_the_book_of_single_events(compat):
    events = adversarial(53, 2_000, ids=400)
    whole = Book(SLOTS, TICK_INT, compat=compat)
    whole.push(events)
    single = Book(SLOTS, TICK_INT, compat=compat)
    for row in range(events.rows):
        single.push(events.part(row, row + 1))
    assert state_of(single) == state_of(whole)


def record(action: str, side: str, order_id: int, tick: float, size: int, flags: int = 0) -> Event:
    return Event(START_NS, action, side, order_id, int(tick * TICK_INT), size, flags, 0)


def test_an_anchor_that_is_given_is_kept():
    book = Book(SLOTS, TICK_INT, anchor=500)
    book.push(packed([record("A", "B", 1, 490, 3), record("A", "A", 2, 495, 4)]))
    assert state_of(book)["anchor"] == 500
    assert state_of(book)["depths"] == {SLOTS // 2 - 10: [3, 0], SLOTS // 2 - 5: [0, 4]}
    assert state_of(book)["best"] == (490 * TICK_INT, 495 * TICK_INT)


@pytest.mark.parametrize("compat", COMPATS)
def test_the_anchor_moves_where_a_snapshot_is_in_an_outer_quarter_and_nowhere_else(compat):
    for off in range(-SLOTS // 2 - 2, SLOTS // 2 + 3):
        tick = MIDDLE_TICK + off
        rows = [
            record("A", "B", 1, MIDDLE_TICK - 1, 1, LAST),
            record("A", "A", 2, MIDDLE_TICK + 1, 1, LAST),
            record("R", "N", 0, 0, 0, SNAPSHOT),
            record("A", "B", 3, tick - 1, 2, SNAPSHOT),
            record("A", "A", 4, tick + 1, 2, SNAPSHOT | LAST),
        ]
        assert_same_after_every_event(packed(rows), compat)
        book = Book(SLOTS, TICK_INT, compat=compat)
        book.push(packed(rows))
        stays = compat == "v1" or -SLOTS // 4 <= off < SLOTS // 4
        assert state_of(book)["anchor"] == (MIDDLE_TICK if stays else tick)


@pytest.mark.parametrize("compat", COMPATS)
def test_whatever_follows_a_fill_pulls_what_the_fill_did_not_announce(compat):
    before = [record("A", "B", 1, 398, 4), record("A", "A", 2, 402, 5)]
    for filled in range(1, 6):
        fill = record("F", "B", 1, 398, filled)
        for size in range(7):
            after = [record(action, "B", 1, 398, size) for action in "CMF"]
            after += [record("M", side, 1, 397 + (side != "B"), size) for side in "BAN"]
            for event in after:
                rows = [*before, fill, event, record("C", "B", 1, 398, 2)]
                assert_same_after_every_event(packed(rows), compat)


@pytest.mark.parametrize("compat", COMPATS)
def test_prices_between_ticks_go_to_the_even_one(compat):
    for tick in (395.5, 396.5, 397.5, 403.5, 404.5, 402.25, 402.75):
        rows = [record("A", "B", 1, 399, 1), record("A", "A", 2, 401, 1)]
        assert_same_after_every_event(packed([*rows, record("A", "B", 3, tick, 2)]), compat)


@pytest.mark.parametrize("compat", COMPATS)
def test_prices_below_zero_and_at_zero_are_prices_without_a_best_one(compat):
    for bid, ask in ((-5, -3), (-5, 3), (0, 3), (-1, 0), (1, 3)):
        rows = [
            record("A", "B", 1, bid, 1),
            record("A", "A", 2, ask, 1),
            record("A", "B", 3, bid - 1, 2),
            record("C", "B", 1, bid, 1),
            record("M", "A", 2, ask + 1, 5),
            record("A", "B", 4, 2, 7),
            record("A", "A", 5, 4, 7),
        ]
        assert_same_after_every_event(packed(rows), compat)


def test_a_book_holds_a_million_orders():
    n = 1_000_000
    rng = np.random.default_rng(54)
    ids = rng.permutation(np.arange(n)) * 2**20 - 2**39
    ticks = MIDDLE_TICK + np.where(np.arange(n) % 2 == 0, -1, 1) * rng.integers(1, 300, n)
    sizes = rng.integers(1, 9, n)
    sides = np.where(np.arange(n) % 2 == 0, ord("B"), ord("A")).astype(np.uint8)
    adds = Events(
        START_NS + np.arange(n),
        np.full(n, ord("A"), np.uint8),
        sides,
        ids,
        ticks * TICK_INT,
        sizes,
        np.full(n, LAST, np.int32),
        np.arange(1, n + 1),
    )
    book = Book(1024, TICK_INT)
    book.push(adds)
    assert book.order_count == n
    slots = ticks - book.state.book[at.ANCHOR] + 512
    for side, column in ((ord("B"), at.BID_DEPTH), (ord("A"), at.ASK_DEPTH)):
        lots = np.bincount(slots[sides == side], sizes[sides == side], 1024)
        assert (book.state.depth[:, column] == lots).all()
    gone = rng.permutation(n)[: n - 1000]
    cancels = Events(*(column[gone] for column in adds))
    action = np.full(gone.size, ord("C"), np.uint8)
    book.push(cancels._replace(action=action, ts_ns=np.full(gone.size, START_NS + n)))
    assert book.order_count == 1000
    left = book.state.orders[book.state.orders[:, at.USED] != 0]
    assert set(left[:, at.ID].tolist()) == set(np.delete(ids, gone).tolist())
    found = {name: count for name, count in book.anomalies.items() if count}
    assert found == {"sequence_regression": found["sequence_regression"]}
