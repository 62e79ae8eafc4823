"""Two rows of awkward values for every table of the registry, and which tables are how old.

The values are made from the columns alone: the longest integers, floats that no short text has,
nothing where nothing is allowed, texts that sort otherwise in other languages.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from islandflow_resources.models import Base, UtcDateTime

FIRST = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_OLDEST = ("artefacts", "audit", "run_results", "runs", "scenarios", "strategies")
_SINCE = {
    "0001": _OLDEST,
    "0002": ("alias_history", "aliases", "campaign_candidates", "campaigns", "serving_specs"),
    "0003": ("signal_runs",),
    "0004": ("control_revisions",),
}


def _value(column, number):
    kind = column.type
    if column.nullable and number:
        return None
    if isinstance(kind, UtcDateTime):
        return FIRST + timedelta(days=number)
    if isinstance(kind, sa.JSON):
        return {"one": 1, "float": 1.0, "tiny": 5e-324, "seed": str(2**63 - 1), "é": [None, {}]}
    if isinstance(kind, sa.Float):
        return 0.1 + 0.2 if number else -1.7976931348623157e308
    if isinstance(kind, sa.BigInteger):
        return 2**63 - 1 - number
    if isinstance(kind, sa.Integer):
        return 2**31 - 1 - number
    return ("ärger\\x01\t'\"", "Zeta")[number] if column.primary_key else f"{column.name} {number}"


ROWS = {
    name: [{column.name: _value(column, number) for column in table.columns} for number in (0, 1)]
    for name, table in Base.metadata.tables.items()
}
"""Rows by table."""


def rows_of_revision(revision):
    """Tables that a database of a revision has."""
    return [name for since, names in _SINCE.items() if since <= revision for name in names]


def insert_rows(database):
    """Put all rows into a registry."""

    def put(connection):
        for name, rows in ROWS.items():
            connection.execute(sa.insert(Base.metadata.tables[name]), rows)

    database.write("fill the tables", put)


def all_rows(database):
    """Rows of every table, in the order in which they are given here."""

    def load(connection):
        found = {}
        for name, table in Base.metadata.tables.items():
            rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            given = [tuple(row[key.name] for key in table.primary_key) for row in ROWS[name]]
            key_of = lambda row, table=table: tuple(row[key.name] for key in table.primary_key)  # noqa: E731
            found[name] = sorted(
                rows, key=lambda row: given.index(key_of(row)) if key_of(row) in given else 9
            )
        return found

    return database.read("read all tables", load)
