"""Parity of live and offline, asked of a fresh process that shares nothing but the files.

`ParityProcess` starts ``python -m islandflow_resources.grid_parity``, which takes a request
a line on its standard input and gives an answer a line on its output. What is compared is
``grid_replay``, imported only once the kernel cache is settled.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

from contracts.errors import ComputeError, ContractError, IslandflowError
from contracts.grid import grid_config_from

if TYPE_CHECKING:
    from islandflow_resources.grid_replay import Parity

_MEMORY_MB: Final = 256
_LAST_CHARS: Final = 2_000


class ParityProcess:
    """A process that compares, for as long as the context lasts.

    Parameters
    ----------
    kernel_home : Path
        Folder of compiled kernels, as of ``EngineRuntime``.

    Examples
    --------
    >>> with ParityProcess(runtime.kernel_home) as process:  # doctest: +SKIP
    ...     process.compare(events, folder).difference
    ''
    """

    def __init__(self, kernel_home: Path) -> None:
        self._kernel_home = kernel_home
        self._process: subprocess.Popen[str] | None = None
        self._said: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._said.close()

    def compare(
        self, events: Path, folder: Path, symbol: str | None, most_events: int = 0
    ) -> Parity:
        """Compare the events of a local file, pushed one by one, with a dataset's tables.

        Parameters
        ----------
        symbol : str, optional
            The instrument, as ``mbo_files.read_events`` takes it.
        most_events : int
            Only so many events; 0 for all, at some 50 µs each.

        Raises
        ------
        ContractError
            What is wrong with the events or the manifest.
        ComputeError
            ``PARITY_PROCESS_ENDED`` if the process ends without an answer.
        """
        from islandflow_resources.grid_replay import Parity

        request = {
            "kernel_home": str(self._kernel_home),
            "events": str(events),
            "folder": str(folder),
            "symbol": symbol,
            "most_events": most_events,
        }
        answer = self._answer(json.dumps(request))
        if "problem" in answer:
            problem = answer["problem"]
            raise ContractError(
                problem["code"], problem["message"], problem["loc"], tuple(problem["hints"])
            )
        return Parity(**answer)

    def _answer(self, request: str) -> dict[str, Any]:
        process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{request}\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        self._said.seek(0)
        said = self._said.read()[-_LAST_CHARS:].strip()
        raise ComputeError(
            "PARITY_PROCESS_ENDED",
            f"the process that compares live with offline has ended without an answer: {said}",
            "",
            ("run it again; if it had too little memory, compare fewer events",),
        )

    def _started(self) -> subprocess.Popen[str]:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed at the exit
        self._process = subprocess.Popen(
            [sys.executable, "-m", "islandflow_resources.grid_parity"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        return self._process


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests line by line until there are no more."""
    for line in requests:
        try:
            answer = _compared(json.loads(line))
        except IslandflowError as error:
            problem = error.problems[0]
            answer = {"problem": {**asdict(problem), "hints": list(problem.hints)}}
        answers.write(f"{json.dumps(answer)}\n")
        answers.flush()


def _compared(request: Mapping[str, Any]) -> dict[str, Any]:
    from islandflow_resources.engine_runtime import EngineRuntime

    EngineRuntime(1, _MEMORY_MB, Path(request["kernel_home"])).prepare()
    from engine.grid.api import GridMachine
    from islandflow_resources.grid_replay import first_difference
    from islandflow_resources.grid_sessions import session_events
    from islandflow_resources.mbo_files import read_events

    folder = Path(request["folder"])
    manifest = json.loads((folder / "manifest.json").read_bytes())
    config = grid_config_from(manifest["config"])
    start, end = manifest["emit_from_ns"], manifest.get("emit_until_ns")
    machine = GridMachine(config, manifest["compat"], None if start is None else int(start))
    reader = read_events(Path(request["events"]), symbol=request["symbol"])
    batches = session_events(reader, None if end is None else int(end))
    return asdict(first_difference(machine, batches, folder, request["most_events"]))


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
