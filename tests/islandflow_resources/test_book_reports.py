"""Reports of event files: counts against the oracle's book, whatever the form of the file."""

from collections import Counter

import pytest

from contracts.errors import ContractError
from engine.book.audit import INVARIANTS
from islandflow_resources.book_reports import Quote, check_events
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.mbo_writers import write_events
from tests.islandflow_resources.mbo_streams import START, mapping, record, written
from tests.oracles.order_book import Book, Event, unpacked
from tests.oracles.order_streams import START_NS, TICK_INT, adversarial, packed, well_formed

UNJUDGED = {"off_tick", "out_of_range", "crossed"}
TIMES = {"time_regression", "sequence_regression"}
"""Not kept by DBN, whose snapshots take the time of their clear."""
SLOTS = 2**20
STREAMS = {"feed": well_formed(3, 1_500), "mischief": adversarial(3, 1_500)}


def oracle_of(stream):
    book = Book("v2", TICK_INT, SLOTS)
    for event in unpacked(stream):
        book.apply(event)
    return book


def best(book, side):
    prices = [order.price_int for order in book.orders.values() if order.side == side]
    if not prices:
        return None
    price = max(prices) if side == "B" else min(prices)
    there = [o for o in book.orders.values() if (o.side, o.price_int) == (side, price)]
    return Quote(price, sum(order.quantity for order in there), len(there))


def quote(side, order_id, price_int, size=1):
    return Event(START_NS, "A", side, order_id, price_int, size, 128, 0)


@pytest.mark.parametrize("form", ["parquet", "dbn.zst"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_report_says_what_an_independent_book_says(tmp_path, name, form):
    stream, path = STREAMS[name], tmp_path / f"a.{form}"
    write_events(path, [stream], symbol="MNQH6")
    report, book = check_events(path), oracle_of(stream)
    left_out = UNJUDGED | (TIMES if form != "parquet" else set())
    wanted = book.anomalies | Counter(unconfirmed_fills=book.unconfirmed_fills)
    found = Counter(report.anomalies)
    for anomaly in left_out:
        del found[anomaly], wanted[anomaly]
    assert +found == +wanted
    assert UNJUDGED & report.anomalies.keys() == {"crossed"}
    assert report.is_sound
    assert report.broken == dict.fromkeys(INVARIANTS, 0)
    assert report.live_orders == len(book.orders)
    assert (report.best_bid, report.best_ask) == (best(book, "B"), best(book, "A"))


def test_events_are_counted_by_action_group_snapshot_and_time(tmp_path):
    stream, path = STREAMS["mischief"], tmp_path / "a.parquet"
    write_events(path, [stream], symbol="MNQH6")
    report = check_events(path)
    rows = list(unpacked(stream))
    actions = Counter(row.action for row in rows)
    assert {letter: n for letter, n in report.actions.items() if n} == actions
    assert report.groups == sum(bool(row.flags & 128) for row in rows)
    assert report.snapshots == sum(row.action == "R" and bool(row.flags & 32) for row in rows) > 1
    times = [row.ts_ns for row in rows]
    assert (report.first_ns, report.last_ns) == (min(times), max(times))
    assert report.prices == len({row.price_int for row in rows if row.action in "AM"})
    assert report.ingestion.rows == report.ingestion.records == len(rows)
    assert report.ingestion.digest == file_digest(path)
    assert report.audits == 1


@pytest.mark.parametrize(
    ("bid", "ask", "crossing"), [(99, 101, "no"), (100, 100, "locked"), (101, 99, "crossed")]
)
def test_a_report_says_how_the_book_stands_at_the_end(tmp_path, bid, ask, crossing):
    path = tmp_path / "a.parquet"
    write_events(path, [packed([quote("B", 1, bid), quote("A", 2, ask, 3)])], symbol="X")
    report = check_events(path)
    assert report.crossing == crossing
    assert (report.best_bid, report.best_ask) == (Quote(bid, 1, 1), Quote(ask, 3, 1))
    assert report.anomalies["crossed"] == (crossing != "no")


def test_prices_below_zero_are_best_prices_too(tmp_path):
    path = tmp_path / "a.parquet"
    rows = [quote("B", 1, -7), quote("B", 2, -9), quote("A", 3, 0), quote("A", 4, -3)]
    write_events(path, [packed(rows)], symbol="X")
    report = check_events(path)
    assert (report.best_bid, report.best_ask) == (Quote(-7, 1, 1), Quote(-3, 1, 1))
    assert report.crossing == "no"


def test_a_file_without_events_is_a_sound_and_empty_book(tmp_path):
    path = tmp_path / "a.parquet"
    write_events(path, [], symbol="X")
    report = check_events(path)
    assert (report.is_sound, report.audits, report.live_orders) == (True, 1, 0)
    assert (report.best_bid, report.best_ask, report.crossing) == (None, None, "no")
    assert (report.first_ns, report.last_ns, report.prices) == (0, 0, 0)


def test_one_of_several_instruments_is_checked_and_without_its_name_none(tmp_path):
    symbols = (mapping("ESH1", (5482, 0, 1)), mapping("ESM1", (9, 0, 1)))
    records = [
        record(price=5_000_000_000),
        record(1, order_id=2, instrument_id=9, price=7_000_000_000, size=3),
    ]
    path = written(tmp_path / "a.dbn", records, mappings=symbols)
    report = check_events(path, "ESM1")
    assert report.best_bid == Quote(7_000_000_000, 3, 1)
    assert report.ingestion.dropped == {"other_instrument": 1}
    assert (report.first_ns, report.ingestion.symbol) == (START + 1, "ESM1")
    with pytest.raises(ContractError) as refused:
        check_events(path)
    assert refused.value.code == "MBO_INSTRUMENT_AMBIGUOUS"
