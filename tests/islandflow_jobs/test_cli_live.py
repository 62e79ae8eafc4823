"""``islandflow tape live`` on the machine's clock, against ``islandflow tape make``.

A clock that the test moves is in test_live_run.py, files second by second in
tests/islandflow_resources/test_tape_live.py, kills in tests/faults/test_live_kills.py.
"""

import errno
import json
import os
import re
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.control import SECOND_NS, SyntheticControlState
from contracts.flow import SUBTYPE_NAMES
from contracts.tape_columns import STREAMS
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from islandflow_resources.tape_live_folder import LiveFolder
from islandflow_resources.tape_live_journal import read_entries
from tests.graph import write_json
from tests.islandflow_jobs.commands import files, refused
from tests.islandflow_resources.live_tapes import profile

SEED = 5
LENGTH_S = 60
INJECTED = {
    "id": "one",
    "subtype": SUBTYPE_NAMES[0],
    "symbol": "SPY",
    "at_s": 35,
    "notional_usd": 400_000.0,
    "is_decoy": False,
}
DEPLOYED = {"control": {"log": "deployment"}}
DOC = Path(__file__).parents[2] / "docs" / "live-tape.md"


def document(**changes):
    """A profile of two symbols whose tape lasts a minute from the open on."""
    return profile(LENGTH_S, 0).model_dump(mode="json") | changes


@pytest.fixture
def live(islandflow, bare_home, tmp_path):
    """Run ``islandflow tape live`` of a profile into the folder ``out``."""

    def run(*options, **changes):
        path = write_json(tmp_path / "profile.json", document(**changes))
        given = ("--profile", path, "--seed", SEED, "--out", tmp_path / "out")
        return islandflow("tape", "live", *given, *options)

    return run


@pytest.fixture
def made(islandflow, bare_home, tmp_path):
    """The files of ``islandflow tape make`` of a profile, but for where and when they were made."""

    def run(**changes):
        path = write_json(tmp_path / "profile.json", document(**changes))
        given = ("--profile", path, "--seed", SEED, "--out", tmp_path / "batch")
        code, _, err = islandflow("tape", "make", *given, "--run-name", "live")
        assert (code, err) == (0, [])
        return tapes(tmp_path / "batch")

    return run


@pytest.fixture
def store(bare_home):
    """The control log of the home."""
    database = Database(f"sqlite:///{bare_home / 'islandflow.db'}")
    log = ControlLogStore(database)
    bare_home.mkdir(parents=True, exist_ok=True)
    log.current()
    yield log
    database.dispose()


def tapes(out):
    """Bytes of finished tapes and labels, but for when and where they were made."""
    found = {f"tapes/{name}": data for name, data in files(out / "tapes").items()}
    found |= {f"labels/{name}": data for name, data in files(out / "labels").items()}
    return {name: data for name, data in found.items() if not name.endswith("provenance.json")}


def journal(out):
    """Seconds that are made."""
    path = out / "live" / "journal.jsonl"
    return read_entries(path) if path.exists() else []


@contextmanager
def when(out, seconds, action):
    """Do something in another thread once so many seconds are made."""
    failed, is_over = [], threading.Event()

    def watch():
        try:
            while len(journal(out)) < seconds:
                assert not is_over.is_set(), f"it ended before {seconds} seconds were made"
                time.sleep(0.005)
            action()
        except Exception as error:
            failed.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()
    assert failed == []


def end():
    """Ask this process to end."""
    os.kill(os.getpid(), signal.SIGTERM)


def start_ns(out):
    """Start of the tape."""
    return int(json.loads((out / "live" / "plan.json").read_bytes())["spec"]["start_ns"])


# -- streams and the finished tape --------------------------------------------------------------


def test_a_live_tape_is_the_batch_tape_to_the_byte_and_so_are_its_streams(live, made, tmp_path):
    code, lines, err = live("--speed", 60, injections=[INJECTED])
    assert code == 0
    assert all(line.startswith("behind by ") for line in err)
    assert lines[-1].endswith("as streamed")
    out = tmp_path / "out"
    assert tapes(out) == made(injections=[INJECTED])
    [tape] = (out / "tapes").iterdir()
    for stream in STREAMS:
        with pa.ipc.open_stream((out / "live" / f"{stream}.arrows").read_bytes()) as reader:
            batches = list(reader)
        assert len(batches) == LENGTH_S
        stored = pq.read_table(tape / f"{stream}.parquet").replace_schema_metadata(None)
        assert pa.Table.from_batches(batches).equals(stored.cast(batches[0].schema))


