"""Databento's binary encoding: header and records, decoded in blocks without an object a record.

A market-by-order record has 56 bytes in every version of the encoding, 64 where a live
capture appends the time of sending; versions differ in the header alone, which
``databento_dbn`` reads. What records become is in ``mbo_rules``; writing in ``mbo_writers``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import databento_dbn as dbn
import numpy as np
import pyarrow as pa

from contracts.errors import ContractError
from engine.arrays import Ints
from engine.book.events import Events
from islandflow_resources.mbo_records import (
    Records,
    Skipped,
    Source,
    first_bad_letter,
    record_place,
    refusal,
)
from islandflow_resources.mbo_symbology import Symbology, of_header
from islandflow_resources.unpacking import BoundedStream, most_bytes

MBO: Final = 160
AS_IS: Final = dbn.VersionUpgradePolicy.from_int(dbn.VersionUpgradePolicy.AS_IS)
RECORD_BYTES: Final = 56
RECORD: Final = np.dtype(
    [
        ("length", "u1"),
        ("rtype", "u1"),
        ("publisher_id", "<u2"),
        ("instrument_id", "<u4"),
        ("ts_event", "<i8"),
        ("order_id", "<i8"),
        ("price", "<i8"),
        ("size", "<u4"),
        ("flags", "u1"),
        ("channel_id", "u1"),
        ("action", "u1"),
        ("side", "u1"),
        ("ts_recv", "<i8"),
        ("ts_in_delta", "<i4"),
        ("sequence", "<u4"),
    ]
)
"""Unsigned times and ids keep their bits as signed ones: an undefined time is −1."""

_LIVE_RECORD: Final = np.dtype([*RECORD.descr, ("ts_out", "<i8")])
_KINDS: Final = {int(kind): kind.name.lower() for kind in dbn.RType.variants()}
_MAPPING: Final = int(dbn.RType.SYMBOL_MAPPING)
_HEAD_BYTES: Final = 16
_LONGEST_BYTES: Final = 4 * 255
_PIECE_BYTES: Final = 2**22
_MIXED_ROWS: Final = 64
_MOST_HEADER_BYTES: Final = 2**26
_WHOLE = "fetch the file again, or take it from where it is whole"
_MAGICS: Final = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip"}


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the records.

    Attributes
    ----------
    source : Source
    symbology : Symbology
    record : dtype
        Of a market-by-order record in this file.
    size_bytes : int
        Of the header: where the records begin.
    """

    source: Source
    symbology: Symbology
    record: np.dtype[np.void]
    size_bytes: int


def compression_of(path: Path) -> str:
    """``zstd``, ``gzip`` or nothing, as the first bytes say.

    Raises
    ------
    ContractError
        ``MBO_FILE_UNREADABLE`` or ``MBO_FILE_CORRUPT`` if there are none.
    """
    with readable(path), path.open("rb") as file:
        head = file.read(4)
    if not head:
        hint = "give a file of DBN, parquet or CSV with events"
        raise refusal(path, "MBO_FILE_CORRUPT", "it is empty", hint)
    return next((name for magic, name in _MAGICS.items() if head.startswith(magic)), "")


@contextmanager
def unpacked(path: Path) -> Iterator[pa.NativeFile | BoundedStream]:
    """Bytes of a file, unpacked as its first bytes say, and not without end.

    Raises
    ------
    ContractError
        ``MBO_FILE_SWOLLEN`` where more comes out than market data can become.
    """
    compression = compression_of(path)
    with readable(path), pa.OSFile(str(path)) as file:
        if not compression:
            yield file
            return
        with pa.CompressedInputStream(file, compression) as stream:
            most = most_bytes(file.size())
            yield BoundedStream(stream, most, lambda: too_swollen(path, f"more than {most} bytes"))


