"""A real Ray cluster of two nodes for tests, on loopback: two raylets of one processor each.

Run as a script this file is the process that owns the cluster and ends it when its input closes;
`run_ray_cluster` starts and directs that process. What runs on the cluster is
``islandflow_resources.ray_executor``. Ray may end the process that drives a cluster without a word:
then the owner leaves the ends of Ray's logs as a file `LAST_WORDS` in the folder for such files.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.server_process import free_port, server_folder

NODES = 2
_ROOT = Path(__file__).resolve().parents[1]
_STORE_BYTES = 80 << 20
_END_S = 20.0
_END = "end\n"
LAST_WORDS = "ray-last-words.txt"
_LINES = 40


@dataclass
class RayCluster:
    """A running cluster, and the variables with which a driver may join it.

    Attributes
    ----------
    address : str
    raylets : dict of str to int
        Process ids of the living nodes' raylets by node id, the head first.
    environment : dict of str to str
    folder : Path
        Below it, every log of Ray.
    """

    address: str
    raylets: dict[str, int]
    environment: dict[str, str]
    folder: Path
    owner: subprocess.Popen[str]

    def kill_node(self, node_id: str) -> None:
        """End a node's raylet and its workers at once, as a loss of power would."""
        raylet = self.raylets.pop(node_id)
        for pid in (raylet, *_children(raylet)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """End all of it at once, head and nodes."""
        self.raylets.clear()
        _kill_session(self.owner.pid)

    def is_at_work(self, node_id: str, task: str) -> bool:
        """Whether a worker of a node runs a task of that name, as Ray titles its processes."""
        return any(_title(pid) == f"ray::{task}" for pid in _children(self.raylets[node_id]))

    def add_node(self) -> None:
        """Start one more node and wait until it has joined."""
        assert self.owner.stdin is not None
        self.owner.stdin.write("add\n")
        self.owner.stdin.flush()
        self.raylets.update(_answer(self.owner, self.folder))


@contextmanager
def run_ray_cluster() -> Iterator[RayCluster]:
    """Run a cluster of `NODES` nodes with a token of its own; it ends however we end."""
    with server_folder("ray-", None) as folder:
        environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_TMPDIR": str(folder),
            "RAY_USAGE_STATS_ENABLED": "0",
            # The one switch with which Ray stays on 127.0.0.1 instead of the machine's own address.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }
        port = free_port()
        owner = _start_owner(folder, environment, port)
        try:
            raylets = _answer(owner, folder)
            yield RayCluster(f"127.0.0.1:{port}", raylets, environment, folder, owner)
        finally:
            _end(owner)


def _start_owner(folder: Path, environment: dict[str, str], port: int) -> subprocess.Popen[str]:
    log = (folder / "owner.log").open("ab")
    path = os.pathsep.join([str(_ROOT / "tests" / "guard"), str(_ROOT)])
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.ray_cluster", str(port)],
            cwd=folder,
            env={**os.environ, **environment, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )


def _answer(owner: subprocess.Popen[str], folder: Path) -> dict[str, int]:
    assert owner.stdout is not None
    line = owner.stdout.readline()
    if not line.startswith("{"):
        raise RuntimeError(f"Ray did not start: {line}{(folder / 'owner.log').read_text()[-4000:]}")
    return json.loads(line)


def _end(owner: subprocess.Popen[str]) -> None:
    """Close the owner's input and wait; whatever of its session is left is killed."""
    assert owner.stdin is not None
    assert owner.stdout is not None
    with suppress(BrokenPipeError):  # of an owner that was killed with its cluster
        owner.stdin.write(_END)
        owner.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        owner.wait(_END_S)
    _kill_session(owner.pid)
    owner.wait()
    owner.stdout.close()


def _kill_session(session: int) -> None:
    """Kill what is left of a session, and what that has begun meanwhile."""
    deadline = time.monotonic() + _END_S
    while left := _of_session(session):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes of Ray that do not end: {left}")
        time.sleep(0.05)


def _of_session(session: int) -> list[int]:
    """Living processes of a session, our own zombie child apart."""
    return [pid for pid, state, _, of in _processes() if of == session and state != "Z"]


def _children(parent: int) -> list[int]:
    return [pid for pid, _, of, _ in _processes() if of == parent]


def _title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").strip("\0 ")
    return ""


def _processes() -> Iterator[tuple[int, str, int, int]]:
    """Process id, state, parent and session of every process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            yield int(path.parent.name), fields[0], int(fields[1]), int(fields[3])


def _own(port: int) -> None:
    """Own a cluster until the input ends; each line of it asks for one more node."""
    from ray.cluster_utils import Cluster

    options = {
        "num_cpus": 1,
        "node_ip_address": "127.0.0.1",
        "object_store_memory": _STORE_BYTES,
        "include_log_monitor": False,
    }
    head = {"include_dashboard": False, "no_monitor": True, "gcs_server_port": port}
    # A dead raylet refuses at once; five refusals in a row are a lost node.
    # A raylet ends, and with it whoever drives it, if its agents have not begun within 30 s, which
    # a machine with other work may need.
    head["_system_config"] = {
        "health_check_period_ms": 500,
        "agent_register_timeout_ms": 300_000,
    }
    cluster = Cluster(shutdown_at_exit=True)
    nodes = [cluster.add_node(**options, **head)]
    nodes += [cluster.add_node(**options) for _ in range(NODES - 1)]
    _say(nodes)
    asked = iter(sys.stdin.readline, _END)
    for line in asked:
        if not line:
            with suppress(OSError):
                _keep_last_words(Path(os.environ["RAY_TMPDIR"]))
            break
        _say([cluster.add_node(**options)])
    cluster.shutdown()
    # Whoever started us may be gone and have left its folder behind.
    shutil.rmtree(os.environ["RAY_TMPDIR"], ignore_errors=True)


def _keep_last_words(folder: Path) -> None:
    """What Ray's processes and drivers said last, where it outlives the cluster."""
    told = [
        f"== {path.name}\n{''.join(path.read_text('utf-8', 'replace').splitlines(True)[-_LINES:])}"
        for name in ("raylet*", "gcs_server*", "*agent*", "python-core-driver*")
        for path in sorted(folder.glob(f"ray/session_2*/logs/{name}"))
    ]
    (Path(tempfile.gettempdir()) / LAST_WORDS).write_text("\n".join(told), "utf-8")


def _say(nodes) -> None:
    raylets = {node.node_id: node.all_processes["raylet"][0].process.pid for node in nodes}
    sys.stdout.write(json.dumps(raylets) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _own(int(sys.argv[1]))
