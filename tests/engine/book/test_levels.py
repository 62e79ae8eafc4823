"""Levels against an independent book: the oracle's orders, sorted by price after each group.

Streams are those of tests/oracles/order_streams.py; which prices there are is in test_ladder.py.
"""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.book.events import NO_PRICE
from engine.book.ladder import prices_of
from engine.book.levels import LevelReader, level_columns
from tests.oracles.order_book import LAST, SNAPSHOT, Book, Event, unpacked
from tests.oracles.order_streams import (
    START_NS,
    TICK_INT,
    adversarial,
    packed,
    streams,
    well_formed,
)

ABSENT = (NO_PRICE, 0, 0)


def side_levels(book, side, count):
    """The best levels of a side as (price, lots, orders), padded with absent ones."""
    lots, orders = defaultdict(int), defaultdict(int)
    for order in book.orders.values():
        if order.side == side:
            lots[order.price_int] += order.quantity
            orders[order.price_int] += 1
    best = sorted(lots, reverse=side == "B")[:count]
    found = [(price, lots[price], orders[price]) for price in best]
    return found + [ABSENT] * (count - len(found))


def wanted_rows(events, count):
    """Rows of the oracle's book; one more for a group that is open at the end."""
    book = Book("v2", 1, 8)
    rows = []
    listed = list(unpacked(events))
    for number, event in enumerate(listed, start=1):
        book.apply(event)
        if event.flags & LAST or number == len(listed):
            row = [event.ts_ns, event.sequence, number]
            for bid, ask in zip(
                side_levels(book, "B", count), side_levels(book, "A", count), strict=True
            ):
                row += [bid[0], ask[0], bid[1], ask[1], bid[2], ask[2]]
            rows.append(row)
    return rows


def read_rows(events, count, block_rows=64, cuts=()):
    """Rows of the reader, the events pushed in parts that end at `cuts`."""
    reader = LevelReader(prices_of([events]), count, block_rows)
    rows = []
    borders = [0, *sorted(cuts), events.rows]
    for start, stop in pairwise(borders):
        for block in reader.push(events.part(start, stop)):
            rows += block.T.tolist()
    for block in reader.finish():
        rows += block.T.tolist()
    return rows


def order(action, side, order_id, price_int, size, flags=LAST):
    return Event(START_NS, action, side, order_id, price_int, size, flags, 0)


@pytest.mark.parametrize("stream", [well_formed(1, 1500), well_formed(2, 400, snapshot=0)])
def test_levels_of_a_feed_are_those_of_an_independent_book(stream):
    wanted = wanted_rows(stream, 10)
    for count in (1, 3, 10):
        assert read_rows(stream, count) == [row[: 3 + 6 * count] for row in wanted]


@pytest.mark.parametrize("seed", range(4))
def test_levels_of_adversarial_streams_are_those_of_an_independent_book(seed):
    stream = adversarial(seed, 1200, ids=200)
    assert read_rows(stream, 4) == wanted_rows(stream, 4)


@settings(max_examples=60)
@given(
    stream=streams,
    count=st.integers(1, 4),
    block_rows=st.integers(1, 20),
    cuts=st.lists(st.integers(0, 40), max_size=3),
)
def test_levels_do_not_depend_on_batches_or_blocks(stream, count, block_rows, cuts):
    inside = [min(cut, stream.rows) for cut in cuts]
    assert read_rows(stream, count, block_rows, inside) == wanted_rows(stream, count)


def test_prices_off_the_tick_far_away_and_below_zero_are_levels():
    prices = [-5 * TICK_INT, -1, 0, 1, 7, 10**18, 2**62]
    stream = packed(
        [order("A", "B", n, price, n) for n, price in enumerate(prices, start=1)]
        + [order("A", "A", 10 + n, price + 2, n) for n, price in enumerate(prices, start=1)]
        + [order("M", "B", 3, -2, 30), order("C", "A", 12, 0, 1)]
    )
    assert read_rows(stream, 10) == wanted_rows(stream, 10)


def test_a_snapshot_far_from_the_prices_before_it_loses_no_level():
    before = [order("A", side, n, 100 + n, 1) for n, side in enumerate("BBAA")]
    clear = order("R", "N", 0, 0, 0, SNAPSHOT)
    after = [order("A", "B", n, 10**12 + n, 2, SNAPSHOT) for n in range(40)]
    last = order("A", "A", 99, 10**12 + 50, 3, SNAPSHOT | LAST)
    stream = packed([*before, clear, *after, last, order("A", "B", 100, 5, 1)])
    assert read_rows(stream, 3) == wanted_rows(stream, 3)


def test_levels_hold_when_the_table_of_orders_grows():
    prices = 1_000 + np.random.default_rng(3).permutation(6_000) % 97
    stream = packed([order("A", "BA"[n % 2], n, int(p), 1, 0) for n, p in enumerate(prices)])
    assert read_rows(stream, 100) == wanted_rows(stream, 100)


def test_an_open_group_at_the_end_has_a_row_and_an_ended_one_has_no_other():
    quote = order("A", "B", 1, 100, 4)
    more = order("A", "B", 2, 99, 6, 0)
    open_end = read_rows(packed([quote, more]), 2, block_rows=1)
    assert open_end == [
        [START_NS, 0, 1, 100, NO_PRICE, 4, 0, 1, 0, NO_PRICE, NO_PRICE, 0, 0, 0, 0],
        [START_NS, 0, 2, 100, NO_PRICE, 4, 0, 1, 0, 99, NO_PRICE, 6, 0, 1, 0],
    ]
    assert read_rows(packed([quote]), 2, block_rows=1) == open_end[:1]
    assert read_rows(packed([]), 2) == []


def test_a_block_stays_as_it_was_while_the_next_one_is_filled():
    stream = well_formed(5, 300)
    reader = LevelReader(prices_of([stream]), 2, 16)
    blocks = reader.push(stream)
    first = next(blocks)
    kept = first.copy()
    second = next(blocks)
    assert first.shape == second.shape == (len(level_columns(2)), 16)
    np.testing.assert_array_equal(first, kept)
    assert (second[2] > kept[2, -1]).all()


def test_columns_have_the_names_of_aggregated_books():
    assert level_columns(2) == (
        *("ts_ns", "sequence", "event_id"),
        *("bid_px_00", "ask_px_00", "bid_sz_00", "ask_sz_00", "bid_ct_00", "ask_ct_00"),
        *("bid_px_01", "ask_px_01", "bid_sz_01", "ask_sz_01", "bid_ct_01", "ask_ct_01"),
    )
