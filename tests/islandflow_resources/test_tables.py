"""Tables stored and read back on both stores, verified, adopted and damaged."""

import time

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.columns import BARS, TRADES
from contracts.errors import IntegrityError, NotFoundError
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.object_store import file_digest
from islandflow_resources.tables import (
    ROW_GROUP_ROWS,
    content_digest,
    from_arrays,
    iter_batches,
    read_verified,
    store_table,
    stored_digest,
    write_parquet,
)

TEXTS = {"tick_size": "0.01", "timeframe": "1m"}


def bars(rows, seed=1):
    """A random walk as bars."""
    random = np.random.default_rng(seed)
    close = 10_000 + np.cumsum(random.integers(-20, 21, rows))
    first = np.concatenate(([10_000], close[:-1]))[:rows]
    arrays = {
        "ts_ns": np.arange(rows) * 60_000_000_000,
        "open_ticks": first,
        "high_ticks": np.maximum(first, close) + random.integers(0, 9, rows),
        "low_ticks": np.minimum(first, close) - random.integers(0, 9, rows),
        "close_ticks": close,
        "volume_lots": random.integers(1, 5_000, rows),
    }
    return from_arrays(BARS, arrays)


def trades(rows):
    arrays: dict = {name: np.arange(rows, dtype=float) for name in TRADES.names}
    arrays |= {"ts_ns": np.arange(rows), "bar": np.arange(rows)}
    arrays |= {"side": np.ones(rows, np.int8), "reason": [f"rule {n % 3}" for n in range(rows)]}
    return from_arrays(TRADES, arrays)


@pytest.mark.parametrize("rows", [0, 1, ROW_GROUP_ROWS, ROW_GROUP_ROWS * 2 + 17])
def test_a_stored_table_reads_back_verified_and_equal(object_store, rows):
    table = bars(rows)
    stored = store_table(object_store, "a/bars.parquet", table, BARS, TEXTS)
    assert (stored.rows, stored.created) == (rows, True)
    assert stored.size_bytes == len(object_store.get("a/bars.parquet"))
    back = read_verified(
        object_store,
        "a/bars.parquet",
        BARS,
        stored.content_digest,
        expected_file_digest=stored.file_digest,
    )
    assert back.equals(table)
    assert back.schema.metadata == {b"tick_size": b"0.01", b"timeframe": b"1m"}
    assert stored_digest(object_store, "a/bars.parquet", BARS) == stored.content_digest


def test_row_groups_stream_one_at_a_time(object_store):
    table = bars(ROW_GROUP_ROWS * 2 + 17)
    store_table(object_store, "bars", table, BARS)
    batches = list(iter_batches(object_store, "bars", BARS, columns=("close_ticks",)))
    assert [batch.num_rows for batch in batches] == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 17]
    assert pa.Table.from_batches(batches)["close_ticks"].equals(table["close_ticks"])


def test_the_same_values_give_the_same_bytes_whatever_their_chunks():
    table = bars(1_000)
    pieces = pa.concat_tables([table.slice(0, 3), table.slice(3, 500), table.slice(503)])
    assert write_parquet(pieces, BARS, TEXTS) == write_parquet(table, BARS, TEXTS)


def test_an_equal_table_by_another_writer_is_adopted(object_store):
    table = trades(100)
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(TEXTS), sink, compression="gzip")
    object_store.put_if_absent("trades", sink.getvalue().to_pybytes())
    stored = store_table(object_store, "trades", table, TRADES, TEXTS)
    assert stored.created is False
    assert stored.file_digest == file_digest(object_store.get("trades"))
    assert stored.content_digest == content_digest(table, TRADES, TEXTS)


def test_a_lost_race_against_another_content_is_an_integrity_error(object_store):
    store_table(object_store, "bars", bars(100, seed=1), BARS, TEXTS)
    theirs = content_digest(bars(100, seed=1), BARS, TEXTS)
    ours = content_digest(bars(100, seed=2), BARS, TEXTS)
    with pytest.raises(IntegrityError) as caught:
        store_table(object_store, "bars", bars(100, seed=2), BARS, TEXTS)
    assert caught.value.code == "TABLE_DIGEST_MISMATCH"
    for part in (object_store.uri("bars"), ours, theirs):
        assert part in caught.value.message
    assert stored_digest(object_store, "bars", BARS) == theirs


