"""The streams that books are tried on hold what they promise, by the oracle's own count."""

from collections import Counter

import numpy as np
from hypothesis import given, settings

from tests.oracles.grid import Grid
from tests.oracles.order_book import LAST, SNAPSHOT, Book, tick_int_of, unpacked
from tests.oracles.order_streams import (
    BIN_NS,
    SETTINGS,
    SLOTS,
    START_NS,
    adversarial,
    packed,
    streams,
    well_formed,
)

ANOMALIES = {
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
}
SEEDS = range(6)


def booked(events, compat="v2"):
    book = Book(compat, tick_int_of(SETTINGS), SLOTS)
    outcomes = [book.apply(event) for event in unpacked(events)]
    return book, outcomes


def test_a_seed_gives_one_stream():
    for stream in (well_formed, adversarial):
        rows = [list(unpacked(stream(seed, 200))) for seed in (1, 1, 2)]
        assert rows[0] == rows[1] != rows[2]
        assert len(rows[0]) == 200


def test_events_survive_the_way_into_columns_and_back():
    rows = list(unpacked(adversarial(3, 100)))
    assert list(unpacked(packed(rows))) == rows
    assert packed([]).rows == 0


def test_a_well_formed_stream_has_no_anomaly_and_acts_of_every_kind():
    actions = Counter()
    for seed in SEEDS:
        events = well_formed(seed, 500)
        book, _ = booked(events)
        assert +book.anomalies == {}
        assert np.all(np.diff(events.ts_ns) >= 0)
        actions.update(map(chr, events.action))
    assert set(actions) == set("ACFMRT")


def test_fills_of_a_well_formed_stream_are_confirmed_with_their_message():
    book = Book("v2", tick_int_of(SETTINGS), SLOTS)
    for event in unpacked(well_formed(5, 1000)):
        book.apply(event)
        assert not (event.flags & LAST and book.unconfirmed_fills)


def test_adversarial_streams_hold_every_anomaly_and_every_oddity():
    anomalies, oddities = Counter(), Counter()
    for seed in SEEDS:
        events = adversarial(seed, 800)
        book, outcomes = booked(events)
        anomalies += book.anomalies
        rows = list(unpacked(events))
        oddities["moved anchor"] += sum(outcome.moved for outcome in outcomes)
        oddities["whole snapshot"] += sum(
            row.action == "R" and row.flags == SNAPSHOT | LAST for row in rows
        )
        oddities["bare clear"] += sum(row.action == "R" and not row.flags for row in rows)
        oddities["edge of a bin"] += sum((row.ts_ns - START_NS) % BIN_NS == 0 for row in rows)
        oddities["long gap"] += int(np.sum(np.diff(events.ts_ns) > 2 * BIN_NS))
    assert set(+anomalies) == ANOMALIES
    assert min(oddities.values()) > 0
    assert len(oddities) == 5


def test_adversarial_streams_fill_windows_and_scores():
    codes, spots = Counter(), 0
    for seed in (0, 1):
        for record, rows in Grid(SETTINGS, "v2").run(adversarial(seed, 300)):
            spots += record["spot_ref_price_int"] > 0
            codes.update(row["flow_state_code"] for row in rows)
    assert spots > 10
    assert min(codes[code] for code in (-1, 0, 1)) > 10


@settings(max_examples=60)
@given(events=streams)
def test_orders_of_v2_always_hold_something_and_depths_are_theirs(events):
    book = Book("v2", tick_int_of(SETTINGS), SLOTS)
    for event in unpacked(events):
        book.apply(event)
        assert all(0 <= order.awaited <= order.quantity > 0 for order in book.orders.values())
        assert {order.side for order in book.orders.values()} <= {"A", "B"}
    resting = [order for order in book.orders.values() if order.slot >= 0]
    depth = sum(book.bid_depths.values()) + sum(book.ask_depths.values())
    assert depth == sum(order.quantity for order in resting)


@settings(max_examples=25)
@given(events=streams)
def test_a_grid_counts_every_event_and_keeps_its_scores_within_bounds(events):
    for compat in ("v1", "v2"):
        grid = Grid(SETTINGS, compat)
        counted = 0
        for record, rows in grid.run(events):
            counted += record["bin_event_count"]
            assert all(abs(row["flow_score"]) <= 1 >= abs(row["composite"]) for row in rows)
            assert all(np.isfinite([row["v_add"], row["j_rest_depth"]]).all() for row in rows)
        assert counted == events.rows == grid.book.event_count
