"""The oracle of the order book gives the golden stream, and what was worked out by hand.

The oracle is order_book.py with order_cells.py, order_flow.py and grid.py. The hand-worked cells
are in test_order_cells.py, the streams that the engine is compared on in test_order_streams.py.
"""

from itertools import islice

import numpy as np
import pytest

from tests.oracles import order_golden as golden
from tests.oracles.grid import Grid
from tests.oracles.order_book import LAST, SNAPSHOT, Book, Event
from tests.oracles.order_flow import Scorer, StateModel
from tests.oracles.order_streams import MIDDLE_TICK, SETTINGS, SLOTS, START_NS, TICK_INT

COMPARED_BINS = 120
CONFIG = golden.config()["runtime_config"]
NEVER = {"flow_zscore_min_periods": 10**9}


def record(action, side, order_id, tick, size, *, flags=0, ts_ns=START_NS, sequence=0):
    return Event(ts_ns, action, side, order_id, int(tick * TICK_INT), size, flags, sequence)


def book_after(compat, *records):
    book = Book(compat, TICK_INT, SLOTS)
    touches = [book.apply(each).touches for each in records]
    return book, touches[-1]


def anchored(compat, *records):
    """A book with bid 1 (4 lots at tick 398) and ask 2 (5 lots at 402), then more records."""
    quotes = (record("A", "B", 1, 398, 4), record("A", "A", 2, 402, 5))
    return book_after(compat, *quotes, *records)


def counted(book):
    return {name: count for name, count in book.anomalies.items() if count}


MIDDLE = SLOTS // 2
BID, ASK = MIDDLE - 2, MIDDLE + 2


def test_the_first_bins_of_the_golden_stream_are_those_of_the_file():
    grid = Grid(CONFIG, "v1", golden.config()["projection"])
    bins, rows = [], []
    for record_of_bin, rows_of_bin in islice(grid.run(golden.events()), COMPARED_BINS):
        bins.append(record_of_bin)
        if record_of_bin["bin_seq"] % golden.ROWS_EVERY == 0:
            rows += rows_of_bin
    found = golden.columns_of(rows)
    wanted = golden.first_bins("grid", COMPARED_BINS)
    assert (
        golden.differences(golden.columns_of(bins), golden.first_bins("bins", COMPARED_BINS)) == []
    )
    assert golden.differences(found, wanted, CONFIG["flow_neutral_threshold"]) == []
    assert {-1, 0, 1} == set(wanted["flow_state_code"].tolist())


def test_the_golden_stream_ends_with_the_cells_and_orders_of_the_file():
    grid = Grid(CONFIG | NEVER, "v1", golden.config()["projection"])
    bins = [record_of_bin for record_of_bin, _ in grid.run(golden.events())]
    assert len(bins) == golden.BINS
    assert golden.differences(golden.columns_of(bins), golden.table("bins")) == []
    cells = golden.columns_of(grid.final_cells())
    assert golden.differences(cells, golden.table("engine_final")) == []
    orders = golden.columns_of(grid.final_orders())
    assert golden.differences(orders, golden.table("orders_final")) == []


def test_a_difference_from_the_golden_stream_is_named():
    wanted = golden.table("engine_final")
    off = wanted["v_add"] + 2e-12 * np.abs(wanted["v_add"]).max()
    found = {name: values for name, values in wanted.items() if name != "j_add"}
    found |= {"v_add": off, "last_event_id": wanted["last_event_id"] + 1}
    said = golden.differences(found, wanted)
    assert sorted(text.split(":")[0] for text in said) == ["j_add", "last_event_id", "v_add"]


def test_the_locked_scores_are_reached():
    rng = np.random.default_rng(42)
    channels = [rng.standard_normal((200, 5)) * scale for scale in (0.1, 0.01, 0.001)]
    scorers = [Scorer(CONFIG) for _ in range(5)]
    for i in range(101):
        scores = [scorers[n].push([float(c[i, n]) for c in channels]) for n in range(5)]
    locked = [0.2475041700366693, 0.1150841444583974, 0.05433544837187774]
    locked += [-0.1932690478377614, -0.3780128121873298]
    assert scores == pytest.approx(locked, abs=1e-14)
    assert [scorers[0].code(score) for score in scores] == [1, 0, 0, -1, -1]


