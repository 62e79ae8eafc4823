"""A stored tape, proved: from a folder or a store, without any server.

In order: forbidden words, schema, counts, parameters, events, labels and expected outputs,
replay order. Everything that is wrong is told at once, with file and row; where only the row
group is known, the row is found by making the tape again, if somebody can. What must hold of
events is ``tape_checks``, of documents ``tape_documents``. Nothing is read but parquet and
JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from contracts.errors import IntegrityError, IslandflowError
from contracts.tape_columns import CONTRACTS, PRINT_LABELS, STREAMS, TRUTH
from contracts.tape_manifest import (
    MANIFEST,
    REFERENCE,
    ExpectedOutputManifest,
    ParameterSnapshot,
    TableHash,
    tape_digest,
)
from islandflow_resources.table_digest import TableHasher
from islandflow_resources.tape_buckets import PRINTS, Bucket, buckets_of
from islandflow_resources.tape_checks import (
    COUNT,
    EVENTS,
    SCHEMA,
    TRUTH_RANK,
    WORD,
    Finding,
    OrderCheck,
    Rows,
    ValueCheck,
    finding,
    labelled,
    names_of,
    raise_findings,
)
from islandflow_resources.tape_documents import (
    RefCheck,
    file_findings,
    label_findings,
    parameter_findings,
)
from islandflow_resources.tape_files import TABLES, TableReader, rows_digest
from islandflow_resources.tape_places import TapePlace, read_manifest
from islandflow_resources.tape_rows import Again, located
from islandflow_resources.tape_words import ForbiddenWords, words_of

_EVER: Final = Bucket(0, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class VerifiedTape:
    """A tape every byte of which is what its manifest says.

    Attributes
    ----------
    place : TapePlace
    manifest : ExpectedOutputManifest
    snapshot : ParameterSnapshot
    """

    place: TapePlace
    manifest: ExpectedOutputManifest
    snapshot: ParameterSnapshot


def verify_tape(
    place: TapePlace,
    *,
    with_labels: bool = True,
    again: Again | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VerifiedTape:
    """Read a tape whole and prove it.

    Parameters
    ----------
    with_labels : bool
        Whether its labels are proved as well.
    again : callable, optional
        Makes the tape again, to find rows that differ, see ``tape_rows.Again``.
    progress : callable, optional
        Takes events that are done, and all of them.

    Raises
    ------
    NotFoundError
        If there is no manifest.
    IntegrityError
        With everything that is wrong: ``TAPE_MANIFEST_INVALID``, ``TAPE_LABEL_ON_EVENT``,
        ``TAPE_FILE_UNKNOWN``, ``TAPE_FILE_MISSING``, ``TAPE_FILE_UNREADABLE``,
        ``TABLE_COLUMN_…``, ``TAPE_VALUE_UNKNOWN``, ``TAPE_COUNT_DIFFERS``,
        ``TAPE_PARAMETERS_DIFFER``, ``TAPE_EVENTS_DIFFER``, ``TAPE_FILE_DIFFERS``,
        ``TAPE_LABELS_DIFFER``, ``TAPE_ORDER_BROKEN``, ``TAPE_SEQ_REPEATED``.
    """
    manifest = read_manifest(place)
    snapshot, found = parameter_findings(place, manifest)
    labels, others = label_findings(place, manifest) if with_labels else (None, [])
    refs = RefCheck(labels)
    run = manifest.run
    names = (run.run_id, run.run_name, run.scenario_id)
    words = words_of(snapshot.spec, *names) if snapshot else ForbiddenWords()
    check = _Check(place, manifest, snapshot, words, refs)
    with check.opened:
        check.open(with_labels)
        check.read_reference()
        check.read_streams(progress)
        check.read_rest()
        found += [*others, *file_findings(place, manifest, with_labels), *check.findings]
        found += refs.findings()
        raise_findings(_least(located(found, snapshot, check.read, again)))
    assert snapshot is not None
    return VerifiedTape(place, manifest, snapshot)


def _least(findings: list[Finding]) -> list[Finding]:
    """Without what only repeats that a file is missing, or that a table's bytes differ."""
    told = {one.table for one in findings if one.table}
    repeats = {f"{name}.parquet" for name in told}
    return [
        one
        for one in findings
        if not (one.problem.code == "TAPE_FILE_DIFFERS" and one.problem.loc in repeats)
    ]


