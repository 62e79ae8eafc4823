"""Content digest of a table: what it says, whatever wrote, split or encoded it.

One BLAKE3 per column over its rows in order, little-endian:

- ``int64 int32 int8``: the value; ``bool``: one byte, 0 or 1
- ``float64``: the value; NaN is refused, −0 counts as +0
- ``string``: length in bytes as unsigned 32 bit, then UTF-8
- a nullable column: the value of a null is all zeros (a string: length 0), and one
  validity byte, 1 or 0, follows each row's value

The digest is BLAKE3 over the canonical JSON of ``{"format", "schema", "metadata",
"rows", "columns"}`` with rows as decimal string and columns as hex digests.
Files live in ``tables``, the conforming of tables in ``table_schemas``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from contracts.canonical import Json, canonical_json
from contracts.columns import TableSchema
from contracts.errors import ContractError
from islandflow_resources.table_schemas import coded, numbers_of, strings_of

FORMAT = "islandflow-table/1"
Bytes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"


class TableHasher:
    """Content digest of a table that arrives in pieces.

    Parameters
    ----------
    schema : TableSchema
        Layout that every piece must conform to.
    metadata : mapping of str to str, optional
        Texts that belong to the meaning of the values, such as the tick size.

    Examples
    --------
    >>> from contracts.columns import LABELS
    >>> TableHasher(LABELS).digest()[:11]
    'blake3:13d0'
    """

    def __init__(self, schema: TableSchema, metadata: Mapping[str, str] | None = None) -> None:
        self.schema = schema
        self.metadata = dict(metadata or {})
        self.rows = 0
        self._hashers = [blake3() for _ in schema.columns]

    def update(self, piece: pa.Table | pa.RecordBatch) -> None:
        """Append the rows of `piece`.

        Raises
        ------
        ContractError
            If it does not conform, or ``TABLE_COLUMN_NAN``.
        """
        table = pa.Table.from_batches([piece]) if isinstance(piece, pa.RecordBatch) else piece
        table = coded(table, self.schema)
        for column, values, hasher in zip(
            self.schema.columns, table.columns, self._hashers, strict=True
        ):
            encode = _ENCODERS[column.kind]
            for chunk in values.chunks:
                if column.kind == "float64":
                    self._refuse_nan(column.name, chunk)
                hasher.update(encode(chunk, column.nullable).data)
        self.rows += table.num_rows

    def digest(self) -> str:
        """``blake3:…`` of all rows so far."""
        columns: list[Json] = [
            {"name": column.name, "kind": column.kind, "nullable": column.nullable}
            for column in self.schema.columns
        ]
        document: Json = {
            "format": FORMAT,
            "schema": {
                "name": self.schema.name,
                "version": self.schema.version,
                "columns": columns,
            },
            "metadata": dict(self.metadata),
            "rows": str(self.rows),
            "columns": [hasher.hexdigest() for hasher in self._hashers],
        }
        return f"blake3:{blake3(canonical_json(document)).hexdigest()}"

    def _refuse_nan(self, name: str, chunk: pa.Array) -> None:
        nan = np.isnan(numbers_of(_filled(chunk, 0.0) if chunk.null_count else chunk))
        if not nan.any():
            return
        row = int(nan.argmax())
        raise ContractError(
            "TABLE_COLUMN_NAN",
            f"cannot digest a {self.schema.name} table: column {name} is not a number, "
            f"first in row {row} of a chunk",
            name,
            ("store null in a nullable column where a value is undefined",),
        )


def content_digest(
    table: pa.Table, schema: TableSchema, metadata: Mapping[str, str] | None = None
) -> str:
    """Content digest of a whole table, as ``blake3:…``.

    Raises
    ------
    ContractError
        If the table does not conform to `schema`, or ``TABLE_COLUMN_NAN``.
    """
    hasher = TableHasher(schema, metadata)
    hasher.update(table)
    return hasher.digest()


def _integers(dtype: str) -> Callable[[pa.Array, bool], Bytes]:
    def encode(chunk: pa.Array, nullable: bool) -> Bytes:
        if not nullable:
            return _raw(numbers_of(chunk), dtype)
        return _with_validity(_filled(chunk, 0).to_numpy(zero_copy_only=True), chunk, dtype)

    return encode


def _floats(chunk: pa.Array, nullable: bool) -> Bytes:
    if not nullable:
        return _raw(numbers_of(chunk) + 0.0, "<f8")
    return _with_validity(_filled(chunk, 0.0).to_numpy(zero_copy_only=True) + 0.0, chunk, "<f8")


def _bools(chunk: pa.Array, nullable: bool) -> Bytes:
    if not nullable:
        return _raw(chunk.to_numpy(zero_copy_only=False), "u1")
    return _with_validity(_filled(chunk, False).to_numpy(zero_copy_only=False), chunk, "u1")


def _strings(chunk: pa.Array, nullable: bool) -> Bytes:
    """Rows of (length, text[, validity]), assembled without a loop over rows."""
    if pa.types.is_dictionary(chunk.type):
        if not nullable:
            return _looked_up(chunk)
        chunk = chunk.dictionary_decode()
    filled = _filled(chunk, "") if nullable else chunk
    # A fresh array starts at offset 0 and has no text beyond its last row.
    fresh = pa.concat_arrays([filled, strings_of([])])
    _, offsets_buffer, text_buffer = fresh.buffers()
    rows = len(fresh)
    if not rows:
        return np.empty(0, np.uint8)
    offsets = np.frombuffer(offsets_buffer, "<i4")[: rows + 1].astype(np.int64)
    text = np.frombuffer(text_buffer, np.uint8) if text_buffer else np.empty(0, np.uint8)
    text = text[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    extra = 5 if nullable else 4
    out = np.empty(offsets[-1] + extra * rows, np.uint8)
    is_text = np.ones(len(out), np.bool_)
    starts = offsets[:-1] + extra * np.arange(rows)
    heads = starts[:, None] + np.arange(4)
    out[heads] = np.diff(offsets).astype("<u4").view(np.uint8).reshape(rows, 4)
    is_text[heads] = False
    if nullable:
        tails = starts + 4 + np.diff(offsets)
        out[tails] = _validity(chunk)
        is_text[tails] = False
    out[is_text] = text
    return out


def _looked_up(chunk: pa.DictionaryArray) -> Bytes:
    """Rows of (length, text) of codes: each text is encoded once, then taken by its code."""
    texts = chunk.dictionary
    rows = _strings(texts, False)
    ends = np.zeros(len(texts) + 1, np.int32)
    lengths = pc.binary_length(texts)  # pyright: ignore[reportAttributeAccessIssue]
    np.cumsum(numbers_of(lengths) + 4, out=ends[1:])
    encoded = pa.BinaryArray.from_buffers(
        pa.binary(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(rows)]
    )
    taken = encoded.take(chunk.indices)
    _, offsets, data = taken.buffers()
    if data is None:
        return np.empty(0, np.uint8)
    first, last = np.frombuffer(offsets, "<i4")[[taken.offset, taken.offset + len(taken)]]
    return np.frombuffer(data, np.uint8)[first:last]


def _raw(values: np.ndarray[Any, Any], dtype: str) -> Bytes:
    return np.ascontiguousarray(values, dtype).view(np.uint8)


def _with_validity(values: np.ndarray[Any, Any], chunk: pa.Array, dtype: str) -> Bytes:
    rows = np.empty(len(values), [("value", dtype), ("valid", "u1")])
    rows["value"], rows["valid"] = values, _validity(chunk)
    return rows.view(np.uint8)


def _validity(chunk: pa.Array) -> Bytes:
    return chunk.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)


def _filled(chunk: pa.Array, zero: float | str) -> pa.Array:
    return chunk.fill_null(pa.scalar(zero, chunk.type))


_ENCODERS: dict[str, Callable[[pa.Array, bool], Bytes]] = {
    "int64": _integers("<i8"),
    "int32": _integers("<i4"),
    "int8": _integers("<i1"),
    "float64": _floats,
    "bool": _bools,
    "string": _strings,
}
