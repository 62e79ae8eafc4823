"""Files of bars: accepted layouts, every refusal by code and row, equal digests, damage."""

import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import OHLCV
from contracts.scenario import TIMEFRAME_NS
from islandflow_resources.bar_files import MAX_BYTES, read_bar_file
from tests.islandflow_resources.ohlcv_files import (
    FORMATS,
    HOUR_NS,
    START_NS,
    bars,
    isos,
    outcomes_of_damage,
    place,
    plain_digest,
    read,
    refused,
    write,
)


@pytest.fixture(params=FORMATS)
def path(tmp_path, request):
    return tmp_path / f"bars{request.param}"


def test_valid_bars_come_out_as_they_are(path):
    given_bars = bars()
    file = read(write(path, given_bars))
    assert file.ts_ns.dtype == np.int64
    assert file.ts_ns.tolist() == given_bars.pop("ts_ns")
    assert {name: values.tolist() for name, values in file.fields.items()} == given_bars
    for values in (file.ts_ns, *file.fields.values()):
        assert values.flags.c_contiguous
        assert values.flags.writeable
    assert {values.dtype for values in file.fields.values()} == {np.dtype(np.float64)}
    assert (file.timeframe, file.bars_per_day, file.tick_size) == ("1h", 24.0, None)


def test_names_are_matched_in_any_case_and_other_columns_ignored(path):
    columns = {" Open ": bars()["open"], "symbol": ["a"] * 6, "CLOSE": bars()["close"]}
    columns |= {name: bars()[name] for name in ("volume", "low")}
    columns |= {"High": bars()["high"], "TS_NS": bars()["ts_ns"], "comment": [None] * 6}
    assert read(write(path, columns)).content_digest == plain_digest(bars())


@pytest.mark.parametrize("name", ["ts_ns", *OHLCV.names[1:]])
def test_a_missing_column_is_named_beside_those_found(path, name):
    columns = bars()
    columns[f"my_{name}"] = columns.pop(name)
    error = refused(write(path, columns))
    assert (error.code, error.loc) == ("DATA_COLUMN_MISSING", name)
    assert f"my_{name}" in error.message
    assert name in error.hints[0]


def test_a_csv_with_another_delimiter_is_told_to_use_commas(tmp_path):
    path = write(tmp_path / "bars.csv", bars())
    path.write_text(path.read_text().replace(",", ";"))
    error = refused(path)
    assert error.code == "DATA_COLUMN_MISSING"
    assert "comma" in error.hints[0]


@pytest.mark.parametrize(
    ("also", "like", "quoted"),
    [
        ("timestamp", "ts_ns", "'ts_ns' and 'timestamp'"),
        ("Date", "ts_ns", "'ts_ns' and 'Date'"),
        ("TS_NS", "ts_ns", "'ts_ns' and 'TS_NS'"),
        ("Close", "close", "'close' and 'Close'"),
    ],
)
def test_two_columns_for_one_thing_are_refused(path, also, like, quoted):
    error = refused(write(path, bars() | {also: bars()[like]}))
    assert error.code == "DATA_COLUMN_AMBIGUOUS"
    assert quoted in error.message


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_bars_are_refused(path, rows):
    kinds = {name: pa.int64() if name == "ts_ns" else pa.float64() for name in OHLCV.names}
    table = pa.table(bars(rows), pa.schema(kinds))
    error = refused(write(path, table if path.suffix == ".parquet" else bars(rows)))
    assert error.code == "DATA_EMPTY"
    assert f"{rows} bars" in error.message


@pytest.mark.parametrize(
    ("timeframe", "round_the_clock"),
    [("1m", "1440"), ("5m", "288"), ("15m", "96"), ("1h", "24"), ("4h", "6"), ("1d", "1")],
)
def test_bars_per_day_have_no_default(path, timeframe, round_the_clock):
    error = refused(write(path, bars()), timeframe, None)
    assert error.code == "DATA_BARS_PER_DAY"
    assert f"--bars-per-day {round_the_clock} if {timeframe} bars" in error.hints[0]


