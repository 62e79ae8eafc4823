"""Content digest of a table by its written definition, one value at a time.

Slow and obvious: Python lists, struct and the published hash, nothing of the
project. What it checks is islandflow_resources/table_digest.py.
"""

import json
import math
import struct

from blake3 import blake3

_FORMATS = {"int64": "<q", "int32": "<i", "int8": "<b", "float64": "<d", "bool": "<B"}


def encoded_value(kind, value):
    """Bytes of one value that is not null."""
    if kind == "string":
        text = value.encode("utf-8")
        return struct.pack("<I", len(text)) + text
    if kind == "float64":
        assert not math.isnan(value), "not a number has no digest"
        value = 0.0 if value == 0 else value
    return struct.pack(_FORMATS[kind], value)


def null_value(kind):
    """Bytes that stand where a null is."""
    return b"\0" * (4 if kind == "string" else struct.calcsize(_FORMATS[kind]))


def column_digest(kind, nullable, values):
    """Hex digest of one column."""
    hasher = blake3()
    for value in values:
        hasher.update(null_value(kind) if value is None else encoded_value(kind, value))
        if nullable:
            hasher.update(b"\0" if value is None else b"\1")
        else:
            assert value is not None, "a null in a column that has none"
    return hasher.hexdigest()


def table_digest(name, version, columns, metadata, rows):
    """Content digest of a table.

    `columns` is a list of (name, kind, nullable, values); `metadata` a dict of ASCII texts.
    """
    document = {
        "format": "islandflow-table/1",
        "schema": {
            "name": name,
            "version": version,
            "columns": [
                {"name": column, "kind": kind, "nullable": nullable}
                for column, kind, nullable, _ in columns
            ],
        },
        "metadata": metadata,
        "rows": str(rows),
        "columns": [column_digest(kind, nullable, values) for _, kind, nullable, values in columns],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "blake3:" + blake3(text.encode("utf-8")).hexdigest()
