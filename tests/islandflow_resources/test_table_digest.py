"""Content digest against its written definition; what matters to it and what must not."""

from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.columns import BARS, SCHEMAS, Column, TableSchema
from contracts.errors import ContractError
from islandflow_resources.table_digest import TableHasher, content_digest
from islandflow_resources.table_schemas import arrow_schema
from tests.oracles.table_digest import table_digest

VALUES = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-128, 127),
    "float64": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "string": st.text(max_size=12),
}
METADATA = st.dictionaries(st.text("abcd_", min_size=1), st.text(max_size=10), max_size=3)


@st.composite
def tables(draw):
    """A schema, its metadata and columns of Python values."""
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=6))
    columns = tuple(
        Column(f"c{number}", kind, "any", nullable=draw(st.booleans()))
        for number, kind in enumerate(kinds)
    )
    rows = draw(st.integers(0, 30))
    values = {}
    for column in columns:
        value = VALUES[column.kind]
        if column.nullable:
            value = st.none() | value
        values[column.name] = draw(st.lists(value, min_size=rows, max_size=rows))
    return TableSchema("any", "3", columns), draw(METADATA), values


def to_arrow(schema, values):
    return pa.table(values, schema=arrow_schema(schema))


def expected(schema, metadata, values):
    columns = [(c.name, c.kind, c.nullable, values[c.name]) for c in schema.columns]
    rows = len(next(iter(values.values())))
    return table_digest(schema.name, schema.version, columns, metadata, rows)


@given(tables())
def test_the_digest_is_the_one_of_the_written_definition(drawn):
    schema, metadata, values = drawn
    digest = content_digest(to_arrow(schema, values), schema, metadata)
    assert digest == expected(schema, metadata, values)


@given(tables(), st.lists(st.integers(0, 30), max_size=4))
def test_chunks_do_not_matter(drawn, cuts):
    schema, metadata, values = drawn
    whole = to_arrow(schema, values)
    edges = [0, *sorted(min(cut, whole.num_rows) for cut in cuts), whole.num_rows]
    pieces = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    hasher = TableHasher(schema, metadata)
    for piece in pieces:
        hasher.update(piece)
    assert hasher.digest() == content_digest(whole, schema, metadata)
    assert content_digest(pa.concat_tables(pieces), schema, metadata) == hasher.digest()


@given(tables())
def test_encodings_and_long_strings_do_not_matter(drawn):
    schema, metadata, values = drawn
    plain = to_arrow(schema, values)
    encoded = pa.table({name: plain[name].dictionary_encode() for name in plain.column_names})
    other = pa.table(
        {
            name: column.cast(pa.large_string()) if pa.types.is_string(column.type) else column
            for name, column in zip(plain.column_names, plain.columns, strict=True)
        }
    )
    assert content_digest(encoded, schema, metadata) == content_digest(plain, schema, metadata)
    assert content_digest(other, schema, metadata) == content_digest(plain, schema, metadata)


@given(
    st.lists(st.text(max_size=6), min_size=1, max_size=6, unique=True), st.integers(0, 3), st.data()
)
def test_codes_have_the_digest_of_their_texts(words, skipped, data):
    """Whatever the dictionary holds besides, wherever the rows begin in their buffers."""
    codes = data.draw(st.lists(st.integers(0, len(words) - 1), max_size=12))
    kind = data.draw(st.sampled_from(["int8", "int16", "int32"]))
    schema = TableSchema("any", "3", (Column("c", "string", "any"),))
    dictionary = pa.DictionaryArray.from_arrays(pa.array(codes, kind), pa.array(["-", *words])[1:])
    table = pa.table({"c": dictionary}).slice(skipped)
    expected = pa.table({"c": pa.array([words[code] for code in codes][skipped:], pa.string())})
    assert content_digest(table, schema) == content_digest(expected, schema)


def test_a_null_among_the_texts_of_codes_is_refused_as_among_texts():
    schema = TableSchema("any", "3", (Column("c", "string", "any"),))
    texts = pa.array(["a", None], pa.string())
    table = pa.table({"c": pa.DictionaryArray.from_arrays(pa.array([0, 1]), texts)})
    with pytest.raises(ContractError, match="TABLE_COLUMN_NULL"):
        content_digest(table, schema)


@given(tables())
def test_what_another_library_makes_of_the_table_has_the_same_digest(drawn):
    schema, metadata, values = drawn
    plain = to_arrow(schema, values)
    foreign = pl.DataFrame(pl.from_arrow(plain)).to_arrow()
    assert content_digest(foreign, schema, metadata) == content_digest(plain, schema, metadata)