@pytest.mark.parametrize("per_day", [0.0, -1.0, 24.001, float("nan"), float("inf")])
def test_bars_per_day_that_cannot_be_are_refused(path, per_day):
    error = refused(write(path, bars()), "1h", per_day)
    assert error.code == "DATA_BARS_PER_DAY"
    assert repr(per_day) in error.message


@pytest.mark.parametrize("timeframe", [None, "2h"])
def test_a_foreign_file_needs_a_timeframe_that_exists(path, timeframe):
    error = refused(write(path, bars()), timeframe, 24.0)
    assert error.code == "DATA_TIMEFRAME"
    assert "4h" in error.hints[0]


@st.composite
def market_bars(draw):
    rows = draw(st.integers(2, 30))
    price = st.floats(1e-300, 1e300)
    four = [sorted(draw(st.tuples(price, price, price, price))) for _ in range(rows)]
    flip = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    timeframe = draw(st.sampled_from(sorted(TIMEFRAME_NS)))
    first = draw(st.integers(-(2**62), 2**62))
    volume = st.floats(0, 1e300) | st.just(-0.0)
    return timeframe, {
        "ts_ns": [first + row * TIMEFRAME_NS[timeframe] for row in range(rows)],
        "open": [each[1 + up] for each, up in zip(four, flip, strict=True)],
        "high": [each[3] for each in four],
        "low": [each[0] for each in four],
        "close": [each[2 - up] for each, up in zip(four, flip, strict=True)],
        "volume": draw(st.lists(volume, min_size=rows, max_size=rows)),
    }


@given(market_bars())
def test_any_valid_bars_survive_both_formats_with_one_digest(tmp_path_factory, drawn):
    timeframe, columns = drawn
    folder = tmp_path_factory.getbasetemp()
    by_hand, by_arrow = folder / "hand.csv", folder / "arrow.csv"
    pacsv.write_csv(pa.table(columns), by_arrow)
    written = [write(folder / "round.parquet", columns), write(by_hand, columns), by_arrow]
    files = [read_bar_file(path, timeframe, 0.5) for path in written]
    for file in files:
        assert file.ts_ns.tolist() == columns["ts_ns"]
        assert all(file.fields[name].tolist() == columns[name] for name in OHLCV.names[1:])
    assert {file.content_digest for file in files} == {plain_digest(columns)}


@given(st.data())
def test_one_changed_number_changes_the_digest(tmp_path_factory, data):
    name = data.draw(st.sampled_from(["open", "high", "low", "close", "volume"]))
    row = data.draw(st.integers(0, 5))
    moved = float(np.nextafter(bars()[name][row], bars()["close"][row]))
    if moved == bars()[name][row]:
        moved = float(np.nextafter(moved, 0))
    path = tmp_path_factory.getbasetemp() / "changed.csv"
    changed = read(write(path, bars(**{name: {row: moved}}))).content_digest
    assert changed != plain_digest(bars())


def test_what_is_not_there_is_refused(tmp_path):
    assert refused(tmp_path / "none.parquet").code == "DATA_UNREADABLE"
    assert refused(tmp_path).code == "DATA_UNREADABLE"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_header_is_empty(tmp_path, content):
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    assert refused(path).code == "DATA_EMPTY"


def test_a_mark_of_byte_order_before_the_header_is_passed_over(tmp_path):
    path = write(tmp_path / "bars.csv", bars())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path).content_digest == plain_digest(bars())


def test_parquet_is_known_by_its_bytes_whatever_its_name(tmp_path):
    path = write(tmp_path / "bars.parquet", bars()).rename(tmp_path / "bars.data")
    assert read(path).content_digest == plain_digest(bars())


@pytest.mark.parametrize("rows", [2, 200_000])
def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path, rows):
    """Beyond the first block of the reader too."""
    ts_ns = range(START_NS, START_NS + rows * HOUR_NS, HOUR_NS)
    prices = dict.fromkeys(OHLCV.names[1:], [1.0] * rows)
    path = write(tmp_path / "bars.csv", {"ts": ts_ns, **prices})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"\n", 0, -1) + 3] = 0xFF
    path.write_bytes(data)
    error = refused(path)
    assert (error.code, error.loc) == ("DATA_UNREADABLE", place(".csv", rows - 1))
    assert "UTF8" in error.message


