"""Tapes as stored files: written streaming, read back, the manifest last, nothing replaced.

A tape lies under ``tapes/{tape_id}``, its labels under ``labels/{tape_id}``, in an object
store or a local folder laid out like one. Memory holds one stretch of five minutes. What the
manifest says is ``tape_inputs``; who checks a tape later is ``tape_loader``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np

from contracts.canonical import Document, canonical_json
from contracts.errors import ContractError, IntegrityError, NotFoundError, Problem
from contracts.flow import ACTORS
from contracts.labels import ExpectedOutputs, GroundTruthLabels, no_labels
from contracts.tape_columns import BURST_LABELS, CONTRACTS, EVENT_CALENDAR, STREAMS, TRUTH
from contracts.tape_manifest import (
    LABEL_FILES,
    LABELS,
    MANIFEST,
    OUTPUTS,
    PARAMETERS,
    PROVENANCE,
    TAPE_FILES,
    ExpectedOutputManifest,
    TableHash,
    tape_key,
)
from engine.tapes.market.events import Batch, Columns
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.stored_files import StoredFile, digest_of, put_file, sealed
from islandflow_resources.tape_buckets import Bucket, buckets_of, by_bucket
from islandflow_resources.tape_changes import changes
from islandflow_resources.tape_files import TABLES, TableReader, TapeFile, rows_digest
from islandflow_resources.tape_inputs import FileFacts, TapeInputs, identity_of, manifest_of
from islandflow_resources.tape_places import TapePlace, read_manifest, stored_place
from islandflow_resources.tape_tables import (
    burst_table,
    calendar_table,
    contract_table,
    stream_tables,
    tape_texts,
    truth_tables,
)

_INJECTION: Final = ACTORS.index("injection")
_SECOND_NS: Final = 1_000_000_000


class TapeEvents(Protocol):
    """A source of events, such as ``engine.tapes.market.api.MarketTape``."""

    @property
    def contracts(self) -> list[str]:
        """Ids of the option contracts so far, in the order of their codes."""
        ...

    def batches(self) -> Iterator[Batch]:
        """Events in order, from the start to the end of the spec."""
        ...

    def contract_rows(self) -> Columns:
        """Reference data of the contracts so far."""
        ...

    def event_calendar(self) -> Columns:
        """Scheduled events."""
        ...

    def burst_labels(self) -> Columns:
        """Every burst, complete after the last batch."""
        ...


class InjectedPrint(NamedTuple):
    """A print of an injection."""

    burst_id: int
    stream: str
    seq: int
    ts_ns: int


class Truth(NamedTuple):
    """What the labels of a catalogue can be made from: bursts, and the prints of injections."""

    bursts: Columns
    injected: tuple[InjectedPrint, ...]


Catalogue: TypeAlias = "Callable[[TapeInputs, Truth], tuple[GroundTruthLabels, ExpectedOutputs]]"
"""Says what the injections of a tape are, and what a detector should make of them."""


@dataclass(frozen=True, slots=True)
class WrittenTape:
    """A tape that stands where it should.

    Attributes
    ----------
    manifest : ExpectedOutputManifest
    place : TapePlace
    created : bool
        False if an identical tape was there.
    """

    manifest: ExpectedOutputManifest
    place: TapePlace
    created: bool


class _Staged(NamedTuple):
    """What has been written into local files."""

    hashes: dict[str, TableHash]
    span_ns: tuple[int, int] | None
    truth: Truth


def write_tape(
    store: ObjectStore,
    source: Callable[[], TapeEvents],
    inputs: TapeInputs,
    folder: Path,
    *,
    provenance: Document,
    labels_store: ObjectStore | None = None,
    catalogue: Catalogue | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WrittenTape:
    """Write a tape and its labels, or find that they are there.

    Parameters
    ----------
    source : callable
        Gives the events, from their start.
    folder : Path
        Local, for what is written on the way; nothing is left in it.
    provenance : dict
        What does not follow from the inputs, such as time and host.
    labels_store : ObjectStore, optional
        For the labels, if it is another.
    catalogue : callable, optional
        Without it there is no label of an injection.
    progress : callable, optional
        Takes seconds of the tape that are done, and all of them.

    Raises
    ------
    ContractError
        ``TAPE_EXISTS`` with every difference, if another tape of the same id is there.
    IntegrityError
        ``TAPE_DAMAGED`` if the same one is there and was changed, ``OBJECT_DIFFERS`` if it
        changed while it was written, ``TAPE_NOT_STORED`` if it does not read back.
    """
    labels_store = labels_store or store
    place = stored_place(store, inputs.tape_id, labels_store)
    known = _known(place, inputs)
    folder.mkdir(parents=True, exist_ok=True)
    names = (*TAPE_FILES, *LABEL_FILES)
    try:
        buckets = buckets_of(inputs.spec)
        staged = _staged(source(), inputs, buckets, folder, progress)
        make = catalogue or (lambda wanted, _: no_labels(wanted.run_id, wanted.tape_id))
        labels = make(inputs, staged.truth)
        _write_documents(inputs, labels, folder)
        files = {name: _facts(folder / name) for name in names}
        starts = [bucket.start_ns for bucket in buckets]
        manifest = manifest_of(inputs, starts, staged.span_ns, staged.hashes, files, labels)
        _refuse_other(store, labels_store, manifest, known)
        _publish(place, manifest, folder)
    finally:
        for name in names:
            (folder / name).unlink(missing_ok=True)
    store.put_if_absent(tape_key(inputs.tape_id, PROVENANCE), sealed(provenance))
    created = store.put_exact(tape_key(inputs.tape_id, MANIFEST), manifest.to_bytes())
    return WrittenTape(manifest, place, created)


def find_tape(
    store: ObjectStore, inputs: TapeInputs, labels_store: ObjectStore | None = None
) -> WrittenTape | None:
    """The tape of these inputs if it is there, its manifest read, nothing else verified.

    Raises
    ------
    ContractError
        ``TAPE_EXISTS``, see `write_tape`.
    IntegrityError
        ``TAPE_MANIFEST_INVALID``.
    """
    place = stored_place(store, inputs.tape_id, labels_store or store)
    known = _known(place, inputs)
    return WrittenTape(known, place, False) if known else None


def _known(place: TapePlace, inputs: TapeInputs) -> ExpectedOutputManifest | None:
    """The manifest that is there, if it is of the same run and inputs."""
    try:
        manifest = read_manifest(place)
    except NotFoundError:
        return None
    found = changes(identity_of(manifest), inputs.identity())
    if found:
        said = [
            (one.pointer, f"{one.pointer} is {one.before} there, here {one.after}") for one in found
        ]
        raise _other(place, said)
    return manifest


def _staged(
    source: TapeEvents,
    inputs: TapeInputs,
    buckets: list[Bucket],
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> _Staged:
    texts = tape_texts(inputs.spec.symbols)
    injected: list[InjectedPrint] = []
    times: list[int] = []
    done, total = 0, sum(bucket.end_ns - bucket.start_ns for bucket in buckets)
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(TapeFile(folder / f"{name}.parquet", schema))
            for name, schema in TABLES.items()
        }
        for batch in by_bucket(source.batches(), buckets):
            texts.list_contracts(source.contracts)
            for name, table in (stream_tables(batch, texts) | truth_tables(batch, texts)).items():
                files[name].append(table)
            injected += _injected(batch)
            times += _ends(batch)
            done += batch.end_ns - batch.start_ns
            if progress is not None:
                progress(done // _SECOND_NS, total // _SECOND_NS)
        texts.list_contracts(source.contracts)
        bursts = source.burst_labels()
        files[BURST_LABELS.name].append(burst_table(bursts, texts))
        files[CONTRACTS.name].append(contract_table(source.contract_rows(), texts))
        files[EVENT_CALENDAR.name].append(calendar_table(source.event_calendar(), texts))
    hashes = {name: file.hashes for name, file in files.items()}
    span = (times[0], times[-1]) if times else None
    return _Staged(hashes, span, Truth(bursts, tuple(injected)))


def _ends(batch: Batch) -> list[int]:
    """Times of the first and the last event, if there is one."""
    columns = [batch.streams[name]["ts_ns"] for name in STREAMS]
    filled = [times for times in columns if len(times)]
    if not filled:
        return []
    return [min(int(times[0]) for times in filled), max(int(times[-1]) for times in filled)]


def _injected(batch: Batch) -> Iterator[InjectedPrint]:
    labels = batch.print_labels
    streams = ("equity_prints", "option_prints")
    for row in np.flatnonzero(labels["actor"] == _INJECTION):
        stream, seq = streams[labels["stream"][row]], int(labels["seq"][row])
        prints = batch.streams[stream]
        at = int(np.searchsorted(prints["seq"], seq))
        yield InjectedPrint(int(labels["burst_id"][row]), stream, seq, int(prints["ts_ns"][at]))


def _write_documents(
    inputs: TapeInputs, truth: tuple[GroundTruthLabels, ExpectedOutputs], folder: Path
) -> None:
    labels, outputs = truth
    (folder / PARAMETERS).write_bytes(inputs.snapshot.to_bytes())
    for name, document in ((LABELS, labels), (OUTPUTS, outputs)):
        (folder / name).write_bytes(canonical_json(document.document()) + b"\n")


def _facts(path: Path) -> FileFacts:
    return FileFacts(file_digest(path), path.stat().st_size)


def _refuse_other(
    store: ObjectStore,
    labels_store: ObjectStore,
    manifest: ExpectedOutputManifest,
    known: ExpectedOutputManifest | None,
) -> None:
    """Refuse to go on if anything is there that this tape does not consist of."""
    contract = manifest.expected_output_contract
    files = [(store, one) for one in manifest.artifacts]
    files += [(labels_store, one) for one in contract.artifacts]
    differing = [
        one.path
        for where, one in files
        if where.exists(one.path) and digest_of(where, one.path) != one.digest
    ]
    if not differing and known in (None, manifest):
        return
    if known == manifest:
        raise _damaged(store, differing)
    place = stored_place(store, manifest.tape_id)
    found = changes(known.document(), manifest.document()) if known else []
    said = [(path, f"{path} says something else") for path in differing]
    raise _other(place, said or [(one.pointer, f"{one.pointer} differs") for one in found])


def _publish(place: TapePlace, manifest: ExpectedOutputManifest, folder: Path) -> None:
    """Store every file, and read each table back."""
    assert place.labels_store is not None
    contract = manifest.expected_output_contract
    for store, artifacts in (
        (place.store, manifest.artifacts),
        (place.labels_store, contract.artifacts),
    ):
        for one in artifacts:
            name = one.path.rpartition("/")[2]
            put_file(store, StoredFile(one.path, one.digest), folder / name)
    for name, schema in TABLES.items():
        wanted = (contract.tables if name in TRUTH else manifest.event_hashes).of(name)
        with place.open(f"{name}.parquet") as file:
            reader = TableReader(file, f"{name}.parquet", schema)
            found = [rows_digest(table, schema) for table in reader.tables()]
        if found != [group.digest for group in wanted.row_groups]:
            raise IntegrityError(
                "TAPE_NOT_STORED",
                f"{name}.parquet does not say what was written into it",
                str(place),
                ("check disk and memory of this machine, then make the tape again",),
            )


def _damaged(store: ObjectStore, paths: list[str]) -> IntegrityError:
    hints = ("move the tape away and make it again",)
    found = [
        Problem("TAPE_DAMAGED", f"{store.uri(path)} is not what its manifest says", path, hints)
        for path in paths
    ]
    first, *others = found
    return IntegrityError(first.code, first.message, first.loc, hints, tuple(others))


def _other(place: TapePlace, differing: list[tuple[str, str]]) -> ContractError:
    hints = ("name another folder or run, nothing is overwritten",)
    found = [
        Problem("TAPE_EXISTS", f"another tape stands in {place}: {said}", loc, hints)
        for loc, said in differing
    ]
    first, *others = found
    return ContractError(first.code, first.message, first.loc, hints, tuple(others))
