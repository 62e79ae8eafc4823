"""Prices, times and letters of columns, against exact decimals and the standard library."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.book.events import NO_PRICE
from islandflow_resources.mbo_values import (
    ValueOffence,
    identities,
    instants,
    integers,
    is_decimal_text,
    letters,
    prices,
)

UNIT = Decimal("1e-9")


def exact(price):
    """Units of the decimal that a number's shortest text says."""
    return int((Decimal(str(price)) / UNIT).to_integral_value(ROUND_HALF_EVEN))


@given(st.lists(st.integers(-(2**63), NO_PRICE - 1), min_size=1, max_size=20))
def test_prices_in_text_and_decimals_are_exact_to_the_last_unit(units):
    decimals = [Decimal(unit).scaleb(-9) for unit in units]
    texts = pa.array([f"{each:f}" for each in decimals])
    assert prices(texts, True).tolist() == units
    for kind in (pa.decimal128(38, 12), pa.decimal256(60, 9)):
        assert prices(pa.array(decimals, kind), False).tolist() == units


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20))
def test_doubles_of_fixed_point_prices_give_the_fixed_point_back(units):
    doubles = pa.array([float(Decimal(unit).scaleb(-9)) for unit in units])
    assert prices(doubles, False).tolist() == units


@given(st.lists(st.floats(-9e9, 9e9).filter(lambda x: x == 0 or abs(x) > 1e-9), min_size=1))
def test_any_double_is_the_decimal_of_its_shortest_text(numbers):
    assert prices(pa.array(numbers), False).tolist() == [exact(each) for each in numbers]


def test_a_product_of_doubles_would_be_wrong_where_this_is_not():
    cut, rounded = 8795.55, 8_846_682.71020984
    assert int(cut * 1e9) == exact(cut) - 1
    assert np.rint(rounded * 1e9) == exact(rounded) + 1
    assert prices(pa.array([cut, rounded]), False).tolist() == [exact(cut), exact(rounded)]


def test_prices_of_none_are_none_in_every_type():
    for values in (
        pa.array([1.5, None, float("nan")]),
        pa.array(["1.5", None, None]),
        pa.array([Decimal("1.5"), None, None]),
    ):
        assert prices(values, True).tolist() == [1_500_000_000, NO_PRICE, NO_PRICE]
    assert prices(pa.array([7, None]), False).tolist() == [7, NO_PRICE]
    assert prices(pa.array(["7", None]), False).tolist() == [7, NO_PRICE]
    assert prices(pa.array([None, None]), False).tolist() == [NO_PRICE] * 2


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.0, float("inf")]),
        pa.array([1.0, 1e10]),
        pa.array(["1.5", "x"]),
        pa.array([Decimal(1), Decimal(10**10)]),
        pa.array([1, 2**63], pa.uint64()),
    ],
)
def test_a_price_beyond_all_is_named(values):
    with pytest.raises(ValueOffence) as caught:
        prices(values, True)
    assert caught.value.row == 1


def test_text_is_decimal_if_any_of_it_has_a_point():
    assert not is_decimal_text(pa.array(["1", "-2", None]))
    assert is_decimal_text(pa.array(["1", "2.5"]))
    assert is_decimal_text(pa.array(["1", "2e-3"]))
    assert not is_decimal_text(pa.array([2.5]))


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=9))
def test_times_are_the_same_as_integers_timestamps_and_text(times):
    texts = []
    for time in times:
        seconds, rest = divmod(time, 10**9)
        texts.append(f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}")
    for values in (
        pa.array(times),
        pa.array(times, pa.uint64()),
        pa.array(map(str, times)),
        pa.array(times, pa.timestamp("ns", "UTC")),
        pa.array(times, pa.timestamp("ns", "America/New_York")),
        pa.array(texts),
        pa.array([f"{text}Z" for text in texts]),
        pa.array([f"{text}+00:00".replace("T", " ") for text in texts]),
    ):
        assert instants(values).tolist() == times


def test_an_undefined_time_is_negative():
    assert instants(pa.array([2**64 - 1], pa.uint64())).tolist() == [-1]
    assert instants(pa.array([str(2**64 - 1)])).tolist() == [-1]


def test_coarser_timestamps_are_nanoseconds_or_refused():
    assert instants(pa.array([7], pa.timestamp("ms", "UTC"))).tolist() == [7_000_000]
    with pytest.raises(ValueOffence, match="timestamp"):
        instants(pa.array([2**60], pa.timestamp("s")))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=9))
def test_ids_keep_their_bits(ids):
    bits = np.array(ids, np.uint64).view(np.int64)
    for values in (
        pa.array(ids, pa.uint64()),
        pa.array(bits),
        pa.array(list(map(str, ids)), pa.string()),
        pa.array(list(map(str, bits.tolist())), pa.string()),
    ):
        if values.type == pa.string() and len({text[:1] == "-" for text in map(str, bits)}) > 1:
            continue
        assert identities(values).tolist() == bits.tolist()


def test_letters_read_from_every_kind_of_text():
    texts = pa.array(["A", "B", "A"])
    for values in (
        texts,
        texts.dictionary_encode(),
        texts.cast(pa.large_string()),
        texts.cast(pa.binary()),
        texts.cast(pa.binary(1)),
        pa.concat_arrays([pa.array(["xx"]), texts]).slice(1),
    ):
        assert letters(values, "ABN").tobytes() == b"ABA"


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint32", "int64", "uint64"])
def test_integers_of_every_width_are_held_to_their_limits(kind):
    values = pa.array([0, 1, 127], kind)
    assert integers(values, 0, 127).tolist() == [0, 1, 127]
    with pytest.raises(ValueOffence, match="127 is not between 0 and 126") as caught:
        integers(values, 0, 126)
    assert caught.value.row == 2