def test_a_quiet_window_of_the_state_model_is_measured_by_its_deviation():
    model = StateModel(SETTINGS | {"state_model_center_exclusion_radius": 0})
    quiet = dict.fromkeys(range(-6, 7), 0)
    bullish = {k: 2 if k > 0 else 1 if k < 0 else 0 for k in range(-6, 7)}
    fields = [model.push(codes) for codes in (quiet, quiet, quiet, quiet, bullish)]
    # d1 = 0, 0, 0, 0, x: median and MAD are 0, so mean x/5 and deviation 2x/5 are used.
    assert fields[-1]["state_model_z1"] == pytest.approx((1 - 1 / 5) / (2 / 5))
    assert [each["state_model_ready"] for each in fields] == [False, False, True, True, True]
    assert fields[-1]["state_model_dominant_state5_code"] == 2


@pytest.mark.parametrize("compat", ["v1", "v2"])
def test_the_anchor_is_the_middle_of_the_first_two_sides(compat):
    book, touches = anchored(compat)
    assert (book.anchor, touches) == (MIDDLE_TICK, [])
    assert (book.best_bid, book.best_ask) == (398 * TICK_INT, 402 * TICK_INT)
    assert (dict(book.bid_depths), dict(book.ask_depths)) == ({BID: 4}, {ASK: 5})


@pytest.mark.parametrize(
    ("compat", "event", "touches", "depth"),
    [
        ("v2", record("C", "B", 1, 398, 3), [(BID, 0, 3, 0)], 1),
        ("v1", record("C", "B", 1, 398, 3), [(BID, 0, 4, 0)], 0),
        ("v2", record("C", "B", 1, 398, 9), [(BID, 0, 4, 0)], 0),
        ("v2", record("F", "B", 1, 398, 9), [(BID, 0, 0, 4)], 4),
        ("v1", record("F", "B", 1, 398, 9), [(BID, 0, 0, 9)], 0),
        ("v2", record("A", "B", 1, 398, 7), [], 4),
        ("v1", record("A", "B", 1, 398, 7), [(BID, 7, 0, 0)], 11),
        ("v2", record("M", "B", 1, 398, 0), [(BID, 0, 4, 0)], 0),
        ("v1", record("M", "B", 1, 398, 0), [(BID, 0, 4, 0)], 0),
        ("v2", record("M", "B", 1, 398, 6), [(BID, 2, 0, 0)], 6),
        ("v2", record("M", "N", 1, 398, 4), [(BID, 0, 0, 0)], 4),
        ("v2", record("M", "B", 1, 399, 6), [(BID, 0, 4, 0), (BID + 1, 6, 0, 0)], 0),
        ("v2", record("M", "A", 1, 398, 4), [(BID, 0, 0, 0)], 0),
        ("v2", record("M", "B", 7, 398, 3), [(BID, 3, 0, 0)], 7),
        ("v1", record("M", "B", 7, 398, 3), [], 7),
        ("v2", record("A", "N", 7, 398, 3), [], 4),
        ("v2", record("A", "B", 7, 398 + MIDDLE, 3), [(BID + MIDDLE, 3, 0, 0)], 4),
        ("v2", record("A", "B", 7, 400 + MIDDLE, 3), [], 4),
        ("v2", record("C", "B", 1, 398, 0), [], 4),
        ("v1", record("C", "B", 1, 398, 0), [(BID, 0, 4, 0)], 0),
    ],
)
def test_an_event_moves_the_depth_and_touches_as_the_rules_say(compat, event, touches, depth):
    book, found = anchored(compat, event)
    assert (found, book.bid_depths[BID]) == (touches, depth)


