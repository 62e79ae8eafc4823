"""Dagster's SQLite files while tests run: one engine for each, and connections that are kept.

Dagster makes an engine for every question that it asks of such a file, connects, and closes. So it
compiles every statement again, reads all its migrations for every run, and looks for a table
before each use of it: most of a small run's time. Here a file has one engine, migrations are read
once, a table that was there stays, and the files of a home that a test holds open keep their
connections until the test is done with it. Importing this module settles that for the process;
which home is open says tests/graph.py.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool, QueuePool

_MAX_ENGINES = 32
_PREFIX = "sqlite:///"


class _KeptPool(QueuePool):
    """Connections that outlive the disposal with which Dagster ends every question."""

    def dispose(self) -> None:
        """Close nothing: another question follows."""

    def recreate(self) -> "_KeptPool":
        """The same pool again."""
        return self

    def close(self) -> None:
        """Close what nobody uses."""
        super().dispose()


class _File:
    """The engine of one file."""

    def __init__(self, url: str, waits_s: float, is_kept: bool) -> None:
        keeping: dict[str, Any] = {"poolclass": NullPool}
        if is_kept:
            keeping = {"poolclass": _KeptPool, "pool_size": 2, "max_overflow": -1}
        self.path = url.removeprefix(_PREFIX)
        self.number = _number(self.path)
        self.is_kept = is_kept
        self.engine = create_engine(url, connect_args={"timeout": waits_s}, **keeping)

    def stands(self) -> bool:
        """Whether the file is the one that the connections lead to."""
        number = _number(self.path)
        if self.number is None:
            self.number = number
        return not self.is_kept or self.number == number

    def close(self) -> None:
        """Close its connections."""
        if isinstance(self.engine.pool, _KeptPool):
            self.engine.pool.close()


_files: dict[tuple[str, float], _File] = {}
_homes: list[str] = []
_guard = threading.RLock()
"""Dagster asks from several threads."""


@contextmanager
def connections_kept(home: Path) -> Iterator[None]:
    """Keep what is connected to files of a home, and close it in the end."""
    inside = f"{os.path.abspath(home)}{os.sep}"
    with _guard:
        _homes.append(inside)
    try:
        yield
    finally:
        with _guard:
            _homes.remove(inside)
            if inside not in _homes:
                _drop(lambda file: file.path.startswith(inside))


def _engine_of(url: str, poolclass: object, connect_args: Mapping[str, float] = {}) -> Engine:
    """The engine of a file of Dagster."""
    assert poolclass is NullPool
    key = url, connect_args.get("timeout", 5.0)
    with _guard:
        is_kept = url.removeprefix(_PREFIX).startswith(tuple(_homes))
        found = _files.get(key)
        if found is None or found.is_kept != is_kept or not found.stands():
            if found is not None:
                found.close()
            _drop(lambda file: not file.is_kept, leaving=_MAX_ENGINES)
            found = _files[key] = _File(*key, is_kept)
        return found.engine


def _drop(chosen: Callable[[_File], bool], leaving: int = 0) -> None:
    """Forget chosen files and close them, but for the newest."""
    keys = [key for key, file in _files.items() if chosen(file)]
    for key in keys[: max(len(keys) - leaving, 0)]:
        _files.pop(key).close()


def _number(path: str) -> int | None:
    """What tells a file from another that takes its name later."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


_read_scripts = ScriptDirectory.from_config
_scripts: dict[str | None, ScriptDirectory] = {}


def _scripts_of(config: Config) -> ScriptDirectory:
    """The migrations of a folder, which nothing changes while tests run."""
    place = config.get_main_option("script_location")
    if place not in _scripts:
        _scripts[place] = _read_scripts(config)
    return _scripts[place]


_looks_for_table = sqlite_event_log.SqliteEventLogStorage.has_table


def _has_table(self: sqlite_event_log.SqliteEventLogStorage, table_name: str) -> bool:
    """Whether there is a table; one that was there stays, as Dagster drops none."""
    seen: set[str] = vars(self).setdefault("_tables_seen", set())
    if table_name not in seen and _looks_for_table(self, table_name):
        seen.add(table_name)
    return table_name in seen


def _settle(
    make_engine: Callable[..., Engine], has_table: Callable[..., bool], scripts: Callable[..., Any]
) -> None:
    for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        vars(storage)["create_engine"] = make_engine
    sqlite_event_log.SqliteEventLogStorage.has_table = has_table
    ScriptDirectory.from_config = staticmethod(scripts)


@contextmanager
def as_dagster_does() -> Iterator[None]:
    """Dagster's own ways again, for what is timed."""
    _settle(create_engine, _looks_for_table, _read_scripts)
    try:
        yield
    finally:
        _settle(_engine_of, _has_table, _scripts_of)


_settle(_engine_of, _has_table, _scripts_of)
