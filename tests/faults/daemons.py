"""Dagster's daemon as a process that is killed and started again, and the runs of its queue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from tests.journeys import children
from tests.journeys.homes import Home

_MODULE = ("-m", "islandflow_jobs.definitions")


@contextmanager
def daemon(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon, which with all that it started ends with the block."""
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", *_MODULE]
    with (home.folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=children.ROOT,
            env=home.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def launched(command: list[str]) -> list[str]:
    """Command line that puts a run into the queue instead of executing it."""
    return ["launch" if word == "execute" else word for word in command]


def statuses(home: Home) -> list[str]:
    """What became of every run."""
    with dg.DagsterInstance.from_config(home.environment["DAGSTER_HOME"]) as instance:
        return [run.status.value for run in instance.get_runs()]


def wait_until_success(home: Home) -> None:
    """Wait for the newest run."""
    deadline_s = time.monotonic() + children.TIMEOUT_S
    while statuses(home)[0] != "SUCCESS":
        log = (home.folder / "daemon.log").read_text("utf-8")
        assert time.monotonic() < deadline_s, f"{statuses(home)}\n{log[-3000:]}"
        time.sleep(0.2)
