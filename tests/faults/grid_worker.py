"""A process that has loaded the kernels and builds grids in forks of itself, which may be killed.

``python -m tests.faults.grid_worker`` takes a request a line; `GridWorker` is the side of the
tests. Campaigns have ``campaign_worker``.
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
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from islandflow_resources.grid_build import GridOrder, build_grid
from islandflow_resources.mbo_writers import write_events
from tests.engine.grid.runs import config
from tests.journeys import children
from tests.oracles.order_streams import well_formed


@dataclass(frozen=True, slots=True)
class GridWorker:
    """The process, and what it was asked to build."""

    process: subprocess.Popen[str]

    def start(
        self,
        events: Path,
        folder: Path,
        every: int = 0,
        newest: Path | None = None,
        die_at: int = 0,
    ) -> int:
        """Begin a build; its process, which kills itself before its n-th name if `die_at` is n."""
        request = {
            "events": str(events),
            "folder": str(folder),
            "every": every,
            "newest": None if newest is None else str(newest),
            "die_at": die_at,
        }
        return self._ask(request)["pid"]

    def wait(self, pid: int) -> int:
        """Exit code of a build; negative is the signal that ended it."""
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
def run_grid_worker(folder: Path) -> Iterator[GridWorker]:
    """Run the process; its builds end with it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.grid_worker"],
        cwd=children.ROOT,
        env=children.embedded(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield GridWorker(process)
    finally:
        process.communicate(timeout=60)


def main() -> None:
    """Load the kernels, then serve requests until the input ends."""
    _load_kernels()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_serve(json.loads(line))) + "\n")
        sys.stdout.flush()


def _load_kernels() -> None:
    """Do all that a build does, once and before any fork: loading kernels takes a second."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        tape = folder / "tape.parquet"
        write_events(tape, [well_formed(1, 200)], symbol="MNQH6")
        order = GridOrder(tape, config(), full=True, checkpoint_every=100)
        build_grid(order, folder / "a")
        newest = max((folder / "a" / "checkpoints").glob("*.arrow"))
        build_grid(replace(order, from_checkpoint=newest), folder / "b")


def _serve(request: dict[str, Any]) -> dict[str, int]:
    if "wait" in request:
        _, status = os.waitpid(request["wait"], 0)
        return {"code": os.waitstatus_to_exitcode(status)}
    pid = os.fork()
    if pid == 0:
        _become(request)
    return {"pid": pid}


def _become(request: dict[str, Any]) -> None:
    """Build, to the end of the process."""
    code = 1
    try:
        _die_before_name(request["die_at"])
        newest = request["newest"]
        order = GridOrder(
            Path(request["events"]),
            config(),
            full=True,
            checkpoint_every=request["every"],
            from_checkpoint=None if newest is None else Path(newest),
        )
        build_grid(order, Path(request["folder"]))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _die_before_name(number: int) -> None:
    """Kill this process before the n-th finished file gets its name."""
    link, names = os.link, [0]

    def counted(source: Path, target: Path) -> None:
        names[0] += 1
        if names[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        link(source, target)

    os.link = counted  # type: ignore[assignment]


if __name__ == "__main__":
    main()
