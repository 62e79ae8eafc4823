"""Files of levels: what they hold, in which types, and that a failure leaves nothing.

That the levels are right is in tests/engine/book/test_levels.py.
"""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractError
from engine.book.ladder import prices_of
from engine.book.levels import ABSENT, BLOCK_ROWS, LevelReader, level_columns
from islandflow_resources.level_files import levels_table, write_levels
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.mbo_writers import write_events
from tests.islandflow_resources.mbo_streams import record, written
from tests.oracles.order_streams import adversarial, well_formed

STREAM = adversarial(5, 1_200)


@pytest.fixture
def tape(tmp_path):
    folder = tmp_path / "tapes"
    folder.mkdir()
    write_events(folder / "a.parquet", [STREAM], symbol="MNQH6")
    return folder / "a.parquet"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def blocks_of(stream, levels):
    reader = LevelReader(prices_of([stream]), levels)
    blocks = [block.copy() for block in [*reader.push(stream), *reader.finish()]]
    return np.concatenate(blocks, axis=1)


def refusal(code, *arguments):
    with pytest.raises(ContractError) as refused:
        write_levels(*arguments)
    assert refused.value.code == code


def test_a_file_holds_the_levels_and_null_where_there_is_none(tape, folder):
    made = write_levels(tape, folder / "l.parquet", 6)
    wanted = blocks_of(STREAM, 6)
    table = pq.read_table(made.path)
    assert table.column_names == list(level_columns(6))
    assert (made.rows, made.events) == (wanted.shape[1], STREAM.rows)
    for column, values in zip(table.columns, wanted, strict=True):
        assert column.type == pa.int64()
        found = column.to_pylist()
        assert found == [None if value == ABSENT else value for value in values.tolist()]
    assert 0 < table["bid_px_05"].null_count < made.rows
    assert made.digest == file_digest(made.path)
    assert os.listdir(folder) == ["l.parquet"]


def test_a_file_says_what_it_is_and_what_it_is_from(tape, folder):
    made = write_levels(tape, folder / "l.parquet", 2)
    texts = pq.read_schema(made.path).metadata | pq.read_metadata(made.path).metadata
    assert texts[b"symbol"] == b"MNQH6"
    assert texts[b"source_digest"].decode() == file_digest(tape)
    assert texts[b"islandflow.table"] == b"book_levels"
    nullable = [column.name for column in levels_table(2).columns if column.nullable]
    assert nullable == ["bid_px_00", "ask_px_00", "bid_px_01", "ask_px_01"]


def test_a_file_of_several_blocks_is_one_table(folder):
    stream = well_formed(1, 500, snapshot=0)
    part = [stream] * (2 + BLOCK_ROWS * 2 // stream.rows)
    write_events(folder / "a.parquet", part, symbol="X")
    made = write_levels(folder / "a.parquet", folder / "l.parquet", 2)
    table = pq.read_table(made.path)
    repeated = type(stream)(*(np.concatenate(columns) for columns in zip(*part, strict=True)))
    wanted = blocks_of(repeated, 2)
    assert pq.read_metadata(made.path).num_row_groups == 1 + (made.rows - 1) // BLOCK_ROWS > 1
    found = np.array([column.fill_null(ABSENT).to_numpy() for column in table.columns])
    np.testing.assert_array_equal(found, wanted)


def test_the_same_events_make_the_same_bytes(tape, folder):
    first = write_levels(tape, folder / "a.parquet", 3)
    assert write_levels(tape, folder / "b.parquet", 3).digest == first.digest


def test_a_tape_without_events_is_a_table_without_rows(folder):
    write_events(folder / "a.parquet", [], symbol="X")
    made = write_levels(folder / "a.parquet", folder / "l.parquet", 1)
    assert (made.rows, pq.read_table(made.path).num_rows) == (0, 0)


@pytest.mark.parametrize("levels", [0, -1, 101])
def test_a_number_of_levels_beyond_the_limits_is_refused(tape, folder, levels):
    refusal("LEVELS_INVALID", tape, folder / "l.parquet", levels)
    assert os.listdir(folder) == []


def test_a_file_that_exists_is_not_touched(tape, folder):
    (folder / "l.parquet").write_bytes(b"old")
    refusal("FILE_EXISTS", tape, folder / "l.parquet", 1)
    assert (folder / "l.parquet").read_bytes() == b"old"


def test_a_tape_that_breaks_off_leaves_no_file(folder):
    records = [record(n, order_id=n, size=1) for n in range(50)]
    path = written(folder / "a.dbn", records)
    path.write_bytes(path.read_bytes()[:-20])
    refusal("MBO_FILE_CORRUPT", path, folder / "l.parquet", 1)
    refusal("MBO_FILE_UNREADABLE", folder / "nosuch.dbn", folder / "l.parquet", 1)
    assert os.listdir(folder) == ["a.dbn"]
