"""Files of live streams: messages, and what is proved, mended and cut of them."""

import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import IntegrityError
from contracts.tape_columns import EQUITY_PRINTS
from islandflow_resources.table_schemas import from_arrays
from islandflow_resources.tape_live_streams import END, LiveStream, message_of

ROWS = 70


def prints(first, count):
    """Some equity prints, of texts of different lengths."""
    rows = np.arange(first, first + count)
    texts = {"symbol": "SPY", "exchange": "TRF", "condition": ""}
    columns = {
        name: (rows * 7).astype(column.kind)
        if column.kind.startswith("int")
        else pa.array([row % 3 == 0 for row in rows], pa.bool_())
        if column.kind == "bool"
        else [texts[name] * (int(row) % 4) for row in rows]
        for name, column in ((one.name, one) for one in EQUITY_PRINTS.columns)
    }
    return from_arrays(EQUITY_PRINTS, columns)


@pytest.fixture
def stream(tmp_path):
    with LiveStream(tmp_path / "equity_prints.arrows", EQUITY_PRINTS) as stream:
        yield stream


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "equity_prints.arrows"
    with LiveStream(path, EQUITY_PRINTS) as stream:
        return stream.plain(prints(0, ROWS))


@given(st.integers(0, ROWS), st.integers(0, ROWS))
def test_a_message_is_the_same_whatever_it_is_sliced_from(whole, first, count):
    count = min(count, ROWS - first)
    alone = prints(first, count).combine_chunks().to_batches()
    fresh = alone[0] if alone else whole.slice(0, 0)
    assert message_of(whole.slice(first, count)) == message_of(fresh)
    read = pa.ipc.read_record_batch(message_of(whole.slice(first, count)), whole.schema)
    assert read.equals(fresh)


def test_a_stream_is_one_that_arrow_reads(stream):
    at = stream.begin()
    for first in (0, 10, 10):
        data = message_of(stream.plain(prints(first, 10)))
        stream.write(at, data)
        at += len(data)
    stream.write(at, END)
    assert stream.size == at + len(END)
    with pa.ipc.open_stream(stream.path.read_bytes()) as reader:
        assert reader.schema.metadata == {
            b"islandflow.table": b"equity_prints",
            b"islandflow.table_version": b"1",
        }
        table = reader.read_all()
    assert table.equals(pa.concat_tables([prints(0, 10), prints(10, 10), prints(10, 10)]))


def test_what_is_missing_is_written_and_what_is_there_left_alone(stream):
    at = stream.begin()
    assert stream.begin() == at
    stream.write(at, b"abc")
    assert stream.prove(at, b"abcdef", "letters") == 3
    assert stream.prove(at, b"abcdef", "letters") == 0
    assert stream.path.read_bytes()[at:] == b"abcdef"


def test_what_differs_is_refused_and_left_as_it_is(stream):
    at = stream.begin()
    stream.write(at, b"abc")
    with pytest.raises(IntegrityError) as refused:
        stream.prove(at, b"abd", "letters")
    assert refused.value.code == "LIVE_STREAM_DIFFERS"
    assert refused.value.loc == f"{stream.path}, byte {at}"
    assert stream.path.read_bytes()[at:] == b"abc"


def test_another_schema_at_the_start_is_refused(stream):
    stream.write(0, b"no schema at all")
    with pytest.raises(IntegrityError) as refused:
        stream.begin()
    assert "its schema" in refused.value.message


def test_what_is_beyond_is_cut(stream):
    stream.write(0, b"abcdef")
    assert stream.cut(10) == 0
    assert stream.cut(4) == 2
    assert stream.path.read_bytes() == b"abcd"


def test_bytes_are_written_to_the_last_one_however_few_are_taken_at_a_time(stream, monkeypatch):
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: write(file, bytes(data[:3]), at))
    stream.write(0, b"abcdefgh")
    assert stream.path.read_bytes() == b"abcdefgh"
