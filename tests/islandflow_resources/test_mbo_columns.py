"""Tables of events: Databento's own CSV against its DBN, our layout in any width, refusals."""

import io

import databento_dbn as dbn
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractError
from engine.book.events import NO_PRICE
from islandflow_resources.mbo_files import read_events
from tests.islandflow_resources.mbo_streams import (
    ESH1,
    START,
    assert_equal,
    encoded,
    joined,
    mapping,
    record,
    tape,
    written,
)

NQH1 = mapping("NQH1", (77, 0, 1))


def session(rows=300):
    """Records of two instruments with snapshots, prices of none and ids of all 64 bits."""
    random = np.random.default_rng(3)
    return [
        record(
            int(random.integers(0, 10**10)),
            "ACMFTRN"[random.integers(7)],
            "ABN"[random.integers(3)],
            order_id=int(random.integers(0, 2**64, dtype=np.uint64)),
            price=int(random.choice([NO_PRICE, -5, *random.integers(10**12, 2 * 10**12, 4)])),
            size=int(random.integers(0, 2**32)),
            flags=int(random.choice([0, 32, 128, 160])),
            instrument_id=int(random.choice([77, 5482])),
            sequence=n,
        )
        for n in range(rows)
    ]


def as_csv(data, **pretty):
    """`data`, a DBN file, as Databento writes it as CSV."""
    sink = io.BytesIO()
    none = dbn.Compression.NONE
    coder = dbn.Transcoder(sink, dbn.Encoding.CSV, none, **pretty)
    coder.write(data)
    coder.flush()
    return sink.getvalue()


def as_table(data, **pretty):
    """`data` as columns of natural types, as a frame of Databento's records has them."""
    text = as_csv(data, **pretty)
    texts = {"action": pa.string(), "side": pa.string(), "order_id": pa.uint64()}
    convert = pacsv.ConvertOptions(column_types=texts)
    return pacsv.read_csv(io.BytesIO(text), convert_options=convert)


def own(events):
    """Our layout, as whoever has the columns would write it."""
    columns = {name: getattr(events, name) for name in events._fields}
    letters = {name: list(columns[name].tobytes().decode()) for name in ("action", "side")}
    return pa.table(columns | letters)


