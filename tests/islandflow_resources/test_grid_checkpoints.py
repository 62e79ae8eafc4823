"""Checkpoint files: whole or refused, whatever happens to their bytes.

That a build from a checkpoint is the uninterrupted one is in test_grid_build.py.
"""

import json
import pickle
import shutil
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError, IntegrityError, IslandflowError
from engine.grid.api import GridMachine
from islandflow_resources import grid_checkpoints
from islandflow_resources.grid_build import build_grid, identity_of
from islandflow_resources.grid_checkpoints import (
    CheckpointHead,
    checkpoint_bytes,
    parse_checkpoint,
    read_checkpoint,
    refuse_other_run,
    write_checkpoint,
)
from tests.architecture.sources import ROOT
from tests.engine.grid.runs import config
from tests.islandflow_resources.grids import STREAM, build, checkpoints_of, order, write_tape


@cache
def state():
    """A machine's state in the middle of a stream."""
    machine = GridMachine(config(n_absolute_ticks=33, flow_zscore_window_bins=3))
    for _ in machine.push(STREAM.part(0, 90)):
        pass
    return machine.freeze()


HEAD = CheckpointHead({"compat": "v2", "source": "blake3:12"}, 90, 4, [{"bins": {"name": "b"}}])


@cache
def data():
    """Bytes of a checkpoint."""
    return checkpoint_bytes(HEAD, state())


def assert_damaged(data):
    with pytest.raises(IntegrityError) as refused:
        parse_checkpoint(data, "c.arrow")
    error = refused.value
    assert (error.code, error.loc) == ("CHECKPOINT_DAMAGED", "c.arrow")
    assert error.hints
    return error


# -- what is written ----------------------------------------------------------------------------


def test_a_checkpoint_is_read_back_to_the_bit():
    found = parse_checkpoint(data(), "c.arrow")
    assert found.head == HEAD
    assert found.arrays.keys() == state().keys()
    for name, array in state().items():
        assert (found.arrays[name].dtype, found.arrays[name].shape) == (array.dtype, array.shape)
        assert found.arrays[name].tobytes() == array.tobytes()


def test_empty_and_odd_arrays_are_read_back():
    odd = {
        "none": np.zeros((0, 3)),
        "nan": np.array([np.nan, -0.0, np.inf]),
        "strided": np.arange(12, dtype=np.int64).reshape(3, 4)[:, ::2],
        "zeros": np.frombuffer(b"0" * 80, np.uint8),
    }
    found = parse_checkpoint(checkpoint_bytes(HEAD, odd), "c").arrays
    for name, array in odd.items():
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_the_same_state_makes_the_same_bytes_in_whatever_order(tmp_path):
    turned = {name: state()[name] for name in reversed(state())}
    assert checkpoint_bytes(HEAD, turned) == data()
    write_checkpoint(tmp_path / "c.arrow", HEAD, state())
    assert (tmp_path / "c.arrow").read_bytes() == data()
    assert [path.name for path in tmp_path.iterdir()] == ["c.arrow"]
    assert read_checkpoint(tmp_path / "c.arrow").head == HEAD


def test_a_checkpoint_is_an_arrow_file_that_says_what_it_is():
    with pa.ipc.open_file(pa.BufferReader(data())) as file:
        texts, table = file.schema.metadata, file.read_all()
    assert table.column_names == ["name", "dtype", "shape", "data"]
    assert json.loads(texts[b"islandflow"])["format"] == grid_checkpoints.FORMAT
    assert texts[b"digest"].startswith(b"blake3:")


def test_nothing_of_a_grid_is_pickled():
    sources = [*ROOT.glob("islandflow_resources/grid_*.py"), *ROOT.glob("engine/grid/*.py")]
    assert len(sources) > 8
    for source in sources:
        text = source.read_text()
        assert not any(word in text for word in ("pickle", "marshal", "np.load", "joblib"))


# -- damage -------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(place=st.integers(0, 2**31), mask=st.integers(1, 255))
def test_a_changed_byte_anywhere_is_found(place, mask):
    changed = bytearray(data())
    changed[place % len(changed)] ^= mask
    assert_damaged(bytes(changed))


def test_a_changed_bit_of_the_texts_of_the_file_is_found():
    # Where the schema stands: the head of the file and its footer.
    for place in (*range(1_200), *range(len(data()) - 2_000, len(data()))):
        changed = bytearray(data())
        changed[place] ^= 1 << place % 8
        assert_damaged(bytes(changed))


@settings(max_examples=100)
@given(length=st.integers(0, 2**31))
def test_a_truncated_file_is_found(length):
    assert_damaged(data()[: length % len(data())])


@settings(max_examples=100)
@given(noise=st.binary(max_size=300))
def test_random_bytes_are_no_checkpoint(noise):
    framed = b"ARROW1\0\0" + noise + b"ARROW1"
    for each in (noise, framed, data() + noise + b"\0", noise + b"\0" + data()):
        assert_damaged(each)


def test_a_pickle_is_no_checkpoint_and_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert_damaged(pickle.dumps({"state": Trap()}, protocol))
    assert list(tmp_path.iterdir()) == []


def test_an_arrow_file_of_something_else_is_no_checkpoint():
    for texts in (None, {"digest": "x"}, {"digest": ""}, {"digest": "blake3:" + "0" * 64}):
        table = pa.table({"name": ["a"]}).replace_schema_metadata(texts)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        assert_damaged(sink.getvalue().to_pybytes())


