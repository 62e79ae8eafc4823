"""Bring a database to the newest revision, safely when many processes start at once.

The scripts live in ``migrations``; the connection's rules in ``connections``.
Alembic is imported only when there is something to do.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from contracts.errors import ConfigurationError
from islandflow_resources.models import HEAD

_LOCK_KEY = 0x1514D410
_ALEMBIC = threading.Lock()
"""Scripts find their connection in a variable of the process: one database at a time."""
_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")


def current_revision(connection: Connection) -> str | None:
    """Revision that the database is at; None before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def needs_upgrade(connection: Connection) -> bool:
    """Whether scripts are to be applied.

    Raises
    ------
    ConfigurationError
        ``DATABASE_NEWER`` if the database is at a revision unknown here.
    """
    revision = current_revision(connection)
    if revision is not None and revision not in _REVISIONS:
        raise ConfigurationError(
            "DATABASE_NEWER",
            f"the database is at revision {revision!r}, this islandflow knows up to {HEAD!r}",
            "ISLANDFLOW_DATABASE_URL",
            ("install the newer islandflow, or use another database",),
        )
    return revision != HEAD


def known_revision(revision: str) -> bool:
    """Whether there are scripts up to that revision."""
    return revision in _REVISIONS


def hold_migrations(connection: Connection) -> None:
    """Keep others from migrating until the transaction ends.

    The write transaction of SQLite does already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def upgrade(connection: Connection) -> None:
    """Apply what is missing inside the caller's write transaction."""
    hold_migrations(connection)
    if needs_upgrade(connection):
        upgrade_to(connection, HEAD)


def upgrade_to(connection: Connection, revision: str) -> None:
    """Apply the scripts up to a revision, see `upgrade`; the lock is the caller's."""
    if not needs_upgrade(connection):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, revision)
