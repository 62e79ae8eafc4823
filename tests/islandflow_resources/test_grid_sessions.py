"""The end of a session: which events count, what it makes of a build, and what is refused."""

import json

import pytest

from contracts.errors import ContractError
from islandflow_resources.grid_build import build_grid, dataset_id_of, identity_of, warm_book
from islandflow_resources.grid_sessions import (
    refuse_backward_session,
    refuse_empty_session,
    session_events,
)
from islandflow_resources.mbo_files import read_events
from tests.islandflow_resources.books import joined
from tests.islandflow_resources.grids import (
    EVENTS,
    FINALS,
    MIDDLE_NS,
    STREAM,
    TABLES,
    build,
    checkpoints_of,
    order,
    write_tape,
)
from tests.oracles.order_streams import START_NS


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("tape"))


def refused(code, wanted, folder):
    with pytest.raises(ContractError) as caught:
        build_grid(wanted, folder)
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize("batch_rows", [1, 7, 64, EVENTS])
@pytest.mark.parametrize("until_ns", [MIDDLE_NS, int(STREAM.ts_ns[500]), int(STREAM.ts_ns[-1])])
def test_events_before_the_end_count_wherever_batches_end(tape, batch_rows, until_ns):
    reader = read_events(tape, batch_rows=batch_rows)
    taken = joined(session_events(reader, until_ns))
    wanted = STREAM.part(0, int((STREAM.ts_ns < until_ns).sum()))
    assert 0 < wanted.rows < EVENTS
    assert all((ours == theirs).all() for ours, theirs in zip(taken, wanted, strict=True))
    assert list(reader) == []


@pytest.mark.parametrize("until_ns", [None, int(STREAM.ts_ns[-1]) + 1])
def test_without_an_end_or_with_a_late_one_all_events_count(tape, until_ns):
    reader = read_events(tape)
    assert joined(session_events(reader, until_ns)).rows == EVENTS
    assert reader.summary.is_complete


def test_a_session_that_ends_before_it_begins_has_no_events(tape):
    assert list(session_events(read_events(tape), int(STREAM.ts_ns[0]))) == []


def test_a_session_without_events_or_turned_round_is_refused():
    for refused in (
        lambda: refuse_backward_session(5, 5),
        lambda: refuse_backward_session(6, 5),
        lambda: refuse_empty_session(0, 5),
    ):
        with pytest.raises(ContractError, match="SESSION_EMPTY"):
            refused()
    refuse_backward_session(4, 5)
    refuse_backward_session(None, 5)
    refuse_backward_session(4, None)
    refuse_empty_session(1, 5)
    refuse_empty_session(0, None)


@pytest.mark.parametrize("until_ns", [MIDDLE_NS, int(STREAM.ts_ns[700]), MIDDLE_NS + 7])
@pytest.mark.parametrize("compat", ["v1", "v2"])
def test_a_session_that_ends_is_the_build_of_the_events_before_its_end(
    tape, tmp_path, until_ns, compat
):
    rows = int((STREAM.ts_ns < until_ns).sum())
    (tmp_path / "in").mkdir()
    head = write_tape(tmp_path / "in", stream=STREAM.part(0, rows))
    ended = build(tape, tmp_path / "ended", compat=compat, emit_until_ns=until_ns)
    wanted = build(head, tmp_path / "head", compat=compat)
    for name in (*TABLES, *FINALS):
        assert ended[name] == wanted[name]
    manifest = json.loads(ended["manifest.json"])
    assert (manifest["events"], manifest["emit_until_ns"]) == (rows, str(until_ns))


def test_an_end_is_part_of_the_name_only_where_there_is_one(tape, tmp_path):
    manifest = json.loads(build(tape, tmp_path / "g")["manifest.json"])
    source = manifest["source"]["digest"]
    assert "emit_until_ns" not in manifest
    assert set(identity_of(order(tape), source)) == {
        "config", "compat", "emit_from_ns", "source", "engine",
    }  # fmt: skip
    ends = (None, MIDDLE_NS, MIDDLE_NS + 1)
    names = {dataset_id_of(order(tape, emit_until_ns=one), source) for one in ends}
    assert len(names) == 3
    assert manifest["dataset_id"] in names


def test_a_session_goes_on_from_checkpoints_that_lie_in_it_and_from_no_later_one(tape, tmp_path):
    build(tape, tmp_path / "halted", checkpoint_every=170)
    until_ns = int(STREAM.ts_ns[600])
    wanted = build(tape, tmp_path / "whole", emit_until_ns=until_ns)
    inside, *_, beyond = checkpoints_of(tmp_path / "halted")
    resumed = build(tape, tmp_path / "g", emit_until_ns=until_ns, from_checkpoint=inside)
    assert resumed == wanted
    late = order(tape, emit_until_ns=until_ns, from_checkpoint=beyond)
    error = refused("CHECKPOINT_OF_ANOTHER_RUN", late, tmp_path / "h")
    assert "the session only 600" in error.message


def test_a_warmed_book_serves_sessions_of_every_end(tape, tmp_path):
    warm_book(order(tape, emit_from_ns=MIDDLE_NS), tmp_path / "warm.arrow")
    session = {"emit_from_ns": MIDDLE_NS, "emit_until_ns": int(STREAM.ts_ns[-100])}
    wanted = build(tape, tmp_path / "whole", **session)
    warm = tmp_path / "warm.arrow"
    assert build(tape, tmp_path / "g", from_checkpoint=warm, **session) == wanted


@pytest.mark.parametrize(
    "session",
    [
        {"emit_until_ns": START_NS},
        {"emit_from_ns": MIDDLE_NS, "emit_until_ns": MIDDLE_NS},
        {"emit_from_ns": MIDDLE_NS, "emit_until_ns": START_NS + 1},
    ],
)
def test_a_session_without_events_is_refused_and_leaves_nothing(tape, tmp_path, session):
    refused("SESSION_EMPTY", order(tape, **session), tmp_path / "g")
    assert not (tmp_path / "g").exists()