def test_no_second_is_published_before_the_clock_has_reached_its_end(live, tmp_path):
    before_ns = time.time_ns()
    assert live("--speed", 60)[0] == 0
    out = tmp_path / "out"
    pace = json.loads((out / "live" / "plan.json").read_bytes())["pace"]
    assert (pace["clock"], pace["speed"]) == ("from_start", 60)
    assert before_ns <= int(pace["started_ns"])
    published = [line.wall_ns for line in journal(out)]
    due = [int(pace["started_ns"]) + (n + 1) * SECOND_NS / 60 - 1 for n in range(LENGTH_S)]
    assert all(wall >= wanted for wall, wanted in zip(published, due, strict=True))
    assert published == sorted(published)
    assert published[-1] <= time.time_ns()


def test_the_example_of_the_page_follows_a_stream_while_it_grows(live, tmp_path):
    [example] = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    out, found = tmp_path / "out", []
    names = {}
    exec(example, names)  # noqa: S102 - the example is the subject of the test

    def follow():
        path = str(out / "live" / "option_nbbo.arrows")
        found.extend(batch.num_rows for batch in names["follow"](path))

    with when(out, 1, follow):
        assert live("--speed", 60)[0] == 0
    assert found == [line.rows["option_nbbo"] for line in journal(out)]
    assert len(found) == LENGTH_S


# -- control ------------------------------------------------------------------------------------


def save(store, revision, preset, effective_ns):
    """Append a revision."""
    store.save(
        SyntheticControlState(preset_id=preset, load_profile_id="firehose"),
        expected_revision=revision - 1,
        effective_ns=effective_ns,
        updated_by="Ada",
    )


def test_a_revision_that_is_saved_meanwhile_is_taken_at_its_time(live, made, store, tmp_path):
    out = tmp_path / "out"
    before = made()

    def change():
        save(store, 1, "event_day", start_ns(out) + 50 * SECOND_NS)

    with when(out, 2, change):
        code, lines, _ = live("--speed", 20, **DEPLOYED)
    assert code == 0
    taken = [number for number, line in enumerate(journal(out)) if line.control]
    assert taken == [0, 50]
    assert journal(out)[50].control[0].revision == 1
    assert any(line.startswith("revision 1 is in force from ") for line in lines)
    # The batch tape of the log as it is now.
    deployed = {name: data for name, data in made(**DEPLOYED).items() if name not in before}
    assert tapes(out) == deployed
    # And nothing before the change is another one for it.
    [unchanged] = {name.split("/")[1] for name in before}
    quotes = pq.read_table(tmp_path / "batch" / "tapes" / unchanged / "equity_quotes.parquet")
    with pa.ipc.open_stream((out / "live" / "equity_quotes.arrows").read_bytes()) as reader:
        changed = reader.read_all()
    rows = sum(line.rows["equity_quotes"] for line in journal(out)[:50])
    for name in changed.column_names:
        assert changed[name][:rows].to_pylist() == quotes[name][:rows].to_pylist()
    assert changed.num_rows > quotes.num_rows


def test_a_revision_that_comes_late_is_refused_and_the_next_one_taken(live, store, tmp_path):
    out = tmp_path / "out"

    def change():
        save(store, 1, "event_day", start_ns(out) + 2 * SECOND_NS)
        save(store, 2, "quiet_range", start_ns(out) + 55 * SECOND_NS)

    with when(out, 10, change):
        code, _, err = live("--speed", 20, **DEPLOYED)
    assert code == 0
    [line] = [line for line in err if "revision" in line]
    assert line.startswith("revision 1 is refused for this tape")
    controls = {n: [one.revision for one in e.control] for n, e in enumerate(journal(out))}
    assert {n: revisions for n, revisions in controls.items() if revisions} == {0: [0], 55: [2]}
    assert [one["revision"] for one in LiveFolder(out).status()["refused"]] == [1]


# -- ends and restarts --------------------------------------------------------------------------