def stored(path, table):
    """`table` as parquet or CSV, as the name says."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pacsv.write_csv(table, path)
    return path


def refused(path, **selection):
    with pytest.raises(ContractError) as caught:
        list(read_events(path, **selection))
    assert str(path) in caught.value.message
    return caught.value


@pytest.mark.parametrize("pretty_px", [False, True])
@pytest.mark.parametrize("pretty_ts", [False, True])
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst"])
@pytest.mark.parametrize("symbol", ["ESH1", "NQH1"])
def test_databentos_csv_says_what_its_dbn_says(tmp_path, pretty_px, pretty_ts, suffix, symbol):
    data = encoded(session(), mappings=(ESH1, NQH1))
    text = as_csv(data, pretty_px=pretty_px, pretty_ts=pretty_ts, map_symbols=True)
    kind = {"csv.gz": "gzip", "csv.zst": "zstd"}.get(suffix)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(pa.Codec(kind).compress(text).to_pybytes() if kind else text)
    (tmp_path / "a.dbn").write_bytes(data)
    wanted = read_events(tmp_path / "a.dbn", symbol=symbol)
    found = read_events(path, symbol=symbol, batch_rows=70)
    assert_equal(joined(found), joined(wanted))
    for what in ("records", "rows", "dropped", "changed", "symbols", "instrument_ids"):
        assert getattr(found.summary, what) == getattr(wanted.summary, what)


@pytest.mark.parametrize("fixed", [False, True])
def test_a_frame_of_databentos_records_in_parquet_says_what_its_dbn_says(tmp_path, fixed):
    data = encoded(session(), mappings=(ESH1, NQH1))
    (tmp_path / "a.dbn").write_bytes(data)
    table = as_table(data, pretty_px=not fixed, map_symbols=True)
    assert pa.types.is_timestamp(table.schema.field("ts_event").type)
    assert pa.types.is_floating(table.schema.field("price").type) is not fixed
    letters = pa.dictionary(pa.int8(), pa.string())
    for name in ("action", "symbol"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(letters))
    path = stored(tmp_path / "a.parquet", table)
    wanted = joined(read_events(tmp_path / "a.dbn", symbol="NQH1"))
    assert_equal(joined(read_events(path, symbol="NQH1", batch_rows=70)), wanted)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_our_layout_reads_in_any_width_and_without_a_sequence(tmp_path, suffix):
    events = tape(500)
    wide = own(events)
    path = stored(tmp_path / f"wide.{suffix}", wide)
    assert_equal(joined(read_events(path, batch_rows=64)), events)
    narrow = wide.drop_columns(["sequence"])
    for name, kind in (("flags", "int16"), ("size", "uint32"), ("ts_ns", "uint64")):
        narrow = narrow.set_column(narrow.column_names.index(name), name, narrow[name].cast(kind))
    unsigned = pa.array(events.order_id.view(np.uint64))
    narrow = narrow.set_column(3, "order_id", unsigned)
    path = stored(tmp_path / f"narrow.{suffix}", narrow.select(narrow.column_names[::-1]))
    nothing = np.zeros(events.rows, np.int64)
    assert_equal(joined(read_events(path)), events._replace(sequence=nothing))


def test_our_layout_keeps_times_of_snapshots_as_they_are(tmp_path):
    events = tape(50)._replace(flags=np.full(50, 32, np.int32))
    path = stored(tmp_path / "a.parquet", own(events))
    assert_equal(joined(read_events(path)), events)


def test_rows_of_other_kinds_are_counted_and_places_stay_those_of_the_table(tmp_path):
    table = as_table(encoded([record(n) for n in range(6)]), pretty_ts=False, pretty_px=False)
    kinds = pa.array([160, 23, 160, 23, 160, 160])
    table = table.set_column(table.column_names.index("rtype"), "rtype", kinds)
    reader = read_events(stored(tmp_path / "a.csv", table))
    assert (joined(reader).ts_ns - START).tolist() == [0, 2, 4, 5]
    assert reader.summary.dropped == {"rtype_other": 2}
    letters = pa.array(["A", "A", "A", "A", "x", "A"])
    table = table.set_column(table.column_names.index("action"), "action", letters)
    error = refused(stored(tmp_path / "b.csv", table), batch_rows=3)
    assert error.loc == "row 4, column action"


BAD = {
    "action": [(None, "missing"), ("x", "'x' is none of"), ("AA", "'AA' is none of")],
    "side": [(None, "missing"), ("é", "'é' is none of")],
    "ts_ns": [(None, "missing"), ("-1", "-1 is not between"), ("soon", "'soon' does not read")],
    "order_id": [(None, "missing"), ("1.5", "'1.5' does not read")],
    "price_int": [(None, "missing"), ("99999999999999999999", "does not read")],
    "size": [(None, "missing"), ("-3", "-3 is not between"), ("4294967296", "is not between")],
    "flags": [(None, "missing"), ("-1", "-1 is not between")],
    "sequence": [(None, "missing"), ("-1", "-1 is not between")],
}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("column", "value", "what"),
    [(column, *each) for column, values in BAD.items() for each in values],
)
def test_a_value_that_is_none_is_named_by_row_and_column(tmp_path, suffix, column, value, what):
    table = own(tape(200))
    texts = table[column].cast(pa.string()).to_pylist()
    texts[137] = value
    table = table.set_column(table.column_names.index(column), column, pa.array(texts))
    error = refused(stored(tmp_path / f"a.{suffix}", table), batch_rows=50)
    assert (error.code, error.loc) == ("MBO_VALUE_INVALID", f"row 137, column {column}")
    assert what in error.message


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("size", pa.array([1.0, 2.0])),
        ("order_id", pa.array([1.0, 2.0])),
        ("action", pa.array([65, 66])),
        ("ts_ns", pa.array([True, False])),
    ],
)
def test_a_column_of_another_type_is_refused(tmp_path, column, values):
    table = own(tape(2))
    table = table.set_column(table.column_names.index(column), column, values)
    error = refused(stored(tmp_path / "a.parquet", table))
    assert (error.code, error.loc) == ("MBO_VALUE_INVALID", f"row 0, column {column}")
    assert f"of type {values.type}" in error.message


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("column", ["price_int", "flags", "side", "ts_ns"])
def test_a_missing_column_is_named_with_those_there_are(tmp_path, suffix, column):
    path = stored(tmp_path / f"a.{suffix}", own(tape(3)).drop_columns([column]))
    error = refused(path)
    assert (error.code, error.loc) == ("MBO_COLUMN_MISSING", f"column {column}")
    assert "it has: " in error.message


def test_a_column_there_twice_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("ts_ns,action,side,order_id,price_int,size,flags,size\n")
    assert refused(tmp_path / "a.csv").code == "MBO_COLUMN_AMBIGUOUS"


def test_a_csv_line_of_another_length_is_refused_with_its_row(tmp_path):
    path = stored(tmp_path / "a.csv", own(tape(5)))
    path.write_bytes(path.read_bytes() + b"1,2\n")
    error = refused(path)
    assert error.code == "MBO_FILE_CORRUPT"
    assert "Row #7" in error.message


def test_a_table_without_rows_has_no_batches(tmp_path):
    for suffix in ("parquet", "csv"):
        path = stored(tmp_path / f"a.{suffix}", own(tape(0)))
        assert list(read_events(path)) == []


def test_a_csv_of_prices_is_one_of_units_only_without_a_point(tmp_path):
    def text(*prices):
        rows = [f"{START + n},A,B,{n},{price},1,0" for n, price in enumerate(prices)]
        lines = ["ts_event,action,side,order_id,price,size,flags", *rows]
        (tmp_path / "a.csv").write_text("\n".join(lines))
        return tmp_path / "a.csv"

    assert joined(read_events(text("5000", "25"))).price_int.tolist() == [5000, 25]
    found = joined(read_events(text("5000", "0.25"))).price_int.tolist()
    assert found == [5_000_000_000_000, 250_000_000]
    error = refused(text("5000", "0.25"), batch_rows=1)
    assert (error.code, error.loc) == ("MBO_VALUE_INVALID", "row 1, column price")


def test_instruments_of_a_table_are_told_apart_or_refused(tmp_path):
    data = encoded(session(40), mappings=(ESH1, NQH1))
    table = as_table(data, map_symbols=True)
    path = stored(tmp_path / "a.parquet", table)
    assert refused(path).code == "MBO_INSTRUMENT_AMBIGUOUS"
    assert refused(path, symbol="CLH1").code == "MBO_SYMBOL_UNKNOWN"
    path = stored(tmp_path / "b.parquet", table.drop_columns(["symbol"]))
    assert refused(path).code == "MBO_INSTRUMENT_AMBIGUOUS"
    assert refused(path, symbol="ESH1").code == "MBO_SYMBOLOGY_MISSING"
    one = table.filter(pc.equal(table["instrument_id"], 77))
    nameless = stored(tmp_path / "c.parquet", one.drop_columns(["symbol"]))
    reader = read_events(nameless, symbol="NQH1")
    named = read_events(stored(tmp_path / "d.parquet", one))
    assert_equal(joined(reader), joined(named))
    assert named.summary.symbol == "NQH1"
    by_name = table.drop_columns(["instrument_id"])
    error = refused(stored(tmp_path / "e.parquet", by_name))
    assert error.code == "MBO_INSTRUMENT_AMBIGUOUS"
    assert "ESH1: " in error.message


def test_a_row_without_a_symbol_is_named_when_one_is_asked_for(tmp_path):
    table = as_table(encoded([record(n) for n in range(4)]), map_symbols=True)
    texts = pa.array(["ESH1", "ESH1", None, "ESH1"])
    table = table.set_column(table.column_names.index("symbol"), "symbol", texts)
    for suffix in ("parquet", "csv"):
        error = refused(stored(tmp_path / f"a.{suffix}", table), symbol="ESH1")
        assert (error.code, error.loc) == ("MBO_SYMBOLOGY_MISSING", "row 2")


def test_a_damaged_parquet_is_refused(tmp_path):
    path = stored(tmp_path / "a.parquet", own(tape(300)))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-1], b"PAR1" * 9):
        path.write_bytes(content)
        assert refused(path).code == "MBO_FILE_CORRUPT"


def test_the_same_session_in_every_form_makes_the_same_events(tmp_path):
    records = [record(n, order_id=n, sequence=n) for n in range(100)]
    source = written(tmp_path / "a.dbn", records)
    events = joined(read_events(source))
    for suffix in ("parquet", "csv"):
        assert_equal(joined(read_events(stored(tmp_path / f"a.{suffix}", own(events)))), events)
