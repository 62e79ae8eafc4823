"""One server process on loopback, and what every server needs: ports, a folder, an end.

Which servers there are is said in tests/seaweed.py and tests/postgres.py, their fixtures in
tests/servers.py.
"""

from __future__ import annotations

import pwd
import random
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_S = 60.0


@dataclass
class Server:
    """One server process that can be stopped, killed and started again on its data."""

    command: list[str]
    folder: Path
    ready: Callable[[], bool]
    stop_signal: int
    orphan_signal: int
    environment: dict[str, str]
    user: int | None = None
    start_s: float = START_S
    rubbish: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    watcher: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start and wait until it answers."""
        log = (self.folder / "server.log").open("ab")
        with log:
            process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self.user,
                group=group_of(self.user),
                extra_groups=None if self.user is None else [],
            )
        self.process = process
        self.watcher = _when_orphaned(process.pid, self.orphan_signal, self.rubbish)
        deadline = time.monotonic() + self.start_s
        while not self.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log()[-4000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end and wait."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "server.log").read_text("utf-8", "replace")

    def _end(self, number: int) -> None:
        process, self.process = self.process, None
        watcher, self.watcher = self.watcher, None
        if watcher is not None and watcher.stdin is not None:
            watcher.kill()
            watcher.wait()
            watcher.stdin.close()
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port P below the ephemeral range for which P and P + 10000 are free."""
    while True:
        port = random.SystemRandom().randrange(12_000, 20_000)
        if _is_free(port) and _is_free(port + 10_000):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def server_folder(prefix: str, path: Path | None) -> Iterator[Path]:
    """`path`, made, or a temporary folder that is removed afterwards."""
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    made = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def group_of(user: int | None) -> int | None:
    """Primary group of a user id."""
    return None if user is None else pwd.getpwuid(user).pw_gid


def _when_orphaned(pid: int, number: int, rubbish: list[str]) -> subprocess.Popen[bytes]:
    """A shell that cleans up once our end of its input closes, however we end."""
    left = shlex.join(rubbish)
    script = f"read _; kill -{number} {pid}; sleep 1; rm -rf {left}"
    return subprocess.Popen(
        ["/bin/sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True
    )