def test_parts_of_two_checkpoints_do_not_make_a_third():
    machine = dict(state()) | {"frame": state()["frame"] + 1}
    other = checkpoint_bytes(HEAD, machine)
    assert len(other) == len(data())
    half = len(data()) // 2
    assert_damaged(data()[:half] + other[half:])


def test_a_checkpoint_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(grid_checkpoints, "FORMAT", "islandflow-grid-checkpoint/9")
    newer = checkpoint_bytes(HEAD, state())
    monkeypatch.undo()
    with pytest.raises(ContractError) as refused:
        parse_checkpoint(newer, "c.arrow")
    assert (refused.value.code, refused.value.loc) == ("CHECKPOINT_UNKNOWN", "c.arrow")
    assert refused.value.hints


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    for path in (tmp_path, tmp_path / "nosuch"):
        with pytest.raises(ContractError) as refused:
            read_checkpoint(path)
        assert (refused.value.code, refused.value.loc) == ("CHECKPOINT_MISSING", str(path))


# -- what a build does with it ------------------------------------------------------------------


@pytest.fixture
def halted(tmp_path):
    """A tape, and the last checkpoint of a build of it."""
    tape = write_tape(tmp_path)
    build(tape, tmp_path / "old", checkpoint_every=500)
    return tape, checkpoints_of(tmp_path / "old")[-1]


def assert_refused(wanted, tmp_path, code, *words):
    with pytest.raises(IslandflowError) as refused:
        build_grid(wanted, tmp_path / "a" / "g")
    error = refused.value
    assert error.code == code
    assert all(word in str(error) for word in words), error
    assert error.loc
    assert error.hints
    assert not (tmp_path / "a").exists()


def test_a_build_from_a_damaged_checkpoint_writes_nothing(halted, tmp_path):
    tape, path = halted
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))
    assert_refused(order(tape, from_checkpoint=path), tmp_path, "CHECKPOINT_DAMAGED", str(path))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"config": config(c1_v_add=1.5)}, "config"),
        ({"compat": "v1"}, "compat"),
        ({"emit_from_ns": int(STREAM.ts_ns[400])}, "emit_from_ns"),
        ({"config": config(c1_v_add=1.5), "compat": "v1"}, "compat and config"),
    ],
)
def test_a_checkpoint_of_another_order_is_refused_and_what_differs_named(
    halted, tmp_path, changes, named
):
    tape, path = halted
    wanted = order(tape, from_checkpoint=path, **changes)
    assert_refused(wanted, tmp_path, "CHECKPOINT_OF_ANOTHER_RUN", f"its {named} differ")


def test_a_checkpoint_of_other_events_is_refused(halted, tmp_path):
    _, path = halted
    (tmp_path / "other").mkdir()
    other = write_tape(tmp_path / "other", stream=STREAM.part(0, 1_100))
    wanted = order(other, from_checkpoint=path)
    assert_refused(wanted, tmp_path, "CHECKPOINT_OF_ANOTHER_RUN", "its source differ")


def test_a_checkpoint_of_another_engine_is_refused(halted, tmp_path):
    tape, path = halted
    found = read_checkpoint(path)
    engine = {"engine": "book 1, grid 0"}
    other = replace(found.head, identity=found.head.identity | engine)
    write_checkpoint(path, other, found.arrays)
    wanted = order(tape, from_checkpoint=path)
    assert_refused(wanted, tmp_path, "CHECKPOINT_OF_ANOTHER_RUN", "its engine differ")


def test_a_checkpoint_of_more_events_than_the_file_has_is_refused(halted, tmp_path):
    tape, path = halted
    found = read_checkpoint(path)
    write_checkpoint(path, replace(found.head, rows_taken=5_000), found.arrays)
    wanted = order(tape, from_checkpoint=path)
    assert_refused(wanted, tmp_path, "CHECKPOINT_OF_ANOTHER_RUN", "holds 5000 events")


@pytest.mark.parametrize("kind", ["bins", "grid"])
@pytest.mark.parametrize("act", ["lost", "changed", "swapped", "folder"])
def test_a_missing_or_changed_part_is_named(halted, tmp_path, kind, act):
    tape, path = halted
    first, second = sorted(path.parent.glob(f"*.{kind}.parquet"))[:2]
    if act == "changed":
        first.write_bytes(first.read_bytes()[:-1] + b"2")
    elif act == "swapped":
        shutil.copyfile(second, first)
    else:
        first.unlink()
    if act == "folder":
        first.mkdir()
    assert_refused(order(tape, from_checkpoint=path), tmp_path, "CHECKPOINT_DAMAGED", str(first))


def test_an_identity_is_compared_whole():
    identity = identity_of(order("a", emit_from_ns=5), "blake3:1")
    made = parse_checkpoint(checkpoint_bytes(replace(HEAD, identity=identity), state()), "c")
    refuse_other_run(made, identity, "c")
    for name in identity:
        short = {key: value for key, value in identity.items() if key != name}
        with pytest.raises(ContractError, match=name):
            refuse_other_run(made, short, "c")
    with pytest.raises(ContractError, match="more"):
        refuse_other_run(made, identity | {"more": 1}, "c")
