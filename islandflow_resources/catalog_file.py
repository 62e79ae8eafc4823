"""The catalogue as a DuckDB file: made anew beside its name, then renamed, never changed in place.

It is derived: the files and the database are the truth, and it may be thrown away. What is in it
is ``catalog``. Views over a folder are read by any DuckDB; those over a bucket need `opened`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from contracts.errors import ContractError, NotFoundError
from islandflow_resources.catalog import CONTENTS, fill, mount
from islandflow_resources.catalog_rows import tables_of
from islandflow_resources.catalog_tables import MAIN
from islandflow_resources.object_store import ObjectStore

if TYPE_CHECKING:
    from islandflow_resources.database import Database

NAME: Final = "catalogue.duckdb"
"""File in the home, unless another is named."""
VERSION: Final = "1"
"""Of what a catalogue holds."""
_NEIGHBOURS: Final = ".catalogue-"


@dataclass(frozen=True, slots=True)
class ViewFacts:
    """What is known of a view or a table.

    Attributes
    ----------
    place, name : str
        Its schema and its name.
    files : int or None
        How many it is over; None for a table.
    path : str
        Their keys as a glob; empty for a table.
    rows : int
    """

    place: str
    name: str
    files: int | None
    path: str
    rows: int

    @property
    def said(self) -> str:
        """Its name as a query says it."""
        return _said(self.place, self.name)


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column of a view: the view as a query says it, its name, type in SQL, and what it is."""

    view: str
    name: str
    kind: str
    doc: str


def write_catalogue(
    path: Path, store: ObjectStore, labels_store: ObjectStore, database: Database
) -> None:
    """Make the catalogue of what is there now, in place of an earlier one.

    Raises
    ------
    ContractError
        ``FILE_EXISTS`` if something else has the name, ``FILE_NOT_WRITABLE``.
    """
    from islandflow_resources.control_log import ControlLogStore
    from islandflow_resources.signal_runs import all_runs

    refuse_other(path)
    tables = tables_of(
        database.results(),
        all_runs(database),
        database.artefacts(),
        ControlLogStore(database).history(),
    )
    with _neighbour(path) as made, duckdb.connect(made) as connection:
        connection.begin()
        fill(connection, store, labels_store, tables, described=True)
        connection.commit()


@contextmanager
def opened(
    path: Path, store: ObjectStore, labels_store: ObjectStore | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A catalogue for reading, whatever its views are over.

    Raises
    ------
    NotFoundError
        ``CATALOGUE_MISSING``.
    """
    if not path.is_file():
        hint = "write one: islandflow catalog"
        raise NotFoundError(
            "CATALOGUE_MISSING", f"there is no catalogue at {path}", str(path), (hint,)
        )
    with duckdb.connect(path, read_only=True) as connection:
        mount(connection, store, labels_store or store)
        yield connection


def facts_of(connection: duckdb.DuckDBPyConnection) -> list[ViewFacts]:
    """What there is, and how many rows each view has: only what files say of themselves is read."""
    listed = connection.execute(f"SELECT place, name, files, path FROM {CONTENTS}").fetchall()
    return [
        ViewFacts(place, name, files, path or "", _rows(connection, place, name))
        for place, name, files, path in listed
    ]


def columns_of(connection: duckdb.DuckDBPyConnection) -> list[ColumnFacts]:
    """Every column of every view and table, in their order."""
    found = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        f"JOIN (SELECT rowid AS rank, place, name FROM {CONTENTS}) "
        "ON schema_name = place AND table_name = name ORDER BY rank, column_index"
    ).fetchall()
    return [
        ColumnFacts(_said(place, view), name, kind, doc or "")
        for place, view, name, kind, doc in found
    ]


def refuse_other(path: Path) -> None:
    """Refuse a name that something else than a catalogue has, or that cannot be written.

    Raises
    ------
    ContractError
        ``FILE_EXISTS`` or ``FILE_NOT_WRITABLE``.
    """
    if path.exists() and not _is_catalogue(path):
        said = f"cannot write {path}: something else is there, and it is not overwritten"
        raise ContractError("FILE_EXISTS", said, str(path), ("give another name",))
    if not path.parent.is_dir():
        raise _not_writable(path, f"there is no folder {path.parent}")


def _said(place: str, name: str) -> str:
    return name if place == MAIN else f"{place}.{name}"


def _rows(connection: duckdb.DuckDBPyConnection, place: str, name: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {place}.{name}").fetchone()
    assert found is not None
    return int(found[0])


def _is_catalogue(path: Path) -> bool:
    """Whether a file is a DuckDB database with the contents of a catalogue."""
    if not path.is_file():
        return False
    try:
        with duckdb.connect(path, read_only=True) as connection:
            connection.execute(f"SELECT place, name, files, path FROM {CONTENTS} LIMIT 0")
    except duckdb.Error:
        return False
    return True


@contextmanager
def _neighbour(path: Path) -> Iterator[Path]:
    """A name in a folder beside another, which is gone afterwards; what was made becomes it."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=_NEIGHBOURS, dir=path.parent)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from error
    with folder as name:
        made = Path(name) / NAME
        yield made
        try:
            os.replace(made, path)
        except OSError as error:
            raise _not_writable(path, error.strerror or str(error)) from error


def _not_writable(path: Path, why: str) -> ContractError:
    hint = "give a name in a folder that exists and can be written to"
    return ContractError("FILE_NOT_WRITABLE", f"cannot write {path}: {why}", str(path), (hint,))
