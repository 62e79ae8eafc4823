"""The SQL of the catalogue's views: a list of files, what their paths say, and what is in them.

What there are views of is ``catalog_tables``; who makes them and reads through them, ``catalog``.
The lists are written out, so that a view is of what was there when it was made; filters on columns
that come from paths leave out files before they are opened.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import Final

from contracts.columns import BARS, TableSchema
from islandflow_resources.catalog_tables import DocumentView, Location
from islandflow_resources.table_schemas import arrow_schema

_INTEGERS: Final = frozenset({"seed"})
_BAR_COLUMNS: Final = ("tick_size", "open", "high", "low", "close", "volume")
_FLOAT_BARS: Final = """
SELECT {names}, ts_ns, make_timestamp_ns(ts_ns) AS ts,
       open_ticks, high_ticks, low_ticks, close_ticks, volume_lots, tick_size,
       open_ticks * tick_size AS open, high_ticks * tick_size AS high,
       low_ticks * tick_size AS low, close_ticks * tick_size AS close,
       CAST(volume_lots AS DOUBLE) AS volume
FROM ({files}) JOIN (
    SELECT file_name, CAST(decode(value) AS DOUBLE) AS tick_size
    FROM parquet_kv_metadata({keys}) WHERE decode(key) = 'tick_size'
) ON filename = file_name
"""
_ARROW_SQL: Final = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "int8": "TINYINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "string": "VARCHAR",
}


def table_view(one: Location, addresses: Sequence[str]) -> str:
    """Query of the rows of a table's files; of none of them, its columns without a row."""
    names = _names(one.pattern)
    if not addresses:
        return _empty(_types(one.schema, names))
    listed = _listed(addresses)
    reader = f"read_parquet({listed}, filename = true, hive_partitioning = false)"
    files = f"SELECT {_paths(one.pattern)}, * FROM {reader}"
    if one.schema is BARS:
        return _FLOAT_BARS.format(names=", ".join(names), files=files, keys=listed)
    return f"SELECT * EXCLUDE (filename) FROM ({files})"


def document_view(one: DocumentView, addresses: Sequence[str]) -> str:
    """Query of what a kind of document says, see `table_view`."""
    if not addresses:
        types = {name: _sql_type(name) for name in _names(one.pattern)}
        return _empty(types | {name: kind for name, kind, _ in one.columns})
    columns = ", ".join(f"CAST({said} AS {kind}) AS {name}" for name, kind, said in one.columns)
    listed = _listed(addresses)
    files = f"SELECT filename, CAST(content AS JSON) AS one FROM read_text({listed})"
    if one.each:
        elements = f"unnest(CAST(one->{quoted(one.each)} AS JSON[]))"
        files = f"SELECT filename, {elements} AS one FROM ({files})"
    return f"SELECT {_paths(one.pattern)}, {columns} FROM ({files})"


def comments(name: str, schema: TableSchema, there: Container[str]) -> Iterator[str]:
    """Statements that give the columns of a view their descriptions.

    Parameters
    ----------
    there : container of str
        Columns of the view; files of an earlier layout may lack some of the schema's.
    """
    for column in schema.columns:
        if column.name in there:
            said = quoted(column.doc)
            yield f"COMMENT ON COLUMN {name}.{quoted_name(column.name)} IS {said}"


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """A name as SQL writes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _names(pattern: str) -> list[str]:
    return re.findall(r"\?P<(\w+)>", pattern)


def _paths(pattern: str) -> str:
    """Columns of what a path says."""
    expression = quoted(re.sub(r"\?P<\w+>", "", pattern))
    return ", ".join(
        f"CAST(regexp_extract(filename, {expression}, {number}) AS {_sql_type(name)}) AS {name}"
        for number, name in enumerate(_names(pattern), start=1)
    )


def _types(schema: TableSchema, names: Sequence[str]) -> dict[str, str]:
    types = {name: _sql_type(name) for name in names}
    types |= {field.name: _ARROW_SQL[str(field.type)] for field in arrow_schema(schema)}
    return types | dict.fromkeys(_BAR_COLUMNS, "DOUBLE") if schema is BARS else types


def _empty(types: dict[str, str]) -> str:
    columns = ", ".join(
        f"CAST(NULL AS {kind}) AS {quoted_name(name)}" for name, kind in types.items()
    )
    return f"SELECT {columns} WHERE false"


def _sql_type(name: str) -> str:
    return "BIGINT" if name in _INTEGERS else "VARCHAR"


def _listed(addresses: Sequence[str]) -> str:
    return "[" + ", ".join(quoted(one) for one in addresses) + "]"
