"""``kill -9`` of a live tape at instants over its whole length, and the start after it.

Three instants in the suite; ``make faults`` takes thirty.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from islandflow_resources.tape_live_folder import LiveFolder
from islandflow_resources.tape_live_journal import read_entries
from tests.faults.live_worker import LENGTH_S, LiveWorker, run_live_worker

INSTANTS = int(os.environ.get("FAULT_INSTANTS", "3"))
SPEED = 20.0
# Before the first second the plan is written and each stream gets its schema; then five a second.
FIRST_WRITES, WRITES = 4, 5

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorker]:
    with run_live_worker(tmp_path_factory.mktemp("worker")) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Whole:
    """What an undisturbed tape leaves: streams, and the finished files."""

    streams: dict[str, bytes]
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def whole(worker: LiveWorker, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert worker.wait(worker.start(out, 1_000.0)) == 0
    found = Whole(_streams(out), _finished(out))
    assert len(found.streams) == 4
    assert len(found.files) > 10
    return found


def _streams(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "live").glob("*.arrows")}


def _finished(out: Path) -> dict[str, bytes]:
    """Tapes and labels, but for when and where they were made."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for folder in ("tapes", "labels")
        for path in (out / folder).rglob("*")
        if path.is_file() and path.name != "provenance.json"
    }


def _seconds(out: Path) -> list[int]:
    path = out / "live" / "journal.jsonl"
    return [entry.second_ns for entry in read_entries(path)] if path.exists() else []


def _assert_nothing_else(out: Path, whole: Whole) -> None:
    """What a kill leaves is a part of what is there undisturbed, and nobody holds it."""
    for name, data in _streams(out).items():
        assert whole.streams[name].startswith(data)
    assert not LiveFolder(out).is_held()


def _assert_as_undisturbed(out: Path, whole: Whole) -> None:
    assert _streams(out) == whole.streams
    assert _finished(out) == whole.files
    seconds = _seconds(out)
    assert len(seconds) == len(set(seconds)) == LENGTH_S


@pytest.mark.parametrize("instant", range(INSTANTS))
def test_a_killed_tape_goes_on_and_nothing_is_lost_or_comes_twice(
    instant: int, worker: LiveWorker, whole: Whole, tmp_path: Path
):
    out = tmp_path / "out"
    # One instant in each of equal parts of the tape, so that all of it is covered.
    chance = random.Random(instant)
    least = int((instant + chance.random()) / INSTANTS * (LENGTH_S - 4))
    pid = worker.start(out, SPEED)
    deadline_s = time.monotonic() + 60
    while len(_seconds(out)) < least:
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    time.sleep(chance.uniform(0.0, 1.0 / SPEED))
    os.kill(pid, signal.SIGKILL)
    assert worker.wait(pid) == -signal.SIGKILL, "the tape ended before it was killed"
    before = _seconds(out)
    _assert_nothing_else(out, whole)
    assert worker.wait(worker.start(out, None)) == 0
    assert _seconds(out)[: len(before)] == before
    _assert_as_undisturbed(out, whole)


@pytest.mark.parametrize(
    "write",
    [1, FIRST_WRITES, *(FIRST_WRITES + 7 * WRITES + place for place in range(1, WRITES + 1))],
)
def test_a_tape_that_dies_in_the_middle_of_a_write_is_mended(
    write: int, worker: LiveWorker, whole: Whole, tmp_path: Path
):
    out = tmp_path / "out"
    assert worker.wait(worker.start(out, 1_000.0, die_at=write)) == -signal.SIGKILL
    _assert_nothing_else(out, whole)
    # Nor does it matter if the one that mends dies, too.
    assert worker.wait(worker.start(out, None, die_at=2)) == -signal.SIGKILL
    _assert_nothing_else(out, whole)
    assert worker.wait(worker.start(out, None)) == 0
    _assert_as_undisturbed(out, whole)


def test_of_two_that_are_started_at_once_one_makes_the_tape(
    worker: LiveWorker, whole: Whole, tmp_path: Path
):
    out = tmp_path / "out"
    pids = [worker.start(out, SPEED) for _ in range(2)]
    assert sorted(worker.wait(pid) for pid in pids) == [0, 2]
    _assert_as_undisturbed(out, whole)
