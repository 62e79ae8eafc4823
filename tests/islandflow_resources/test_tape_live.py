"""Live tapes second by second: what is in their files, and that nothing that ends them shows.

Plans and paces are in test_tape_live_plan.py, control alone in test_tape_live_control.py; kills of
processes in tests/faults/test_live_kills.py.
"""

import shutil

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.control import SECOND_NS
from contracts.errors import ContractError, IntegrityError
from contracts.tape_columns import STREAMS
from islandflow_resources.table_schemas import arrow_schema, conformed
from islandflow_resources.tape_files import TableReader
from islandflow_resources.tape_live import LiveTape
from islandflow_resources.tape_live_folder import LiveFolder
from islandflow_resources.tape_live_seal import id_of, seal
from islandflow_resources.tape_tables import stream_tables, tape_texts
from tests.islandflow_resources.live_tapes import (
    HeedingTape,
    batches,
    entries,
    files,
    lived,
    log_of,
    plan,
    told,
)

SECONDS = 20
START = plan().spec.start_ns
CHANGES = told((START + 4 * SECOND_NS, "event_day"), (START + 12 * SECOND_NS, "quiet_range"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A tape that nothing disturbed, with two changes of its control."""
    root = tmp_path_factory.mktemp("whole")
    lived(root, versions=CHANGES)
    return root


def drawn(versions):
    """Tables of the whole tape, drawn at once."""
    source = HeedingTape(plan().spec_under(log_of(versions)), 3)
    texts = tape_texts(plan().spec.symbols)
    texts.list_contracts(source.contracts)
    tables = stream_tables(source.advance(source.spec.end_ns), texts)
    return {name: conformed(table, STREAMS[name]) for name, table in tables.items()}


# -- what is streamed ---------------------------------------------------------------------------


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_says_what_the_tape_of_the_same_log_says_a_batch_a_second(whole, stream):
    found = batches(whole, stream)
    assert len(found) == SECONDS
    for number, batch in enumerate(found):
        second = START + number * SECOND_NS
        assert all(second <= ns < second + SECOND_NS for ns in batch["ts_ns"].to_pylist())
    table = pa.Table.from_batches(found)
    assert table.schema.equals(arrow_schema(STREAMS[stream]))
    assert table.equals(drawn(CHANGES)[stream])
    assert not table.equals(drawn(told())[stream])


def test_a_second_without_events_is_a_batch_without_rows(tmp_path):
    class Silent(HeedingTape):
        def advance(self, until_ns):
            batch = super().advance(until_ns)
            empty = {name: values[:0] for name, values in batch.streams["option_prints"].items()}
            return batch._replace(streams={**batch.streams, "option_prints": empty})

    folder = LiveFolder(tmp_path)
    with folder.held(), LiveTape(folder, plan(), Silent) as live:
        list(live.resume())
        for _ in range(3):
            live.follow(told())
            live.publish(0)
    with pa.ipc.open_stream(folder.stream_path("option_prints").read_bytes()) as reader:
        assert [batch.num_rows for batch in reader] == [0, 0, 0]


def test_the_journal_tells_each_second_once_with_the_control_that_took_effect(whole):
    lines = entries(whole)
    assert [line.second_ns for line in lines] == [START + i * SECOND_NS for i in range(SECONDS)]
    taken = {number: line.control for number, line in enumerate(lines) if line.control}
    assert taken == {0: CHANGES[:1], 4: CHANGES[1:2], 12: CHANGES[2:]}
    for stream in STREAMS:
        assert [line.rows[stream] for line in lines] == [
            batch.num_rows for batch in batches(whole, stream)
        ]
    assert LiveFolder(whole).used_control() == log_of(CHANGES)


def test_a_version_that_comes_late_is_given_back_once_and_the_next_one_is_taken(tmp_path):
    late = told((START + 2 * SECOND_NS, "event_day"))
    both = told((START + 2 * SECOND_NS, "event_day"), (START + 9 * SECOND_NS, "quiet_range"))
    folder = LiveFolder(tmp_path)
    with folder.held(), LiveTape(folder, plan(), HeedingTape) as live:
        list(live.resume())
        given_back = []
        while live.next_second is not None:
            heard = told() if live.count < 5 else late if live.count < 7 else both
            given_back += live.follow(heard)
            live.publish(0)
    assert [(one.told, one.position_ns) for one in given_back] == [(late[1], START + 5 * SECOND_NS)]
    used = log_of([*told(), both[2]])
    assert folder.used_control() == used
    for stream in STREAMS:
        assert pa.Table.from_batches(batches(tmp_path, stream)).equals(
            drawn([*told(), both[2]])[stream]
        )


def test_a_version_that_takes_effect_with_the_very_next_second_is_taken(tmp_path):
    lived(tmp_path, until=5)
    now = told((START + 5 * SECOND_NS, "event_day"))
    lived(tmp_path, versions=now)
    assert entries(tmp_path)[5].control == now[1:]


def test_the_control_may_change_before_anything_is_made(tmp_path):
    lived(tmp_path, until=0)
    earlier = told((START - 5 * SECOND_NS, "event_day"))
    lived(tmp_path, versions=earlier)
    for stream in STREAMS:
        assert pa.Table.from_batches(batches(tmp_path, stream)).equals(drawn(earlier)[stream])


# -- what ends it -------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    st.integers(0, SECONDS),
    st.integers(0, 3),
    st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4),
    st.integers(0, 60),
)
def test_whatever_a_kill_cuts_off_is_made_again_to_the_same_bytes(
    whole, tmp_path_factory, count, lost, shares, torn
):
    """The journal holds `count` seconds, and the streams all but some of the last ones."""
    root = tmp_path_factory.mktemp("killed")
    shutil.copytree(whole / "live", root / "live")
    lines = (whole / "live" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    journal = b"".join(lines[:count]) + b"".join(lines[count : count + 1])[:torn]
    (root / "live" / "journal.jsonl").write_bytes(journal)
    told_of = entries(whole)
    for stream, share in zip(STREAMS, shares, strict=True):
        path = root / "live" / f"{stream}.arrows"
        kept = max(count - lost, 0)
        least = told_of[kept - 1].ends[stream] if kept else 0
        most = told_of[count - 1].ends[stream] if count else 0
        path.write_bytes(path.read_bytes()[: least + round(share * (most - least))])
    live = lived(root, versions=CHANGES)
    assert live.known == count
    assert files(root) == files(whole)


def test_a_reader_that_has_read_a_torn_batch_reads_on(whole, tmp_path):
    shutil.copytree(whole / "live", tmp_path / "live")
    path = tmp_path / "live" / "equity_quotes.arrows"
    cut = entries(whole)[9].ends["equity_quotes"] + 100
    path.write_bytes(path.read_bytes()[:cut])
    lines = (whole / "live" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "live" / "journal.jsonl").write_bytes(b"".join(lines[:11]))
    with path.open("rb") as reader:
        assert len(reader.read()) == cut
        lived(tmp_path, versions=CHANGES)
        assert reader.read() == (whole / "live" / "equity_quotes.arrows").read_bytes()[cut:]


def test_a_tape_that_goes_on_uses_the_control_that_it_used_whatever_is_told_now(tmp_path, whole):
    lived(tmp_path, until=8, versions=CHANGES)
    # The log lost its first change: what was used stays, what comes is heard.
    live = lived(tmp_path, versions=(CHANGES[0], CHANGES[2]))
    assert live.control.used == CHANGES
    assert files(tmp_path) == files(whole)


def test_bytes_that_the_journal_does_not_tell_of_are_cut_off(whole, tmp_path):
    lived(tmp_path, until=6, versions=CHANGES)
    path = tmp_path / "live" / "option_nbbo.arrows"
    path.write_bytes(path.read_bytes() + b"more than was promised")
    live = lived(tmp_path, versions=CHANGES)
    assert live.dropped == len(b"more than was promised")
    assert files(tmp_path) == files(whole)


def test_a_stream_that_was_changed_is_refused_with_its_place(tmp_path):
    lived(tmp_path, until=6)
    path = tmp_path / "live" / "equity_prints.arrows"
    data = bytearray(path.read_bytes())
    at = entries(tmp_path)[2].ends["equity_prints"] - 8
    data[at] ^= 1
    path.write_bytes(data)
    before = files(tmp_path)
    with pytest.raises(IntegrityError) as refused:
        lived(tmp_path)
    assert refused.value.code == "LIVE_STREAM_DIFFERS"
    assert f"the second from {START + 2 * SECOND_NS}" in refused.value.message
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda lines: [*lines[:2], b"{}\n", *lines[3:]], "line 3"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], "line 5"),
        (lambda lines: [lines[0].replace(b'"rows":{', b'"rows":{"x":1,'), lines[2]], "line 2"),
        (
            lambda lines: [
                *lines[:3],
                lines[3].replace(b'"equity_quotes":5,', b'"equity_quotes":4,'),
            ],
            "line 4",
        ),
    ],
)
def test_a_journal_that_was_changed_is_refused_with_its_line(tmp_path, change, where):
    lived(tmp_path, until=6)
    path = tmp_path / "live" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    changed = change(lines)
    assert changed != lines
    path.write_bytes(b"".join(changed))
    with pytest.raises(IntegrityError) as refused:
        lived(tmp_path)
    assert refused.value.code == "LIVE_JOURNAL_DAMAGED"
    assert where in refused.value.loc


def test_another_generator_than_the_one_that_began_is_found_out(tmp_path):
    class Other(HeedingTape):
        def _second(self, ns):
            streams, labels = super()._second(ns)
            streams["equity_quotes"]["ask_size"] = streams["equity_quotes"]["ask_size"] + 1
            return streams, labels

    lived(tmp_path, until=3)
    folder = LiveFolder(tmp_path)
    with (
        folder.held(),
        LiveTape(folder, plan(), Other) as live,
        pytest.raises(IntegrityError) as refused,
    ):
        list(live.resume())
    assert refused.value.code == "LIVE_STREAM_DIFFERS"


# -- the finished tape --------------------------------------------------------------------------


def sealed(root, until=None, versions=CHANGES):
    """A tape with its finished files."""
    folder = LiveFolder(root)
    with folder.held(), LiveTape(folder, plan(), HeedingTape) as live:
        list(live.resume())
        while live.next_second is not None and (until is None or live.count < until):
            live.follow(versions)
            live.publish(0)
        return live, seal(live, HeedingTape)


def test_the_finished_tape_says_what_was_streamed_and_its_spec_what_was_used(tmp_path):
    live, written = sealed(tmp_path)
    assert written.created
    assert written.manifest.run.tape_id == id_of(live)
    assert written.place.get("parameter_snapshot.json").count(b'"preset_id"') == 2
    for stream, schema in STREAMS.items():
        with written.place.open(f"{stream}.parquet") as file:
            stored = pa.concat_tables(TableReader(file, stream, schema).tables())
        assert conformed(stored, schema).equals(pa.Table.from_batches(batches(tmp_path, stream)))


def test_a_tape_is_finished_once_and_found_the_next_time(tmp_path):
    sealed(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "tapes").rglob("*") if path.is_file()}
    _, written = sealed(tmp_path)
    assert not written.created
    after = {path: path.read_bytes() for path in (tmp_path / "tapes").rglob("*") if path.is_file()}
    assert after == before


def test_what_is_made_so_far_can_be_a_tape_of_its_own_and_the_live_one_goes_on(tmp_path):
    live, part = sealed(tmp_path, until=10)
    spec = live.spec()
    assert (spec.start_ns, spec.end_ns) == (START, START + 10 * SECOND_NS)
    assert spec.control == log_of(CHANGES[:2])
    _, written = sealed(tmp_path)
    assert written.manifest.run.tape_id != part.manifest.run.tape_id
    assert written.manifest.replay_plan.event_count > part.manifest.replay_plan.event_count


def test_a_finished_tape_that_is_not_what_was_streamed_is_refused(tmp_path):
    class Other(HeedingTape):
        def _second(self, ns):
            streams, labels = super()._second(ns)
            streams["option_nbbo"]["bid_size"] = streams["option_nbbo"]["bid_size"] + 1
            return streams, labels

    folder = LiveFolder(tmp_path)
    with folder.held(), LiveTape(folder, plan(), HeedingTape) as live:
        list(live.resume())
        while live.next_second is not None:
            live.follow(told())
            live.publish(0)
        with pytest.raises(IntegrityError) as refused:
            seal(live, Other)
    assert refused.value.code == "LIVE_TAPE_DIFFERS"
    assert "option_nbbo" in refused.value.message


# -- the folder ---------------------------------------------------------------------------------


def test_a_folder_is_held_by_one_at_a_time_and_free_afterwards(tmp_path):
    folder = LiveFolder(tmp_path)
    assert not folder.is_held()
    with folder.held():
        assert folder.is_held()
        with pytest.raises(ContractError) as refused, LiveFolder(tmp_path).held():
            pass
        assert refused.value.code == "LIVE_BUSY"
        assert folder.is_held()
    assert not folder.is_held()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ContractError) as refused, LiveFolder(tmp_path / "file").held():
        pass
    assert refused.value.code == "FILE_NOT_WRITABLE"


def test_a_status_is_told_whole_and_one_that_does_not_read_is_none(tmp_path):
    folder = LiveFolder(tmp_path)
    assert folder.status() is None
    with folder.held():
        folder.write_status({"state": "running"})
    assert folder.status() == {"format": "islandflow-live-status/1", "state": "running"}
    for data in (b"{", b"[]", b'{"format": "another"}'):
        folder.status_path.write_bytes(data)
        assert folder.status() is None
