"""Between logical columns and Arrow: the mapping, and tables that conform to it.

The layouts are ``contracts.columns``; their digests ``table_digest``; their files
``tables``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.columns import Column, TableSchema
from contracts.errors import ContractError, Problem

Values: TypeAlias = "np.ndarray[Any, Any] | pa.Array | pa.ChunkedArray | Sequence[Any]"

ARROW_TYPES: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "int8": pa.int8(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}


def arrow_schema(schema: TableSchema, metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """Arrow schema of a layout, in its order, with `metadata` as key-value texts."""
    fields = [
        pa.field(column.name, ARROW_TYPES[column.kind], column.nullable)
        for column in schema.columns
    ]
    return pa.schema(fields, dict(metadata) if metadata else None)


def from_arrays(
    schema: TableSchema, arrays: Mapping[str, Values], *, keep_codes: bool = False
) -> pa.Table:
    """Table of numpy arrays, without copying numbers.

    Parameters
    ----------
    schema : TableSchema
        Layout.
    arrays : mapping of str to array
        One-dimensional, equally long, exactly the column's dtype; Arrow arrays are
        taken too, as are sequences of str for ``string`` and with None for nullable
        columns.
    keep_codes : bool
        Leave texts that come as a dictionary and codes so, see `coded`.

    Raises
    ------
    ContractError
        ``TABLE_COLUMN_MISSING``, ``TABLE_COLUMN_UNKNOWN``, ``TABLE_COLUMN_TYPE``,
        ``TABLE_COLUMN_LENGTH`` or ``TABLE_COLUMN_NULL``, every column at once.
    """
    _refuse_names(schema, list(arrays))
    columns = {each.name: _array(schema, each, arrays[each.name]) for each in schema.columns}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise _error(schema, "TABLE_COLUMN_LENGTH", "", f"columns differ in length: {lengths}")
    return (coded if keep_codes else conformed)(pa.table(columns), schema)


def array_of(numbers: np.ndarray[Any, Any]) -> pa.Array:
    """Arrow array of numbers, not copied if they are contiguous.

    Unlike ``pyarrow.array``, this does not import pandas where that is installed.
    """
    buffer = pa.py_buffer(np.ascontiguousarray(numbers))
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, len(numbers), [None, buffer])


def nullable_of(numbers: np.ndarray[Any, Any]) -> pa.Array:
    """Arrow array of doubles with null for NaN, see `array_of`."""
    defined = ~np.isnan(numbers)
    if defined.all():
        return array_of(numbers)
    mask = pa.py_buffer(np.packbits(defined, bitorder="little"))
    buffer = pa.py_buffer(np.where(defined, numbers, 0.0))
    return pa.Array.from_buffers(pa.float64(), len(numbers), [mask, buffer])


def doubles_of(values: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Doubles of a column with NaN for null, see `numbers_of`."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if not array.null_count:
        return numbers_of(array)
    return numbers_of(pc.fill_null(array, float("nan")))


def strings_of(texts: Sequence[str]) -> pa.Array:
    """Arrow array of strings, without pandas, see `array_of`."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *(len(text) for text in encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))
    )


