"""``kill -9`` of a run at instants over its whole length, and the run after it.

Three instants in the suite; ``make faults`` takes thirty and prints the table of docs/faults.md.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.faults.conftest import BEGUN, ENDED, Undisturbed, wait_for
from tests.faults.daemons import daemon, launched, statuses, wait_until_success
from tests.faults.report import Report
from tests.journeys.children import TIMEOUT_S
from tests.journeys.forker import Child, Forker
from tests.journeys.homes import Home
from tests.journeys.state import State, state_of, store_of

INSTANTS = int(os.environ.get("FAULT_INSTANTS", "3"))
KILLED = 128 + 9

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


@pytest.mark.parametrize("instant", range(INSTANTS))
def test_a_killed_run_leaves_nothing_partial_and_the_next_run_ends_as_if_undisturbed(
    instant: int,
    long_home: Home,
    undisturbed: Undisturbed,
    forker: Forker,
    report: Report,
    tmp_path: Path,
):
    # One instant in each of equal parts of the run, so that all of it is covered.
    chance = random.Random(instant)
    least = int((instant + chance.random()) / INSTANTS * len(undisturbed.state.objects))
    # Every other one a little later: between steps, and while events are recorded.
    wait_s = chance.uniform(0.0, (0.01, 0.25 * undisturbed.run_s)[instant % 2])
    home, child, at_s = _kill_a_run(least, wait_s, long_home, forker, tmp_path)
    killed = state_of(home.environment)
    staged = _staged(home)
    _assert_nothing_partial(killed, undisturbed.state)

    started_s = time.monotonic()
    assert ENDED in forker.run(home.research, home.environment).expect()
    report.add(at_s, child.output, len(killed.objects), staged, time.monotonic() - started_s)
    assert state_of(home.environment) == undisturbed.state


if INSTANTS > 3:  # a daemon takes half a minute to start twice

    @pytest.mark.parametrize("least", [0, 20])
    def test_a_run_that_waits_or_runs_when_the_daemon_is_killed_goes_on_with_the_next_one(
        least: int, long_home: Home, undisturbed: Undisturbed, forker: Forker, tmp_path: Path
    ):
        home = long_home.copied(tmp_path / "home", forker)
        forker.run(launched(home.research), home.environment).expect()
        assert statuses(home) == ["QUEUED"]
        store = store_of(home.environment)
        with daemon(home) as first:
            deadline_s = time.monotonic() + TIMEOUT_S
            while len(store.keys()) < least:
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            started_s = time.monotonic()
            with daemon(home):
                wait_until_success(home)
        sys.stdout.write(f"daemon killed at {least} objects: {time.monotonic() - started_s:.1f}\n")
        assert state_of(home.environment) == undisturbed.state


def _kill_a_run(
    least: int, wait_s: float, untouched: Home, forker: Forker, folder: Path
) -> tuple[Home, Child, float]:
    """Kill a run some time after it has stored `least` objects; returns when that was.

    Progress is counted in objects because a busy machine makes any clock miss.
    """
    for attempt in range(5):
        home = untouched.copied(folder / f"{attempt}" / "home", forker)
        child = forker.start(home.research, home.environment)
        begun_s = wait_for(child, BEGUN)
        store = store_of(home.environment)
        while len(store.keys()) < least:
            time.sleep(0.002)
        time.sleep(wait_s)
        child.kill()
        at_s = time.monotonic() - begun_s
        if forker.wait(child).code == KILLED:
            return home, child, at_s
        wait_s /= 2
    raise AssertionError("five runs in a row ended before they were killed")


def _assert_nothing_partial(killed: State, whole: State) -> None:
    """What is visible is what a whole run makes, and what vouches for others is there last."""
    # Byte for byte, under the same names: nothing torn, nothing that does not belong.
    assert killed.objects.items() <= whole.objects.items()
    assert set(killed.rows) <= set(whole.rows)
    assert len(killed.rows) == len(set(killed.rows))
    for key in whole.objects:
        folder, _, name = key.rpartition("/")
        if name in ("manifest.json", "result.json") and key in killed.objects:
            parts = {part for part in whole.objects if part.rpartition("/")[0] == folder}
            assert parts <= killed.objects.keys(), f"{key} is there without all of its parts"
    for row in killed.rows:
        table, told = row.split(" ", 1)
        if table == "artefacts":
            assert json.loads(told)["manifest_key"] in killed.objects


def _staged(home: Home) -> int:
    """Files of the store that have no name yet, which nothing lists."""
    staging = Path(home.environment["ISLANDFLOW_HOME"]) / "objects" / ".staging"
    return len(list(staging.iterdir())) if staging.exists() else 0
