"""What must hold of the events of a tape, stretch by stretch: values, order, numbers.

Each check gives findings that name file and row. In which order files are checked, and
against which digests, is ``tape_loader``; words that may not stand anywhere are in
``tape_words``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from contracts.columns import TableSchema
from contracts.errors import ContractError, IntegrityError, Problem
from contracts.market import parse_occ
from contracts.tape import TapeSpec
from contracts.tape_columns import CONTRACTS
from engine.tapes.market.events import VOCABULARIES
from islandflow_resources.table_schemas import numbers_of
from islandflow_resources.tape_buckets import Bucket
from islandflow_resources.tape_files import TABLES
from islandflow_resources.tape_words import ForbiddenWords

Numbers: TypeAlias = "np.ndarray[Any, Any]"

WORD, SCHEMA, COUNT, PARAMETERS_RANK, EVENTS, TRUTH_RANK, ORDER = range(7)
"""In which order findings are told."""

_HINTS: Final = ("move the tape away and make it again",)


class Finding(NamedTuple):
    """Something that is wrong with a tape.

    Attributes
    ----------
    rank : int
        `WORD`, `SCHEMA`, …
    problem : Problem
    table : str
        Empty if it is about no table.
    group, row : int
        Row group and row of the table, −1 if it is about none.
    first_row : int
        Number of the group's first row in the table.
    """

    rank: int
    problem: Problem
    table: str = ""
    group: int = -1
    row: int = -1
    first_row: int = 0


def finding(
    rank: int, code: str, said: str, loc: str, table: str = "", group: int = -1, row: int = -1
) -> Finding:
    """A finding with the hint that all of them have."""
    return Finding(rank, Problem(code, said, loc, _HINTS), table, group, row)


def raise_findings(findings: Iterable[Finding]) -> None:
    """Raise everything that was found, in order of its rank.

    Raises
    ------
    IntegrityError
    """
    told = [one.problem for one in sorted(findings, key=lambda one: one.rank)]
    if told:
        first, *others = told
        raise IntegrityError(first.code, first.message, first.loc, first.hints, tuple(others))


class Rows(NamedTuple):
    """Rows of one stretch of one table, and where they stand in it."""

    name: str
    group: int
    first_row: int
    table: pa.Table

    def loc(self, row: int) -> str:
        """Place of a row of the stretch."""
        return f"{self.name}.parquet, row {self.first_row + row}"

    def numbers(self, column: str) -> Numbers:
        """Values of a column of integers."""
        return numbers_of(self.table.column(column))

    def differs(self, rank: int, code: str, said: str) -> Finding:
        """A finding about one of the rows, nobody knows which."""
        last = self.first_row + self.table.num_rows - 1
        loc = f"{self.name}.parquet, row group {self.group}, rows {self.first_row} to {last}"
        told = finding(rank, code, said, loc, self.name, self.group)
        return told._replace(first_row=self.first_row)

    def found(self, rank: int, code: str, said: str, row: int) -> Finding:
        """A finding about one of the rows."""
        at = self.first_row + row
        return finding(rank, code, said, self.loc(row), self.name, self.group, at)


class ValueCheck:
    """Texts of a tape: no forbidden word, and none that the market does not have.

    Parameters
    ----------
    words : ForbiddenWords
    spec : TapeSpec or None
        None if it cannot be read: then symbols are not judged.
    """

    def __init__(self, words: ForbiddenWords, spec: TapeSpec | None) -> None:
        self._words = words
        self._symbols = frozenset(spec.symbols) if spec else None
        self._contracts: frozenset[str] | None = None
        self._seen: set[tuple[str, str, str]] = set()

    def take_contracts(self, table: pa.Table) -> list[Finding]:
        """Learn which contracts there are; each id must say what its row says."""
        rows = Rows(CONTRACTS.name, 0, 0, table)
        ids: list[str] = table.column("contract").to_pylist()
        self._contracts = frozenset(ids)
        columns = (table.column(name).to_pylist() for name in ("symbol", "strike_ticks", "right"))
        for row, (text, *told) in enumerate(zip(ids, *columns, strict=True)):
            try:
                known = parse_occ(text)
            except ContractError as error:
                return [rows.found(SCHEMA, "TAPE_VALUE_UNKNOWN", error.message, row)]
            if [known.root, known.strike_ticks, known.right] != told:
                said = f"the contract {text} is not {told[0]} {told[1]} {told[2]}"
                return [rows.found(SCHEMA, "TAPE_VALUE_UNKNOWN", said, row)]
        return []

    def findings(self, rows: Rows) -> list[Finding]:
        """What is wrong with the texts of some rows, the first row of each text."""
        found: list[Finding] = []
        schema = TABLES[rows.name]
        for column in schema.columns:
            if column.kind == "string":
                found += self._column(rows, schema, column.name)
        return found

    def _column(self, rows: Rows, schema: TableSchema, column: str) -> list[Finding]:
        values = rows.table.column(column)
        if not values.num_chunks:
            return []
        chunk = values.chunk(0)
        found: list[Finding] = []
        for code, text in enumerate(chunk.dictionary.to_pylist()):
            place = (schema.name, column, text)
            if place in self._seen:
                continue
            self._seen.add(place)
            said = self._said(*place)
            if said is not None:
                row = int(np.argmax(numbers_of(chunk.indices) == code))
                found.append(rows.found(*said, row))
        return found

    def _said(self, table: str, column: str, text: str) -> tuple[int, str, str] | None:
        """Rank, code and sentence of what is wrong with a text."""
        if self._is_known(table, column, text):
            return None
        shown = ascii(text[:60])
        word = self._words.found_in(text)
        if word is not None:
            said = f"{column} is {shown}, which says {word}"
            return WORD, "TAPE_LABEL_ON_EVENT", said
        is_open = column in ("symbol", "contract") and self._symbols is None
        said = f"{column} is {shown}, which the market does not have"
        return None if is_open else (SCHEMA, "TAPE_VALUE_UNKNOWN", said)

    def _is_known(self, table: str, column: str, text: str) -> bool:
        if column == "symbol":
            return self._symbols is not None and text in self._symbols
        if column != "contract":
            return text in VOCABULARIES[table, column]
        if table != CONTRACTS.name and self._contracts is not None:
            return text in self._contracts
        return self._symbols is not None and text[:6].rstrip() in self._symbols


class OrderCheck:
    """Events ascend in the order of the plan, and no two have the same number."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int, int]] = {}
        self._last_seq = -1

    def findings(self, bucket: Bucket, streams: Mapping[str, Rows]) -> list[Finding]:
        """What is wrong with the order of a stretch, the first row of each kind."""
        found: list[Finding] = []
        for rows in streams.values():
            found += self._within(bucket, rows)
        found += self._between([rows for rows in streams.values() if rows.table.num_rows])
        return found

    def _within(self, bucket: Bucket, rows: Rows) -> list[Finding]:
        """Order of one stream, also against its rows before."""
        if not rows.table.num_rows:
            return []
        key = [rows.numbers(name) for name in ("ts_ns", "ingest_ns", "seq")]
        before = self._last.get(rows.name, (-1, -1, -1))
        self._last[rows.name] = (int(key[0][-1]), int(key[1][-1]), int(key[2][-1]))
        outside = (key[0] < bucket.start_ns) | (key[0] >= bucket.end_ns)
        if outside.any():
            said = f"it is not of the stretch from {bucket.start_ns} to {bucket.end_ns}"
            return [rows.found(ORDER, "TAPE_ORDER_BROKEN", said, int(outside.argmax()))]
        early = key[1] < key[0]
        if early.any():
            said = "it was received before it happened"
            return [rows.found(ORDER, "TAPE_ORDER_BROKEN", said, int(early.argmax()))]
        steps = [np.diff(column, prepend=first) for column, first in zip(key, before, strict=True)]
        backward = (steps[0] < 0) | (
            (steps[0] == 0) & ((steps[1] < 0) | ((steps[1] == 0) & (steps[2] <= 0)))
        )
        if not backward.any():
            return []
        row = int(backward.argmax())
        if all(step[row] == 0 for step in steps):
            said = f"seq {key[2][row]} is there twice"
            return [rows.found(ORDER, "TAPE_SEQ_REPEATED", said, row)]
        said = "it stands behind a later event"
        return [rows.found(ORDER, "TAPE_ORDER_BROKEN", said, row)]

    def _between(self, streams: list[Rows]) -> list[Finding]:
        """Numbers over all streams: unique, and ascending with time."""
        if not streams:
            return []
        seq = np.concatenate([rows.numbers("seq") for rows in streams])
        order = np.argsort(seq, kind="stable")
        ts = np.concatenate([rows.numbers("ts_ns") for rows in streams])[order]
        steps = np.diff(seq[order], prepend=self._last_seq)
        self._last_seq = max(self._last_seq, int(seq[order[-1]]))
        found: list[Finding] = []
        if (steps == 0).any():
            at = int(order[(steps == 0).argmax()])
            said = f"seq {seq[at]} is there twice"
            found.append(_found_at(streams, at, "TAPE_SEQ_REPEATED", said))
        if (steps < 0).any():
            at = int(order[(steps < 0).argmax()])
            said = f"seq {seq[at]} is below that of an earlier stretch"
            found.append(_found_at(streams, at, "TAPE_ORDER_BROKEN", said))
        backward = np.diff(ts, prepend=ts[:1]) < 0
        if backward.any():
            at = int(order[backward.argmax()])
            said = f"seq {seq[at]} does not ascend with time"
            found.append(_found_at(streams, at, "TAPE_ORDER_BROKEN", said))
        return found


