"""A process that has loaded the kernels and runs experiments in forks of itself, to be killed.

``python -m tests.faults.experiment_worker`` takes a request a line; `ExperimentWorker` is the side
of the tests. Campaigns of strategies have ``campaign_worker``, grids ``grid_worker``.
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

from islandflow_resources import derived
from tests.islandflow_resources.campaigning import Home, digests
from tests.islandflow_resources.experimenting import ready, run
from tests.journeys import children


@dataclass(frozen=True, slots=True)
class ExperimentWorker:
    """The process, and what it was asked to run."""

    process: subprocess.Popen[str]

    def start(self, home: Path, die_at: int = 0) -> int:
        """Begin a run; its process, which kills itself at its n-th act if `die_at` is n."""
        return self._ask({"home": str(home), "die_at": die_at})["pid"]

    def wait(self, pid: int) -> int:
        """Exit code of a run; negative is the signal that ended it."""
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
def run_experiment_worker(folder: Path) -> Iterator[ExperimentWorker]:
    """Run the process; its runs end with it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.experiment_worker"],
        cwd=children.ROOT,
        env=children.embedded(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield ExperimentWorker(process)
    finally:
        process.communicate(timeout=60)


def main() -> None:
    """Load the kernels, then serve requests until the input ends."""
    with TemporaryDirectory() as folder:
        _run(Path(folder) / "home")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_serve(json.loads(line))) + "\n")
        sys.stdout.flush()


def _run(folder: Path) -> tuple[str, str]:
    home = Home.embedded(folder)
    found = digests(run(home, ready(home), run_id=f"run {os.getpid()}"))
    home.database.dispose()
    return found


def _serve(request: dict[str, Any]) -> dict[str, int]:
    if "wait" in request:
        _, status = os.waitpid(request["wait"], 0)
        return {"code": os.waitstatus_to_exitcode(status)}
    pid = os.fork()
    if pid == 0:
        _become(request)
    return {"pid": pid}


def _become(request: dict[str, Any]) -> None:
    """Run the tiny experiment, to the end of the process."""
    code = 1
    try:
        folder = Path(request["home"])
        _die_at(request["die_at"])
        found = _run(folder)
        (folder / "digests.json").write_text(json.dumps(found), "utf-8")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _die_at(number: int) -> None:
    """Kill this process at the n-th moment before or after a derived table is stored."""
    store_table, moments = derived.store_table, [0]

    def moment() -> None:
        moments[0] += 1
        if moments[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(*given: Any) -> Any:
        moment()
        stored = store_table(*given)
        moment()
        return stored

    derived.store_table = counted


if __name__ == "__main__":
    main()
