"""Columns of any Arrow type as instants, integers or numbers, or the row where they are none.

Which columns a file has is the matter of ``bar_files``; what their values must obey,
of ``bar_rules``. A null stays a null.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from islandflow_resources.bar_rules import Offence, short

_NUMBER_HINT = "store numbers, with a point for the decimals and no thousands separators"
_TIME_HINT = (
    "store timestamps, ISO-8601 text such as 2024-01-01T00:00:00Z, all with a zone or all "
    "without, or a column ts_ns of integer nanoseconds since 1970 UTC"
)
_INTEGER_HINT = "store whole ticks, lots and nanoseconds as 64-bit integers"


def instants(name: str, values: pa.ChunkedArray) -> pa.Array | Offence:
    """Nanoseconds since 1970 UTC.

    Parameters
    ----------
    name : str
        Integers are instants under the name ``ts_ns`` alone, whose unit is known.
    values : ChunkedArray
        Timestamps of any unit and zone, dates, ISO-8601 text; without a zone, UTC.

    Returns
    -------
    pyarrow.Array of int64, or Offence
        ``DATA_COLUMN_TYPE``.
    """
    values = _plain(values)
    kind = values.type
    if name == "ts_ns" and pa.types.is_integer(kind):
        return _converted(name, values, pa.int64(), _TIME_HINT)
    if pa.types.is_string(kind):
        # The first says whether there is a zone; nothing to say is no zone.
        first = values.drop_null()[:1]
        zoned = len(first) and _casts(first, pa.timestamp("ns", "UTC"))
        kind = pa.timestamp("ns", "UTC" if zoned else None)
    elif pa.types.is_timestamp(kind):
        kind = pa.timestamp("ns", kind.tz)
    elif pa.types.is_date(kind):
        kind = pa.timestamp("ns")
    else:
        return _wrong_type(name, values, _TIME_HINT)
    return _converted(name, values, kind, _TIME_HINT)


def integers(name: str, values: pa.ChunkedArray) -> pa.Array | Offence:
    """Integers of any width, and nanosecond timestamps, as int64, or ``DATA_COLUMN_TYPE``."""
    values = _plain(values)
    is_ns = pa.types.is_timestamp(values.type) and values.type.unit == "ns"
    if not (pa.types.is_integer(values.type) or is_ns):
        return _wrong_type(name, values, _INTEGER_HINT)
    return _converted(name, values, pa.int64(), _INTEGER_HINT)


def numbers(name: str, values: pa.ChunkedArray, is_text: bool) -> pa.Array | Offence:
    """Integers and floats of any width as float64.

    Parameters
    ----------
    is_text : bool
        Whether text may hold numbers, as it does in a CSV.

    Returns
    -------
    pyarrow.Array of float64, or Offence
        ``DATA_COLUMN_TYPE``.
    """
    values = _plain(values)
    if pa.types.is_integer(values.type):
        # Beyond 2⁵³ integers are rounded, as their text would be.
        return values.cast(pa.float64(), safe=False).combine_chunks()
    if not (pa.types.is_floating(values.type) or (is_text and pa.types.is_string(values.type))):
        return _wrong_type(name, values, _NUMBER_HINT)
    return _converted(name, values, pa.float64(), _NUMBER_HINT)


def text_integers(name: str, values: pa.ChunkedArray) -> pa.Array | Offence:
    """Integers written as text as int64, or ``DATA_COLUMN_TYPE``."""
    return _converted(name, _plain(values), pa.int64(), _TIME_HINT)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """`values` without dictionary; text in its plain type and without spaces around."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    is_text = pa.types.is_string(values.type)
    return pc.ascii_trim_whitespace(values) if is_text else values  # pyright: ignore[reportAttributeAccessIssue]


def _converted(
    name: str, values: pa.ChunkedArray, kind: pa.DataType, hint: str
) -> pa.Array | Offence:
    try:
        converted = values.cast(kind)
    except pa.ArrowException:
        row = _first_unlike(values, kind)
        what = f"{name} is {_quoted(values, row)}, which is no {_meant(kind, row)}"
        return Offence("DATA_COLUMN_TYPE", what, hint, row, name)
    converted = converted.cast(pa.int64()) if pa.types.is_timestamp(kind) else converted
    return converted.combine_chunks()


def _first_unlike(values: pa.ChunkedArray, kind: pa.DataType) -> int:
    """Row of the first value that does not cast, found by halving."""
    first, after = 0, len(values)
    while after - first > 1:
        middle = (first + after) // 2
        if _casts(values[first:middle], kind):
            first = middle
        else:
            after = middle
    return first


def _casts(values: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowException:
        return False
    return True


def _quoted(values: pa.ChunkedArray, row: int) -> str:
    if pa.types.is_temporal(values.type):
        # Its calendar date may lie beyond what Python can tell.
        return f"{values[row].value} in {values.type}"
    if not pa.types.is_string(values.type):
        return str(values[row].as_py())
    # Text of a damaged file may be no text.
    return short(repr(values[row].cast(pa.binary()).as_py().decode(errors="replace")))


def _meant(kind: pa.DataType, row: int) -> str:
    if not pa.types.is_timestamp(kind):
        return "number" if pa.types.is_floating(kind) else "64-bit integer"
    zone = f" with{'' if kind.tz else 'out'} a zone, as in the first" if row else ""
    return f"instant from 1678 to 2261{zone}"


def _wrong_type(name: str, values: pa.ChunkedArray, hint: str) -> Offence:
    what = f"column {name} is of type {short(str(values.type))}"
    return Offence("DATA_COLUMN_TYPE", what, hint, column=name)
