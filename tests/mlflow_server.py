"""A real MLflow tracking server for tests: SQLite, one process, on loopback.

The whole of MLflow needs an older pyarrow than the project, so the server has an environment of its
own inside the project's: made once from tests/mlflow.lock, by the first test that asks or by
``python -m tests.mlflow_server``. The process itself is tests/server_process.py's.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.server_process import Server, free_port, server_folder

LOCK = Path(__file__).with_name("mlflow.lock")
GUARD = Path(__file__).with_name("guard")
_APP = "mlflow.server.fastapi_app:app"


@dataclass
class TrackingServer:
    """A running tracking server, and its REST interface as a second opinion on the client."""

    port: int
    server: Server = field(init=False)

    @property
    def uri(self) -> str:
        """What a client is told."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **query: str) -> Any:
        """JSON of a GET below ``/api/2.0/mlflow``."""
        return json.loads(self.ask("GET", f"/api/2.0/mlflow/{path}?{urlencode(query)}"))

    def post(self, path: str, document: dict[str, Any]) -> Any:
        """JSON of a POST below ``/api/2.0/mlflow``."""
        return json.loads(self.ask("POST", f"/api/2.0/mlflow/{path}", json.dumps(document)))

    def experiment_id(self, name: str) -> str:
        """Number of an experiment."""
        found = self.get("experiments/get-by-name", experiment_name=name)
        return found["experiment"]["experiment_id"]

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """All runs of an experiment."""
        wanted = {"experiment_ids": [self.experiment_id(experiment)], "max_results": 5000}
        return self.post("runs/search", wanted).get("runs", [])

    def artifact(self, run: dict[str, Any], path: str) -> bytes:
        """One artifact of a run."""
        below = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        return self.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{below}/{path}")

    def ask(self, method: str, path: str, body: str | None = None) -> bytes:
        """Bytes of an answer.

        Raises
        ------
        LookupError
            With any other status than 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise LookupError(f"{method} {path}: {answer.status} {data[:500]!r}")
        return data

    def answers(self) -> bool:
        """Whether it does, with its database made."""
        try:
            return self.experiment_id("Default") == "0"
        except (OSError, http.client.HTTPException, LookupError):
            return False


@contextmanager
def run_mlflow_server(path: Path | None = None) -> Iterator[TrackingServer]:
    """Run the server, with its data in `path` or in a folder of its own."""
    python = environment()
    with server_folder("mlflow-", path) as folder:
        running = TrackingServer(free_port())
        # What `mlflow server` would start, without the process around it that outlives no kill.
        command = [str(python), "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(running.port)]
        command += ["--log-level", "warning", _APP]
        running.server = Server(
            command,
            folder,
            running.answers,
            signal.SIGTERM,
            signal.SIGKILL,
            _variables(folder),
            rubbish=[str(folder)] if path is None else [],
        )
        running.server.start()
        try:
            yield running
        finally:
            running.server.kill()


def environment() -> Path:
    """The server's Python, its environment made first if it is not that of the lock."""
    folder = Path(sys.prefix) / "mlflow-server"
    python, made_from = folder / "bin" / "python", folder / "made-from.lock"
    with folder.with_suffix(".busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        if not made_from.is_file() or made_from.read_bytes() != LOCK.read_bytes():
            _make(folder, python)
            shutil.copyfile(LOCK, made_from)
    return python


def _make(folder: Path, python: Path) -> None:
    """Install the lock, by uv or, where only pip knows an index, by pip."""
    uv = str(Path(sys.executable).with_name("uv"))
    _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    hashed = ("--quiet", "--require-hashes")
    try:
        _run(uv, "pip", "sync", *hashed, "--python", str(python), str(LOCK))
    except RuntimeError:
        _run(str(python), "-m", "ensurepip")
        _run(str(python), "-m", "pip", "install", *hashed, "--no-deps", "--requirement", str(LOCK))


def _run(*command: str) -> None:
    # Packages come from an index, so that the session's refusal to leave the machine stays out.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _variables(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(GUARD),
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder / 'mlflow.db'}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }


if __name__ == "__main__":
    environment()
