"""The first row in which two tables differ, and where a stored tape differs from one made again.

Digests tell of a whole stretch of time; here the row is found. Who compares what is
``tape_loader`` and ``tape_diff``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from contracts.columns import TableSchema
from contracts.errors import IslandflowError, Problem
from contracts.tape import TapeSpec
from contracts.tape_columns import BURST_LABELS, CONTRACTS, EVENT_CALENDAR
from contracts.tape_manifest import ParameterSnapshot
from islandflow_resources.table_schemas import conformed
from islandflow_resources.tape_buckets import buckets_of, by_bucket
from islandflow_resources.tape_checks import Finding
from islandflow_resources.tape_files import TABLES
from islandflow_resources.tape_folder import TapeEvents
from islandflow_resources.tape_tables import (
    burst_table,
    calendar_table,
    contract_table,
    stream_tables,
    tape_texts,
    truth_tables,
)

Again: TypeAlias = "Callable[[ParameterSnapshot], TapeEvents | None]"
"""Gives the events of some parameters from their start, or None if it cannot make them."""
_AT_END = (BURST_LABELS.name, CONTRACTS.name, EVENT_CALENDAR.name)


class Difference(NamedTuple):
    """Where two tables differ.

    Attributes
    ----------
    row : int
    column : str
        Empty if one of the tables ends there.
    one, other : str
        What stands there, as text.
    """

    row: int
    column: str
    one: str
    other: str

    def __str__(self) -> str:
        if not self.column:
            return f"there is {self.one}, and {self.other}"
        return f"{self.column} is {self.one}, and {self.other}"


def first_difference(one: pa.Table, other: pa.Table, schema: TableSchema) -> Difference | None:
    """The first row, and its first column, in which two tables of a layout differ."""
    one, other = (conformed(table, schema).combine_chunks() for table in (one, other))
    shared = min(one.num_rows, other.num_rows)
    found: tuple[int, str] | None = None
    for name in schema.names:
        pair = (table.column(name).slice(0, shared) for table in (one, other))
        mine, theirs = (values.to_numpy(zero_copy_only=False) for values in pair)
        differs = np.flatnonzero(mine != theirs)
        if len(differs) and (found is None or differs[0] < found[0]):
            found = int(differs[0]), name
    if found is not None:
        row, name = found
        texts = (ascii(table.column(name)[row].as_py())[:60] for table in (one, other))
        return Difference(row, name, *texts)
    if one.num_rows == other.num_rows:
        return None
    ends = ("an end" if table.num_rows == shared else "another row" for table in (one, other))
    return Difference(shared, "", *ends)


def located(
    findings: Iterable[Finding],
    snapshot: ParameterSnapshot | None,
    read: Callable[[str, int], pa.Table],
    again: Again | None,
) -> list[Finding]:
    """The findings, those that know but their row group with the row, where it can be found.

    Another finding of the same group may know it; else the tape is made again.

    Parameters
    ----------
    read : callable
        Gives the stored rows of a table's row group.
    again : callable, optional
        See `Again`.
    """
    kept = list(findings)
    known = {(one.table, one.group): one for one in reversed(kept) if one.row >= 0}
    sought = {(one.table, one.group) for one in kept if one.group >= 0 and one.row < 0}
    made: Mapping[tuple[str, int], pa.Table] = {}
    unknown = sought - set(known)
    if unknown and again is not None and snapshot is not None:
        source = again(snapshot)
        made = _made(source, snapshot.spec, unknown) if source is not None else {}
    return [_with_row(one, known, made, read) for one in kept]


def _with_row(
    one: Finding,
    known: Mapping[tuple[str, int], Finding],
    made: Mapping[tuple[str, int], pa.Table],
    read: Callable[[str, int], pa.Table],
) -> Finding:
    at = (one.table, one.group)
    if one.group < 0 or one.row >= 0:
        return one
    if at in known:
        return _told(one, known[at].problem.loc, known[at].problem.message)
    if at not in made:
        return one
    try:
        stored = read(*at)
    except IslandflowError:
        return one
    differs = first_difference(stored, made[at], TABLES[one.table])
    if differs is None:
        return one
    first = int(one.first_row)
    loc = f"{one.table}.parquet, row {first + differs.row}"
    return _told(one, loc, f"{differs} when it is made again")


def _told(one: Finding, loc: str, why: str) -> Finding:
    problem = Problem(one.problem.code, f"{one.problem.message}: {why}", loc, one.problem.hints)
    return one._replace(problem=problem)


def _made(
    source: TapeEvents, spec: TapeSpec, sought: set[tuple[str, int]]
) -> dict[tuple[str, int], pa.Table]:
    """Tables of the row groups that are sought, made again."""
    texts = tape_texts(spec.symbols)
    whole = {name for name, _ in sought if name in _AT_END}
    last = max((group for name, group in sought if name not in _AT_END), default=-1)
    found: dict[tuple[str, int], pa.Table] = {}
    for group, batch in enumerate(by_bucket(source.batches(), buckets_of(spec))):
        if group > last and not whole:
            return found
        texts.list_contracts(source.contracts)
        if any(at == group for _, at in sought):
            tables = stream_tables(batch, texts) | truth_tables(batch, texts)
            found |= {(name, group): table for name, table in tables.items()}
    texts.list_contracts(source.contracts)
    found[BURST_LABELS.name, 0] = burst_table(source.burst_labels(), texts)
    found[CONTRACTS.name, 0] = contract_table(source.contract_rows(), texts)
    found[EVENT_CALENDAR.name, 0] = calendar_table(source.event_calendar(), texts)
    return {at: table for at, table in found.items() if at in sought}
