"""Engines for SQLite and PostgreSQL: transactions, waiting, and what an error means.

One engine per process, made at first use. Which rows are written lives in
``database``, what the tables are in ``models``.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from contracts.errors import ConfigurationError, DatabaseUnavailableError

WRITE = "islandflow_write"
BUSY_TIMEOUT_S = 30.0
_TO_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_TRANSIENT_STATES = ("08", "57P0", "40001", "40P01", "53300", "55P03")
_DISK_FULL_STATE = "53100"
_TRANSIENT_SQLITE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
)


def make_engine(url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Engine of a database URL; connects to nothing yet.

    SQLite's folder is made, its transactions are begun explicitly: ``BEGIN
    IMMEDIATE`` on connections with the execution option `WRITE`, so that two
    writers queue up instead of failing in the middle.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url,
            json_serializer=_TO_JSON,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5, "application_name": "islandflow"},
        )
    _make_folder(url)
    engine = create_engine(url, json_serializer=_TO_JSON, connect_args={"timeout": busy_timeout_s})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def shown(url: str) -> str:
    """`url` without its password."""
    return make_url(url).render_as_string(hide_password=True)


def transient(error: BaseException) -> bool:
    """Whether another attempt may succeed: away, restarting, locked, deadlocked."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return code & 0xFF in _TRANSIENT_SQLITE
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return state.startswith(_TRANSIENT_STATES)
    if error.connection_invalidated:
        return True
    is_operational = type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")
    return is_operational and _refusal(error) is None


def permanent_error(
    url: str, what: str, error: DBAPIError
) -> ConfigurationError | DatabaseUnavailableError:
    """What a refusal means that waiting a little does not mend, in the project's words."""
    reason = " ".join(str(error.orig).split())[:300]
    if _is_full(error):
        return _full(url, f"cannot {what} in {shown(url)}: {reason}")
    return ConfigurationError(
        "DATABASE_REFUSED",
        f"cannot {what} in {shown(url)}: {reason}",
        "ISLANDFLOW_DATABASE_URL",
        (_refusal(error) or "see islandflow doctor",),
    )


def _is_full(error: DBAPIError) -> bool:
    """Whether the disk has no room; SQLite says of some writes only that they failed."""
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return getattr(error.orig, "sqlstate", None) == _DISK_FULL_STATE


def _full(url: str, message: str) -> DatabaseUnavailableError:
    hint = "free space or mend the disk of the database, then run again: recorded rows are kept"
    return DatabaseUnavailableError("DATABASE_FULL", message, shown(url), (hint,))


def _make_folder(url: str) -> None:
    folder = Path(str(make_url(url).database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {folder}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise _full(url, message) from error
        hint = "point ISLANDFLOW_HOME to a writable folder"
        raise ConfigurationError("DATABASE_REFUSED", message, shown(url), (hint,)) from error


def _refusal(error: DBAPIError) -> str | None:
    """Hint for a connection that is refused for good; drivers give no code before login."""
    text = str(error.orig)
    if "authentication failed" in text or "no password supplied" in text:
        return "correct user and password in ISLANDFLOW_DATABASE_URL"
    if "does not exist" in text and ("database" in text or "role" in text):
        return "create the database and its user, or correct ISLANDFLOW_DATABASE_URL"
    if "no pg_hba.conf entry" in text:
        return "allow this host in the server's pg_hba.conf"
    if "readonly" in text or "unable to open" in text or "not a database" in text:
        return "point ISLANDFLOW_HOME to a writable folder that holds no foreign islandflow.db"
    return None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # The database indexes objects that are synced themselves: after a power cut a lost
    # last row is found missing and recorded again.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
