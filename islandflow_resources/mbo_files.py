"""Market-by-order files in: DBN, parquet and CSV read as batches of events, memory flat.

Out is ``mbo_writers``. Decoding is in ``mbo_dbn`` and ``mbo_columns``; the rules of what
passes, and their counts, in ``mbo_rules``. What an event means is ``engine.book.events``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from blake3 import blake3

from contracts.errors import ContractError
from engine.book.events import Events
from islandflow_resources.mbo_columns import Table, open_table, read_rows
from islandflow_resources.mbo_dbn import (
    Header,
    compression_of,
    read_header,
    read_records,
    readable,
    unpacked,
)
from islandflow_resources.mbo_records import Ingestion, Records, Skipped, Source, refusal
from islandflow_resources.mbo_rules import Rules, Selection, unknown_symbol

__all__ = ["EventReader", "Ingestion", "file_digest", "read_events"]

BATCH_ROWS: Final = 65_536
_PIECE_BYTES: Final = 2**20


class EventReader(Iterator[Events]):
    """Batches of a file's events, and the account of what became of its records.

    Made by `read_events`. An error leaves no batch to come; batches given before it are
    not to be published.
    """

    def __init__(self, opened: Header | Table, selection: Selection, rows: int) -> None:
        symbology = opened.symbology if isinstance(opened, Header) else None
        self._opened = opened
        self._rules = Rules(opened.source, selection, symbology)
        self._is_complete = False
        self._batches = self._read(rows)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Events:
        return next(self._batches)

    def close(self) -> None:
        """Close the file before its end."""
        self._batches.close()

    @cached_property
    def digest(self) -> str:
        """``blake3:…`` of the file's bytes, read for it once, when it is first asked for."""
        return file_digest(self._opened.source.path)

    @property
    def summary(self) -> Ingestion:
        """The account so far; final once the batches have come to their end."""
        source, rules = self._opened.source, self._rules
        return Ingestion(
            source.path,
            source.form,
            self.digest,
            source.dataset,
            source.schema,
            source.version,
            rules.symbols,
            rules.symbol,
            rules.instrument_ids,
            rules.records,
            rules.rows,
            dict(rules.dropped),
            {what: count for what, count in rules.changed.items() if count},
            self._is_complete,
        )

    def _read(self, rows: int) -> Generator[Events]:
        for records in self._records(rows):
            events = self._rules.take(records)
            if events is not None:
                yield events
        self._rules.finish()
        self._is_complete = True

    def _records(self, rows: int) -> Iterator[Records | Skipped]:
        if isinstance(self._opened, Header):
            return read_records(self._opened, rows)
        return read_rows(self._opened, rows)


def read_events(
    path: Path,
    *,
    batch_rows: int = BATCH_ROWS,
    symbol: str | None = None,
    window: tuple[int, int] | None = None,
    skip_to_ns: int | None = None,
) -> EventReader:
    """Events of one instrument in the order of the file.

    Records that are not of market by order, of another instrument, outside the window or
    without the price they need are dropped and counted. Records of a snapshot get the time
    of the clear that began it, each instrument's its own; that and zeroed prices are
    counted too.

    Parameters
    ----------
    path : Path
        DBN, plain or in zstd or gzip; parquet; CSV, plain or packed likewise. Told apart
        by first bytes, CSV by its suffix.
    batch_rows : int
        The most events of a batch; none is empty.
    symbol : str, optional
        The instrument, exactly as the file's symbology or column ``symbol`` has it. Then
        every record must have a symbol. A table without symbols is taken at its word if
        it has one instrument. Without this, the file must have one instrument; it need
        not be named.
    window : tuple of int, optional
        Nanoseconds, half open; see `Selection`.
    skip_to_ns : int, optional
        See `Selection`.

    Raises
    ------
    ContractError
        At once: ``MBO_OPTION_INVALID``, ``MBO_FILE_UNREADABLE``, ``MBO_FILE_CORRUPT``,
        ``MBO_SCHEMA_WRONG``, ``MBO_COLUMN_MISSING``, ``MBO_COLUMN_AMBIGUOUS``,
        ``MBO_SYMBOL_UNKNOWN``. While reading, with the place of the record:
        ``MBO_FILE_CORRUPT``, ``MBO_VALUE_INVALID``, ``MBO_SYMBOLOGY_MISSING``,
        ``MBO_INSTRUMENT_AMBIGUOUS``.
    """
    if batch_rows < 1:
        what = f"cannot read {path} in batches of {batch_rows} events"
        raise ContractError("MBO_OPTION_INVALID", what, "batch_rows", ("give 1 or more",))
    path = Path(path)
    form = _form(path)
    opened = read_header(path) if form == "dbn" else open_table(path, form)
    _refuse_unknown(opened.source, symbol)
    return EventReader(opened, Selection(symbol, window, skip_to_ns), batch_rows)


def file_digest(path: Path) -> str:
    """``blake3:…`` of a file's bytes as they are stored, whatever its size."""
    hasher = blake3()
    # Read and not mapped: pages of a mapped file would count as memory.
    with readable(path), path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE_BYTES):
            hasher.update(piece)
    return f"blake3:{hasher.hexdigest()}"


def _form(path: Path) -> str:
    is_packed = bool(compression_of(path))
    with unpacked(path) as stream:
        head = stream.read(4)
    if head == b"PAR1" and not is_packed:
        return "parquet"
    if head[:3] == b"DBN":
        return "dbn"
    if ".csv" in [suffix.lower() for suffix in path.suffixes]:
        return "csv"
    hint = "give DBN, parquet, or a CSV whose name says so; a damaged file, fetch again"
    what = f"it begins with {head!r}, as neither DBN nor parquet does"
    raise refusal(path, "MBO_FILE_CORRUPT", what, hint)


def _refuse_unknown(source: Source, symbol: str | None) -> None:
    """Refuse a symbol that no record to come can have: a live capture may yet map some."""
    is_told = bool(source.symbols) and source.schema == "mbo"
    if symbol is not None and is_told and symbol not in source.symbols:
        raise unknown_symbol(source, symbol, source.symbols)
