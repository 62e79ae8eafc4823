"""The streams of a live tape as files that only grow: Arrow IPC streams, a batch a second.

Any reader can follow one while it grows: a schema, then record batches without dictionaries
and uncompressed, then the mark of the end. Where a batch ends is said by
``tape_live_journal``; the finished tape is written by ``tape_folder``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Self

import pyarrow as pa

from contracts.columns import TableSchema
from contracts.errors import IntegrityError
from islandflow_resources.table_schemas import arrow_schema, conformed

SUFFIX: Final = ".arrows"
END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What an Arrow IPC stream ends with: a message of no length."""


class LiveStream:
    """One stream's file, open for reading and writing.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    schema : TableSchema
    """

    def __init__(self, path: Path, schema: TableSchema) -> None:
        self.path, self.schema = path, schema
        texts = {"islandflow.table": schema.name, "islandflow.table_version": schema.version}
        self._head = arrow_schema(schema, texts).serialize().to_pybytes()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self._file).st_size

    def begin(self) -> int:
        """Let the schema stand at the start; where the first batch begins.

        Raises
        ------
        IntegrityError
            ``LIVE_STREAM_DIFFERS``.
        """
        self.prove(0, self._head, "its schema")
        return len(self._head)

    def plain(self, table: pa.Table) -> pa.RecordBatch:
        """Events without dictionaries, maybe none; slices of it are messages, see `message_of`."""
        whole = conformed(table, self.schema)
        arrays = [column.combine_chunks() for column in whole.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=whole.schema)

    def prove(self, at: int, data: bytes, what: str) -> int:
        """Compare what is there with what should be, and write what is missing of it.

        Parameters
        ----------
        at : int
            Place of the first byte.
        what : str
            What it is, for the message.

        Returns
        -------
        int
            Bytes that were missing.

        Raises
        ------
        IntegrityError
            ``LIVE_STREAM_DIFFERS``.
        """
        found = os.pread(self._file, len(data), at)
        if found == data:
            return 0
        if not data.startswith(found):
            raise IntegrityError(
                "LIVE_STREAM_DIFFERS",
                f"{self.path.name} does not say what is made again for {what}",
                f"{self.path}, byte {at}",
                (
                    "go on with the version and libraries that wrote it, or name another folder",
                    "if somebody changed the file, nothing of it can be trusted",
                ),
            )
        self.write(at + len(found), data[len(found) :])
        return len(data) - len(found)

    def write(self, at: int, data: bytes) -> None:
        """Put bytes to their place."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, at)
            at, view = at + written, view[written:]

    def cut(self, size: int) -> int:
        """Leave nothing beyond a size; bytes that were."""
        beyond = max(self.size - size, 0)
        if beyond:
            os.ftruncate(self._file, size)
        return beyond

    def sync(self) -> None:
        """Let what was written outlive the machine."""
        os.fsync(self._file)


def message_of(batch: pa.RecordBatch) -> bytes:
    """The message of a record batch: the same bytes, whatever it was sliced from."""
    # A slice still holds what lies around it, and would be written with some of that.
    columns = [pa.concat_arrays([column, column.slice(0, 0)]) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema).serialize().to_pybytes()
