"""Codes as Arrow tables and back: texts are dictionaries and codes, numbers are not copied.

Which texts there are is said by whoever makes a table: of a tape ``tape_tables``, of a detection
``flow_tables``. Nothing here knows what the columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from contracts.columns import Column, TableSchema
from contracts.errors import ContractError
from islandflow_resources.table_schemas import array_of, from_arrays, numbers_of, strings_of

Columns: TypeAlias = "dict[str, np.ndarray[Any, Any]]"


class TapeTexts:
    """Texts behind codes: symbols, contracts, and the fixed vocabularies.

    Parameters
    ----------
    symbols : sequence of str
        In the order of the universe.
    words : mapping
        Texts of the other columns, by table and name.
    """

    def __init__(
        self, symbols: Sequence[str], words: Mapping[tuple[str, str], tuple[str, ...]]
    ) -> None:
        self._symbols = tuple(symbols)
        self._symbol_texts = strings_of(self._symbols)
        self._contract_texts = strings_of([])
        self._fixed = {place: strings_of(texts) for place, texts in words.items()}

    def list_contracts(self, contracts: Sequence[str]) -> None:
        """Take the contracts so far; those known before keep their codes."""
        known = len(self._contract_texts)
        if len(contracts) > known:
            more = strings_of(contracts[known:])
            self._contract_texts = pa.concat_arrays([self._contract_texts, more])

    def of(self, schema: TableSchema, column: str) -> pa.Array:
        """Texts of a column by their codes.

        Raises
        ------
        ContractError
            ``TAPE_VOCABULARY_MISSING``.
        """
        fixed = self._fixed.get((schema.name, column))
        if fixed is not None:
            return fixed
        if column in ("symbol", "contract"):
            return self._symbol_texts if column == "symbol" else self._contract_texts
        said = f"nothing says what the codes of {schema.name}.{column} mean"
        raise ContractError("TAPE_VOCABULARY_MISSING", said, column, ("give its texts",))

    def names(self, places: Sequence[tuple[int, ...]]) -> pa.Array:
        """Symbols of each row, blank between them."""
        return strings_of([" ".join(self._symbols[place] for place in row) for row in places])


def dictionary_of(codes: np.ndarray[Any, Any], texts: pa.Array) -> pa.DictionaryArray:
    """Codes with those of `texts` that they use, in the order of `texts`.

    Raises
    ------
    ContractError
        ``TAPE_CODE_UNKNOWN`` with the first row that has a code without a text.
    """
    outside = (codes < 0) | (codes >= len(texts))
    if outside.any():
        row = int(outside.argmax())
        said = f"row {row} has the code {codes[row]}, there are {len(texts)} texts"
        raise ContractError("TAPE_CODE_UNKNOWN", said, f"row {row}", ("list the text first",))
    used = np.zeros(len(texts), np.bool_)
    used[codes] = True
    places = np.cumsum(used, dtype=np.int32) - np.int32(1)
    kept = texts.take(array_of(np.flatnonzero(used)))
    return pa.DictionaryArray.from_arrays(array_of(places[codes]), kept, safe=False)


def coded_table(
    schema: TableSchema,
    columns: Columns,
    texts: TapeTexts,
    given: dict[str, pa.Array] | None = None,
) -> pa.Table:
    """Table of codes with the texts behind them; columns of `given` are ready.

    Raises
    ------
    ContractError
        ``TAPE_CODE_UNKNOWN``, ``TAPE_VOCABULARY_MISSING``.
    """
    ready = given or {}
    arrays = {
        column.name: ready[column.name]
        if column.name in ready
        else _array(schema, column, columns, texts)
        for column in schema.columns
    }
    return from_arrays(schema, arrays, keep_codes=True)


def _array(schema: TableSchema, column: Column, columns: Columns, texts: TapeTexts) -> pa.Array:
    values = columns[column.name]
    if column.kind == "string":
        return dictionary_of(values, texts.of(schema, column.name))
    if column.kind == "bool":
        bits = np.packbits(values.astype(np.bool_), bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])
    return array_of(values)


def codes_of(values: pa.ChunkedArray, code: Callable[[str], int]) -> np.ndarray[Any, Any]:
    """Codes of a column of texts as it is read, each text asked for once; int32.

    Parameters
    ----------
    code : callable
        Code of a text.
    """
    if not len(values):
        return np.empty(0, np.int32)
    chunk = values.combine_chunks()
    chunk = chunk.chunk(0) if isinstance(chunk, pa.ChunkedArray) else chunk
    texts: list[str] = chunk.dictionary.to_pylist()
    return np.array([code(text) for text in texts], np.int32)[numbers_of(chunk.indices)]
