"""Parquet files of a tape: row groups as they were appended, digests, columns judged."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import IntegrityError
from contracts.tape_columns import OPTION_PRINTS
from islandflow_resources.table_digest import content_digest
from islandflow_resources.table_schemas import conformed
from islandflow_resources.tape_files import TABLES, TableReader, TapeFile, rows_digest
from islandflow_resources.tape_tables import stream_tables, tape_texts
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec

SPEC = plain_spec(symbols=1, seconds=20, start_s=290)


@pytest.fixture(scope="module")
def tables():
    """Prints of two stretches, and none between them."""
    source, texts = PlainTape(SPEC, 4), tape_texts(SPEC.symbols)
    texts.list_contracts(source.contracts)
    made = [stream_tables(batch, texts)["option_prints"] for batch in source.batches()]
    return [made[0], made[0].slice(0, 0), made[1]]


@pytest.fixture
def file(tables, tmp_path):
    with TapeFile(tmp_path / "a.parquet", OPTION_PRINTS) as written:
        for table in tables:
            written.append(table)
    return written


def reader(path):
    return TableReader(io.BytesIO(path.read_bytes()), "a.parquet", OPTION_PRINTS)


def test_row_groups_are_those_that_were_appended_the_empty_ones_too(file, tables):
    found = reader(file.path)
    assert found.group_rows == tuple(table.num_rows for table in tables)
    first = tables[0].num_rows
    assert [found.first_row(group) for group in range(3)] == [0, first, first]
    assert [table.to_pydict() for table in found.tables()] == [t.to_pydict() for t in tables]
    assert (found.schema_problems(), found.texts()) == ([], {})
    assert found.rows == file.hashes.rows


def test_digests_of_codes_are_those_of_plain_strings(file, tables):
    plain = conformed(pa.concat_tables(tables), OPTION_PRINTS)
    assert file.hashes.digest == content_digest(plain, OPTION_PRINTS)
    for table, group in zip(tables, file.hashes.row_groups, strict=True):
        assert group.digest == rows_digest(conformed(table, OPTION_PRINTS), OPTION_PRINTS)
        assert group.rows == table.num_rows


def test_texts_that_are_not_used_are_not_in_the_file(file):
    found = reader(file.path).read(2)
    used = set(found.column("contract").to_pylist())
    assert set(found.column("contract").chunk(0).dictionary.to_pylist()) == used


def test_numbers_are_packed_and_pages_have_checksums(file):
    metadata = pq.read_metadata(file.path)
    column = metadata.row_group(0).column(OPTION_PRINTS.names.index("seq"))
    assert "DELTA_BINARY_PACKED" in column.encodings
    assert column.compression == "ZSTD"


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not parquet at all", b"PAR1" + b"\0" * 40])
def test_what_is_no_parquet_is_unreadable(data):
    with pytest.raises(IntegrityError, match="TAPE_FILE_UNREADABLE"):
        TableReader(io.BytesIO(data), "a.parquet", OPTION_PRINTS)


def test_a_damaged_page_is_told_by_its_row_group(file, tables):
    data = bytearray(file.path.read_bytes())
    column = pq.read_metadata(file.path).row_group(2).column(2)
    data[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    found = TableReader(io.BytesIO(bytes(data)), "a.parquet", OPTION_PRINTS)
    assert found.read(0).num_rows == tables[0].num_rows
    with pytest.raises(IntegrityError) as caught:
        found.read(2)
    first = tables[0].num_rows
    last = first + tables[2].num_rows - 1
    assert caught.value.loc == f"a.parquet, row group 2, rows {first} to {last}"


def test_every_table_of_a_tape_has_a_layout_of_its_name():
    assert all(name == schema.name for name, schema in TABLES.items())
    assert len(TABLES) == 9