def test_a_signal_ends_it_with_0_and_it_goes_on_where_it_was(live, made, tmp_path):
    out = tmp_path / "out"
    with when(out, 10, end):
        code, lines, _ = live("--speed", 20)
    assert code == 0
    assert lines[-1].startswith("stopped at ")
    count = len(journal(out))
    assert 10 <= count < LENGTH_S
    assert not (out / "tapes").exists()
    code, lines, _ = live("--speed", 20)
    assert code == 0
    assert lines[0].startswith(f"default, seed 5: {count} seconds are there")
    assert [line.second_ns for line in journal(out)] == [
        start_ns(out) + number * SECOND_NS for number in range(LENGTH_S)
    ]
    assert tapes(out) == made()


def test_a_signal_may_leave_a_tape_of_what_is_made(live, islandflow, tmp_path):
    out = tmp_path / "out"
    with when(out, 5, end):
        assert live("--speed", 20, "--seal")[0] == 0
    [tape] = (out / "tapes").iterdir()
    assert islandflow("tape", "verify", tape)[0] == 0
    spec = json.loads((tape / "parameter_snapshot.json").read_bytes())["spec"]
    assert int(spec["end_ns"]) == start_ns(out) + len(journal(out)) * SECOND_NS


def test_a_full_disk_ends_it_with_1_and_once_there_is_room_nothing_is_lost(
    live, made, monkeypatch, tmp_path
):
    write, left = os.pwrite, [30]

    def until_full(file, data, at):
        left[0] -= 1
        if left[0] == 0:
            write(file, bytes(data[: len(data) // 2]), at)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data, at)

    monkeypatch.setattr(os, "pwrite", until_full)
    code, _, err = live("--speed", 60)
    assert code == 1
    assert err[-1].startswith("LIVE_FOLDER_NOT_WRITABLE")
    monkeypatch.setattr(os, "pwrite", write)
    assert live()[0] == 0
    assert tapes(tmp_path / "out") == made()


def test_a_folder_where_another_is_at_work_is_refused(live, tmp_path):
    with LiveFolder(tmp_path / "out").held():
        assert refused(live("--speed", 60), "LIVE_BUSY")


def test_something_else_than_was_begun_is_refused(live, tmp_path):
    with when(tmp_path / "out", 1, end):
        assert live("--speed", 20)[0] == 0
    before = files(tmp_path / "out")
    assert refused(live("--speed", 21), "LIVE_PLAN_OTHER")
    assert refused(live("--run-name", "another"), "LIVE_PLAN_OTHER")
    assert refused(live(id="another"), "LIVE_PLAN_OTHER")
    assert files(tmp_path / "out") == before


# -- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--seed-bundle", "bundle.json"), "ARGUMENTS_INVALID"),
        (("--speed", 0), "LIVE_PACE_INVALID"),
        (("--speed", "nan"), "LIVE_PACE_INVALID"),
        (("--now", "--speed", 2), "LIVE_PACE_INVALID"),
        (("--now",), "LIVE_PACE_INVALID"),
        (("--seed", "one"), "SEED_NOT_AN_INTEGER"),
    ],
)
def test_arguments_that_cannot_be_are_refused_and_nothing_is_begun(live, tmp_path, options, code):
    assert refused(live(*options), code)
    assert not (tmp_path / "out" / "live" / "plan.json").exists()


def test_a_seed_is_needed(islandflow, bare_home, tmp_path):
    path = write_json(tmp_path / "profile.json", document())
    out = tmp_path / "out"
    outcome = islandflow("tape", "live", "--profile", path, "--out", out)
    assert refused(outcome, "ARGUMENT_MISSING")
    assert not out.exists()


def test_a_bundle_stands_for_a_seed(islandflow, bare_home, tmp_path):
    path = write_json(tmp_path / "profile.json", document())
    bundle = {"seed": "5", "namespace": "other", "partition": "market"}
    given = write_json(tmp_path / "bundle.json", bundle)
    out = tmp_path / "out"
    arguments = ("--profile", path, "--seed-bundle", given, "--out", out, "--speed", 20)
    with when(out, 1, end):
        assert islandflow("tape", "live", *arguments)[0] == 0
    assert LiveFolder(out).status()["seed_bundle"] == bundle


def test_a_profile_that_is_none_is_refused_with_its_pointer(live):
    [line] = refused(live("--speed", 60, id="No Slug"), "TAPE_PROFILE")
    assert "/id" in line
