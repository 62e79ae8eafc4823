"""The DuckDB catalogue: a view per stored table, over the parquet where it lies.

The files are the truth and are read in place; the views add what their paths and metadata say, and
float prices beside the integer ticks. What there are views of is ``catalog_tables``, how they are
written ``catalog_views``, which rows come from the database ``catalog_rows``; the catalogue as a
file that is kept is ``catalog_file``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
from fsspec import AbstractFileSystem

from contracts.errors import IntegrityError
from islandflow_resources import catalog_rows
from islandflow_resources.catalog_tables import (
    DOCUMENTS,
    HIDDEN,
    LOCATIONS,
    MAIN,
    DocumentView,
    Location,
)
from islandflow_resources.catalog_views import comments, document_view, quoted, table_view
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.object_store import ObjectStore

if TYPE_CHECKING:
    from islandflow_resources.control_log import ControlRevision
    from islandflow_resources.models import Artefact, RunResult, SignalRun

_PROTOCOLS: Final = {MAIN: "objects", HIDDEN: "labels"}
_BEFORE_KEYS: Final = "labels/"
"""Prefix of every key of the truth about tapes."""
CONTENTS: Final = "catalogue"
"""Table of what there is: place, name, how many files, their names as a glob."""


def open_catalogue(
    store: ObjectStore,
    results: Sequence[RunResult] = (),
    signal_runs: Sequence[SignalRun] = (),
    *,
    labels_store: ObjectStore | None = None,
    artefacts: Sequence[Artefact] = (),
    controls: Sequence[ControlRevision] = (),
) -> duckdb.DuckDBPyConnection:
    """An in-memory database: every view of `catalog_tables`, and tables of the database's rows.

    Parameters
    ----------
    store : ObjectStore
        Its files are listed now and read when queried; later ones are not seen.
    results : sequence of RunResult
        Rows of ``results``, e.g. ``Database.results()``.
    signal_runs : sequence of SignalRun
        Rows of ``signal_runs``, their parameters as JSON.
    labels_store : ObjectStore, optional
        Where the truth about tapes lies, if elsewhere.
    artefacts, controls : sequence
        Rows of ``artefacts`` and ``controls``.

    Prices of ``bars`` are floats in ``open high low close`` and ticks in ``*_ticks``. The truth
    about tapes is in the schema ``labels``, everything else in ``main``.
    """
    connection = duckdb.connect()
    tables = catalog_rows.tables_of(results, signal_runs, artefacts, controls)
    fill(connection, store, labels_store or store, tables)
    return connection


def fill(
    connection: duckdb.DuckDBPyConnection,
    store: ObjectStore,
    labels_store: ObjectStore,
    tables: Mapping[str, pa.Table],
    *,
    described: bool = False,
) -> None:
    """Make every view and table in an empty database, and `CONTENTS` of them.

    Parameters
    ----------
    described : bool
        Whether columns get their descriptions as comments, which takes a second.
    """
    mount(connection, store, labels_store)
    connection.execute(f"CREATE SCHEMA {HIDDEN}")
    stores = {MAIN: store, HIDDEN: labels_store}
    keys = {MAIN: store.keys(), HIDDEN: labels_store.keys(_BEFORE_KEYS)}
    contents: list[dict[str, Any]] = []
    for one in (*LOCATIONS, *DOCUMENTS):
        found = [key for key in keys[one.place] if re.fullmatch(one.pattern, key)]
        addresses = [_address(stores[one.place], one.place, key) for key in found]
        _make_view(connection, one, addresses, described=described)
        contents.append(
            {"place": one.place, "name": one.name, "files": len(found), "path": globbed(one)}
        )
    for name, table in tables.items():
        _insert(connection, name, table)
        contents.append({"place": MAIN, "name": name, "files": None, "path": None})
    kinds = {"place": pa.string(), "name": pa.string(), "files": pa.int64(), "path": pa.string()}
    _insert(connection, CONTENTS, pa.Table.from_pylist(contents, pa.schema([*kinds.items()])))


def mount(
    connection: duckdb.DuckDBPyConnection, store: ObjectStore, labels_store: ObjectStore
) -> None:
    """Let a connection read what its views are over; folders it reads without.

    An S3 bucket is read through the store's own client, with its credentials: a DuckDB without the
    network has no extension for it, and a catalogue must not hold keys.
    """
    for place, one in ((MAIN, store), (HIDDEN, labels_store)):
        if not isinstance(one, FolderStore):
            connection.register_filesystem(_StoreFiles(one, _PROTOCOLS[place]))


def globbed(one: Location | DocumentView) -> str:
    """Keys of a view's files as a glob, to read them without it."""
    named = re.sub(r"\(\?P<\w+>(\\d|\[[^\]]+\])\+\)", "*", one.pattern)
    return re.sub(r"(\\d|\[[^\]]+\])\+", "*", named).replace("\\.", ".")


def _make_view(
    connection: duckdb.DuckDBPyConnection,
    one: Location | DocumentView,
    addresses: Sequence[str],
    *,
    described: bool,
) -> None:
    name = f"{one.place}.{one.name}"
    is_table = isinstance(one, Location)
    query = table_view(one, addresses) if is_table else document_view(one, addresses)
    try:
        connection.execute(f"CREATE VIEW {name} AS {query}")
    except duckdb.Error as error:
        raise _broken(name, globbed(one), error) from error
    if not is_table:
        connection.execute(f"COMMENT ON VIEW {name} IS {quoted(one.doc)}")
    elif described:
        there = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
        for statement in comments(name, one.schema, there):
            connection.execute(statement)


def _broken(name: str, path: str, error: duckdb.Error) -> IntegrityError:
    said = f"cannot make the view {name} over {path}: {' '.join(str(error).split())}"
    hints = ("islandflow verify --all names what is damaged, islandflow repair makes it again",)
    return IntegrityError("CATALOGUE_VIEW_BROKEN", said, name, hints)


def _insert(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    connection.register("new_rows", table)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM new_rows")
    connection.unregister("new_rows")


def _address(store: ObjectStore, place: str, key: str) -> str:
    """Folders are read natively, everything else through the store's own client."""
    if isinstance(store, FolderStore):
        return str(store.root / key)
    return f"{_PROTOCOLS[place]}://{key}"


def _key(address: str) -> str:
    return address.partition("://")[2] or address


class _StoreFiles(AbstractFileSystem):
    """The store as DuckDB wants to see it: open, size and nothing else."""

    cachable = False

    def __init__(self, store: ObjectStore, protocol: str) -> None:
        super().__init__()
        self.protocol = protocol
        self._store = store

    def _open(self, path: str, *_: Any, **__: Any) -> Any:
        return self._store.open(_key(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name and size of one file."""
        key = _key(path)
        with self._store.open(key) as file:
            return {"name": key, "size": file.seek(0, 2), "type": "file"}

    def modified(self, path: str) -> datetime:
        """Objects never change."""
        return datetime(1970, 1, 1, tzinfo=UTC)

    def glob(self, path: str, maxdepth: int | None = None, **_: Any) -> list[str]:
        """Only ever asked for one name."""
        return [_key(path)]
