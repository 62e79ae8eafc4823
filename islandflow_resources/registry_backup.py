"""The registry as one file, and back: every row of every table, whole or not at all.

A backup is a gzipped tar of ``manifest.json`` and, table by table, ``tables/NAME.ndjson``: one
row a line as JSON with sorted names, ordered by the primary key. The sealed manifest names the
revision of the tables, and of each the columns with their kinds, the rows and the digest of the
lines. It holds neither the time nor the place: equal registries give equal files. What the rows
refer to lies in the object store, what runs did in Dagster's own database: both are backed up with
their own means, see docs/operations.md.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import sqlalchemy as sa
from blake3 import blake3

from contracts.canonical import Document
from contracts.errors import ConfigurationError, ContractError, IntegrityError
from islandflow_resources.connections import shown
from islandflow_resources.database import Database
from islandflow_resources.migrate import (
    current_revision,
    hold_migrations,
    known_revision,
    upgrade,
    upgrade_to,
)
from islandflow_resources.models import HEAD, Base, UtcDateTime
from islandflow_resources.new_files import new_file
from islandflow_resources.stored_files import sealed

FORMAT: Final = "islandflow-registry/1"
MANIFEST: Final = "manifest.json"
_CHUNK_ROWS: Final = 1_000
_PIECE_BYTES: Final = 1 << 20
_MAX_MANIFEST_BYTES: Final = 1 << 20
_UNREADABLE: Final = (
    *(tarfile.TarError, gzip.BadGzipFile, zlib.error),
    *(EOFError, ValueError, KeyError, TypeError),
)
# As the database writes documents: integers of 64 bits, and floats that stay floats.
_TO_JSON: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"

_KINDS: Final[tuple[tuple[str, type[Any], sa.types.TypeEngine[Any]], ...]] = (
    ("instant", UtcDateTime, UtcDateTime()),
    ("document", sa.JSON, sa.JSON()),
    ("number", sa.Float, sa.Float(53)),
    ("integer", sa.Integer, sa.BigInteger()),
    ("text", sa.String, sa.String()),
)
"""Kinds of columns in a backup: name, type that has it in the models, type it is restored with."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds: revision of the tables, and rows of each."""

    revision: str
    rows: dict[str, int]


def back_up(database: Database, path: Path) -> BackedUp:
    """Write all rows of one moment into a new file.

    Raises
    ------
    ContractError
        If the file exists or cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="islandflow-backup-") as folder:
        body = database.read("back up the registry", lambda login: _dumped(login, Path(folder)))
        with new_file(path) as written, written.open("wb") as target:
            _pack(body, Path(folder), target)
    return _told(body)


def restore(database: Database, path: Path) -> BackedUp:
    """Bring a backup into an empty database, in one transaction, and migrate it.

    Every byte of the backup is verified before the database is touched.

    Raises
    ------
    IntegrityError
        ``BACKUP_DAMAGED``; nothing was restored.
    ContractError
        ``BACKUP_UNREADABLE``, ``RESTORE_NOT_EMPTY``, ``RESTORE_NEWER``.
    ConfigurationError
        ``BACKUP_NEWER`` if a newer islandflow made it.
    """
    with tempfile.TemporaryDirectory(prefix="islandflow-restore-") as folder:
        body = _unpacked(path, Path(folder))
        _refuse_newer(str(body["revision"]), path)
        database.change_tables("restore the registry", lambda login: _fill(login, body, folder))
    return _told(body)


def _told(body: Any) -> BackedUp:
    return BackedUp(body["revision"], {one["name"]: one["rows"] for one in body["tables"]})


def _dumped(connection: sa.Connection, folder: Path) -> Document:
    """Every table as a file of lines; the manifest's body."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(_SNAPSHOT))
    tables: list[Any] = []
    for table in sorted(Base.metadata.tables.values(), key=lambda one: one.name):
        rows, hasher = 0, blake3()
        order = [_bytewise(column, connection) for column in table.primary_key.columns]
        query = sa.select(table).order_by(*order).execution_options(yield_per=_CHUNK_ROWS)
        with _lines_of(folder, table.name).open("wb") as file:
            for row in connection.execute(query).mappings():
                told = {name: _told_value(row[name]) for name in row}
                line = f"{_TO_JSON(told)}\n".encode()
                file.write(line)
                hasher.update(line)
                rows += 1
        columns: Any = {column.name: _kind_of(column) for column in table.columns}
        digest = f"blake3:{hasher.hexdigest()}"
        tables.append({"name": table.name, "columns": columns, "rows": rows, "digest": digest})
    return {"format": FORMAT, "revision": current_revision(connection), "tables": tables}


def _bytewise(column: sa.Column[Any], connection: sa.Connection) -> sa.ColumnElement[Any]:
    """Order that no server's language changes; SQLite's is so by itself."""
    is_text = isinstance(column.type, sa.String) and connection.dialect.name == "postgresql"
    return sa.collate(column, "C") if is_text else column


def _kind_of(column: sa.Column[Any]) -> str:
    return next(name for name, kind, _ in _KINDS if isinstance(column.type, kind))


def _told_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _read_value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "instant":
        return datetime.fromisoformat(value)
    return float(value) if kind == "number" else value


