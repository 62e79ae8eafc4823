"""What ingestion drops, changes and refuses, on files of Databento's own encoding."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.book.events import NO_PRICE
from islandflow_resources.mbo_files import read_events
from tests.islandflow_resources.mbo_streams import (
    DAY,
    ESH1,
    START,
    joined,
    mapping,
    record,
    written,
)

NQH1 = mapping("NQH1", (77, 0, 1))
SNAPSHOT = 32


def refused(path, **selection):
    with pytest.raises(ContractError) as caught:
        list(read_events(path, **selection))
    return caught.value


def both(path):
    """A file of two instruments, alternating."""
    records = [record(n, instrument_id=5482 if n % 2 else 77, order_id=n) for n in range(10)]
    return written(path, records, mappings=(ESH1, NQH1))


def test_one_symbol_of_several_is_taken_and_the_others_counted(tmp_path):
    reader = read_events(both(tmp_path / "a.dbn"), symbol="NQH1", batch_rows=3)
    assert joined(reader).order_id.tolist() == [0, 2, 4, 6, 8]
    summary = reader.summary
    assert summary.dropped == {"other_instrument": 5}
    assert (summary.records, summary.rows) == (10, 5)
    assert (summary.symbols, summary.symbol) == (("ESH1", "NQH1"), "NQH1")
    assert summary.instrument_ids == (77,)


def test_several_instruments_without_a_symbol_are_refused_by_name(tmp_path):
    error = refused(both(tmp_path / "a.dbn"), batch_rows=2)
    assert error.code == "MBO_INSTRUMENT_AMBIGUOUS"
    assert "2 instruments (records: 77 (NQH1): 5, 5482 (ESH1): 5)" in error.message


def test_a_single_instrument_needs_no_name_unless_one_is_asked_for(tmp_path):
    path = written(tmp_path / "a.dbn", [record(), record(1)], mappings=())
    reader = read_events(path)
    assert joined(reader).rows == 2
    assert (reader.summary.symbol, reader.summary.instrument_ids) == ("", (5482,))
    error = refused(path, symbol="ESH1")
    assert error.code == "MBO_SYMBOLOGY_MISSING"
    assert error.loc.startswith("record 0 at byte ")


def test_one_record_without_a_symbol_is_named(tmp_path):
    records = [record(), record(1, instrument_id=9), record(2)]
    error = refused(written(tmp_path / "a.dbn", records), symbol="ESH1", batch_rows=1)
    assert error.code == "MBO_SYMBOLOGY_MISSING"
    assert error.loc.startswith("record 1 at byte ")
    assert "instrument 9 has no symbol" in error.message


def test_a_symbol_the_file_does_not_have_is_refused_at_once_with_those_it_has(tmp_path):
    path = both(tmp_path / "a.dbn")
    with pytest.raises(ContractError, match="it has no NQM1; it has: ESH1, NQH1") as caught:
        read_events(path, symbol="NQM1")
    assert caught.value.code == "MBO_SYMBOL_UNKNOWN"


def test_days_decide_only_where_an_id_changes_its_symbol(tmp_path):
    front = mapping("ES.c.0", (1, 0, 1), (2, 1, 2))
    back = mapping("ES.c.1", (2, 0, 1), (3, 1, 9))
    day = START - START % DAY
    records = [
        record(instrument_id=identity, ts_event=5, ts_recv=day + at, order_id=n)
        for n, (identity, at) in enumerate(
            [(1, 0), (2, DAY - 1), (1, DAY), (2, DAY), (3, DAY), (3, 50 * DAY)]
        )
    ]
    path = written(tmp_path / "a.dbn", records, mappings=(front, back))
    assert joined(read_events(path, symbol="ES.c.0")).order_id.tolist() == [0, 2, 3]
    assert joined(read_events(path, symbol="ES.c.1")).order_id.tolist() == [1, 4, 5]


def test_two_venues_under_one_id_are_two_books(tmp_path):
    records = [record(), record(1), record(2, publisher_id=2)]
    error = refused(written(tmp_path / "a.dbn", records), batch_rows=2)
    assert error.code == "MBO_INSTRUMENT_AMBIGUOUS"
    assert error.loc.startswith("record 2 at byte ")


def test_a_snapshot_has_the_time_of_its_clear_until_the_next(tmp_path):
    records = [
        record(-5, flags=SNAPSHOT),
        record(0, "R", "N", flags=SNAPSHOT),
        record(-900, flags=SNAPSHOT),
        record(7),
        record(-3, flags=SNAPSHOT | 128),
        record(100, "R", "N", flags=SNAPSHOT),
        record(50, flags=SNAPSHOT | 128),
        record(60),
    ]
    path = written(tmp_path / "a.dbn", records)
    for batch_rows in (1, 3, 100):
        reader = read_events(path, batch_rows=batch_rows)
        times = joined(reader).ts_ns - START
        assert times.tolist() == [-5, 0, 0, 7, 0, 100, 100, 60]
        changed = {"snapshot_time": 3, "snapshot_without_start": 1}
        assert reader.summary.changed == changed


def test_another_instruments_snapshot_moves_no_time(tmp_path):
    records = [
        record(10, "R", "N", flags=SNAPSHOT),
        record(20, "R", "N", flags=SNAPSHOT, instrument_id=77),
        record(1, flags=SNAPSHOT),
        record(2, flags=SNAPSHOT, instrument_id=77),
    ]
    path = written(tmp_path / "a.dbn", records, mappings=(ESH1, NQH1))
    for symbol, times in {"ESH1": [10, 10], "NQH1": [20, 20]}.items():
        assert (joined(read_events(path, symbol=symbol)).ts_ns - START).tolist() == times


def test_a_window_is_half_open_and_lets_snapshots_and_clears_pass(tmp_path):
    records = [
        record(-50, "R", "N"),
        record(-40, "R", "N", flags=SNAPSHOT),
        record(-30, flags=SNAPSHOT),
        record(-1),
        record(0),
        record(9),
        record(10),
        record(99, "R", "N"),
    ]
    path = written(tmp_path / "a.dbn", records)
    reader = read_events(path, window=(START, START + 10))
    assert (joined(reader).ts_ns - START).tolist() == [-50, -40, -40, 0, 9, 99]
    assert reader.summary.dropped == {"outside_window": 2}
    reader = read_events(path, window=(START, START + 10), skip_to_ns=START + 9)
    assert (joined(reader).ts_ns - START).tolist() == [-50, -40, -40, 9, 99]
    assert reader.summary.dropped == {"outside_window": 2, "before_start": 1}


def test_prices_of_none_are_dropped_where_one_is_needed_else_zero(tmp_path):
    records = [record(n, letter, price=NO_PRICE) for n, letter in enumerate("ACMFTRN")]
    reader = read_events(written(tmp_path / "a.dbn", records))
    events = joined(reader)
    assert bytes(events.action) == b"CFTRN"
    assert events.price_int.tolist() == [0] * 5
    assert reader.summary.dropped == {"no_price": 2}
    assert reader.summary.changed == {"price_zeroed": 5}


def test_a_time_of_none_is_refused_unless_another_instrument_has_it(tmp_path):
    records = [record(), record(1, ts_event=2**64 - 1, instrument_id=77), record(2)]
    path = written(tmp_path / "a.dbn", records, mappings=(ESH1, NQH1))
    assert joined(read_events(path, symbol="ESH1")).rows == 2
    error = refused(path, symbol="NQH1")
    assert error.code == "MBO_VALUE_INVALID"
    assert error.loc.startswith("record 1 at byte ")
    assert error.loc.endswith("column ts_event")


def test_a_snapshots_time_of_none_is_that_of_its_clear(tmp_path):
    records = [record(4, "R", "N", flags=SNAPSHOT), record(ts_event=2**64 - 1, flags=SNAPSHOT)]
    path = written(tmp_path / "a.dbn", records)
    assert joined(read_events(path)).ts_ns.tolist() == [START + 4] * 2


def test_a_file_without_records_has_no_batches(tmp_path):
    reader = read_events(written(tmp_path / "a.dbn", []), symbol="ESH1")
    assert list(reader) == []
    assert (reader.summary.records, reader.summary.is_complete) == (0, True)


def naive(records, wanted, window, skip_to):
    """The rules said record by record."""
    starts, rows = {}, []
    for each in records:
        flags, action = int(each.flags), str(each.action)
        is_snapshot = bool(flags & SNAPSHOT)
        time = each.ts_event
        if is_snapshot and action == "R":
            starts[each.instrument_id] = time
        if is_snapshot:
            time = starts.get(each.instrument_id, time)
        passes = is_snapshot or action == "R"
        inside = passes or (window[0] <= time < window[1] and time >= skip_to)
        priceless = each.price == NO_PRICE
        if each.instrument_id != wanted or not inside or (priceless and action in "AM"):
            continue
        rows.append((time, action, each.order_id, 0 if priceless else each.price))
    return rows


@st.composite
def streams(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(0, 60))
    return [
        record(
            int(random.integers(0, 100)),
            "ARMCN"[random.integers(5)],
            flags=int(random.choice([0, 32, 128, 160])),
            order_id=n,
            price=int(random.choice([NO_PRICE, 5 * 10**9])),
            instrument_id=int(random.choice([77, 5482])),
        )
        for n, _ in enumerate(itertools.repeat(None, rows))
    ]


@settings(max_examples=60)
@given(streams(), st.integers(1, 9), st.integers(0, 100), st.integers(0, 100))
def test_the_rules_are_those_said_record_by_record(tmp_path_factory, records, rows, start, skip):
    path = tmp_path_factory.mktemp("rules") / "a.dbn"
    written(path, records, mappings=(ESH1, NQH1))
    window, skip_to = (START + start, START + start + 50), START + skip
    reader = read_events(path, symbol="NQH1", batch_rows=rows, window=window, skip_to_ns=skip_to)
    found = joined(reader)
    told = zip(
        found.ts_ns.tolist(),
        found.action.tobytes().decode(),
        found.order_id.tolist(),
        found.price_int.tolist(),
        strict=True,
    )
    assert list(told) == naive(records, 77, window, skip_to)
    summary = reader.summary
    assert summary.records == len(records) == summary.rows + sum(summary.dropped.values())
