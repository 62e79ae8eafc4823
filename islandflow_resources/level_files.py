"""Files of aggregated levels, made from files of market-by-order events.

The event file is read twice, first for its prices (``engine.book.ladder``); what is read
off the book is said in ``engine.book.levels``. Memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.columns import Column, TableSchema
from contracts.errors import ContractError
from engine.arrays import Ints
from engine.book.ladder import prices_of
from engine.book.levels import ABSENT, MAX_LEVELS, LevelReader, level_columns
from islandflow_resources.mbo_files import file_digest, read_events
from islandflow_resources.new_files import new_file, refuse_taken
from islandflow_resources.table_schemas import array_of, arrow_schema

_KEYS: Final = 3


@dataclass(frozen=True, slots=True)
class WrittenLevels:
    """A file of levels: its digest, rows, and the events it was made from."""

    path: Path
    digest: str
    rows: int
    events: int


def write_levels(path: Path, out: Path, levels: int, symbol: str | None = None) -> WrittenLevels:
    """Write the best levels of a file's book after each group of events, as parquet.

    Columns are those of `levels_table`; ``engine.book.levels`` says what they hold.

    Parameters
    ----------
    out : Path
        A name that is free; the file appears under it when it is whole.
    levels : int
        1 … 100, of each side.
    symbol : str, optional
        The instrument, needed if the file has several.

    Raises
    ------
    ContractError
        ``LEVELS_INVALID``, those of ``new_files.new_file`` and of
        ``mbo_files.read_events``. No file is left.
    """
    _refuse_levels(levels)
    refuse_taken(out)
    prices = prices_of(read_events(path, symbol=symbol))
    events = read_events(path, symbol=symbol)
    source = LevelReader(prices, levels)
    blocks = chain(chain.from_iterable(map(source.push, events)), source.finish())
    with new_file(out) as temporary, _writer(temporary, levels) as writer:
        rows = _write(writer, blocks)
        read = events.summary
        writer.add_key_value_metadata({"source_digest": read.digest, "symbol": read.symbol})
    return WrittenLevels(out, file_digest(out), rows, read.rows)


def levels_table(levels: int) -> TableSchema:
    """Layout of a file of levels; the names are those of Databento's aggregated books."""
    docs = {
        "px": "price, 1e-9 of the quote currency; null where there is no level",
        "sz": "lots",
        "ct": "orders",
    }
    columns = [
        Column(name, "int64", docs[name[4:6]], nullable=name[4:6] == "px")
        for name in level_columns(levels)[_KEYS:]
    ]
    keys = (
        Column("ts_ns", "int64", "time of the group's last event, as the tape has it"),
        Column("sequence", "int64", "its number of the feed's message"),
        Column("event_id", "int64", "number of events up to it, itself included"),
    )
    return TableSchema("book_levels", "1", (*keys, *columns))


def _writer(path: Path, levels: int) -> pq.ParquetWriter:
    layout = levels_table(levels)
    own = {"islandflow.table": layout.name, "islandflow.table_version": layout.version}
    # Measured on ten levels: they repeat from row to row, which dictionaries pack best, and
    # statistics of them, which nobody looks up, would take as long as all the rest.
    settings: dict[str, Any] = {
        "version": "2.6",
        "compression": "SNAPPY",
        "use_dictionary": list(layout.names[_KEYS:]),
        "column_encoding": dict.fromkeys(layout.names[:_KEYS], "DELTA_BINARY_PACKED"),
        "dictionary_pagesize_limit": 2**22,
        "write_statistics": list(layout.names[:_KEYS]),
        "write_page_checksum": True,
    }
    return pq.ParquetWriter(path, arrow_schema(layout, own), **settings)


def _write(writer: pq.ParquetWriter, blocks: Iterator[Ints]) -> int:
    """Write each block while the next is made; their number of rows."""
    rows = 0
    waiting: Future[None] | None = None
    with ThreadPoolExecutor(1, "levels") as thread:
        for block in blocks:
            if waiting is not None:
                waiting.result()
            rows += block.shape[1]
            waiting = thread.submit(_write_block, writer, block)
        if waiting is not None:
            waiting.result()
    return rows


def _write_block(writer: pq.ParquetWriter, block: Ints) -> None:
    schema: pa.Schema = writer.schema
    arrays = [
        _nullable(column) if field.nullable else array_of(column)
        for column, field in zip(block, schema, strict=True)
    ]
    writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _nullable(prices: Ints) -> pa.Array:
    absent = prices == ABSENT
    if not absent.any():
        return array_of(prices)
    mask = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.Array.from_buffers(pa.int64(), len(prices), [mask, pa.py_buffer(prices)])


def _refuse_levels(levels: int) -> None:
    if not 1 <= levels <= MAX_LEVELS:
        what = f"cannot write {levels} levels of a book"
        raise ContractError("LEVELS_INVALID", what, "levels", (f"give 1 … {MAX_LEVELS}",))
