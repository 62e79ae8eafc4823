"""Bombs: small files that become endless are refused, and nothing is made ready for them."""

import gzip
import io
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import MBO_EVENTS
from contracts.errors import ContractError
from islandflow_resources import unpacking
from islandflow_resources.bar_files import read_bar_file
from islandflow_resources.mbo_files import read_events
from islandflow_resources.unpacking import FREE_BYTES, MAX_RATIO, BoundedStream, most_bytes
from tests.islandflow_resources.mbo_streams import encoded, packed, record

BOMB_BYTES = FREE_BYTES + (1 << 20)
LITTLE = 1 << 20
ROW = {"ts_ns": 1, "action": "A", "side": "B", "order_id": 1, "price_int": 1, "size": 1, "flags": 0}


@pytest.fixture
def little(monkeypatch):
    """Bombs of two megabytes instead of seventy: what may always come out is one."""
    monkeypatch.setattr(unpacking, "FREE_BYTES", LITTLE)
    return 2 * LITTLE


def assert_refused(code, path):
    with pytest.raises(ContractError) as caught:
        for _ in read_events(path):
            pass
    assert caught.value.code == code
    assert caught.value.hints
    return caught.value


def table(rows, **changes):
    values = ROW | changes
    return pa.table({name: [value] * rows for name, value in values.items()})


def test_a_header_that_claims_gigabytes_is_refused_by_its_length_alone(tmp_path):
    path = tmp_path / "header.dbn.zst"
    data = b"DBN\x03" + struct.pack("<I", 2**32 - 1) + bytes(BOMB_BYTES)
    path.write_bytes(pa.compress(data, "zstd", asbytes=True))
    assert "4294967295" in assert_refused("MBO_FILE_CORRUPT", path).message


def test_records_without_end_in_a_packed_stream_are_not_followed(tmp_path):
    path = tmp_path / "records.dbn.zst"
    one = bytes(record())
    path.write_bytes(packed(encoded([]) + one * (BOMB_BYTES // len(one))))
    assert_refused("MBO_FILE_SWOLLEN", path)


@pytest.mark.parametrize("line", [b"1,A,B,1,1,1,0\n", b"1,A,B,1,1,1,000000000000000000000000"])
def test_lines_and_a_line_without_end_in_a_packed_table_are_not_followed(tmp_path, little, line):
    path = tmp_path / "rows.csv.gz"
    head = ",".join(ROW).encode() + b"\n"
    path.write_bytes(gzip.compress(head + line * (little // len(line)), 9))
    assert_refused("MBO_FILE_SWOLLEN", path)


def test_a_parquet_file_of_one_endless_text_is_refused_by_what_it_says_of_itself(tmp_path, little):
    path = tmp_path / "text.parquet"
    pq.write_table(table(1, symbol="x" * little), path, compression="zstd")
    assert "unpack to" in assert_refused("MBO_FILE_SWOLLEN", path).message


def test_a_parquet_file_of_equal_rows_without_end_is_refused(tmp_path, little):
    path = tmp_path / "rows.parquet"
    rows = {name: pa.repeat(value, 1_200_000) for name, value in ROW.items()}
    pq.write_table(pa.table(rows), path, compression="zstd")
    assert "1200000 rows" in assert_refused("MBO_FILE_SWOLLEN", path).message


def test_bars_in_a_parquet_bomb_are_refused(tmp_path, little):
    path = tmp_path / "bars.parquet"
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    rows = {name: ["9" * little if name == "open" else "1"] for name in names}
    pq.write_table(pa.table(rows), path, compression="zstd")
    with pytest.raises(ContractError, match="DATA_TOO_LARGE"):
        read_bar_file(path, "1m", 390.0)


def test_what_market_data_packs_to_is_read(tmp_path):
    path = tmp_path / "whole.dbn.zst"
    path.write_bytes(packed(encoded([record()] * 1_000)))
    assert sum(len(batch.ts_ns) for batch in read_events(path)) == 1_000
    assert MBO_EVENTS.names[0] == "ts_ns"


@given(st.integers(0, 300), st.integers(0, 300), st.lists(st.integers(-1, 50), max_size=20))
def test_a_bounded_stream_gives_all_up_to_its_bound_and_not_a_byte_more(size, most, reads):
    whole = bytes(number % 251 for number in range(size))
    stream = BoundedStream(pa.BufferReader(whole), most, lambda: EOFError("too much"))
    found = b""
    try:
        for wanted in [*reads, -1]:
            found += stream.read(wanted)
    except EOFError:
        assert size > most
    else:
        assert found == whole
    assert len(found) <= most


def test_a_bounded_stream_is_what_readers_of_files_take():
    whole = bytes(range(200))
    stream = BoundedStream(pa.BufferReader(whole), 200, EOFError)
    assert io.BufferedReader(stream).read() == whole
    assert most_bytes(0) == FREE_BYTES
    assert most_bytes(FREE_BYTES) == MAX_RATIO * FREE_BYTES
