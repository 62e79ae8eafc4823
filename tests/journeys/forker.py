"""Runs of the project's commands that begin after the imports, each in a process of its own.

Importing Dagster and loading kernels takes ten times as long as a small run. The process started by
``python -m tests.journeys.forker`` does that once and forks at every request; the fork
replaces its environment and output and calls the command's own entry point. `Forker` is the side
of the tests. Commands and environments come from ``children``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.journeys import children, kernels
from tests.journeys.children import Done


@dataclass(frozen=True, slots=True)
class Child:
    """A running command; its output so far is in a file."""

    pid: int
    log: Path

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """End it as a crash would; it stays to be waited for."""
        os.kill(self.pid, signal.SIGKILL)


class Forker:
    """The warm process, and what it was asked to start."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._started = 0

    def start(self, command: list[str], environment: dict[str, str]) -> Child:
        """Start a command and return at once."""
        self._started += 1
        log = self._folder / f"{self._started}.log"
        log.touch()
        answer = self._ask({"command": command, "environment": environment, "log": str(log)})
        return Child(answer["pid"], log)

    def wait(self, child: Child) -> Done:
        """Wait for the end of a command; 137 is the code of one that was killed."""
        code = self._ask({"wait": child.pid})["code"]
        return Done(code, child.output)

    def run(self, command: list[str], environment: dict[str, str]) -> Done:
        """Start a command and wait for its end."""
        return self.wait(self.start(command, environment))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the forker has ended: see its standard error"
        return json.loads(answer)


@contextmanager
def run_forker(folder: Path) -> Iterator[Forker]:
    """Run the warm process; all it started ends with it."""
    home = kernels.link(folder / "home")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.journeys.forker"],
        cwd=children.ROOT,
        env=children.embedded(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Forker(process, folder)
    finally:
        process.communicate(timeout=60)


def main() -> None:
    """Import, then serve requests until the input ends, then end every child."""
    entries = _import_everything()
    # Its own copy: what a library prints must not be read as an answer.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        alive: set[int] = set()
        try:
            for line in sys.stdin:
                answer = _serve(json.loads(line), entries, alive, answers)
                answers.write(json.dumps(answer) + "\n")
                answers.flush()
        finally:
            for pid in alive:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)


def _import_everything() -> dict[str, Any]:
    import dagster_aws.s3.compute_log_manager
    import dagster_postgres
    from dagster._cli import main as dagster

    import islandflow_jobs.definitions
    import islandflow_jobs.verify
    from islandflow_assets import plots
    from islandflow_jobs.cli import main as islandflow

    for module in (dagster_aws, dagster_postgres, islandflow_jobs.definitions, plots):
        assert module is not None
    kernels.load()
    return {"islandflow": islandflow, "dagster": dagster}


def _serve(
    request: dict[str, Any], entries: dict[str, Any], alive: set[int], answers: IO[str]
) -> dict[str, Any]:
    if "wait" in request:
        _, status = os.waitpid(request["wait"], 0)
        alive.discard(request["wait"])
        code = os.waitstatus_to_exitcode(status)
        return {"code": code if code >= 0 else 128 - code}
    pid = os.fork()
    if pid == 0:
        answers.close()
        _become(request, entries)
    alive.add(pid)
    return {"pid": pid}


def _become(request: dict[str, Any], entries: dict[str, Any]) -> None:
    """Be the command that was asked for, to its end."""
    code = 1
    try:
        os.setsid()
        _redirect(request["log"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = request["command"]
        code = _exit_code(entries[Path(sys.argv[0]).name])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code(entry: Any) -> int:
    try:
        entry()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _redirect(log: str) -> None:
    sources = (os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY))
    for source, target in ((sources[0], 0), (sources[1], 1), (sources[1], 2)):
        os.dup2(source, target)


if __name__ == "__main__":
    main()
