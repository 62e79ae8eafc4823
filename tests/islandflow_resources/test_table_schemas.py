"""Tables that conform to a layout, and what is said of those that do not."""

import numpy as np
import pyarrow as pa
import pytest

from contracts.columns import BARS, TRADES, Column, TableSchema
from contracts.errors import ContractError
from islandflow_resources.table_schemas import (
    array_of,
    arrow_schema,
    coded,
    conformed,
    doubles_of,
    from_arrays,
    nullable_of,
    numbers_of,
    strings_of,
)

MIXED = TableSchema(
    "mixed",
    "1",
    (
        Column("n", "int64", "any"),
        Column("x", "float64", "any", nullable=True),
        Column("s", "string", "any", nullable=True),
        Column("b", "bool", "any"),
    ),
)


def mixed(**changes):
    good = {
        "n": np.arange(3),
        "x": [1.5, None, 2.5],
        "s": ["a", None, "ü"],
        "b": np.array([True, False, True]),
    }
    return {name: values for name, values in (good | changes).items() if values is not None}


def refused(arrays):
    with pytest.raises(ContractError) as caught:
        from_arrays(MIXED, arrays)
    return caught.value


def test_arrays_become_a_table_in_the_order_of_the_layout():
    table = from_arrays(MIXED, dict(reversed(mixed().items())))
    assert table.schema == arrow_schema(MIXED)
    assert table.to_pylist()[1] == {"n": 1, "x": None, "s": None, "b": False}


def test_numbers_are_not_copied():
    arrays = {name: np.arange(10) for name in BARS.names}
    table = from_arrays(BARS, arrays)
    for name, values in arrays.items():
        assert np.shares_memory(table[name].chunk(0).to_numpy(), values)


@pytest.mark.parametrize(
    ("changes", "code", "column", "words"),
    [
        ({"x": None}, "TABLE_COLUMN_MISSING", "x", "missing"),
        ({"y": [1, 2, 3]}, "TABLE_COLUMN_UNKNOWN", "y", "no column"),
        ({"n": np.arange(3, dtype=np.int32)}, "TABLE_COLUMN_TYPE", "n", "int32, not int64"),
        ({"n": np.arange(3.0)}, "TABLE_COLUMN_TYPE", "n", "double, not int64"),
        ({"n": np.arange(6).reshape(3, 2)}, "TABLE_COLUMN_TYPE", "n", "2 dimensions"),
        ({"n": ["a", "b", "c"]}, "TABLE_COLUMN_TYPE", "n", "int64"),
        ({"n": [1, 2, 2**63]}, "TABLE_COLUMN_TYPE", "n", "int64"),
        ({"n": [1, None, 3]}, "TABLE_COLUMN_NULL", "n", "first in row 1"),
        ({"n": np.arange(4)}, "TABLE_COLUMN_LENGTH", "", "'n': 4"),
    ],
)
def test_what_does_not_conform_is_refused_by_column(changes, code, column, words):
    error = refused(mixed(**changes))
    assert (error.code, error.loc) == (code, column)
    assert words in error.message
    assert "mixed" in error.message
    assert "n int64, x float64" in error.hints[0] or code == "TABLE_COLUMN_LENGTH"


def test_every_wrong_column_is_told_at_once():
    error = refused(mixed(x=None, s=None, y=[1]))
    assert [problem.loc for problem in error.problems] == ["x", "s", "y"]


def test_a_column_given_twice_is_refused():
    table = pa.Table.from_arrays([pa.array([1])] * 2, names=["n", "n"])
    with pytest.raises(ContractError, match="twice"):
        conformed(table, TableSchema("t", "1", (Column("n", "int64", "any"),)))


def test_a_table_without_rows_conforms():
    table = from_arrays(TRADES, {name: [] for name in TRADES.names})
    assert table.num_rows == 0
    assert table.schema == arrow_schema(TRADES)


def test_numbers_go_to_arrow_and_back_without_a_copy():
    numbers = np.linspace(-1.0, 1.0, 7)
    assert np.shares_memory(numbers_of(array_of(numbers)), numbers)
    assert np.shares_memory(doubles_of(nullable_of(numbers)), numbers)
    every_other = np.arange(10)[::2]
    assert numbers_of(array_of(every_other)).tolist() == every_other.tolist()
    assert array_of(every_other).type == pa.int64()


@pytest.mark.parametrize("places", [[], [0], [8], [0, 7, 8, 16], list(range(17))])
def test_what_is_not_a_number_is_null_and_comes_back(places):
    numbers = np.arange(17.0)
    numbers[places] = np.nan
    array = nullable_of(numbers)
    assert array.null_count == len(places)
    assert array.to_pylist() == [None if np.isnan(one) else one for one in numbers]
    assert np.array_equal(doubles_of(array), numbers, equal_nan=True)
    part = pa.chunked_array([array.slice(0, 5), array.slice(5)])
    assert np.array_equal(doubles_of(part), numbers, equal_nan=True)
    assert np.array_equal(doubles_of(array.slice(6, 9)), numbers[6:15], equal_nan=True)


def test_infinite_numbers_are_numbers():
    assert nullable_of(np.array([np.inf, -np.inf, np.nan])).to_pylist() == [
        np.inf, -np.inf, None,
    ]  # fmt: skip


@pytest.mark.parametrize("texts", [[], [""], ["a", "", "ü€😀", "x" * 300]])
def test_texts_become_strings(texts):
    array = strings_of(texts)
    assert array.type == pa.string()
    assert array.to_pylist() == texts
    array.validate(full=True)


def test_codes_stay_codes_where_they_are_asked_for():
    texts = pa.array(["a", "b", "a"]).dictionary_encode()
    table = from_arrays(MIXED, mixed(s=texts), keep_codes=True)
    assert pa.types.is_dictionary(table.schema.field("s").type)
    assert table.schema.field("s").nullable
    assert table.to_pylist() == from_arrays(MIXED, mixed(s=texts)).to_pylist()
    assert coded(table, MIXED).schema == table.schema


def test_codes_of_anything_but_texts_are_decoded():
    numbers = pa.array([1, 2, 3]).dictionary_encode()
    table = from_arrays(MIXED, mixed(n=numbers), keep_codes=True)
    assert table.schema.field("n").type == pa.int64()
