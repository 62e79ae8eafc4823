"""Tables of market-by-order records, parquet or CSV, streamed: our columns or Databento's.

A table with ``ts_ns`` or ``price_int`` is of our layout (``contracts.columns.MBO_EVENTS``,
its column ``sequence`` optional, any width of integers); any other is Databento's:
``ts_event action side order_id price size flags``, and where there are some ``sequence
instrument_id symbol rtype publisher_id``. Values are the matter of ``mbo_values``, what
the records become that of ``mbo_rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from contracts.columns import MBO_EVENTS
from engine.arrays import Ints
from engine.book.events import ACTIONS, SIDES, Events
from islandflow_resources import mbo_values as of
from islandflow_resources.mbo_dbn import MBO, readable, too_swollen, unpacked
from islandflow_resources.mbo_records import MAX_SIZE, Records, Skipped, Source, refusal
from islandflow_resources.unpacking import BoundedStream, swollen

_OWN: Final = tuple(name for name in MBO_EVENTS.names if name != "sequence")
_RAW: Final = ("ts_event", "action", "side", "order_id", "price", "size", "flags")
_MORE: Final = ("sequence", "instrument_id", "symbol", "rtype", "publisher_id")
_NOTHING: Final = ["", "NaN", "nan", "null", "NULL", "None"]
_PIECE_BYTES: Final = 2**20
_MAX_FLAGS: Final = 2**31 - 1

_Numbers = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose columns are known and whose rows are not yet read."""

    source: Source
    names: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.source.path


def open_table(path: Path, form: str) -> Table:
    """Read what a table says of itself, and refuse one without the columns.

    Parameters
    ----------
    form : str
        ``parquet`` or ``csv``.

    Raises
    ------
    ContractError
        ``MBO_FILE_CORRUPT``, ``MBO_COLUMN_MISSING`` or ``MBO_COLUMN_AMBIGUOUS``.
    """
    texts: dict[str, str] = {}
    with readable(path):
        if form == "parquet":
            schema = pq.read_schema(path)
            names = list(schema.names)
            texts = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}
        else:
            with unpacked(path) as stream:
                names = _csv(stream).schema.names
    is_own = "ts_ns" in names or "price_int" in names
    needed = _OWN if is_own else _RAW
    _refuse_columns(path, names, needed)
    symbols = (texts["symbol"],) if is_own and texts.get("symbol") else ()
    source = Source(path, form, not is_own, schema="mbo", symbols=symbols)
    return Table(source, (*needed, *(name for name in _MORE if name in names)))


def read_rows(table: Table, rows: int) -> Iterator[Records | Skipped]:
    """Stretches of at most `rows` rows, in the order of the table.

    Raises
    ------
    ContractError
        ``MBO_FILE_CORRUPT`` or ``MBO_VALUE_INVALID``, naming row and column.
    """
    reader = _Rows(table)
    is_parquet = table.source.form == "parquet"
    for batch in _parquet_batches(table, rows) if is_parquet else _csv_batches(table):
        for start in range(0, batch.num_rows, rows):
            yield from reader.take(batch.slice(start, rows))


