"""The services of docker-compose.yml as plain processes, from nothing to a finished run.

``python -m tests.journeys.compose_entry`` (``make compose-journey``) lays the project out as
deploy/Dockerfile does, starts every service with its own command, its own variables from the
example and its own health check, and works with them as people do. What it cannot show is what
containers add: users, read-only folders, networks, limits. Lines that begin with ``compose-entry:``
say how far it came.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests import deployment
from tests.deployment import ROOT
from tests.journeys import children
from tests.postgres import PostgresServer, run_postgres
from tests.seaweed import run_s3_server
from tests.server_process import Server, free_port

LASTING = ("code", "webserver", "daemon", "serve")
PORTS = {"code": 4000, "webserver": 3000, "serve": 8002}
_BIN = Path(sys.executable).parent
_STARTS_S = 900.0
_ENDS_S = 900.0
_RUN = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
_STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_LOGS = """
query ($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection { events { ... on LogsCapturedEvent { fileKey } } }
  }
}"""
_LOG = "query ($key: [String!]!) { capturedLogs(logKey: $key) { stderr } }"


@dataclass
class Machine:
    """Where the services run: the image's files, ports in place of the compose file's, homes."""

    folder: Path
    addresses: dict[str, str]
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})

    @property
    def image(self) -> Path:
        """What is below site-packages in the image."""
        return self.folder / "image"

    def local(self, service: str, text: str) -> str:
        """A word of the compose file as it is here."""
        for name, number in PORTS.items():
            text = re.sub(rf"(?<!\d){number}(?!\d)", str(self.ports[name]), text)
        text = text.replace("0.0.0.0", "127.0.0.1").replace("/etc/dagster", str(self.image / "etc"))
        text = text.replace("/var/lib/islandflow", str(self.folder / "homes" / service))
        for theirs, ours in self.addresses.items():
            text = text.replace(theirs, ours)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """What a service is given, and what the image sets."""
        given = deployment.started()["services"][service]["environment"]
        home = self.folder / "homes" / service
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        own = {name: self.local(service, text) for name, text in given.items()}
        if "DAGSTER_PG_HOST" in own:
            host, _, port = self.addresses["database:5432"].partition(":")
            own |= {"DAGSTER_PG_HOST": host, "DAGSTER_PG_PORT": port}
        paths = [str(self.image), children.embedded(home)["PYTHONPATH"]]
        return {
            "PATH": f"{_BIN}:/usr/bin:/bin",
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "NUMBA_CACHE_DIR": str(home / "kernels"),
            "PYTHONPATH": ":".join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            **own,
        }

    def command(self, service: str) -> list[str]:
        """What a service runs."""
        item = deployment.started()["services"][service]
        return [self.local(service, word) for word in item.get("command") or item["entrypoint"]]

    def run(self, service: str, command: list[str]) -> str:
        """Run a command with the variables of a service, as ``docker compose exec`` does."""
        environment = self.environment(service)
        program = shutil.which(command[0], path=environment["PATH"])
        assert program, f"{command[0]} is not installed"
        return children.run([program, *command[1:]], environment).expect()

    def is_healthy(self, service: str) -> bool:
        """What the health check of a service says now."""
        _, *command = deployment.started()["services"][service]["healthcheck"]["test"]
        try:
            done = subprocess.run(
                [self.local(service, word) for word in command],
                env=self.environment(service),
                capture_output=True,
                check=False,
                timeout=_STARTS_S,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def main() -> None:
    """Start everything, work with it, end it; an assertion error ends the process with code 1."""
    started_s = time.monotonic()
    (identities,) = deployment.started()["configs"].values()
    with (
        tempfile.TemporaryDirectory(prefix="compose-entry-") as folder,
        run_s3_server(Path(folder) / "store", identities["content"]) as store,
        run_postgres() as database,
    ):
        _make_roles(database)
        addresses = {
            "http://object-store:8333": store.endpoint,
            "database:5432": f"127.0.0.1:{database.port}",
        }
        machine = Machine(Path(folder), addresses)
        _lay_out(machine)
        before = _files(machine.image)
        sys.stdout.write(machine.run("provision", machine.command("provision")))
        _say("provision: bucket, tables and databases with the keys of provisioning alone")
        with ExitStack() as running:
            for service in LASTING:
                running.enter_context(_started(machine, service))
            journey(machine)
        assert _files(machine.image) == before, "a service wrote beside its home"
        _say("nothing was written outside the homes, which a read-only container would refuse")
    _say(f"passed after {time.monotonic() - started_s:.0f} s")


def journey(machine: Machine) -> None:
    """Register, launch through the UI's own interface, read logs and results."""
    file = str(children.scenario("trend_up_mid"))
    register = ["islandflow", "scenario", "register", file, "--seeds", "1-2"]
    [key] = children.registered(machine.run("code", register))
    machine.run("code", ["islandflow", "strategy", "register", str(children.STRATEGY)])
    _say("code: the command line registers a scenario and a strategy")
    run_id = _launched(machine, key)
    _say("webserver launches, daemon takes from the queue, code runs the job research: SUCCESS")
    files = _asked(machine, _LOGS, id=run_id)["logsForRun"]["events"]
    [log, *_] = [one["fileKey"] for one in files if one.get("fileKey")]
    shown = _asked(machine, _LOG, key=[run_id, "compute_logs", log])["capturedLogs"]["stderr"]
    assert "RUN_START" in shown or "STEP_START" in shown, f"no log of the run: {shown!r}"
    _say("webserver shows the log of the run, with keys that only read logs")
    token = machine.environment("serve")["ISLANDFLOW_SERVE_TOKEN"]
    assert _status(machine, "/v1/experiments/runs", None) == 401
    assert _status(machine, "/v1/experiments/runs", token) == 200
    _say("serve answers who shows its token, and nobody else")


