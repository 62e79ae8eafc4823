"""Stored tapes as batches again: a stretch at a time, texts turned back into codes.

The way back of ``tape_tables``; whoever judges a tape takes the same batches from a file as from
the engine. Nothing is verified here: that is ``tape_loader``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import numpy as np
import pyarrow as pa

from contracts.columns import Column, TableSchema
from contracts.errors import IntegrityError
from contracts.tape import TapeSpec
from contracts.tape_columns import (
    BURST_LABELS,
    CONTRACTS,
    PRINT_LABELS,
    SESSION_STATES,
    STREAMS,
)
from engine.tapes.market.events import VOCABULARIES, Batch, Columns
from islandflow_resources.coded_tables import codes_of
from islandflow_resources.table_schemas import bits_of, numbers_of
from islandflow_resources.tape_buckets import buckets_of
from islandflow_resources.tape_files import TABLES, TableReader
from islandflow_resources.tape_places import TapePlace

_NAMES: Final = ("focus_symbols", "event_symbols")
_READ: Final = (*STREAMS, PRINT_LABELS.name, SESSION_STATES.name)


class StoredBatches:
    """A stored tape as the engine gave it.

    Parameters
    ----------
    place : TapePlace
        With its labels.
    spec : TapeSpec

    Attributes
    ----------
    contract_ids : list of str
        In the order of their codes.
    contracts : Columns
        Layout ``option_contracts``, all that the tape lists.
    """

    def __init__(self, place: TapePlace, spec: TapeSpec) -> None:
        self._place, self._spec = place, spec
        self._symbols = {name: code for code, name in enumerate(spec.symbols)}
        table = self._whole(CONTRACTS)
        self.contract_ids: list[str] = table.column("contract").to_pylist()
        self._codes = {name: code for code, name in enumerate(self.contract_ids)}
        self.contracts = self.columns(table, CONTRACTS)

    def __iter__(self) -> Iterator[Batch]:
        """Every stretch of five minutes in order."""
        with ExitStack() as stack:
            readers = {
                name: TableReader(
                    stack.enter_context(self._place.open(f"{name}.parquet")), name, TABLES[name]
                )
                for name in _READ
            }
            for group, bucket in enumerate(buckets_of(self._spec)):
                tables = {name: reader.read(group) for name, reader in readers.items()}
                states = tables[SESSION_STATES.name]
                focus, events = (self._places(states.column(name)) for name in _NAMES)
                yield Batch(
                    bucket.start_ns,
                    bucket.end_ns,
                    {name: self.columns(tables[name], STREAMS[name]) for name in STREAMS},
                    self.columns(tables[PRINT_LABELS.name], PRINT_LABELS),
                    self.columns(states, SESSION_STATES, _NAMES),
                    focus,
                    events,
                )

    def bursts(self) -> Columns:
        """Labels of every burst."""
        return self.columns(self._whole(BURST_LABELS), BURST_LABELS)

    def columns(
        self, table: pa.Table, schema: TableSchema, left_out: tuple[str, ...] = ()
    ) -> Columns:
        """A stored table as columns of numbers and codes.

        Raises
        ------
        IntegrityError
            ``TAPE_VALUE_UNKNOWN`` for a text that has no code.
        """
        return {
            column.name: self._values(table.column(column.name), schema, column)
            for column in schema.columns
            if column.name not in left_out
        }

    def _whole(self, schema: TableSchema) -> pa.Table:
        with self._place.open(f"{schema.name}.parquet") as source:
            tables = list(TableReader(source, schema.name, schema).tables())
        return pa.concat_tables(tables).unify_dictionaries().combine_chunks()

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
            code = self._symbols.get(text)
        elif column == "contract":
            code = self._codes.get(text)
        else:
            words = VOCABULARIES[schema.name, column]
            code = words.index(text) if text in words else None
        if code is not None:
            return code
        raise IntegrityError(
            "TAPE_VALUE_UNKNOWN",
            f"{column} of {schema.name} is {text[:60]!a}, which the market does not have",
            f"{schema.name}.parquet, column {column}",
            ("move the tape away and make it again",),
        )

    def _places(self, names: pa.ChunkedArray) -> list[tuple[int, ...]]:
        """Symbols of each row as places in the universe."""
        return [tuple(self._symbols[name] for name in text.split()) for text in names.to_pylist()]
