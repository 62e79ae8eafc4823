"""``kill -9`` of a grid's build at instants over its whole length, and the build after it.

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

from islandflow_resources.grid_folder import read_manifest
from islandflow_resources.mbo_writers import write_events
from tests.faults.grid_worker import GridWorker, run_grid_worker
from tests.islandflow_resources.grids import checkpoints_of, files_of
from tests.oracles.order_streams import well_formed

INSTANTS = int(os.environ.get("FAULT_INSTANTS", "3"))
EVENTS, EVERY = 4_000, 250
NAMES = 6

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("books")]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GridWorker]:
    with run_grid_worker(tmp_path_factory.mktemp("worker")) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Whole:
    """A tape, what an undisturbed build of it leaves, and how long that took."""

    tape: Path
    files: dict[str, bytes]
    checkpoints: dict[str, bytes]
    build_s: float


@pytest.fixture(scope="module")
def whole(worker: GridWorker, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    tape = folder / "tape.parquet"
    write_events(tape, [well_formed(3, EVENTS, mean_ns=2e7)], symbol="MNQH6")
    for name in ("first", "g"):
        started_s = time.monotonic()
        assert worker.wait(worker.start(tape, folder / name, EVERY)) == 0
    build_s = time.monotonic() - started_s
    return Whole(tape, files_of(folder / "g"), _checkpoints(folder / "g"), build_s)


def _checkpoints(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").glob("[!.]*")}


def _assert_nothing_partial(folder: Path, whole: Whole) -> None:
    """No dataset is there, and every checkpoint is one of the undisturbed build."""
    assert not (folder / "manifest.json").exists()
    assert _checkpoints(folder).items() <= whole.checkpoints.items()


def _assert_as_undisturbed(folder: Path, whole: Whole) -> None:
    assert files_of(folder) == whole.files
    assert read_manifest(folder)["events"] == EVENTS
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("instant", range(INSTANTS))
def test_a_killed_build_leaves_no_dataset_and_goes_on_from_its_newest_checkpoint(
    instant: int, worker: GridWorker, whole: Whole, tmp_path: Path
):
    folder = tmp_path / "g"
    # One instant in each of equal parts of the checkpoints, so that all of it is covered.
    chance = random.Random(instant)
    least = int((instant + chance.random()) / INSTANTS * (EVENTS // EVERY))
    pid = worker.start(whole.tape, folder, EVERY)
    deadline_s = time.monotonic() + 60
    while len(list(folder.glob("checkpoints/*.arrow"))) < least:
        assert time.monotonic() < deadline_s
    time.sleep(chance.uniform(0.0, whole.build_s / (EVENTS // EVERY)))
    os.kill(pid, signal.SIGKILL)
    assert worker.wait(pid) == -signal.SIGKILL, "the build ended before it was killed"
    folder.mkdir(exist_ok=True)
    _assert_nothing_partial(folder, whole)

    found = checkpoints_of(folder)
    assert len(found) >= least
    newest = found[-1] if found else None
    elsewhere = tmp_path / "elsewhere"
    assert worker.wait(worker.start(whole.tape, elsewhere, 0, newest)) == 0
    _assert_as_undisturbed(elsewhere, whole)
    assert worker.wait(worker.start(whole.tape, folder, EVERY, newest)) == 0
    _assert_as_undisturbed(folder, whole)
    assert _checkpoints(folder) == whole.checkpoints


@pytest.mark.parametrize("name", range(1, NAMES + 1))
def test_a_build_killed_while_its_files_get_their_names_is_built_again_in_the_same_folder(
    name: int, worker: GridWorker, whole: Whole, tmp_path: Path
):
    folder = tmp_path / "g"
    assert worker.wait(worker.start(whole.tape, folder, die_at=name)) == -signal.SIGKILL
    _assert_nothing_partial(folder, whole)
    assert len([path for path in folder.iterdir() if path.is_file()]) == name - 1
    assert worker.wait(worker.start(whole.tape, folder)) == 0
    _assert_as_undisturbed(folder, whole)


def test_two_builds_at_once_in_one_folder_leave_one_dataset(
    worker: GridWorker, whole: Whole, tmp_path: Path
):
    pids = [worker.start(whole.tape, tmp_path / "g", EVERY) for _ in range(3)]
    codes = sorted(worker.wait(pid) for pid in pids)
    assert codes == [0, 1, 1]
    _assert_as_undisturbed(tmp_path / "g", whole)
    assert _checkpoints(tmp_path / "g") == whole.checkpoints