def too_swollen(path: Path, what: str) -> ContractError:
    """The refusal of a file that unpacks to more than it may."""
    hint = "unpack it yourself, look at it, and give what comes out"
    said = f"no market data packs as tight as this file: {what}"
    return refusal(path, "MBO_FILE_SWOLLEN", said, hint)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever a decoder or the disk says is one typed error."""
    try:
        yield
    except ContractError:
        raise
    except FileNotFoundError as error:
        hint = "give the path of an existing file"
        raise refusal(path, "MBO_FILE_UNREADABLE", "there is no such file", hint) from error
    except (IsADirectoryError, PermissionError) as error:
        hint = "give the path of a file that can be read"
        raise refusal(path, "MBO_FILE_UNREADABLE", str(error.strerror), hint) from error
    except (dbn.DBNError, pa.ArrowException, OSError, ValueError, MemoryError) as error:
        said = " ".join(str(error).split())[:300]
        raise refusal(path, "MBO_FILE_CORRUPT", f"it does not read: {said}", _WHOLE) from error


def read_header(path: Path) -> Header:
    """Read the header and refuse what holds no market-by-order records.

    Raises
    ------
    ContractError
        ``MBO_FILE_CORRUPT``, ``MBO_SCHEMA_WRONG``.
    """
    with unpacked(path) as stream:
        head = _read(stream, 8)
        length = int.from_bytes(head[4:8], "little")
        if head[:3] == b"DBN" and length > _MOST_HEADER_BYTES:
            what = f"its header claims {length} bytes, more than {_MOST_HEADER_BYTES}"
            raise refusal(path, "MBO_FILE_CORRUPT", what, _WHOLE, "header")
        body = _read(stream, length) if head[:3] == b"DBN" else b""
    if len(head) + len(body) < 8 + length or head[:3] != b"DBN":
        what = f"its header is cut off after {len(head) + len(body)} bytes"
        if head[:3] != b"DBN":
            what = f"it begins with {head[:4]!r} and not with a DBN header"
        raise refusal(path, "MBO_FILE_CORRUPT", what, _WHOLE, "header")
    with readable(path):
        told = dbn.Metadata.decode(head + body, AS_IS)
        is_inverse = told.stype_in == dbn.SType.INSTRUMENT_ID
        has_ids = is_inverse or told.stype_out == dbn.SType.INSTRUMENT_ID
        symbology = of_header(is_inverse, told.mappings if has_ids else {})
    schema = str(told.schema or "")
    if schema not in {"mbo", ""}:
        hint = "order it with the schema mbo: only that tells single orders"
        what = f"its schema is {schema}, not mbo"
        raise refusal(path, "MBO_SCHEMA_WRONG", what, hint, "header")
    source = Source(path, "dbn", True, told.dataset, schema, told.version, symbology.symbols)
    return Header(source, symbology, _LIVE_RECORD if told.ts_out else RECORD, 8 + length)


def read_records(header: Header, rows: int) -> Iterator[Records | Skipped]:
    """Stretches of records in the order of the file, at most `rows` each.

    A mapping record of a live capture joins the header's symbology when it is met.

    Raises
    ------
    ContractError
        ``MBO_FILE_CORRUPT`` or ``MBO_VALUE_INVALID``, naming record and byte.
    """
    path = header.source.path
    with unpacked(path) as stream:
        _read(stream, header.size_bytes)
        framing = _Framing(header, rows)
        tail = b""
        size = max(rows * header.record.itemsize, _LONGEST_BYTES)
        while piece := _read(stream, size - len(tail)):
            framing.buffer = tail + piece if tail else piece
            yield from framing.stretches()
            tail = framing.buffer[framing.position :]
    if tail:
        place = record_place(framing.number, framing.byte)
        what = f"it is cut off after {len(tail)} bytes"
        raise refusal(path, "MBO_FILE_CORRUPT", what, _WHOLE, place)


class _Framing:
    """Where one record ends and the next begins, across pieces of a file."""

    def __init__(self, header: Header, rows: int) -> None:
        self.header = header
        self.buffer = b""
        self.position = 0
        self.number = 0
        self.byte = header.size_bytes
        self._path = header.source.path
        self._stride = header.record.itemsize
        self._sign = MBO << 8 | self._stride // 4
        self._rows = self._reach = rows

    def stretches(self) -> Iterator[Records | Skipped]:
        """What `buffer` holds whole; `position` is where the rest begins."""
        self.position = 0
        skipped: Counter[str] = Counter()
        while (left := len(self.buffer) - self.position) >= 2:
            sign = int.from_bytes(self.buffer[self.position : self.position + 2], "little")
            if sign != self._sign:
                reason = self._pass_other()
                if not reason:
                    break
                skipped[reason] += 1
                continue
            if left < self._stride:
                break
            count = self._run(left // self._stride)
            yield self._records(count)
            self._step(count, count * self._stride)
        if skipped:
            yield Skipped(dict(skipped))

    def _run(self, whole: int) -> int:
        """How many records from here on are of market by order, as far as one looks."""
        count = min(whole, self._reach)
        signs = np.ndarray(count, "<u2", self.buffer, self.position, (self._stride,))
        good = signs == self._sign
        if good.all():
            self._reach = min(8 * self._reach, self._rows)
            return count
        # Where kinds are mixed, looking far ahead after each would be quadratic.
        self._reach = min(_MIXED_ROWS, self._rows)
        return int(np.argmin(good))

    def _records(self, count: int) -> Records:
        rows = np.frombuffer(self.buffer, self.header.record, count, self.position)
        records = _as_records(rows, self.number, self.byte)
        bad = first_bad_letter(records.events)
        if bad is not None:
            row, column, what = bad
            loc = f"{records.place(row)}, column {column}"
            raise refusal(self._path, "MBO_VALUE_INVALID", what, _WHOLE, loc)
        return records

    def _pass_other(self) -> str:
        """Step over one record of another kind; empty if it is not whole."""
        length, rtype = self.buffer[self.position] * 4, self.buffer[self.position + 1]
        what = ""
        if length < _HEAD_BYTES:
            what = f"its length byte says {length} bytes, less than the head of a record"
        elif rtype == MBO:
            what = f"it says {length} bytes where an MBO record has {self._stride}"
        elif rtype not in _KINDS:
            what = f"its type {rtype} is none of the encoding"
        if what:
            place = record_place(self.number, self.byte)
            raise refusal(self._path, "MBO_FILE_CORRUPT", what, _WHOLE, place)
        if len(self.buffer) - self.position < length:
            return ""
        if rtype == _MAPPING:
            self._learn(self.buffer[self.position : self.position + length])
        self._step(1, length)
        return f"rtype_{_KINDS[rtype]}"

    def _learn(self, record: bytes) -> None:
        """Add what a mapping record of a live capture says."""
        source, is_live = self.header.source, self.header.record is _LIVE_RECORD
        with readable(self._path):
            decoder = dbn.DBNDecoder(
                has_metadata=False, ts_out=is_live, input_version=source.version
            )
            decoder.write(record)
            for told in decoder.decode():
                if isinstance(told, dbn.SymbolMappingMsg | dbn.SymbolMappingMsgV1):
                    self.header.symbology.add_always(told.instrument_id, told.stype_out_symbol)

    def _step(self, records: int, length: int) -> None:
        self.position += length
        self.byte += length
        self.number += records


def _as_records(rows: np.ndarray[tuple[int], np.dtype[np.void]], number: int, byte: int) -> Records:
    """Columns of records: the times, ids and prices contiguous, as kernels want them."""
    events = Events(
        np.ascontiguousarray(rows["ts_event"]),
        np.ascontiguousarray(rows["action"]),
        np.ascontiguousarray(rows["side"]),
        np.ascontiguousarray(rows["order_id"]),
        np.ascontiguousarray(rows["price"]),
        rows["size"].astype(np.int64),
        rows["flags"].astype(np.int32),
        rows["sequence"].astype(np.int64),
    )
    received: Ints = rows["ts_recv"]
    return Records(
        events,
        rows["instrument_id"].astype(np.int64),
        rows["publisher_id"].astype(np.int64),
        # The order behind a snapshot's record may be days old; its arrival is not.
        np.where(received < 0, events.ts_ns, received),
        has_ids=True,
        number=number,
        byte=byte,
        stride=rows.dtype.itemsize,
    )


def _read(stream: pa.NativeFile | BoundedStream, size: int) -> bytes:
    """Up to `size` bytes: fewer only at the end, and never room made for more than there are."""
    pieces: list[bytes] = []
    while size > 0 and (piece := stream.read(min(size, _PIECE_BYTES))):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
