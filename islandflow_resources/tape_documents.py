"""The documents of a stored tape, and its files as bytes: each is what the manifest says.

Tables, and what their rows say, are checked in ``tape_loader``; documents are
``contracts.tape_manifest`` and ``contracts.labels``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

import numpy as np

from contracts.canonical import Document, canonical_json
from contracts.errors import ContractError, IslandflowError
from contracts.labels import (
    EventRef,
    ExpectedOutputs,
    GroundTruthLabels,
    load_expected_outputs,
    load_labels,
)
from contracts.tape import tape_id
from contracts.tape_manifest import (
    LABEL_FILES,
    LABELS,
    MANIFEST,
    OUTPUTS,
    PARAMETERS,
    PROVENANCE,
    TAPE_FILES,
    ExpectedOutputManifest,
    ParameterSnapshot,
    load_snapshot,
)
from islandflow_resources.stored_files import sealed
from islandflow_resources.tape_buckets import buckets_of
from islandflow_resources.tape_changes import changes
from islandflow_resources.tape_checks import (
    EVENTS,
    PARAMETERS_RANK,
    SCHEMA,
    TRUTH_RANK,
    WORD,
    Finding,
    Rows,
    finding,
)
from islandflow_resources.tape_places import TapePlace

T = TypeVar("T", ParameterSnapshot, GroundTruthLabels, ExpectedOutputs)
_DIFFERS: Final = "TAPE_PARAMETERS_DIFFER"
_LABELS: Final = "TAPE_LABELS_DIFFER"


def file_findings(
    place: TapePlace, manifest: ExpectedOutputManifest, with_labels: bool
) -> list[Finding]:
    """Files that are too many, or whose bytes are not those of the manifest."""
    known = {*TAPE_FILES, MANIFEST, PROVENANCE}
    found = [
        finding(WORD, "TAPE_FILE_UNKNOWN", f"{name[:80]} does not belong to a tape", name[:80])
        for name in place.names()
        if name not in known
    ]
    ranked = [(EVENTS, one) for one in manifest.artifacts]
    paths = [(f"tapes/{manifest.tape_id}/", TAPE_FILES, manifest.artifacts)]
    if with_labels:
        contract = manifest.expected_output_contract
        ranked += [(TRUTH_RANK, one) for one in contract.artifacts]
        paths.append((f"labels/{manifest.tape_id}/", LABEL_FILES, contract.artifacts))
        found += [
            finding(TRUTH_RANK, "TAPE_FILE_UNKNOWN", f"{name[:80]} is no file of labels", name[:80])
            for name in place.label_names()
            if name not in LABEL_FILES
        ]
    for prefix, names, artifacts in paths:
        if [one.path for one in artifacts] != [f"{prefix}{name}" for name in names]:
            said = f"the files of {prefix} are listed otherwise than a tape has them"
            found.append(finding(SCHEMA, "TAPE_MANIFEST_INVALID", said, MANIFEST))
    for rank, artifact in ranked:
        name = artifact.path.rpartition("/")[2]
        try:
            digest = place.digest(name)
        except IslandflowError as error:
            if error.retryable:
                raise
            found.append(finding(SCHEMA, "TAPE_FILE_MISSING", error.message, name))
            continue
        if digest != artifact.digest:
            said = f"its bytes have {digest}, the manifest says {artifact.digest}"
            found.append(finding(rank, "TAPE_FILE_DIFFERS", said, name))
    return [*found, *_provenance(place)]


def _provenance(place: TapePlace) -> Iterator[Finding]:
    """The provenance is no part of the manifest; it has a seal of its own."""
    try:
        data = place.get(PROVENANCE)
        if sealed(json.loads(data)["body"]) == data:
            return
        said = "it breaks its seal"
    except IslandflowError as error:
        if error.retryable:
            raise
        said = error.message
    except (ValueError, KeyError, TypeError, RecursionError):
        said = "it does not read"
    yield finding(EVENTS, "TAPE_FILE_DIFFERS", said, PROVENANCE)


def parameter_findings(
    place: TapePlace, manifest: ExpectedOutputManifest
) -> tuple[ParameterSnapshot | None, list[Finding]]:
    """The parameters, None if they cannot be read; and what is wrong with them."""
    snapshot, found = _document(place, PARAMETERS, load_snapshot, PARAMETERS_RANK, _DIFFERS)
    if snapshot is None:
        return None, found

    def wrong(what: str, stated: object, actual: object) -> None:
        if stated != actual:
            said = f"{what} is {actual}, the manifest says {stated}"
            found.append(finding(PARAMETERS_RANK, _DIFFERS, said, PARAMETERS))

    wrong("its hash", manifest.parameter_snapshot_hash, snapshot.snapshot_hash)
    wrong("the recipe", manifest.recipe_digest, snapshot.recipe_digest)
    wrong("the id of the tape", manifest.tape_id, tape_id(snapshot.recipe_digest))
    wrong("the id of the profile", manifest.profile_identity.id, snapshot.spec.id)
    starts = tuple(bucket.start_ns for bucket in buckets_of(snapshot.spec))
    if manifest.event_hashes.row_group_starts_ns != starts:
        said = "its row groups do not begin where those of the parameters do"
        found.append(finding(PARAMETERS_RANK, _DIFFERS, said, MANIFEST))
    ours: Document = {
        "generator": snapshot.generator.document(),
        "seed_bundle": snapshot.seed_bundle.document(),
    }
    theirs: Document = {
        "generator": manifest.generator.document(),
        "seed_bundle": manifest.seed_bundle.document(),
    }
    for one in changes(theirs, ours):
        said = f"{one.pointer} is {one.after}, the manifest says {one.before}"
        found.append(finding(PARAMETERS_RANK, _DIFFERS, said, f"{PARAMETERS}#{one.pointer}"))
    return snapshot, found


def label_findings(
    place: TapePlace, manifest: ExpectedOutputManifest
) -> tuple[GroundTruthLabels | None, list[Finding]]:
    """The labels, None if they cannot be read; and what is wrong with them and the outputs."""
    labels, found = _document(place, LABELS, load_labels, TRUTH_RANK, _LABELS)
    outputs, others = _document(place, OUTPUTS, load_expected_outputs, TRUTH_RANK, _LABELS)
    found += others
    contract = manifest.expected_output_contract

    def wrong(name: str, what: str, stated: object, actual: object) -> None:
        if stated != actual:
            said = f"{what} is {actual}, the manifest says {stated}"
            found.append(finding(TRUTH_RANK, _LABELS, said, name))

    run = (manifest.run.run_id, manifest.tape_id)
    if labels is not None:
        wrong(LABELS, "its hash", contract.labels_hash, labels.labels_hash)
        wrong(LABELS, "the number of labels", contract.label_count, len(labels.labels))
        wrong(LABELS, "its run and tape", run, (labels.run_id, labels.tape_id))
    if outputs is not None:
        wrong(OUTPUTS, "its hash", contract.smart_flow_outputs_hash, outputs.outputs_hash)
        counted = len(outputs.outputs)
        wrong(OUTPUTS, "the number of outputs", contract.expected_output_count, counted)
        wrong(OUTPUTS, "its run and tape", run, (outputs.run_id, outputs.tape_id))
        wrong(OUTPUTS, "the hash of its labels", contract.labels_hash, outputs.source_labels_hash)
    if labels is not None and outputs is not None:
        ids = {label.label_id for label in labels.labels}
        found += [
            finding(
                TRUTH_RANK,
                _LABELS,
                f"there is no label {output.label_id}",
                f"{OUTPUTS}#/outputs/{index}/label_id",
            )
            for index, output in enumerate(outputs.outputs)
            if output.label_id not in ids
        ]
    return labels, found


class _Sought(NamedTuple):
    """An event that a label names, and where it does."""

    ref: EventRef
    loc: str


class RefCheck:
    """Every event that a label names is on the tape, at the time that it says."""

    def __init__(self, labels: GroundTruthLabels | None) -> None:
        self._sought: dict[str, dict[int, _Sought]] = {}
        for index, label in enumerate(labels.labels if labels else ()):
            for place, ref in enumerate(label.event_refs):
                loc = f"{LABELS}#/labels/{index}/event_refs/{place}"
                self._sought.setdefault(ref.event_kind, {})[ref.seq] = _Sought(ref, loc)
        self._wrong: list[_Sought] = []

    def take(self, rows: Rows) -> None:
        """Look for the events among some rows."""
        sought = self._sought.get(rows.name)
        if not sought:
            return
        seqs, times = rows.numbers("seq"), rows.numbers("ts_ns")
        for row in np.flatnonzero(np.isin(seqs, list(sought))):
            one = sought.pop(int(seqs[row]), None)
            if one is not None and one.ref.source_ts_ns != times[row]:
                self._wrong.append(one)

    def findings(self) -> list[Finding]:
        """Events that were not found, or at another time."""
        missing = [one for of in self._sought.values() for one in of.values()]
        return [
            finding(TRUTH_RANK, _LABELS, f"{said} {one.ref.event_id}", one.loc)
            for said, ones in (
                ("there is no event", missing),
                ("it gives another time than that of", self._wrong),
            )
            for one in ones
        ]


def _document(
    place: TapePlace, name: str, load: Callable[[bytes], T], rank: int, code: str
) -> tuple[T | None, list[Finding]]:
    """A document of a tape, written as it should be; None if it cannot be read."""
    try:
        data = place.get(name)
        document = load(data)
    except ContractError as error:
        return None, [
            finding(rank, code, one.message, f"{name}#{one.loc}") for one in error.problems
        ]
    except IslandflowError as error:
        if error.retryable:
            raise
        return None, []  # a missing file is told of where files are
    if canonical_json(document.document()) + b"\n" == data:
        return document, []
    said = "it is not written as canonical JSON and a final line feed"
    return document, [finding(rank, code, said, name)]
