"""Two tapes compared: which parameter changed, and from which row on which table differs.

Equal row groups are passed over by their digests, so nothing is read but the first that
differ. Pointers of documents are found in ``tape_changes``, rows in ``tape_rows``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pyarrow as pa

from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.tape_columns import STREAMS, TRUTH
from contracts.tape_manifest import (
    PARAMETERS,
    REFERENCE,
    ExpectedOutputManifest,
    ParameterSnapshot,
    TableHash,
    load_snapshot,
)
from islandflow_resources.tape_changes import Change, changes
from islandflow_resources.tape_files import TABLES, TableReader
from islandflow_resources.tape_inputs import identity_of
from islandflow_resources.tape_places import TapePlace, read_manifest
from islandflow_resources.tape_rows import Difference, first_difference

_DERIVED: Final = ("recipe_digest", "parameter_snapshot_hash")
"""Fields of a manifest that follow from the parameters."""


class TableDiff(NamedTuple):
    """How a table of two tapes differs.

    Attributes
    ----------
    name : str
    rows : tuple of int
        Of either tape.
    first : Difference or None
        The first row, counted in the whole table; None if they say the same.
    """

    name: str
    rows: tuple[int, int]
    first: Difference | None


class TapeDiff(NamedTuple):
    """How two tapes differ.

    Attributes
    ----------
    run : list of Change
        Names, profile and generator of the runs.
    parameters : list of Change
        By pointers into the parameter snapshot.
    tables : list of TableDiff
        Streams, reference data, and the hidden tables if both are in reach.
    """

    run: list[Change]
    parameters: list[Change]
    tables: list[TableDiff]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.run and not self.parameters and not any(one.first for one in self.tables)


def diff_tapes(one: TapePlace, other: TapePlace) -> TapeDiff:
    """Compare two tapes.

    Raises
    ------
    NotFoundError
        If one of them is not there.
    IntegrityError
        If a file that has to be read is damaged.
    """
    mine, theirs = read_manifest(one), read_manifest(other)
    parameters = changes(*(_snapshot(place).document() for place in (one, other)))
    runs = [identity_of(manifest) for manifest in (mine, theirs)]
    for run in runs:
        for name in _DERIVED:
            del run[name]
    names = [*STREAMS, *REFERENCE]
    if one.labels_store is not None and other.labels_store is not None:
        names += TRUTH
    tables = [_table(name, (one, mine), (other, theirs)) for name in names]
    return TapeDiff(changes(*runs), parameters, tables)


def _snapshot(place: TapePlace) -> ParameterSnapshot:
    try:
        return load_snapshot(place.get(PARAMETERS))
    except (ContractError, NotFoundError) as error:
        raise IntegrityError(
            "TAPE_PARAMETERS_DIFFER",
            f"the parameters of {place} cannot be read: {error.message}",
            f"{PARAMETERS}#{error.loc}",
            ("look at the whole tape with: islandflow tape verify",),
        ) from error


def _table(
    name: str,
    one: tuple[TapePlace, ExpectedOutputManifest],
    other: tuple[TapePlace, ExpectedOutputManifest],
) -> TableDiff:
    mine, theirs = (_hashes(manifest, name) for _, manifest in (one, other))
    rows = (mine.rows, theirs.rows)
    if mine.digest == theirs.digest:
        return TableDiff(name, rows, None)
    group, passed = 0, 0
    for ours, its in zip(mine.row_groups, theirs.row_groups, strict=False):
        if ours != its:
            break
        group, passed = group + 1, passed + ours.rows
    here, there = (_read(place, name, group) for place, _ in (one, other))
    found = first_difference(here, there, TABLES[name])
    # Row groups that are cut otherwise may say the same up to the shorter one's end.
    first = found or Difference(0, "", "another row", "another row")
    return TableDiff(name, rows, first._replace(row=passed + first.row))


def _read(place: TapePlace, name: str, group: int) -> pa.Table:
    """Rows of a row group, none if there is no such group."""
    file = f"{name}.parquet"
    with place.open(file) as source:
        reader = TableReader(source, file, TABLES[name])
        if group < len(reader.group_rows):
            return reader.read(group)
        return reader.arrow_schema.empty_table()


def _hashes(manifest: ExpectedOutputManifest, name: str) -> TableHash:
    if name in TRUTH:
        return manifest.expected_output_contract.tables.of(name)
    return manifest.event_hashes.of(name)
