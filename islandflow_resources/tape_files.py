"""Tables of a tape as parquet files: written row group by row group, hashed on the way.

Reading gives one row group at a time, its texts as dictionaries; whether it says what it
should is judged in ``tape_checks``. Settings of the files are in ``tables``, digests in
``table_digest``, places in ``tape_places``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.columns import TableSchema
from contracts.errors import ContractError, IntegrityError, IslandflowError, Problem
from contracts.tape_columns import CONTRACTS, EVENT_CALENDAR, STREAMS, TRUTH
from contracts.tape_manifest import RowGroup, TableHash
from islandflow_resources.table_digest import TableHasher
from islandflow_resources.table_schemas import coded
from islandflow_resources.tables import coded_writer

TABLES: Final[dict[str, TableSchema]] = {
    **STREAMS,
    CONTRACTS.name: CONTRACTS,
    EVENT_CALENDAR.name: EVENT_CALENDAR,
    **TRUTH,
}
"""Every table of a tape by its name; its file is ``{name}.parquet``."""

_OWN_TEXTS: Final = ("islandflow.table", "islandflow.table_version")


class TapeFile:
    """A parquet file that grows by row groups; a context manager that closes it.

    Parameters
    ----------
    path : Path
        New file.
    schema : TableSchema
    """

    def __init__(self, path: Path, schema: TableSchema) -> None:
        self.path, self.schema = path, schema
        self._writer = coded_writer(path, schema)
        self._whole = TableHasher(schema)
        self._groups: list[RowGroup] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def append(self, table: pa.Table) -> None:
        """Write the rows of a table of codes as one row group, maybe empty."""
        digest = rows_digest(table, self.schema)
        self._whole.update(table)
        self._groups.append(RowGroup(rows=table.num_rows, digest=digest))
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    @property
    def hashes(self) -> TableHash:
        """What has been written so far."""
        rows = sum(group.rows for group in self._groups)
        return TableHash(rows=rows, digest=self._whole.digest(), row_groups=tuple(self._groups))


class TableReader:
    """Row groups of a file, one at a time.

    Parameters
    ----------
    source : file
        Seekable; closed by whoever opened it.
    name : str
        Name of the file, for messages.
    schema : TableSchema

    Raises
    ------
    IntegrityError
        ``TAPE_FILE_UNREADABLE`` if it is no parquet.
    """

    def __init__(self, source: BinaryIO, name: str, schema: TableSchema) -> None:
        self.name, self.schema = name, schema
        texts = [column.name for column in schema.columns if column.kind == "string"]
        with _readable(name, "the whole file"):
            found = pq.read_metadata(source)
            self._file = pq.ParquetFile(
                source,
                metadata=found,
                read_dictionary=[text for text in texts if text in found.schema.names],
                page_checksum_verification=True,
            )
            groups = range(found.num_row_groups)
            self.group_rows = tuple(found.row_group(group).num_rows for group in groups)
            self.arrow_schema = self._file.schema_arrow

    @property
    def rows(self) -> int:
        """Rows of all groups."""
        return sum(self.group_rows)

    def first_row(self, group: int) -> int:
        """Number of a group's first row in the file."""
        return sum(self.group_rows[:group])

    def texts(self) -> dict[str, str]:
        """Key-value texts of the file that are not the project's own."""
        found = self.arrow_schema.metadata or {}
        with _readable(self.name, "its texts"):
            texts = {key.decode(): value.decode() for key, value in found.items()}
        return {key: value for key, value in texts.items() if key not in _OWN_TEXTS}

    def schema_problems(self) -> list[Problem]:
        """How the columns of the file differ from the layout."""
        try:
            coded(self.arrow_schema.empty_table(), self.schema)
        except ContractError as error:
            return [
                Problem(one.code, one.message, f"{self.name}, column {one.loc}", one.hints)
                for one in error.problems
            ]
        own = self.arrow_schema.metadata or {}
        wanted = (self.schema.name, self.schema.version)
        found = tuple(own.get(name.encode(), b"").decode("utf-8", "replace") for name in _OWN_TEXTS)
        if found == wanted:
            return []
        said = f"it says {' '.join(found) or 'nothing'} of itself, not {' '.join(wanted)}"
        return [Problem("TABLE_VERSION_UNKNOWN", said, self.name, ("make the tape again",))]

    def read(self, group: int) -> pa.Table:
        """Rows of a group, texts as codes, in one chunk.

        Raises
        ------
        IntegrityError
            ``TAPE_FILE_UNREADABLE`` naming the row group.
        """
        first = self.first_row(group)
        where = f"row group {group}, rows {first} to {first + self.group_rows[group] - 1}"
        with _readable(self.name, where):
            table = self._file.read_row_group(group, use_threads=False)
            table.validate(full=True)
            return coded(table, self.schema).combine_chunks()

    def tables(self) -> Iterator[pa.Table]:
        """Rows of every group in order."""
        for group in range(len(self.group_rows)):
            yield self.read(group)


def rows_digest(table: pa.Table, schema: TableSchema) -> str:
    """Content digest of some rows, ``blake3:…``."""
    hasher = TableHasher(schema)
    hasher.update(table)
    return hasher.digest()


@contextmanager
def _readable(name: str, where: str) -> Iterator[None]:
    """Whatever a decoder says of bytes that were once right is a matter of integrity."""
    try:
        yield
    except IslandflowError as error:
        if isinstance(error, ContractError):
            raise _unreadable(name, where, error) from error
        raise
    except (pa.ArrowException, OSError, MemoryError, ValueError, LookupError) as error:
        raise _unreadable(name, where, error) from error


def _unreadable(name: str, where: str, error: Exception) -> IntegrityError:
    said = " ".join(str(error).split())[:200]
    return IntegrityError(
        "TAPE_FILE_UNREADABLE",
        f"cannot read {where} of {name}: {said}",
        f"{name}, {where}",
        ("move the tape away and make it again",),
    )