def _launched(machine: Machine, key: str) -> str:
    """Run the main job over two partitions and wait for its end."""
    tags = {
        "dagster/asset_partition_range_start": f"{key}|1",
        "dagster/asset_partition_range_end": f"{key}|2",
    }
    params = {
        "selector": {
            "repositoryLocationName": "islandflow",
            "repositoryName": "__repository__",
            "jobName": "research",
        },
        "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
    }
    launched = _asked(machine, _RUN, params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id: str = launched["run"]["runId"]
    deadline = time.monotonic() + _ENDS_S
    while True:
        status = _asked(machine, _STATUS, id=run_id)["runOrError"]["status"]
        if status in ("SUCCESS", "FAILURE", "CANCELED"):
            assert status == "SUCCESS", status
            return run_id
        assert time.monotonic() < deadline, f"the run is {status} after {_ENDS_S:.0f} s"
        time.sleep(0.5)


def _asked(machine: Machine, query: str, **variables: object) -> dict[str, Any]:
    """What the webserver answers."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{machine.ports['webserver']}/graphql",
        body,
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    assert "errors" not in found, found["errors"]
    return found["data"]


def _status(machine: Machine, path: str, token: str | None) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{machine.ports['serve']}{path}")
    if token is not None:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@contextmanager
def _started(machine: Machine, service: str) -> Iterator[None]:
    """A service, healthy by its own check; asked to end, it ends."""
    folder = machine.folder / "logs" / service
    folder.mkdir(parents=True)
    begun = time.monotonic()
    command = machine.command(service)
    command[0] = str(_BIN / command[0])
    server = Server(
        command,
        folder,
        partial(machine.is_healthy, service),
        signal.SIGTERM,
        signal.SIGKILL,
        machine.environment(service),
        start_s=_STARTS_S,
    )
    server.start()
    _say(f"{service}: healthy after {time.monotonic() - begun:.1f} s")
    try:
        yield
    except BaseException:
        sys.stdout.write(server.log()[-4000:])
        raise
    finally:
        server.stop()


def _lay_out(machine: Machine) -> None:
    """The wheel and what the Dockerfile copies beside it, and the configuration of Dagster."""
    source = machine.folder / "source"
    source.mkdir()
    for name in (
        "contracts",
        "engine",
        "islandflow_resources",
        "islandflow_assets",
        "islandflow_jobs",
    ):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    uv, dist = str(_BIN / "uv"), str(machine.folder / "dist")
    build = ["build", "--quiet", "--wheel", "--offline", "--no-build-isolation"]
    subprocess.run(
        [uv, *build, "--python", sys.executable, "--out-dir", dist], cwd=source, check=True
    )
    [wheel] = Path(dist).glob("*.whl")
    install = ["pip", "install", "--quiet", "--offline", "--no-deps", "--python", sys.executable]
    subprocess.run([uv, *install, "--target", str(machine.image), str(wheel)], check=True)
    for line in (ROOT / "deploy/Dockerfile").read_text("utf-8").splitlines():
        if line.startswith("COPY ") and "site-packages/" in line:
            *names, target = line.split()[1:]
            beside = machine.image / target.split("site-packages/")[1]
            beside.mkdir(exist_ok=True)
            for name in names:
                shutil.copy(ROOT / name, beside)
    etc = machine.image / "etc"
    etc.mkdir()
    shutil.copy(ROOT / "deploy/dagster.yaml", etc)
    text = (ROOT / "deploy/workspace.yaml").read_text("utf-8")
    text = text.replace("host: code", "host: 127.0.0.1")
    (etc / "workspace.yaml").write_text(machine.local("webserver", text), "utf-8")
    _say("the wheel is built and laid out as in the image")


def _make_roles(database: PostgresServer) -> None:
    """What the database's container does at its first start."""
    given = deployment.started()["services"]["database"]["environment"]
    environment = {
        "PATH": f"{database.binaries}:/usr/bin:/bin",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(database.port),
        "PGUSER": database.user,
        "PGPASSWORD": database.password,
        **{name: text for name, text in given.items() if not name.startswith("POSTGRES_")},
    }
    subprocess.run(["sh", str(ROOT / "deploy/postgres-roles.sh")], env=environment, check=True)


def _files(folder: Path) -> dict[str, int]:
    """Every file with the time of its last change."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def _say(line: str) -> None:
    sys.stdout.write(f"compose-entry: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