class _Rows:
    """Rows as records, with what must not change from batch to batch."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._number = 0
        self._codes: dict[str, int] = {}
        self._is_decimal: bool | None = None

    def take(self, batch: pa.RecordBatch) -> Iterator[Records | Skipped]:
        """Records of a batch, and the rows that are of another kind."""
        numbers: Ints | None = None
        first = self._number
        self._number += batch.num_rows
        if "rtype" in self._table.names:
            is_mbo = self._column(batch, first, None, "rtype", _integers(0, 255)) == MBO
            if not is_mbo.all():
                kept = np.flatnonzero(is_mbo)
                yield Skipped({"rtype_other": batch.num_rows - len(kept)})
                batch, numbers = batch.take(pa.array(kept)), kept + first
        if batch.num_rows:
            yield self._records(batch, first, numbers)

    def _records(self, batch: pa.RecordBatch, first: int, numbers: Ints | None) -> Records:
        def column(name: str, convert: Callable[[pa.Array], _Numbers]) -> Ints:
            return self._column(batch, first, numbers, name, convert)

        nothing = np.zeros(batch.num_rows, np.int64)
        events = self._events(column, nothing)
        has_ids, has_symbols = (name in self._table.names for name in ("instrument_id", "symbol"))
        symbols = column("symbol", self._symbols) if has_symbols else None
        ids = column("instrument_id", _integers(*of.INT64)) if has_ids else symbols
        venues = "publisher_id" in self._table.names
        return Records(
            events,
            nothing if ids is None else ids,
            column("publisher_id", _integers(*of.INT64)) if venues else nothing,
            events.ts_ns,
            symbols,
            tuple(self._codes),
            has_ids,
            first,
            numbers,
        )

    def _events(
        self, column: Callable[[str, Callable[[pa.Array], _Numbers]], Ints], nothing: Ints
    ) -> Events:
        is_raw = self._table.source.is_raw
        return Events(
            column("ts_event", of.instants) if is_raw else column("ts_ns", _integers(0)),
            column("action", lambda values: of.letters(values, ACTIONS)).astype(np.uint8),
            column("side", lambda values: of.letters(values, SIDES)).astype(np.uint8),
            column("order_id", of.identities),
            column("price", self._prices) if is_raw else column("price_int", _integers(-(2**63))),
            column("size", _integers(0, MAX_SIZE)),
            column("flags", _integers(0, _MAX_FLAGS)).astype(np.int32),
            column("sequence", _integers(0)) if "sequence" in self._table.names else nothing,
        )

    def _prices(self, values: pa.Array) -> Ints:
        if self._is_decimal is None:
            self._is_decimal = of.is_decimal_text(values)
        return of.prices(values, self._is_decimal)

    def _symbols(self, values: pa.Array) -> Ints:
        """Codes of names, counted on from batch to batch; of none the name is empty."""
        coded = of.plain(values).cast(pa.string()).dictionary_encode(null_encoding="encode")
        names = [name or "" for name in coded.dictionary.to_pylist()]
        codes = [self._codes.setdefault(name, len(self._codes)) for name in names]
        return np.array(codes, np.int64)[coded.indices.to_numpy()]

    def _column(
        self,
        batch: pa.RecordBatch,
        first: int,
        numbers: Ints | None,
        name: str,
        convert: Callable[[pa.Array], _Numbers],
    ) -> Ints:
        try:
            return convert(batch.column(name))  # pyright: ignore[reportReturnType]
        except of.ValueOffence as offence:
            row = first + offence.row if numbers is None else int(numbers[offence.row])
            loc = f"row {row}, column {name}"
            code = "MBO_VALUE_INVALID"
            raise refusal(self._table.path, code, offence.what, offence.hint, loc) from None


def _integers(low: int, high: int = 2**63 - 1) -> Callable[[pa.Array], Ints]:
    return lambda values: of.integers(values, low, high)


def _parquet_batches(table: Table, rows: int) -> Iterator[pa.RecordBatch]:
    # A row group is read by pieces and not whole, however large it is.
    settings: dict[str, Any] = {
        "pre_buffer": False,
        "buffer_size": _PIECE_BYTES,
        "page_checksum_verification": True,
    }
    with readable(table.path), pq.ParquetFile(table.path, **settings) as file:
        what = swollen(file.metadata, table.path.stat().st_size, set(table.names))
        if what:
            raise too_swollen(table.path, what)
        yield from file.iter_batches(rows, columns=list(table.names), use_threads=False)


def _csv_batches(table: Table) -> Iterator[pa.RecordBatch]:
    with readable(table.path), unpacked(table.path) as stream:
        yield from _csv(stream, table.names)


def _csv(
    stream: pa.NativeFile | BoundedStream, names: tuple[str, ...] = ()
) -> pacsv.CSVStreamingReader:
    """A CSV as text, block by block: what is no number can then be found and quoted."""
    return pacsv.open_csv(
        stream,
        pacsv.ReadOptions(use_threads=False, block_size=_PIECE_BYTES),
        pacsv.ParseOptions(delimiter=","),
        pacsv.ConvertOptions(
            include_columns=list(names),
            column_types=dict.fromkeys(names, pa.string()),
            null_values=_NOTHING,
            strings_can_be_null=True,
        ),
    )


def _refuse_columns(path: Path, names: list[str], needed: tuple[str, ...]) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        kind = "our layout" if needed is _OWN else "Databento's layout"
        what = f"it has no column {', '.join(missing)}; it has: {', '.join(names)[:300]}"
        hint = f"columns of {kind} are {', '.join(needed)}"
        raise refusal(path, "MBO_COLUMN_MISSING", what, hint, f"column {missing[0]}")
    twice = [name for name in (*needed, *_MORE) if names.count(name) > 1]
    if twice:
        what = f"it has {names.count(twice[0])} columns {twice[0]}"
        hint = "keep one of them"
        raise refusal(path, "MBO_COLUMN_AMBIGUOUS", what, hint, f"column {twice[0]}")
