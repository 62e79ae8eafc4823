"""Columns of any Arrow type as the numbers of events, or the row where they are none.

Prices are read as decimals and rounded to 1e-9 half to even, so that no product of doubles
enters. Which columns a table has is the matter of ``mbo_columns``.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from engine.arrays import Floats, Ints
from engine.book.events import NO_PRICE, PRICE_UNIT, Letters
from islandflow_resources.mbo_records import known
from islandflow_resources.table_schemas import numbers_of

# Its functions are made when it is imported, out of a type checker's sight.
pc: Any = pyarrow.compute

INT64: Final = (-(2**63), 2**63 - 1)

_EXACT: Final = 2.0**52
_DIGITS: Final = pa.decimal128(38, 27)
_FIXED: Final = pa.decimal128(38, 9)
_INTEGER_HINT: Final = "store whole numbers"
_PRICE_HINT: Final = (
    "store integers of 1e-9, or prices with a decimal point and an absolute value below 9.2e9"
)
_TIME_HINT: Final = "store integer nanoseconds since 1970 UTC, timestamps, or ISO-8601 text"


class ValueOffence(Exception):  # noqa: N818 - caught next door, where the file is known
    """A value that is none of its column's.

    Parameters
    ----------
    row : int
        In the array.
    """

    def __init__(self, row: int, what: str, hint: str) -> None:
        super().__init__(what)
        self.row = row
        self.what = what
        self.hint = hint


def plain(values: pa.Array) -> pa.Array:
    """`values` without dictionary, and text and bytes as plain strings."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if _is_text(values.type) and not pa.types.is_string(values.type):
        return _cast(values, pa.string(), _INTEGER_HINT)
    return values


def integers(values: pa.Array, low: int, high: int, hint: str = _INTEGER_HINT) -> Ints:
    """Whole numbers ``low … high`` as int64, from integers of any width or their text.

    Raises
    ------
    ValueOffence
    """
    values = plain(values)
    _refuse_nulls(values, hint)
    if pa.types.is_string(values.type):
        values = _cast(values, pa.int64(), hint)
    if not pa.types.is_integer(values.type):
        raise ValueOffence(0, f"it is of type {values.type}", hint)
    numbers = numbers_of(values)
    outside = np.zeros(len(numbers), np.bool_)
    if low > np.iinfo(numbers.dtype).min:
        outside |= numbers < low
    if high < np.iinfo(numbers.dtype).max:
        outside |= numbers > high
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueOffence(row, f"{numbers[row]} is not between {low} and {high}", hint)
    return numbers.astype(np.int64)


def identities(values: pa.Array) -> Ints:
    """Ids of 64 bits, signed or not, as their bits.

    Raises
    ------
    ValueOffence
    """
    values = plain(values)
    _refuse_nulls(values, _INTEGER_HINT)
    if pa.types.is_string(values.type):
        is_signed = bool(pc.any(pc.starts_with(values, "-")).as_py())
        values = _cast(values, pa.int64() if is_signed else pa.uint64(), _INTEGER_HINT)
    if pa.types.is_uint64(values.type):
        return numbers_of(values).view(np.int64)
    return integers(values, *INT64)


def letters(values: pa.Array, alphabet: str) -> Letters:
    """ASCII codes of letters of `alphabet`.

    Raises
    ------
    ValueOffence
    """
    hint = f"store one of the letters {' '.join(alphabet)}"
    values = plain(values)
    _refuse_nulls(values, hint)
    if not pa.types.is_string(values.type):
        raise ValueOffence(0, f"it is of type {values.type}", hint)
    lengths = np.diff(_offsets(values))
    codes = np.zeros(len(values), np.uint8)
    if (lengths == 1).all() and len(values):
        start = int(_offsets(values)[0])
        codes = np.frombuffer(values.buffers()[2], np.uint8, len(values), start).copy()
    good = known(codes, alphabet) & (lengths == 1)
    if not good.all():
        row = int(np.argmin((lengths == 1) if (lengths != 1).any() else good))
        raise ValueOffence(row, f"{values[row].as_py()!r} is none of {' '.join(alphabet)}", hint)
    return codes


def instants(values: pa.Array) -> Ints:
    """Nanoseconds since 1970 UTC; −1 where the source says that there is no time.

    Raises
    ------
    ValueOffence
    """
    values = plain(values)
    kind = values.type
    if pa.types.is_string(kind):
        _refuse_nulls(values, _TIME_HINT)
        first = values[0].as_py() if len(values) else ""
        if first.lstrip("-").isdigit():
            return identities(values)
        zone = "UTC" if _casts(values[:1], pa.timestamp("ns", "UTC")) else None
        values = _cast(values, pa.timestamp("ns", zone), _TIME_HINT)
    elif pa.types.is_timestamp(kind):
        _refuse_nulls(values, _TIME_HINT)
        values = _cast(values, pa.timestamp("ns", kind.tz), _TIME_HINT)
    else:
        return identities(values)
    return numbers_of(values.cast(pa.int64()))


