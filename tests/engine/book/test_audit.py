"""The audit finds nothing in a book after any event, and every kind of damage done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings

from engine.book import layout as at
from engine.book.api import Book
from engine.book.audit import INVARIANTS, audit
from engine.book.orders import find
from tests.oracles.order_book import Event
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

SOUND = dict.fromkeys(INVARIANTS, 0)


def book_of(stream, anchor=None):
    book = Book(SLOTS, TICK_INT, anchor)
    book.push(stream)
    return book


def quotes():
    """Bids of 4 and 2 lots at two ticks, asks of 5 and 1: anchored, four orders."""
    rows = [("B", 398, 4), ("B", 397, 2), ("A", 402, 5), ("A", 404, 1)]
    return packed(
        [
            Event(START_NS, "A", side, n, tick * TICK_INT, size, 128, 0)
            for n, (side, tick, size) in enumerate(rows, start=1)
        ]
    )


@settings(max_examples=40)
@given(stream=streams)
def test_a_book_is_sound_after_every_event(stream):
    book = Book(SLOTS, TICK_INT)
    for row in range(stream.rows):
        book.push(stream.part(row, row + 1))
        assert audit(book.state) == SOUND, row


@pytest.mark.parametrize("anchor", [None, MIDDLE_TICK])
@pytest.mark.parametrize("stream", [well_formed(1, 4000), adversarial(1, 4000, ids=900)])
def test_a_book_is_sound_after_a_long_stream(stream, anchor):
    assert audit(book_of(stream, anchor).state) == SOUND


def test_a_grown_book_without_anchor_is_sound():
    rows = [
        Event(START_NS, "A", "B", n * 7919, (1 + n % 50) * TICK_INT, 1, 128, 0)
        for n in range(5_000)
    ]
    book = book_of(packed(rows))
    assert book.state.book[at.ANCHOR] < 0
    assert audit(book.state) == SOUND


def row_of(state, order_id):
    return int(find(state.orders, np.int64(order_id)))


def change_order(column, value):
    def damage(state):
        state.orders[row_of(state, 1), column] = value

    return damage


def change_book(column, step):
    def damage(state):
        state.book[column] += step

    return damage


def change_depth(column, step):
    def damage(state):
        state.depth[state.book[at.BEST_BID_SLOT], column] += step

    return damage


def lose_order(state):
    state.orders[row_of(state, 1), at.USED] = 0


def move_row(state):
    """Put an order where no search for its id comes by."""
    row = row_of(state, 1)
    away = (row + len(state.orders) // 2) % len(state.orders)
    state.orders[away] = state.orders[row]
    state.orders[row, at.USED] = 0


def store_twice(state):
    row = row_of(state, 1)
    state.orders[(row + 2_000) % len(state.orders)] = state.orders[row]


def fill_table(state):
    state.orders[:, at.USED] = 1


DAMAGES = {
    "order_lost": (lose_order, {"orders_counted", "depth_is_sum_of_orders"}),
    "count_off": (change_book(at.ORDERS, 1), {"orders_counted"}),
    "row_moved": (move_row, {"ids_found"}),
    "stored_twice": (store_twice, {"ids_found", "orders_counted", "level_orders_counted"}),
    "table_full": (fill_table, {"ids_found", "orders_counted"}),
    "side_unknown": (change_order(at.SIDE, 78), {"sides_known", "depth_is_sum_of_orders"}),
    "quantity_zero": (change_order(at.QUANTITY, 0), {"quantities_positive", "best_prices_right"}),
    "quantity_negative": (change_order(at.QUANTITY, -4), {"quantities_positive"}),
    "quantity_off": (change_order(at.QUANTITY, 5), {"depth_is_sum_of_orders"}),
    "awaited_beyond": (change_order(at.AWAITED, 5), {"awaited_within_quantity"}),
    "awaited_negative": (change_order(at.AWAITED, -1), {"awaited_within_quantity"}),
    "slot_off": (change_order(at.SLOT, 3), {"slots_right", "depth_is_sum_of_orders"}),
    "slot_beyond": (change_order(at.SLOT, SLOTS), {"slots_right", "depth_is_sum_of_orders"}),
    "price_off": (change_order(at.PRICE, 390 * TICK_INT), {"slots_right"}),
    "depth_off": (change_depth(at.BID_DEPTH, 1), {"depth_is_sum_of_orders"}),
    "depth_leaked": (change_depth(at.ASK_DEPTH, 7), {"depth_is_sum_of_orders"}),
    "orders_off": (change_depth(at.BID_ORDERS, -1), {"level_orders_counted"}),
    "bid_slot_off": (change_book(at.BEST_BID_SLOT, -1), {"best_prices_right"}),
    "ask_slot_off": (change_book(at.BEST_ASK_SLOT, 2), {"best_prices_right"}),
    "bid_off": (change_book(at.BEST_BID, TICK_INT), {"best_prices_right"}),
    "ask_off": (change_book(at.BEST_ASK, -1), {"best_prices_right"}),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_under_its_name(name):
    damage, wanted = DAMAGES[name]
    state = book_of(quotes()).state
    assert audit(state) == SOUND
    damage(state)
    found = {name for name, count in audit(state).items() if count}
    assert wanted <= found


@pytest.mark.parametrize("column", [at.BEST_BID, at.BEST_ASK])
@pytest.mark.parametrize("rows", [0, 1])
def test_a_wrong_best_price_without_anchor_is_found(column, rows):
    state = book_of(quotes().part(0, rows)).state
    state.book[column] += 1
    assert audit(state) == SOUND | {"best_prices_right": 1}


def test_the_audit_changes_nothing():
    state = book_of(adversarial(2, 500)).state
    before = [array.copy() for array in state]
    audit(state)
    for array, kept in zip(state, before, strict=True):
        np.testing.assert_array_equal(array, kept)
