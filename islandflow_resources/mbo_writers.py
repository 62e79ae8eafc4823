"""Market-by-order files out: events as parquet, or as DBN that other tools read.

A file appears whole under its name or not at all, and never in place of another. The same
events and names make the same bytes, however they are cut into batches. Reading is in
``mbo_files``.
"""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import databento_dbn as dbn
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.columns import MBO_EVENTS
from contracts.errors import ContractError
from engine.book.events import ACTIONS, SIDES, Events, Letters
from islandflow_resources.mbo_dbn import AS_IS, MBO, RECORD, RECORD_BYTES
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.mbo_records import MAX_SIZE, first_bad_letter
from islandflow_resources.table_schemas import array_of, arrow_schema

DATASET: Final = "ISLANDFLOW"
INSTRUMENT_ID: Final = 1
ROW_GROUP_ROWS: Final = 65_536

_DAY_NS: Final = 86_400_000_000_000
_MAX_SYMBOL: Final = 70
_LIMITS: Final = {"size": MAX_SIZE, "flags": 2**31 - 1, "sequence": 2**63 - 1}
_DBN_LIMITS: Final = {"size": MAX_SIZE, "flags": 255, "sequence": 2**32 - 1}
_PACKED: Final = ("ts_ns", "order_id", "price_int", "size", "flags", "sequence")


@dataclass(frozen=True, slots=True)
class WrittenEvents:
    """A file of events.

    Attributes
    ----------
    path : Path
    digest : str
        ``blake3:…`` of its bytes.
    rows : int
    first_ns, last_ns : int
        Least and greatest time; zeros if there are no events.
    """

    path: Path
    digest: str
    rows: int
    first_ns: int
    last_ns: int