class _Check:
    """The tables of a tape, read stretch by stretch; what is wrong gathers in `findings`."""

    def __init__(
        self,
        place: TapePlace,
        manifest: ExpectedOutputManifest,
        snapshot: ParameterSnapshot | None,
        words: ForbiddenWords,
        refs: RefCheck,
    ) -> None:
        self.findings: list[Finding] = []
        self.opened = ExitStack()
        self._place, self._manifest, self._words, self._refs = place, manifest, words, refs
        self._buckets = buckets_of(snapshot.spec) if snapshot else []
        self._values = ValueCheck(words, snapshot.spec if snapshot else None)
        self._readers: dict[str, TableReader] = {}
        self._hashers: dict[str, TableHasher] = {}

    def open(self, with_labels: bool) -> None:
        """Open every table; what cannot be read as its layout is left out from here on."""
        for name in (*STREAMS, *REFERENCE, *(TRUTH if with_labels else ())):
            file = f"{name}.parquet"
            try:
                source = self.opened.enter_context(self._place.open(file))
                reader = TableReader(source, file, TABLES[name])
                texts = reader.texts()
            except IntegrityError as error:
                self._unreadable(name, error)
                continue
            except IslandflowError as error:
                if error.retryable:
                    raise
                continue  # told of with the other files
            self.findings += names_of(reader.arrow_schema, self._words, name)
            self._judge_texts(name, texts)
            problems = reader.schema_problems()
            rank = TRUTH_RANK if name in TRUTH else SCHEMA
            self.findings += [Finding(rank, problem, name) for problem in problems]
            if not problems:
                self._readers[name] = reader
                self._hashers[name] = TableHasher(TABLES[name])
                self._count(name, reader)

    def read(self, name: str, group: int) -> pa.Table:
        """Stored rows of a row group."""
        return self._readers[name].read(group)

    def read_reference(self) -> None:
        """Contracts and scheduled events; the streams may hold no other contract."""
        for name in REFERENCE:
            for group in self._groups(name):
                rows = self._rows(name, group)
                if rows is not None:
                    self.findings += self._values.findings(rows)
                    if name == CONTRACTS.name:
                        self.findings += self._values.take_contracts(rows.table)

    def read_streams(self, progress: Callable[[int, int], None] | None) -> None:
        """The four streams and the labels of their prints, a stretch at a time."""
        order, done = OrderCheck(), 0
        total = self._manifest.replay_plan.event_count
        most = max((len(self._groups(name)) for name in STREAMS), default=0)
        for group in range(most):
            streams: dict[str, Rows] = {}
            for name in STREAMS:
                rows = self._rows(name, group) if group in self._groups(name) else None
                if rows is not None:
                    streams[name] = rows
                    self.findings += self._values.findings(rows)
                    self._refs.take(rows)
            bucket = self._buckets[group] if group < len(self._buckets) else _EVER
            self.findings += order.findings(bucket, streams)
            self._judge_labels(group, streams)
            done += sum(rows.table.num_rows for rows in streams.values())
            if progress is not None:
                progress(min(done, total), total)

    def read_rest(self) -> None:
        """What is hidden besides, and the digests of whole tables."""
        for name in TRUTH:
            for group in self._groups(name) if name != PRINT_LABELS.name else ():
                self._rows(name, group)
        told = {one.table for one in self.findings}
        for name, hasher in self._hashers.items():
            rank, code = _rank_and_code(name)
            digest, stated = hasher.digest(), self._stated(name).digest
            if digest != stated and name not in told:
                said = f"it has {digest}, the manifest says {stated}"
                self.findings.append(finding(rank, code, said, f"{name}.parquet", name))
        whole = {name: self._stated(name).digest for name in (*STREAMS, *REFERENCE)}
        if tape_digest(whole) != self._manifest.event_hashes.tape:
            said = "the digest of the tape is not that of its tables"
            self.findings.append(finding(EVENTS, "TAPE_EVENTS_DIFFER", said, MANIFEST))

    def _judge_labels(self, group: int, streams: dict[str, Rows]) -> None:
        name = PRINT_LABELS.name
        rows = self._rows(name, group) if group in self._groups(name) else None
        if rows is not None and all(stream in streams for stream in PRINTS):
            self.findings += labelled([streams[stream] for stream in PRINTS], rows)

    def _rows(self, name: str, group: int) -> Rows | None:
        """Rows of a group, hashed on the way; None if they cannot be read."""
        reader = self._readers[name]
        try:
            table = reader.read(group)
        except IntegrityError as error:
            self._unreadable(name, error, group)
            return None
        rows = Rows(name, group, reader.first_row(group), table)
        self._hashers[name].update(table)
        stated = self._stated(name).row_groups
        if group < len(stated):
            digest = rows_digest(table, TABLES[name])
            if digest != stated[group].digest:
                rank, code = _rank_and_code(name)
                said = f"its rows have {digest}, the manifest says {stated[group].digest}"
                self.findings.append(rows.differs(rank, code, said))
        return rows

    def _groups(self, name: str) -> range:
        reader = self._readers.get(name)
        return range(len(reader.group_rows) if reader else 0)

    def _count(self, name: str, reader: TableReader) -> None:
        stated = [group.rows for group in self._stated(name).row_groups]
        found = list(reader.group_rows)
        if found == stated:
            return
        rank = TRUTH_RANK if name in TRUTH else COUNT
        pairs = list(zip(found, stated, strict=False))
        group = next((at for at, (one, other) in enumerate(pairs) if one != other), len(pairs))
        here, there = (of[group] if group < len(of) else "no" for of in (found, stated))
        first = sum(found[:group])
        said = (
            f"{sum(found)} rows are there, the manifest says {sum(stated)}: "
            f"row group {group}, from row {first} on, has {here} rows, not {there}"
        )
        loc = f"{name}.parquet, row group {group}"
        at = group if group < len(found) else -1
        told = finding(rank, "TAPE_COUNT_DIFFERS", said, loc, name, at)
        self.findings.append(told._replace(first_row=first))

    def _judge_texts(self, name: str, texts: dict[str, str]) -> None:
        for key, value in texts.items():
            word = self._words.found_in(key) or self._words.found_in(value)
            loc = f"{name}.parquet, text {key[:60]!a}"
            if name not in TRUTH and word is not None:
                said = f"a text of the file says {word}"
                self.findings.append(finding(WORD, "TAPE_LABEL_ON_EVENT", said, loc, name))
            else:
                rank = TRUTH_RANK if name in TRUTH else SCHEMA
                said = "a tape has no such text"
                self.findings.append(finding(rank, "TAPE_VALUE_UNKNOWN", said, loc, name))

    def _unreadable(self, name: str, error: IntegrityError, group: int = -1) -> None:
        rank = TRUTH_RANK if name in TRUTH else SCHEMA
        self.findings.append(Finding(rank, error.problems[0], name, group))

    def _stated(self, name: str) -> TableHash:
        if name in TRUTH:
            return self._manifest.expected_output_contract.tables.of(name)
        return self._manifest.event_hashes.of(name)


def _rank_and_code(name: str) -> tuple[int, str]:
    if name in TRUTH:
        return TRUTH_RANK, "TAPE_LABELS_DIFFER"
    return EVENTS, "TAPE_EVENTS_DIFFER"
