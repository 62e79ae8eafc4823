"""The first row in which two tables differ, against the plainest comparison."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import Column, TableSchema
from islandflow_resources.table_schemas import arrow_schema
from islandflow_resources.tape_rows import first_difference

SCHEMA = TableSchema(
    "any",
    "1",
    (
        Column("a", "int64", "any"),
        Column("b", "string", "any"),
        Column("c", "bool", "any"),
        Column("d", "float64", "any"),
    ),
)
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from("xy"), st.booleans(), st.sampled_from([0.5, 1.5])),
    max_size=5,
)


def table(rows):
    columns = {name: [row[at] for row in rows] for at, name in enumerate("abcd")}
    return pa.table(columns, schema=arrow_schema(SCHEMA))


@given(ROWS, ROWS)
def test_the_first_row_that_differs_is_found(one, other):
    found = first_difference(table(one), table(other), SCHEMA)
    if one == other:
        assert found is None
        return
    shared = min(len(one), len(other))
    row = next((at for at in range(shared) if one[at] != other[at]), shared)
    assert found is not None
    assert found.row == row
    if row < shared:
        column = next(at for at in range(4) if one[row][at] != other[row][at])
        assert found.column == "abcd"[column]
        assert (found.one, found.other) == (ascii(one[row][column]), ascii(other[row][column]))
    else:
        assert found.column == ""
        assert {found.one, found.other} == {"an end", "another row"}