def numbers_of(values: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Numbers of a column without nulls as numpy sees them, not copied if in one chunk.

    Unlike ``to_numpy``, this does not import pandas where that is installed.
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    dtype = np.dtype("float64" if pa.types.is_float64(array.type) else str(array.type))
    buffer = array.buffers()[1]
    if not len(array) or buffer is None:
        return np.empty(0, dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize)


def bits_of(values: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Truth values, without pandas, see `numbers_of`."""
    array = values.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) and array.num_chunks else array
    if not len(array):
        return np.empty(0, np.bool_)
    packed = np.frombuffer(array.buffers()[1], np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def conformed(table: pa.Table, schema: TableSchema) -> pa.Table:
    """`table` with exactly the columns of `schema`, in order and in plain encodings.

    Dictionaries are decoded, long and view strings become strings, nanosecond
    timestamps become int64; any other difference in type is refused. The key-value
    metadata of the table is dropped.

    Raises
    ------
    ContractError
        As `from_arrays`.
    """
    _refuse_names(schema, table.column_names)
    columns = [_plain(table.column(column.name), column) for column in schema.columns]
    problems = [
        problem
        for column, values in zip(schema.columns, columns, strict=True)
        for problem in _column_problems(schema, column, values)
    ]
    _raise_all(problems)
    return pa.Table.from_arrays(columns, schema=arrow_schema(schema))


def coded(table: pa.Table, schema: TableSchema) -> pa.Table:
    """As `conformed`, but texts that come as a dictionary and codes stay so.

    Raises
    ------
    ContractError
        As `from_arrays`.
    """
    _refuse_names(schema, table.column_names)
    columns: list[pa.ChunkedArray] = []
    problems: list[Problem] = []
    for column in schema.columns:
        values = table.column(column.name)
        if not _is_coded(values, column):
            values = _plain(values, column)
            problems += _column_problems(schema, column, values)
        columns.append(values)
    _raise_all(problems)
    fields = [
        pa.field(column.name, values.type, column.nullable)
        for column, values in zip(schema.columns, columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _is_coded(values: pa.ChunkedArray, column: Column) -> bool:
    """Whether a column holds codes of strings, every one of them valid."""
    if column.kind != "string" or not pa.types.is_dictionary(values.type):
        return False
    if not pa.types.is_string(values.type.value_type) or values.null_count:
        return False
    return not any(chunk.dictionary.null_count for chunk in values.chunks)


def _array(schema: TableSchema, column: Column, values: Values) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, np.ndarray) and values.ndim != 1:
        message = f"has {values.ndim} dimensions, not one"
        raise _error(schema, "TABLE_COLUMN_TYPE", column.name, message)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return array_of(values)
    try:
        return pa.array(values, ARROW_TYPES[column.kind])
    except (pa.ArrowException, TypeError, OverflowError) as error:
        message = f"does not hold {column.kind}: {error}"
        raise _error(schema, "TABLE_COLUMN_TYPE", column.name, message) from error


def _plain(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    wanted = ARROW_TYPES[column.kind]
    if values.type == wanted:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    stringish = pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type)
    if column.kind == "string" and stringish:
        return values.cast(wanted)
    is_ns = pa.types.is_timestamp(values.type) and values.type.unit == "ns"
    return values.cast(wanted) if column.kind == "int64" and is_ns else values


def _column_problems(schema: TableSchema, column: Column, values: pa.ChunkedArray) -> list[Problem]:
    if values.type != ARROW_TYPES[column.kind]:
        message = f"is {values.type}, not {column.kind}"
        return [_problem(schema, "TABLE_COLUMN_TYPE", column.name, message)]
    if values.null_count and not column.nullable:
        row = pc.index(values.is_null(), True).as_py()
        message = f"has {values.null_count} nulls, the first in row {row}"
        return [_problem(schema, "TABLE_COLUMN_NULL", column.name, message)]
    return []


def _refuse_names(schema: TableSchema, names: list[str]) -> None:
    missing = [name for name in schema.names if name not in names]
    unknown = [name for name in names if name not in schema.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    _raise_all(
        [_problem(schema, "TABLE_COLUMN_MISSING", name, "is missing") for name in missing]
        + [_problem(schema, "TABLE_COLUMN_UNKNOWN", name, "is no column") for name in unknown]
        + [_problem(schema, "TABLE_COLUMN_UNKNOWN", name, "is there twice") for name in twice]
    )


def _problem(schema: TableSchema, code: str, name: str, what: str) -> Problem:
    subject = f"column {name} " if name else ""
    message = f"cannot make a {schema.name} table: {subject}{what}"
    hint = f"the columns are {', '.join(f'{c.name} {c.kind}' for c in schema.columns)}"
    return Problem(code, message, name, (hint,))


def _error(schema: TableSchema, code: str, name: str, what: str) -> ContractError:
    problem = _problem(schema, code, name, what)
    return ContractError(problem.code, problem.message, problem.loc, problem.hints)


def _raise_all(problems: list[Problem]) -> None:
    if problems:
        first, *others = problems
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