def prices(values: pa.Array, is_decimal: bool) -> Ints:
    """Prices in 1e-9, `NO_PRICE` where there is none.

    Parameters
    ----------
    is_decimal : bool
        Whether text says whole prices, see `is_decimal_text`; other types speak for
        themselves: integers are of 1e-9, doubles and decimals are prices.

    Raises
    ------
    ValueOffence
    """
    values = plain(values)
    kind = values.type
    if pa.types.is_null(kind):
        return np.full(len(values), NO_PRICE, np.int64)
    if pa.types.is_floating(kind):
        return _of_doubles(values)
    if pa.types.is_decimal(kind):
        return _of_decimals(values)
    if pa.types.is_string(kind) and is_decimal:
        return _of_decimals(_cast(values, _DIGITS, _PRICE_HINT))
    gaps = values.is_null()
    if pa.types.is_string(kind):
        values = _cast(values, pa.int64(), _PRICE_HINT)
    filled = values if not values.null_count else pc.fill_null(values, 0)
    numbers = integers(filled, *INT64, _PRICE_HINT)
    return np.where(gaps.to_numpy(zero_copy_only=False), NO_PRICE, numbers)


def is_decimal_text(values: pa.Array) -> bool:
    """Whether a column of prices in text says prices: whether any has a decimal point."""
    values = plain(values)
    if not pa.types.is_string(values.type):
        return False
    return bool(pc.any(pc.match_substring_regex(values, "[.eE]")).as_py())


def _of_doubles(values: pa.Array) -> Ints:
    """Prices of doubles: the decimal that a double's shortest text says, rounded."""
    if pa.types.is_float64(values.type) and not values.null_count:
        numbers: Floats = numbers_of(values)
        with np.errstate(invalid="ignore", over="ignore"):
            units = np.rint(numbers * PRICE_UNIT)
            # Below 2⁵² units no two multiples of 1e-9 share a double: this one is it.
            if ((units / PRICE_UNIT == numbers) & (np.abs(units) < _EXACT)).all():
                return units.astype(np.int64)
    texts = pc.if_else(pc.is_nan(values), None, values).cast(pa.string())
    return _of_decimals(_cast(texts, _DIGITS, _PRICE_HINT))


def _of_decimals(values: pa.Array) -> Ints:
    rounded = _cast(pc.round(values, ndigits=9, round_mode="half_to_even"), _FIXED, _PRICE_HINT)
    words = np.frombuffer(rounded.buffers()[1], "<i8").reshape(-1, 2)
    words = words[rounded.offset : rounded.offset + len(rounded)]
    gaps = rounded.is_null().to_numpy(zero_copy_only=False)
    low, high = words[:, 0], words[:, 1]
    outside = (high != low >> 63) & ~gaps
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueOffence(row, f"{values[row].as_py()} is too large a price", _PRICE_HINT)
    return np.where(gaps, NO_PRICE, low)


def _is_text(kind: pa.DataType) -> bool:
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(test(kind) for test in tests)


def _offsets(values: pa.Array) -> npt.NDArray[np.int32]:
    buffer = values.buffers()[1]
    if not len(values) or buffer is None:
        return np.zeros(1, np.int32)
    return np.frombuffer(buffer, np.int32, len(values) + 1, values.offset * 4)


def _refuse_nulls(values: pa.Array, hint: str) -> None:
    if values.null_count:
        row = int(pc.index(values.is_null(), True).as_py())
        raise ValueOffence(row, "it is missing", hint)


def _cast(values: pa.Array, kind: pa.DataType, hint: str) -> Any:
    """Cast, or the first row that does not: found by halving, as the library names none."""
    try:
        return values.cast(kind)
    except (pa.ArrowException, ValueError):
        low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _casts(values[low:middle], kind) else (low, middle)
    raise ValueOffence(low, f"{_shown(values[low])} does not read", hint)


def _shown(value: pa.Scalar) -> str:
    try:
        return repr(str(value.as_py())[:60])
    except (OverflowError, ValueError):  # an instant no calendar has
        return f"its {value.type}"


def _casts(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except (pa.ArrowException, ValueError):
        return False
    return True