def test_a_line_with_too_few_fields_is_quoted_with_its_number(tmp_path):
    path = write(tmp_path / "bars.csv", bars())
    path.write_text(path.read_text().replace("12.0,14.5,", "", 1))
    error = refused(path)
    assert (error.code, error.loc) == ("DATA_UNREADABLE", "row 2, line 4")
    assert "Expected 6 columns, got 4: 170407" in error.message


@pytest.mark.parametrize("end", FORMATS)
def test_a_file_beyond_the_bound_is_refused_unread(tmp_path, end):
    path = tmp_path / f"bars{end}"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # a hole, which takes no room
    error = refused(path)
    assert error.code == "DATA_TOO_LARGE"
    assert str(MAX_BYTES + 1) in error.message


def test_a_small_file_of_very_many_rows_is_refused_unread(tmp_path):
    rows = MAX_BYTES // 48 + 1
    path = write(tmp_path / "bars.parquet", {"ts_ns": pa.nulls(rows)})
    assert path.stat().st_size < 100_000_000
    error = refused(path)
    assert error.code == "DATA_TOO_LARGE"
    assert str(rows) in error.message


def test_a_compressed_csv_is_not_unpacked(tmp_path):
    with pa.output_stream(tmp_path / "bars.csv.gz", compression="gzip") as stream:
        stream.write(write(tmp_path / "bars.csv", bars()).read_bytes())
    error = refused(tmp_path / "bars.csv.gz")
    assert error.code in {"DATA_UNREADABLE", "DATA_COLUMN_MISSING"}


@pytest.mark.parametrize("end", FORMATS)
@pytest.mark.parametrize("as_text", [False, True])
def test_damaged_bytes_are_read_or_refused_and_nothing_else(tmp_path, end, as_text):
    columns = bars(40)
    if as_text:
        columns = {"time": isos(columns.pop("ts_ns")), **columns}
    path = write(tmp_path / f"bars{end}", columns)
    outcomes = outcomes_of_damage(path, tmp_path / f"damaged{end}", "1h", 24.0)
    assert len(outcomes) >= 3
    assert "DATA_UNREADABLE" in outcomes


def test_bars_of_pandas_and_polars_are_the_same(tmp_path):
    index = pd.date_range("2024-01-01", periods=6, freq="h", tz="Europe/Berlin", name="timestamp")
    prices = {name: bars()[name] for name in OHLCV.names[1:]}
    frame = pd.DataFrame(prices, index=index)
    frame.to_parquet(tmp_path / "pandas.parquet")
    frame.to_csv(tmp_path / "pandas.csv")
    early = bars() | {"ts_ns": [ts_ns - HOUR_NS for ts_ns in bars()["ts_ns"]]}
    instants = pl.Series(early["ts_ns"]).cast(pl.Datetime("ns"))
    other = pl.DataFrame({"Time": instants, **prices})
    other.write_parquet(tmp_path / "polars.parquet")
    other.write_csv(tmp_path / "polars.csv")
    files = [read(path) for path in sorted(tmp_path.iterdir())]
    assert len(files) == 4
    assert {file.content_digest for file in files} == {plain_digest(early)}


def test_a_million_bars_are_judged_within_a_second(tmp_path):
    rows = 1_000_000
    price = 100 + np.arange(rows) % 1000 / 7
    columns = {"ts_ns": START_NS + np.arange(rows) * TIMEFRAME_NS["1m"], "open": price}
    columns |= {"high": price + 1, "low": price - 1, "close": price, "volume": price}
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table(columns), path)
    read_bar_file(path, "1m", 1440.0)
    start = time.process_time()
    file = read_bar_file(path, "1m", 1440.0)
    assert time.process_time() - start < 1.0
    assert len(file.ts_ns) == rows
