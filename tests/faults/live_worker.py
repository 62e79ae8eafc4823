"""A process that has loaded the kernels and runs live tapes in forks of itself, to be killed.

``python -m tests.faults.live_worker`` takes a request a line; `LiveWorker` is the side of the
tests. Grids have ``grid_worker``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.islandflow_resources import live_tapes
from tests.journeys import children

SEED = 5
LENGTH_S = 60


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """The process, and what it was asked to run."""

    process: subprocess.Popen[str]

    def start(self, out: Path, speed: float | None, die_at: int = 0) -> int:
        """Begin or go on with a live tape; its process.

        With `die_at` it kills itself in the middle of its n-th write to a stream or the journal.
        """
        return self._ask({"out": str(out), "speed": speed, "die_at": die_at})["pid"]

    def wait(self, pid: int) -> int:
        """Exit code; negative is the signal that ended it."""
        return self._ask({"wait": pid})["code"]

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the worker has ended: see its standard error"
        return json.loads(answer)


@contextmanager
def run_live_worker(folder: Path) -> Iterator[LiveWorker]:
    """Run the process; it ends with the block, and its tapes with their sessions."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.live_worker"],
        cwd=children.ROOT,
        env=children.embedded(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield LiveWorker(process)
    finally:
        process.communicate(timeout=60)


def profile_of(folder: Path) -> Path:
    """Write the profile that every tape here is of."""
    path = folder / "profile.json"
    document = live_tapes.profile(LENGTH_S, 0).model_dump(mode="json")
    path.write_text(json.dumps(document), "utf-8")
    return path


def main() -> None:
    """Load the kernels, then serve requests until the input ends."""
    with TemporaryDirectory() as name:
        profile = profile_of(Path(name))
        _load_kernels()
        for line in sys.stdin:
            sys.stdout.write(json.dumps(_serve(json.loads(line), profile)) + "\n")
            sys.stdout.flush()


def _load_kernels() -> None:
    """Draw some events, once and before any fork; from here on kernels lie where they lie."""
    from engine.tapes.market.api import MarketTape
    from islandflow_jobs import cli, live_pacer
    from islandflow_resources.tape_specs import resolve

    assert cli.app
    assert live_pacer.Pacer
    MarketTape(resolve(live_tapes.profile(LENGTH_S, 0)), SEED).advance(2**62)


def _serve(request: dict[str, Any], profile: Path) -> dict[str, int]:
    if "wait" in request:
        _, status = os.waitpid(request["wait"], 0)
        return {"code": os.waitstatus_to_exitcode(status)}
    pid = os.fork()
    if pid == 0:
        _become(request, profile)
    return {"pid": pid}


def _become(request: dict[str, Any], profile: Path) -> None:
    """Be ``islandflow tape live``, to the end of the process."""
    from islandflow_jobs.cli import main as islandflow

    code = 1
    try:
        os.dup2(2, 1)
        _die_in_write(request["die_at"])
        pace = [] if request["speed"] is None else ["--speed", str(request["speed"])]
        given = ["--profile", str(profile), "--seed", str(SEED), "--out", request["out"]]
        sys.argv = ["islandflow", "tape", "live", *given, *pace]
        islandflow()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_in_write(number: int) -> None:
    """Kill this process after a half of its n-th write."""
    append, write, calls = os.write, os.pwrite, [0]

    def is_last() -> bool:
        calls[0] += 1
        return calls[0] == number

    def counted_append(file: int, data: bytes) -> int:
        if is_last():
            append(file, bytes(data[: len(data) // 2]))
            os.kill(os.getpid(), signal.SIGKILL)
        return append(file, data)

    def counted_write(file: int, data: bytes, at: int) -> int:
        if is_last():
            write(file, bytes(data[: len(data) // 2]), at)
            os.kill(os.getpid(), signal.SIGKILL)
        return write(file, data, at)

    os.write, os.pwrite = counted_append, counted_write  # type: ignore[assignment]


if __name__ == "__main__":
    main()
