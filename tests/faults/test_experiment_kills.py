"""``kill -9`` of an experiment between its chunks, and the run after it; two processes at once.

Two instants in the suite; ``make faults`` takes as many as there are.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from islandflow_resources.experiment_trials import recorded_runs
from islandflow_resources.signal_runs import query_runs
from tests.faults.experiment_worker import ExperimentWorker, run_experiment_worker
from tests.islandflow_resources.campaigning import Home
from tests.islandflow_resources.experimenting import RUNS, ready

INSTANTS = min(int(os.environ.get("FAULT_INSTANTS", "2")), 14)
CHUNKS = 6
MOMENTS = 2 * CHUNKS + 2
"""Before and after each chunk is stored; the tables of candidates and chunks come behind."""

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("books")]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExperimentWorker]:
    with run_experiment_worker(tmp_path_factory.mktemp("worker")) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Whole:
    """What an undisturbed run leaves: digests of its tables, its objects, its rows of runs."""

    digests: list[str]
    objects: dict[str, bytes]
    runs: list[str]


def left_by(folder: Path) -> Whole:
    """What is in a home now; no digests if no run has ended there."""
    home = Home.embedded(folder)
    rows = query_runs(home.database, min_signals=0, top_n=1_000)
    told = folder / "digests.json"
    found = json.loads(told.read_text()) if told.exists() else []
    objects = {
        key: data
        for key, data in home.objects().items()
        if key.startswith(("trials/", "campaigns/"))
    }
    home.database.dispose()
    return Whole(found, objects, sorted(f"{row.run_id} {row.content_digest}" for row in rows))


def recorded(folder: Path) -> int:
    """Runs whose chunks are recorded."""
    home = Home.embedded(folder)
    found = recorded_runs(home.store, home.database, ready(home))
    home.database.dispose()
    return found


@pytest.fixture(scope="module")
def whole(worker: ExperimentWorker, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole") / "home"
    assert worker.wait(worker.start(folder)) == 0
    found = left_by(folder)
    assert len(found.runs) == RUNS
    assert len(found.objects) == CHUNKS + 2
    return found


@pytest.mark.parametrize("instant", range(INSTANTS))
def test_a_killed_experiment_goes_on_and_ends_as_if_undisturbed(
    instant: int, worker: ExperimentWorker, whole: Whole, tmp_path: Path
):
    folder = tmp_path / "home"
    # One instant in each of equal parts of the moments, so that all of it is covered.
    moment = 1 + int((instant + random.Random(instant + 1).random()) / INSTANTS * MOMENTS)
    pid = worker.start(folder, moment)
    assert worker.wait(pid) == -signal.SIGKILL, "the run ended before it was killed"
    killed = left_by(folder)
    assert killed.digests == []
    assert killed.objects.items() <= whole.objects.items()
    assert set(killed.runs) <= set(whole.runs)
    before = recorded(folder)
    assert before < RUNS or moment > 2 * CHUNKS

    assert worker.wait(worker.start(folder)) == 0
    assert left_by(folder) == whole
    assert recorded(folder) == RUNS


def test_a_run_that_died_between_a_chunk_and_its_rows_records_them_when_it_goes_on(
    worker: ExperimentWorker, whole: Whole, tmp_path: Path
):
    folder = tmp_path / "home"
    assert worker.wait(worker.start(folder, 4)) == -signal.SIGKILL
    killed = left_by(folder)
    assert len(killed.objects) == 2
    assert 0 < len(killed.runs) < 8
    assert worker.wait(worker.start(folder)) == 0
    assert left_by(folder) == whole


def test_two_processes_at_once_neither_lose_nor_double_a_run(
    worker: ExperimentWorker, whole: Whole, tmp_path: Path
):
    folder = tmp_path / "home"
    Home.embedded(folder).database.dispose()
    pids = [worker.start(folder) for _ in range(2)]
    assert [worker.wait(pid) for pid in pids] == [0, 0]
    assert left_by(folder) == whole
    assert recorded(folder) == RUNS