def test_what_a_fill_announced_is_no_pull_when_the_book_follows():
    fill = record("F", "B", 1, 398, 3)
    book, touches = anchored("v2", fill)
    assert (touches, book.orders[1].awaited, book.unconfirmed_fills) == ([(BID, 0, 0, 3)], 3, 1)
    # 4 resting, 3 of them filled: a second fill of 3 finds 1 left.
    assert anchored("v2", fill, fill)[1] == [(BID, 0, 0, 1)]
    assert anchored("v2", fill, record("C", "B", 1, 398, 3))[1] == [(BID, 0, 0, 0)]
    assert anchored("v2", fill, record("C", "B", 1, 398, 4))[1] == [(BID, 0, 1, 0)]
    assert anchored("v2", fill, record("M", "B", 1, 398, 1))[1] == [(BID, 0, 0, 0)]
    assert anchored("v2", fill, record("M", "B", 1, 398, 0))[1] == [(BID, 0, 1, 0)]
    moved = [(BID, 0, 1, 0), (BID - 1, 1, 0, 0)]
    assert anchored("v2", fill, record("M", "B", 1, 397, 1))[1] == moved
    book, touches = anchored("v2", fill, record("M", "B", 1, 398, 4), record("C", "B", 1, 398, 4))
    assert (touches, book.unconfirmed_fills) == ([(BID, 0, 4, 0)], 0)


@pytest.mark.parametrize(
    ("event", "anomalies"),
    [
        (record("A", "B", 1, 398, 1), {"duplicate_add"}),
        (record("C", "B", 9, 398, 1), {"unknown_cancel"}),
        (record("M", "B", 9, 398, 1), {"unknown_modify"}),
        (record("F", "B", 9, 398, 1), {"unknown_fill"}),
        (record("C", "B", 1, 398, 5), {"over_cancel"}),
        (record("F", "B", 1, 398, 5), {"over_fill"}),
        (record("M", "B", 1, 398, 0), {"zero_size"}),
        (record("T", "B", 1, 398, 0), set()),
        (record("A", "N", 9, 398, 1), {"bad_side"}),
        (record("M", "A", 1, 398, 4), {"side_change"}),
        (record("A", "B", 9, 397.5, 1), {"off_tick"}),
        (record("A", "B", 9, 300, 1), {"out_of_range"}),
        (record("N", "N", 0, 0, 0, ts_ns=START_NS - 1), {"time_regression"}),
        (record("N", "N", 0, 0, 0, sequence=6), {"sequence_regression"}),
        (record("N", "N", 0, 0, 0, sequence=6, ts_ns=START_NS + 1), set()),
        (record("A", "B", 9, 402, 1, flags=LAST), {"crossed"}),
        (record("A", "B", 9, 402, 1), set()),
        (record("A", "N", 1, 397.5, 0), {"duplicate_add", "bad_side", "off_tick", "zero_size"}),
    ],
)
def test_an_anomaly_is_counted_once_under_its_name(event, anomalies):
    for compat in ("v1", "v2"):
        book, _ = anchored(compat, record("N", "N", 0, 0, 0, sequence=7), event)
        assert counted(book) == dict.fromkeys(anomalies, 1)


def test_a_book_is_valid_between_clears_and_after_snapshots():
    start = record("R", "N", 0, 0, 0, flags=SNAPSHOT)
    add = record("A", "B", 3, 398, 1, flags=SNAPSHOT)
    last = add._replace(order_id=4, flags=SNAPSHOT | LAST)
    for compat in ("v1", "v2"):
        states = []
        book = Book(compat, TICK_INT, SLOTS)
        for each in (add._replace(flags=0), start, add, last, record("R", "N", 0, 0, 0), add):
            book.apply(each)
            states.append((book.valid, book.in_snapshot))
        assert states == [
            (True, False),
            (False, True),
            (False, True),
            (True, False),
            (False, False),
            (True, False),
        ]


def test_a_snapshot_far_from_the_middle_moves_the_anchor_of_v2_alone():
    # Quotes around tick 416: slot 32 + 16 = 48 is the first outside [16, 48).
    records = (
        record("R", "N", 0, 0, 0, flags=SNAPSHOT),
        record("A", "B", 3, 415, 2, flags=SNAPSHOT),
        record("A", "A", 4, 417, 2, flags=SNAPSHOT | LAST),
    )
    book, touches = anchored("v2", *records)
    assert (book.anchor, touches, dict(book.bid_depths)) == (416, [], {MIDDLE - 1: 2})
    assert (book.best_bid, book.best_ask) == (415 * TICK_INT, 417 * TICK_INT)
    book, touches = anchored("v1", *records)
    assert (book.anchor, touches) == (MIDDLE_TICK, [(MIDDLE + 17, 2, 0, 0)])
    nearer = [each._replace(price_int=each.price_int - TICK_INT) for each in records[1:]]
    assert anchored("v2", records[0], *nearer)[0].anchor == MIDDLE_TICK
