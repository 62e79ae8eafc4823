"""The reader of files of events: forms told apart, memory flat, its account true at any time."""

import os
import tracemalloc

import numpy as np
import pytest

from contracts.errors import ContractError
from islandflow_resources.mbo_files import file_digest, read_events
from islandflow_resources.mbo_writers import write_events
from tests.islandflow_resources.mbo_streams import ESH1, assert_equal, joined, tape, written


def peak_bytes(path):
    """Most memory of Python and numpy while reading `path`."""
    tracemalloc.start()
    try:
        rows = sum(events.rows for events in read_events(path, batch_rows=4096))
        return rows, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["dbn", "dbn.zst", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path, form):
    events = tape(100_000)
    peaks = []
    for times in (1, 4):
        path = tmp_path / f"{times}.{form}"
        write_events(path, [events] * times, symbol="MNQH6")
        rows, peak = peak_bytes(path)
        assert rows == times * events.rows
        peaks.append(peak)
    assert peaks[1] < 1.2 * peaks[0] < 56 * events.rows


def test_the_account_is_of_what_has_been_read(tmp_path):
    events = tape(100)
    path = tmp_path / "a.dbn"
    write_events(path, [events], symbol="MNQH6", dataset="TEST.SET")
    reader = read_events(path, batch_rows=40)
    first = next(reader)
    assert (reader.summary.rows, reader.summary.is_complete) == (40, False)
    assert_equal(joined([first, *reader]), events)
    summary = reader.summary
    assert (summary.records, summary.rows, summary.is_complete) == (100, 100, True)
    assert (summary.path, summary.form, summary.schema) == (path, "dbn", "mbo")
    assert (summary.dataset, summary.version, summary.symbol) == ("TEST.SET", 3, "MNQH6")
    assert summary.digest == file_digest(path)


def test_a_reader_closed_early_leaves_no_file_open(tmp_path):
    path = tmp_path / "a.dbn.zst"
    write_events(path, [tape(100)], symbol="MNQH6")
    before = set(os.listdir("/proc/self/fd"))
    reader = read_events(path, batch_rows=10)
    next(reader)
    assert set(os.listdir("/proc/self/fd")) != before
    reader.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert list(reader) == []
    assert not reader.summary.is_complete


@pytest.mark.parametrize("form", ["dbn", "dbn.zst", "parquet"])
def test_bytes_tell_the_form_whatever_the_name(tmp_path, form):
    events = tape(20)
    path = tmp_path / f"a.{form}"
    write_events(path, [events], symbol="MNQH6")
    path = path.rename(tmp_path / "tape")
    assert_equal(joined(read_events(path)), events)


def test_an_error_ends_the_batches(tmp_path):
    path = written(tmp_path / "a.dbn", [], mappings=(ESH1,))
    path.write_bytes(path.read_bytes() + b"\x0e\xa0" + b"\x00" * 20)
    reader = read_events(path)
    with pytest.raises(ContractError, match="cut off after 22 bytes"):
        next(reader)
    assert list(reader) == []
    assert not reader.summary.is_complete


def test_equal_bytes_have_one_digest(tmp_path):
    content = np.arange(500_000).tobytes()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(content)
    digest = file_digest(tmp_path / "a")
    assert digest == file_digest(tmp_path / "b")
    (tmp_path / "b").write_bytes(content[:-1] + b"\x01")
    assert digest != file_digest(tmp_path / "b")


def test_batches_of_no_events_are_refused(tmp_path):
    with pytest.raises(ContractError, match="batches of 0 events"):
        read_events(tmp_path / "a.dbn", batch_rows=0)
