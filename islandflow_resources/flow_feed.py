"""The four streams of a stored tape as the detector reads them, without its labels.

A stretch at a time; nothing but streams, contracts and the calendar is opened, and every file is
compared with the tape's manifest before. Symbols and contracts are numbered as they come.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import numpy as np
import pyarrow as pa

from contracts.columns import Column, TableSchema
from contracts.errors import IntegrityError
from contracts.tape_columns import (
    CONTRACTS,
    EQUITY_CONDITIONS,
    EVENT_CALENDAR,
    OPTION_CONDITIONS,
    OPTION_VENUES,
    STREAMS,
)
from engine.arrays import Ints
from engine.flow.rows import Columns
from engine.flow.watermark import STREAM_COLUMNS
from islandflow_resources.coded_tables import codes_of
from islandflow_resources.table_schemas import bits_of, numbers_of
from islandflow_resources.tape_files import TableReader
from islandflow_resources.tape_places import TapePlace, read_manifest

_WORDS: Final = {
    ("equity_prints", "condition"): EQUITY_CONDITIONS,
    ("option_prints", "exchange"): OPTION_VENUES,
    ("option_prints", "condition"): OPTION_CONDITIONS,
    ("option_contracts", "right"): ("C", "P"),
}


class TapeFeed:
    """Streams and reference data of one tape.

    Parameters
    ----------
    place : TapePlace
        Its labels are never opened.

    Raises
    ------
    IntegrityError
        ``TAPE_FILE_DIFFERS`` for a file that is not what the manifest says.

    Attributes
    ----------
    manifest : ExpectedOutputManifest
    symbols : list of str
        In the order of their codes.
    contract_ids : list of str
        In the order of their codes.
    contracts, calendar : Columns
        Layouts ``option_contracts`` and ``event_calendar``, texts as codes.
    """

    def __init__(self, place: TapePlace) -> None:
        self._place = TapePlace(place.store, place.prefix)
        self.manifest = read_manifest(self._place)
        self._refuse_changed()
        self._symbols: dict[str, int] = {}
        contracts, calendar = self._whole(CONTRACTS), self._whole(EVENT_CALENDAR)
        self.contract_ids: list[str] = contracts.column("contract").to_pylist()
        self._codes = {name: code for code, name in enumerate(self.contract_ids)}
        self.contracts = self._columns(contracts, CONTRACTS, CONTRACTS.names)
        self.calendar = self._columns(calendar, EVENT_CALENDAR, EVENT_CALENDAR.names)

    @property
    def symbols(self) -> list[str]:
        """Symbols that have come so far, in the order of their codes."""
        return list(self._symbols)

    def __iter__(self) -> Iterator[dict[str, Ints]]:
        """Events of every stretch, as ``engine.flow.api.FlowDetector.push`` takes them."""
        with ExitStack() as stack:
            readers = {
                name: TableReader(
                    stack.enter_context(self._place.open(f"{name}.parquet")), name, schema
                )
                for name, schema in STREAMS.items()
            }
            groups = max(len(reader.group_rows) for reader in readers.values())
            for group in range(groups):
                yield {name: self._events(reader, group) for name, reader in readers.items()}

    def _events(self, reader: TableReader, group: int) -> Ints:
        schema, names = reader.schema, STREAM_COLUMNS[reader.schema.name]
        if group >= len(reader.group_rows):
            return np.zeros((0, len(names)), dtype=np.int64)
        columns = self._columns(reader.read(group), schema, names)
        return np.stack([columns[name].astype(np.int64) for name in names], axis=1)

    def _columns(self, table: pa.Table, schema: TableSchema, names: tuple[str, ...]) -> Columns:
        return {
            column.name: self._values(table.column(column.name), schema, column)
            for column in schema.columns
            if column.name in names
        }

    def _values(
        self, values: pa.ChunkedArray, schema: TableSchema, column: Column
    ) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
        if column.kind == "bool":
            return bits_of(values)
        if column.kind != "string":
            return numbers_of(values)
        return codes_of(values, lambda text: self._code(schema, column.name, text))

    def _code(self, schema: TableSchema, column: str, text: str) -> int:
        if column == "symbol":
            return self._symbols.setdefault(text, len(self._symbols))
        if column == "contract":
            code = self._codes.get(text)
        else:
            words = _WORDS[schema.name, column]
            code = words.index(text) if text in words else None
        if code is not None:
            return code
        raise IntegrityError(
            "TAPE_VALUE_UNKNOWN",
            f"{column} of {schema.name} is {text[:60]!a}, which the tape does not list",
            f"{schema.name}.parquet, column {column}",
            ("move the tape away and make it again",),
        )

    def _whole(self, schema: TableSchema) -> pa.Table:
        with self._place.open(f"{schema.name}.parquet") as source:
            tables = list(TableReader(source, schema.name, schema).tables())
        return pa.concat_tables(tables).unify_dictionaries().combine_chunks()

    def _refuse_changed(self) -> None:
        stated = {one.path.rpartition("/")[2]: one.digest for one in self.manifest.artifacts}
        for name in (*STREAMS, CONTRACTS.name, EVENT_CALENDAR.name):
            file = f"{name}.parquet"
            found = self._place.digest(file)
            if found != stated[file]:
                raise IntegrityError(
                    "TAPE_FILE_DIFFERS",
                    f"its bytes have {found}, the manifest says {stated[file]}",
                    file,
                    ("move the tape away and make it again",),
                )
