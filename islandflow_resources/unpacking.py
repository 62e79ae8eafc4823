"""How far packed files may unpack: a small one that becomes endless is refused, not read.

A decoder of streams holds little memory whatever comes, but works until the end; one of columns
makes room for what a file says of itself. Both are bounded by the size of the packed file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

MAX_RATIO: Final = 200
"""Market data packs to a third, at best to a thirtieth; zeros to a ten thousandth."""
FREE_BYTES: Final = 64 << 20
"""So much may always come out."""
ROW_BYTES: Final = 8
"""What a row becomes at least: runs of equal values need no bytes in a file."""


def most_bytes(packed_bytes: int) -> int:
    """How many bytes may come out of a file of so many."""
    return max(FREE_BYTES, MAX_RATIO * packed_bytes)


def swollen(metadata: pq.FileMetaData, packed_bytes: int, names: set[str]) -> str:
    """What columns of a parquet file become that is too much, in words; empty if they may.

    Parameters
    ----------
    metadata : FileMetaData
        The file's own word: pages that say otherwise do not decode.
    names : set of str
        Columns that are to be read.
    """
    most = most_bytes(packed_bytes)
    if metadata.num_rows * ROW_BYTES > most:
        return f"{packed_bytes} bytes hold {metadata.num_rows} rows"
    columns = [
        place
        for place in range(metadata.num_columns)
        if metadata.schema.column(place).path.partition(".")[0] in names
    ]
    unpacked = sum(
        metadata.row_group(group).column(place).total_uncompressed_size
        for group in range(metadata.num_row_groups)
        for place in columns
    )
    return f"{packed_bytes} bytes unpack to {unpacked}" if unpacked > most else ""


class BoundedStream(io.RawIOBase):
    """What comes out of a packed stream, up to a bound.

    Parameters
    ----------
    stream : NativeFile
    most : int
        Bytes.
    refused : callable
        Makes the error that is raised where more would come.
    """

    def __init__(self, stream: pa.NativeFile, most: int, refused: Callable[[], Exception]) -> None:
        self._stream = stream
        self._left = most
        self._refused = refused

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; all that is left if it is negative."""
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        piece = self._stream.read(wanted)
        self._left -= len(piece)
        if self._left < 0:
            raise self._refused()
        return piece

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is something; how far."""
        view = memoryview(buffer).cast("B")
        piece = self.read(len(view))
        view[: len(piece)] = piece
        return len(piece)