class _Span:
    """Rows and times of what has been written to `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.first_ns = 0
        self.last_ns = 0

    def add(self, events: Events) -> None:
        """Count a batch, not empty."""
        first, last = int(events.ts_ns.min()), int(events.ts_ns.max())
        self.first_ns = min(self.first_ns, first) if self.rows else first
        self.last_ns = max(self.last_ns, last)
        self.rows += events.rows


def write_events(
    path: Path,
    batches: Iterable[Events],
    *,
    symbol: str,
    product_type: str = "",
    dataset: str = DATASET,
) -> WrittenEvents:
    """Write events of one instrument, streaming.

    Parameters
    ----------
    path : Path
        Its name ends in ``.parquet``, ``.dbn`` or ``.dbn.zst``.
    batches : iterable of Events
    symbol : str
        In the symbology of DBN, and among the texts of parquet.
    product_type : str
        Among the texts of parquet; DBN has no place for it.
    dataset : str
        Name of the source in DBN, at most 16 characters.

    Raises
    ------
    ContractError
        ``MBO_FILE_EXISTS``, ``MBO_FORM_UNKNOWN``, ``MBO_SYMBOL_INVALID``, or
        ``MBO_VALUE_INVALID`` naming the first event that a file cannot say. No file is
        left.
    """
    path = Path(path)
    write = _writer(path, symbol, product_type, dataset)
    if path.exists():
        raise _exists(path)
    span = _Span(path)
    with _published(path) as temporary:
        write(temporary, batches, span)
    return WrittenEvents(path, file_digest(path), span.rows, span.first_ns, span.last_ns)


def _writer(
    path: Path, symbol: str, product_type: str, dataset: str
) -> Callable[[Path, Iterable[Events], _Span], None]:
    is_text = symbol.isascii() and symbol.isprintable() and symbol == symbol.strip()
    if not (is_text and 0 < len(symbol) <= _MAX_SYMBOL):
        what = f"cannot name events {symbol!r}: not 1 to {_MAX_SYMBOL} printable ASCII characters"
        raise ContractError("MBO_SYMBOL_INVALID", what, "symbol", ("give a symbol as ESH6",))
    if path.name.endswith(".parquet"):
        texts = {"symbol": symbol} | ({"product_type": product_type} if product_type else {})
        return lambda temporary, batches, span: _parquet(temporary, batches, span, texts)
    if path.name.endswith(".dbn"):
        return lambda temporary, batches, span: _dbn(temporary, batches, span, symbol, dataset)
    if path.name.endswith(".dbn.zst"):
        return lambda temporary, batches, span: _packed(temporary, batches, span, symbol, dataset)
    what = f"cannot write events to {path}: its name says no form of such a file"
    hint = "end it in .parquet, .dbn or .dbn.zst"
    raise ContractError("MBO_FORM_UNKNOWN", what, str(path), (hint,))


def _parquet(path: Path, batches: Iterable[Events], span: _Span, texts: dict[str, str]) -> None:
    own = {"islandflow.table": MBO_EVENTS.name, "islandflow.table_version": MBO_EVENTS.version}
    schema = arrow_schema(MBO_EVENTS, own | texts)
    # As tables.write_parquet sets them, whose tables are in memory whole.
    settings: dict[str, Any] = {
        "version": "2.6",
        "compression": "ZSTD",
        "compression_level": 1,
        "use_dictionary": ["action", "side"],
        "column_encoding": dict.fromkeys(_PACKED, "DELTA_BINARY_PACKED"),
        "write_page_checksum": True,
    }
    with pq.ParquetWriter(path, schema, **settings) as writer:
        for events in _checked(batches, _LIMITS, span):
            writer.write_batch(_as_arrow(events, schema))


def _as_arrow(events: Events, schema: pa.Schema) -> pa.RecordBatch:
    letters = {"action": events.action, "side": events.side}
    arrays = [
        _texts(letters[name]) if name in letters else array_of(getattr(events, name))
        for name in MBO_EVENTS.names
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _texts(letters: Letters) -> pa.StringArray:
    ends = np.arange(len(letters) + 1, dtype=np.int32)
    return pa.StringArray.from_buffers(len(letters), pa.py_buffer(ends), pa.py_buffer(letters))


def _packed(path: Path, batches: Iterable[Events], span: _Span, symbol: str, dataset: str) -> None:
    """The plain file, packed: its header can only be written when all is known."""
    plain = path.with_name(f"{path.name}.plain")
    try:
        _dbn(plain, batches, span, symbol, dataset)
        with plain.open("rb") as source, path.open("wb") as target:
            coder = dbn.Transcoder(
                target,
                dbn.Encoding.from_str("dbn"),
                dbn.Compression.from_str("zstd"),
                upgrade_policy=AS_IS,
            )
            while piece := source.read(2**20):
                coder.write(piece)
            coder.finish()
    finally:
        plain.unlink(missing_ok=True)


def _dbn(path: Path, batches: Iterable[Events], span: _Span, symbol: str, dataset: str) -> None:
    with path.open("wb") as file:
        file.write(_header(span, symbol, dataset))
        for events in _checked(batches, _DBN_LIMITS, span):
            file.write(_as_records(events))
        # A header's length does not depend on the times in it.
        file.seek(0)
        file.write(_header(span, symbol, dataset))


def _as_records(events: Events) -> bytes:
    rows = np.zeros(events.rows, RECORD)
    rows["length"] = RECORD_BYTES // 4
    rows["rtype"] = MBO
    rows["instrument_id"] = INSTRUMENT_ID
    rows["ts_event"] = rows["ts_recv"] = events.ts_ns
    rows["order_id"] = events.order_id
    rows["price"] = events.price_int
    for name in ("action", "side", "size", "flags", "sequence"):
        rows[name] = getattr(events, name)
    return rows.tobytes()


@dataclass(frozen=True, slots=True)
class _Interval:
    start_date: datetime.date
    end_date: datetime.date
    symbol: str


@dataclass(frozen=True, slots=True)
class _Mapping:
    raw_symbol: str
    intervals: list[_Interval]


def _header(span: _Span, symbol: str, dataset: str) -> bytes:
    epoch = datetime.date(1970, 1, 1)
    first, last = (
        epoch + datetime.timedelta(ns // _DAY_NS) for ns in (span.first_ns, span.last_ns)
    )
    days = _Interval(first, last + datetime.timedelta(1), str(INSTRUMENT_ID))
    metadata = dbn.Metadata(
        dataset=dataset,
        start=span.first_ns,
        end=span.last_ns + 1,
        stype_in=dbn.SType.from_str("raw_symbol"),
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=dbn.Schema.from_str("mbo"),
        symbols=[symbol],
        mappings=[_Mapping(symbol, [days])],  # pyright: ignore[reportArgumentType]
        version=3,
    )
    return bytes(metadata)


def _checked(batches: Iterable[Events], limits: dict[str, int], span: _Span) -> Iterator[Events]:
    """Batches of one size, whatever size they come in, each value one that a file can say."""
    for events in _regrouped(batches):
        _refuse_unsayable(events, limits, span)
        span.add(events)
        yield events


def _regrouped(batches: Iterable[Events]) -> Iterator[Events]:
    waiting: list[Events] = []
    rows = 0
    for batch in batches:
        start = 0
        while start < batch.rows:
            part = batch.part(start, start + ROW_GROUP_ROWS - rows)
            waiting.append(part)
            rows += part.rows
            start += part.rows
            if rows == ROW_GROUP_ROWS:
                yield _joined(waiting)
                waiting, rows = [], 0
    if rows:
        yield _joined(waiting)


def _joined(parts: list[Events]) -> Events:
    if len(parts) == 1:
        return parts[0]
    return Events._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _refuse_unsayable(events: Events, limits: dict[str, int], span: _Span) -> None:
    bad = first_bad_letter(events)
    if bad is not None:
        row, name, what = bad
        hint = f"letters of actions are {ACTIONS}, of sides {SIDES}"
        raise _unsayable(span, row, name, what, hint)
    for name, high in {"ts_ns": 2**63 - 1, **limits}.items():
        column = getattr(events, name)
        outside = (column < 0) | (column > high)
        if outside.any():
            row = int(np.argmax(outside))
            what = f"its {name} is {column[row]}, not between 0 and {high}"
            raise _unsayable(span, row, name, what, "parquet says the widest numbers")


def _unsayable(span: _Span, row: int, name: str, what: str, hint: str) -> ContractError:
    loc = f"event {span.rows + row}, column {name}"
    message = f"cannot write events to {span.path}: {loc}: {what}"
    return ContractError("MBO_VALUE_INVALID", message, loc, (hint,))


@contextmanager
def _published(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes it, unless another was first."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        yield temporary
        _flush(temporary)
        os.link(temporary, path)
    except FileExistsError as error:
        raise _exists(path) from error
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _exists(path: Path) -> ContractError:
    what = f"cannot write events to {path}: it exists, and nothing is overwritten"
    return ContractError("MBO_FILE_EXISTS", what, str(path), ("give another name",))