def _pack(body: Document, folder: Path, target: IO[bytes]) -> None:
    # Neither time nor name of this machine: equal rows give equal bytes.
    packed = gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0)
    with packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        manifest = sealed(body)
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for name in _told(body).rows:
            path = _lines_of(folder, name)
            with path.open("rb") as lines:
                tar.addfile(_member(f"tables/{name}.ndjson", path.stat().st_size), lines)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def _unpacked(path: Path, folder: Path) -> Any:
    """Every table of a backup as a verified local file; the manifest's body."""
    try:
        with gzip.open(path) as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
            body = _manifest(path, tar)
            for table in body["tables"]:
                _unpack(path, tar, table, folder)
            if tar.next() is not None:
                raise _damaged(path, "it holds more than its manifest says")
            while packed.read(_PIECE_BYTES):  # only its end tells that nothing was cut off
                continue
    except _UNREADABLE as error:
        raise _damaged(path, f"it does not read: {error}") from error
    except OSError as error:
        said = f"cannot read {path}: {error.strerror or error}"
        hints = ("name a file that islandflow backup wrote",)
        raise ContractError("BACKUP_UNREADABLE", said, str(path), hints) from error
    return body


def _manifest(path: Path, tar: tarfile.TarFile) -> Any:
    stated = _contents(path, tar, MANIFEST, _MAX_MANIFEST_BYTES).read()
    body = json.loads(stated)["body"]
    if sealed(body) != stated:
        raise _damaged(path, "its manifest is not what its seal says")
    if body["format"] != FORMAT:
        raise _damaged(path, f"it has the format {body['format']!r}, not {FORMAT!r}")
    kinds = {name for name, _, _ in _KINDS}
    if not all(kinds.issuperset(one["columns"].values()) for one in body["tables"]):
        raise _damaged(path, "it has columns of unknown kinds")
    return body


def _unpack(path: Path, tar: tarfile.TarFile, table: Any, folder: Path) -> None:
    name, hasher, rows = table["name"], blake3(), 0
    lines = _contents(path, tar, f"tables/{name}.ndjson")
    with _lines_of(folder, name).open("wb") as target:
        while piece := lines.read(_PIECE_BYTES):
            target.write(piece)
            hasher.update(piece)
            rows += piece.count(b"\n")
    if f"blake3:{hasher.hexdigest()}" != table["digest"] or rows != table["rows"]:
        raise _damaged(path, f"the rows of {name} are not those of its manifest")


def _contents(path: Path, tar: tarfile.TarFile, name: str, most: int | None = None) -> IO[bytes]:
    member = tar.next()
    contents = None if member is None else tar.extractfile(member)
    if member is None or contents is None or member.name != name:
        raise _damaged(path, f"{name} is not where it belongs")
    if most is not None and member.size > most:
        raise _damaged(path, f"{name} is too large")
    return contents


def _lines_of(folder: Path, table: str) -> Path:
    if not table.isidentifier():
        raise ValueError(f"{table!r} is no name of a table")
    return folder / f"{table}.ndjson"


def _fill(connection: sa.Connection, body: Any, folder: str) -> None:
    """Make the tables as they were, fill them, and bring them to the newest revision."""
    revision = str(body["revision"])
    hold_migrations(connection)
    present = current_revision(connection)
    if present is not None:
        _refuse_rows(connection)
    if present is not None and present > revision:
        raise ContractError(
            "RESTORE_NEWER",
            f"cannot restore a backup of revision {revision} into tables of revision {present}: "
            "its rows would not fit",
            "ISLANDFLOW_DATABASE_URL",
            ("name a database without tables: they are made, filled and then migrated",),
        )
    upgrade_to(connection, revision)
    types = {name: kind for name, _, kind in _KINDS}
    for table in body["tables"]:
        kinds: dict[str, str] = table["columns"]
        columns = [sa.column(name, types[kind]) for name, kind in kinds.items()]
        statement = sa.insert(sa.table(table["name"], *columns))
        for rows in _rows(_lines_of(Path(folder), table["name"]), kinds):
            connection.execute(statement, rows)
    upgrade(connection)


def _refuse_newer(revision: str, path: Path) -> None:
    if known_revision(revision):
        return
    raise ConfigurationError(
        "BACKUP_NEWER",
        f"{path} is of revision {revision!r}, this islandflow knows up to {HEAD!r}",
        str(path),
        ("restore it with the islandflow that made it, or a newer one",),
    )


def _refuse_rows(connection: sa.Connection) -> None:
    there = set(sa.inspect(connection).get_table_names())
    for name in sorted(there & set(Base.metadata.tables)):
        if connection.execute(
            sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)
        ).first():
            raise ContractError(
                "RESTORE_NOT_EMPTY",
                f"cannot restore into {shown(str(connection.engine.url))}: the table {name} has "
                "rows",
                "ISLANDFLOW_DATABASE_URL",
                ("name an empty database; in the embedded profile another ISLANDFLOW_HOME",),
            )


def _rows(path: Path, kinds: dict[str, str]) -> Iterator[Sequence[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for line in file:
            row = json.loads(line)
            chunk.append({name: _read_value(kind, row[name]) for name, kind in kinds.items()})
            if len(chunk) == _CHUNK_ROWS:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _damaged(path: Path, said: str) -> IntegrityError:
    return IntegrityError(
        "BACKUP_DAMAGED",
        f"{path} is no whole backup: {said}; nothing was restored",
        str(path),
        ("restore another backup; this one was cut short or changed after it was written",),
    )
