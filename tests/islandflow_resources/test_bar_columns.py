"""Columns of every type become instants and numbers, or are refused by row."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from contracts.columns import OHLCV
from tests.islandflow_resources.ohlcv_files import (
    FORMATS,
    bars,
    isos,
    place,
    plain_digest,
    read,
    refused,
    write,
)


@pytest.fixture(params=FORMATS)
def path(tmp_path, request):
    return tmp_path / f"bars{request.param}"


@pytest.mark.parametrize(
    ("name", "values", "row", "quoted"),
    [
        ("open", ["1", "2", "3,5", "4", "5", "6"], 2, "'3,5'"),
        ("volume", ["1", "2", "3", "4", "5", "1_000"], 5, "'1_000'"),
        ("high", ["abc", "2", "3", "4", "5", "6"], 0, "'abc'"),
        ("ts_ns", ["1", "2", "3", "4.5", "5", "6"], 3, "'4.5'"),
        ("ts_ns", ["1", "2", "3", "9223372036854775808", "5", "6"], 3, "'9223372036854775808'"),
    ],
)
def test_text_that_is_no_number_is_quoted_with_its_line(tmp_path, name, values, row, quoted):
    quoted_values = [f'"{value}"' for value in values]
    error = refused(write(tmp_path / "bars.csv", bars() | {name: quoted_values}))
    assert (error.code, error.loc) == ("DATA_COLUMN_TYPE", place(".csv", row))
    assert f"{name} is {quoted}" in error.message


def test_the_first_of_several_texts_that_are_no_number_is_told(tmp_path):
    error = refused(write(tmp_path / "bars.csv", bars(open={4: "x"}, close={2: "y"})))
    assert [problem.loc for problem in error.problems] == ["row 2, line 4"]
    assert "close is 'y'" in error.message


@pytest.mark.parametrize(
    ("name", "values", "quoted"),
    [
        ("open", pa.array(["1", "2", "3", "4", "5", "6"]), "string"),
        ("open", pa.array([True] * 6), "bool"),
        ("open", pa.nulls(6), "null"),
        ("close", pa.array([[1.0]] * 6), "list"),
        ("volume", pa.array([{"a": 1}] * 6), "struct"),
        ("volume", pa.array([1] * 6).cast(pa.decimal128(20)), "decimal"),
        ("ts_ns", pa.array([1.0] * 6), "double"),
        ("ts_ns", pa.array([True] * 6), "bool"),
    ],
)
def test_a_column_of_another_type_is_named_with_its_type(tmp_path, name, values, quoted):
    error = refused(write(tmp_path / "bars.parquet", bars() | {name: values}))
    assert (error.code, error.loc) == ("DATA_COLUMN_TYPE", name)
    assert quoted in error.message


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "int64", "uint64", "float", "float16"])
def test_numbers_of_any_width_are_taken(tmp_path, kind):
    whole = {name: [4.0 + row for row in range(6)] for name in ("open", "high", "low", "close")} | {
        "volume": [1.0] * 6
    }
    narrow = {name: pa.array(values).cast(kind) for name, values in whole.items()}
    file = read(write(tmp_path / "bars.parquet", {"ts_ns": bars()["ts_ns"], **narrow}))
    assert {name: values.tolist() for name, values in file.fields.items()} == whole


def test_integers_beyond_double_precision_are_rounded_alike_from_both_formats(tmp_path):
    columns = bars() | {"volume": [2**53 + 1 + row for row in range(6)]}
    digests = {read(write(tmp_path / f"b{end}", columns)).content_digest for end in FORMATS}
    assert len(digests) == 1


def test_encoded_and_long_text_is_read_as_plain(tmp_path):
    text = pa.array(isos(bars()["ts_ns"]))
    prices = {name: bars()[name] for name in OHLCV.names[1:]}
    for kind in (text.dictionary_encode(), text.cast(pa.large_string()), text.cast("string_view")):
        path = write(tmp_path / "bars.parquet", {"date": kind, **prices})
        assert read(path).content_digest == plain_digest(bars())


@pytest.mark.parametrize("name", ["ts", "timestamp", "time", "Date"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo", "-03:30"])
def test_timestamps_of_any_unit_and_zone_are_the_same_instants(tmp_path, name, unit, zone):
    instants = pa.array(bars()["ts_ns"]).cast(pa.timestamp("ns")).cast(pa.timestamp(unit))
    instants = instants.cast(pa.int64()).cast(pa.timestamp(unit, zone))
    columns = {name: instants} | {each: bars()[each] for each in OHLCV.names[1:]}
    file = read(write(tmp_path / "bars.parquet", columns))
    assert file.ts_ns.tolist() == bars()["ts_ns"]
    assert file.content_digest == plain_digest(bars())


@pytest.mark.parametrize(
    ("zone", "form"),
    [
        (UTC, "%Y-%m-%dT%H:%M:%SZ"),
        (UTC, "%Y-%m-%dT%H:%M:%S"),
        (UTC, "%Y-%m-%d %H:%M"),
        (UTC, " %Y-%m-%d %H:%M:%S.000000 "),
        (timezone(timedelta(hours=9)), "%Y-%m-%dT%H:%M:%S%z"),
        (timezone(timedelta(hours=-3, minutes=-30)), "%Y-%m-%d %H:%M:%S%z"),
    ],
)
def test_iso_text_in_any_zone_gives_the_same_instants(path, zone, form):
    prices = {name: bars()[name] for name in OHLCV.names[1:]}
    file = read(write(path, {"timestamp": isos(bars()["ts_ns"], zone, form), **prices}))
    assert file.ts_ns.tolist() == bars()["ts_ns"]


def test_dates_are_midnights_in_utc(path):
    columns = bars()
    days = [datetime(2024, 2, 27 + row, tzinfo=UTC).date() for row in range(3)]
    prices = {name: columns[name][:3] for name in OHLCV.names[1:]}
    file = read(write(path, {"date": days, **prices}), "1d", 1.0)
    assert file.ts_ns.tolist() == [
        1_708_992_000_000_000_000 + row * 86_400 * 10**9 for row in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    ("texts", "row", "quoted"),
    [
        (["2024-01-01T00:00:00", "2024-01-01T01:00:00Z"], 1, "without a zone"),
        (["2024-01-01T00:00:00Z", "2024-01-01T01:00:00"], 1, "with a zone"),
        (["2024-01-01T00:00:00Z", "2024-02-30T01:00:00Z"], 1, "2024-02-30"),
        (["1704067200", "1704070800"], 0, "'1704067200'"),
        (["01/02/2024", "01/03/2024"], 0, "'01/02/2024'"),
        (["2024-01-01T00:00:00Z", "1500-01-01T00:00:00Z"], 1, "1500"),
    ],
)
def test_text_that_is_no_instant_is_quoted(path, texts, row, quoted):
    prices = {name: bars()[name][:2] for name in OHLCV.names[1:]}
    error = refused(write(path, {"time": texts, **prices}))
    assert (error.code, error.loc) == ("DATA_COLUMN_TYPE", place(path.suffix, row))
    assert quoted in error.message
    assert "ISO-8601" in error.hints[0]


@pytest.mark.parametrize(
    ("values", "kind"), [([0, 2**60], pa.timestamp("ms", "UTC")), ([0, 2**30], pa.date32())]
)
def test_an_instant_beyond_nanoseconds_is_refused_by_row(tmp_path, values, kind):
    prices = {name: bars()[name][:2] for name in OHLCV.names[1:]}
    instants = pa.array(values, pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    error = refused(write(tmp_path / "bars.parquet", {"ts": instants, **prices}))
    assert (error.code, error.loc) == ("DATA_COLUMN_TYPE", "row 1")
    assert f"ts is {values[1]}" in error.message


def test_integers_are_instants_only_where_the_name_tells_the_unit(tmp_path):
    columns = bars()
    columns["timestamp"] = columns.pop("ts_ns")
    error = refused(write(tmp_path / "bars.parquet", columns))
    assert (error.code, error.loc) == ("DATA_COLUMN_TYPE", "timestamp")
    assert "ts_ns" in error.hints[0]