@given(tables(), st.data())
def test_any_other_value_has_another_digest(drawn, data):
    schema, metadata, values = drawn
    column = data.draw(st.sampled_from(schema.columns))
    assume(values[column.name])
    row = data.draw(st.integers(0, len(values[column.name]) - 1))
    old = values[column.name][row]
    new = data.draw((st.none() | VALUES[column.kind]) if column.nullable else VALUES[column.kind])
    assume(type(new) is not type(old) or new != old)
    changed = values | {column.name: [*values[column.name]]}
    changed[column.name][row] = new
    before = content_digest(to_arrow(schema, values), schema, metadata)
    assert content_digest(to_arrow(schema, changed), schema, metadata) != before


def test_names_versions_texts_and_rows_are_part_of_the_digest():
    column = Column("a", "int64", "any")
    empty = pa.table({"a": pa.array([], pa.int64())})
    base = TableSchema("t", "1", (column,))
    digests = {
        content_digest(empty, base),
        content_digest(empty, base, {"tick_size": "0.01"}),
        content_digest(empty, TableSchema("u", "1", (column,))),
        content_digest(empty, TableSchema("t", "2", (column,))),
        content_digest(empty, TableSchema("t", "1", (Column("a", "int64", "any", nullable=True),))),
        content_digest(pa.table({"a": [0]}), base),
    }
    assert len(digests) == 6


def test_the_words_that_describe_a_column_are_not_part_of_the_digest():
    empty = pa.table({"a": pa.array([], pa.int64())})
    one = TableSchema("t", "1", (Column("a", "int64", "any"),))
    other = TableSchema("t", "1", (Column("a", "int64", "said better"),))
    assert content_digest(empty, one) == content_digest(empty, other)


def test_minus_zero_is_zero_and_infinity_is_a_value():
    schema = TableSchema("t", "1", (Column("a", "float64", "any"),))

    def digest(value):
        return content_digest(pa.table({"a": [value]}), schema)

    assert digest(-0.0) == digest(0.0)
    assert len({digest(0.0), digest(np.inf), digest(-np.inf)}) == 3


def test_what_lies_under_a_null_does_not_matter():
    schema = TableSchema("t", "1", (Column("a", "int64", "any", nullable=True),))
    values, valid = np.array([1, 77, 3]), pa.array([True, False, True]).buffers()[1]
    dirty = pa.Array.from_buffers(pa.int64(), 3, [valid, pa.py_buffer(values)])
    clean = pa.array([1, None, 3], pa.int64())
    digests = [content_digest(pa.table({"a": array}), schema) for array in (dirty, clean)]
    assert digests[0] == digests[1]


def test_not_a_number_is_refused_with_column_and_row():
    schema = TableSchema("t", "1", (Column("a", "float64", "any", nullable=True),))
    with pytest.raises(ContractError) as caught:
        content_digest(pa.table({"a": pa.array([None, 1.0, float("nan")])}), schema)
    assert caught.value.code == "TABLE_COLUMN_NAN"
    assert caught.value.loc == "a"
    assert "row 2" in caught.value.message


def test_nanosecond_timestamps_count_as_their_integers():
    schema = TableSchema("t", "1", (Column("a", "int64", "any"),))
    ticks = pa.array([1, 2, 3], pa.int64())
    stamps = ticks.cast(pa.timestamp("ns", "UTC"))
    digests = {content_digest(pa.table({"a": array}), schema) for array in (ticks, stamps)}
    assert len(digests) == 1


def test_published_digests_stay_what_they_are():
    bars = {name: list(range(5)) for name in BARS.names}
    kinds = ("int64", "int8", "float64", "bool", "string")
    columns = tuple(Column(kind, kind, "any", nullable=kind != "int8") for kind in kinds)
    mixed = TableSchema("mixed", "1", columns)
    values = [[1, None], [-1, 1], [0.5, None], [True, None], ["stop ≥ 1", None]]
    digests = {
        "bars": content_digest(to_arrow(BARS, bars), BARS, {"tick_size": "0.01"}),
        "mixed": content_digest(to_arrow(mixed, dict(zip(kinds, values, strict=True))), mixed),
    }
    assert digests == {
        "bars": "blake3:e2137f64e5edfda68b5f110483a07b72de6e23e3da77f265513a593c34758b68",
        "mixed": "blake3:4ced16efdec75260b77414db6d877c7922441f0c283c3785b303fd2cc61c18ed",
    }


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_every_stored_layout_has_a_digest_when_empty(schema):
    empty = arrow_schema(schema).empty_table()
    assert content_digest(empty, schema) == TableHasher(schema).digest()