def test_other_texts_are_another_content(object_store):
    store_table(object_store, "bars", bars(10), BARS, TEXTS)
    with pytest.raises(IntegrityError, match="TABLE_DIGEST_MISMATCH"):
        store_table(object_store, "bars", bars(10), BARS, TEXTS | {"tick_size": "0.1"})


def test_a_table_of_another_layout_is_an_integrity_error(object_store):
    stored = store_table(object_store, "t", trades(3), TRADES)
    with pytest.raises(IntegrityError) as caught:
        read_verified(object_store, "t", BARS, stored.content_digest)
    assert caught.value.code == "TABLE_UNREADABLE"
    assert "open_ticks" in caught.value.message


def test_a_missing_table_is_not_an_integrity_error(object_store):
    with pytest.raises(NotFoundError):
        read_verified(object_store, "a/b", BARS, "blake3:" + "0" * 64)


def damaged(folder_store, data, position):
    """Store `data` with one byte changed; the key."""
    changed = bytearray(data)
    changed[position] ^= 0xFF
    key = f"damaged/{position}"
    folder_store.put_if_absent(key, bytes(changed))
    return key


def read_or_refusal(store, key, digest):
    try:
        return read_verified(store, key, TRADES, digest)
    except IntegrityError as error:
        return error


@pytest.fixture
def folder_store(tmp_path):
    return FolderStore(tmp_path)


@pytest.mark.faults
def test_no_flipped_byte_ever_changes_a_value_unnoticed(folder_store):
    table = trades(40)
    data = write_parquet(table, TRADES, TEXTS)
    digest = content_digest(table, TRADES, TEXTS)
    noticed = 0
    for position in range(0, len(data), 9):
        key = damaged(folder_store, data, position)
        outcome = read_or_refusal(folder_store, key, digest)
        if isinstance(outcome, IntegrityError):
            noticed += 1
            assert folder_store.uri(key) in outcome.message
        else:
            assert outcome.equals(table)
    assert noticed > len(data) / 9 / 3


@pytest.mark.faults
def test_with_the_file_digest_every_flipped_byte_is_found(folder_store):
    table = trades(40)
    data = write_parquet(table, TRADES, TEXTS)
    digest = content_digest(table, TRADES, TEXTS)
    for position in range(0, len(data), 53):
        key = damaged(folder_store, data, position)
        with pytest.raises(IntegrityError) as caught:
            read_verified(folder_store, key, TRADES, digest, expected_file_digest=file_digest(data))
        assert caught.value.code == "FILE_DIGEST_MISMATCH"
        assert file_digest(data) in caught.value.message
        assert file_digest(folder_store.get(key)) in caught.value.message


@pytest.mark.faults
def test_a_damaged_table_is_found_while_it_streams(object_store):
    data = bytearray(write_parquet(bars(500), BARS))
    data[len(data) // 3] ^= 0xFF
    object_store.put_if_absent("bars", bytes(data))
    with pytest.raises(IntegrityError, match="TABLE_UNREADABLE"):
        stored_digest(object_store, "bars", BARS)


def test_other_libraries_read_the_file_and_its_texts(tmp_path):
    table = bars(1_000)
    path = tmp_path / "bars.parquet"
    path.write_bytes(write_parquet(table, BARS, TEXTS))
    assert pl.read_parquet(path).to_arrow().cast(table.schema).equals(table)
    assert duckdb.sql(f"SELECT max(high_ticks) FROM '{path}'").fetchone() == (
        max(table["high_ticks"].to_pylist()),
    )
    texts = duckdb.sql(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')")
    assert {*TEXTS.items()} <= {*texts.fetchall()}
    assert ("islandflow.table", "bars") in texts.fetchall()


def test_ten_thousand_bars_load_verified_well_within_a_tenth_of_a_second(folder_store):
    stored = store_table(folder_store, "bars", bars(10_000), BARS, TEXTS)
    times_s = []
    for _ in range(5):
        started_s = time.perf_counter()
        read_verified(folder_store, "bars", BARS, stored.content_digest)
        times_s.append(time.perf_counter() - started_s)
    assert min(times_s) < 0.1
    assert stored.size_bytes < 8 * 10_000