def _found_at(streams: list[Rows], at: int, code: str, said: str) -> Finding:
    """A finding about a row of streams that stand one behind the other."""
    for rows in streams:
        if at < rows.table.num_rows:
            return rows.found(ORDER, code, said, at)
        at -= rows.table.num_rows
    raise AssertionError(at)


def names_of(schema: pa.Schema, words: ForbiddenWords, table: str) -> list[Finding]:
    """Column names that say the truth; those of the layout say none."""
    known = TABLES[table].names
    found: list[Finding] = []
    for name in schema.names:
        word = None if name in known else words.found_in(name)
        if word is not None:
            said = f"the column {name[:60]!a} says {word}"
            loc = f"{table}.parquet, column {name[:60]}"
            found.append(finding(WORD, "TAPE_LABEL_ON_EVENT", said, loc, table))
    return found


def labelled(prints: Iterable[Rows], labels: Rows) -> list[Finding]:
    """Every print of a stretch has one label, and there is no other."""
    seqs = [rows.numbers("seq") for rows in prints]
    expected = np.sort(np.concatenate(seqs)) if seqs else np.empty(0, np.int64)
    found = labels.numbers("seq")
    shared = min(len(expected), len(found))
    differs = expected[:shared] != found[:shared]
    if not differs.any() and len(expected) == len(found):
        return []
    row = int(differs.argmax()) if differs.any() else shared
    said = "it does not label the print that is next in order"
    return [labels.found(TRUTH_RANK, "TAPE_LABELS_DIFFER", said, row)]
