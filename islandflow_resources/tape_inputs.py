"""What a tape is asked for, and the documents that follow from it: snapshot and manifest.

Nothing here reads or writes a file; that is ``tape_folder``. The documents themselves are
``contracts.tape_manifest``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import TypeAdapter

from contracts.canonical import Document
from contracts.digest import document_digest
from contracts.document import validate
from contracts.labels import ExpectedOutputs, GroundTruthLabels
from contracts.tape import ORDER_BY, SeedBundle, TapeProfile, TapeSpec, tape_id
from contracts.tape_columns import STREAMS, TRUTH
from contracts.tape_manifest import (
    GENERATOR,
    LABEL_FILES,
    LABELS,
    OUTPUTS,
    PARAMETERS_VERSION,
    REFERENCE,
    TAPE_FILES,
    VERSION,
    ExpectedOutputManifest,
    Generator,
    ParameterSnapshot,
    ProfileIdentity,
    Run,
    TableHash,
    labels_key,
    sealed_manifest,
    tape_digest,
    tape_key,
)

_IDENTITY: Final = (
    "manifest_version",
    "generator",
    "seed_bundle",
    "profile_identity",
    "recipe_digest",
    "parameter_snapshot_hash",
)
_RUN: Final[TypeAdapter[Run]] = TypeAdapter(Run)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Digest and size of a file's bytes."""

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class TapeInputs:
    """All that the bytes of a tape and its manifest follow from.

    Attributes
    ----------
    spec : TapeSpec
    seed_bundle : SeedBundle
    version : str
        Of the generator.
    profile : ProfileIdentity
    run_name, run_id : str
    scenario_id : str or None
    """

    spec: TapeSpec
    seed_bundle: SeedBundle
    version: str
    profile: ProfileIdentity
    run_name: str
    run_id: str
    scenario_id: str | None

    @cached_property
    def snapshot(self) -> ParameterSnapshot:
        """Every parameter, written out."""
        return ParameterSnapshot(
            snapshot_version=PARAMETERS_VERSION,
            generator=Generator(name=GENERATOR, version=self.version),
            seed_bundle=self.seed_bundle,
            spec=self.spec,
        )

    @cached_property
    def tape_id(self) -> str:
        """Name of the tape in keys and folders."""
        return tape_id(self.snapshot.recipe_digest)

    def identity(self) -> Document:
        """The part of the manifest that is known before an event is drawn."""
        return {
            "manifest_version": VERSION,
            "generator": self.snapshot.generator.document(),
            "run": {
                "run_id": self.run_id,
                "run_name": self.run_name,
                "scenario_id": self.scenario_id,
                "tape_id": self.tape_id,
            },
            "seed_bundle": self.seed_bundle.document(),
            "profile_identity": self.profile.document(),
            "recipe_digest": self.snapshot.recipe_digest,
            "parameter_snapshot_hash": self.snapshot.snapshot_hash,
        }


def identity_of(manifest: ExpectedOutputManifest) -> Document:
    """The same part of a manifest that is there, see `TapeInputs.identity`."""
    whole = manifest.document()
    run: Document = manifest.run.model_dump(mode="json", exclude={"first_ts_ns", "counts"})
    return {**{name: whole[name] for name in _IDENTITY}, "run": run}


def tape_inputs(
    profile: TapeProfile,
    spec: TapeSpec,
    seed_bundle: SeedBundle,
    version: str,
    run_name: str,
    *,
    run_id: str | None = None,
    scenario_id: str | None = None,
) -> TapeInputs:
    """Inputs of a tape, the names of the run checked.

    Parameters
    ----------
    spec : TapeSpec
        What `profile` means, see ``tape_specs.resolve``.
    run_id : str, optional
        ``run-{tape_id}`` by default.

    Raises
    ------
    ContractError
        ``TAPE_RUN_…`` with the pointer of a name that is not of the required form.
    """
    whose = ProfileIdentity(
        id=profile.id, version=profile.version, profile_hash=document_digest(profile.document())
    )
    inputs = TapeInputs(spec, seed_bundle, version, whose, run_name, run_id or "", scenario_id)
    named = inputs.tape_id
    counts: Document = dict.fromkeys(STREAMS, 0)
    run: Document = {
        "run_id": f"run-{named}" if run_id is None else run_id,
        "run_name": run_name,
        "scenario_id": scenario_id,
        "tape_id": named,
        "first_ts_ns": None,
        "counts": counts,
    }
    checked = validate(_RUN, run, "tape run")
    return TapeInputs(
        spec, seed_bundle, version, whose, checked.run_name, checked.run_id, scenario_id
    )


def manifest_of(
    inputs: TapeInputs,
    starts_ns: Sequence[int],
    span_ns: tuple[int, int] | None,
    hashes: Mapping[str, TableHash],
    files: Mapping[str, FileFacts],
    truth: tuple[GroundTruthLabels, ExpectedOutputs],
) -> ExpectedOutputManifest:
    """The manifest of a tape that has been written.

    Parameters
    ----------
    starts_ns : sequence of int
        Start of every row group of the streams.
    span_ns : tuple of int, optional
        Times of the first and the last event, None if there is none.
    hashes : mapping of str to TableHash
        Of every table by name.
    files : mapping of str to FileFacts
        Of every file by name.
    """
    first, last = (str(ns) for ns in span_ns) if span_ns else (None, None)
    rows = {name: hashes[name].rows for name in STREAMS}
    counts: Document = {**rows}
    tables = {name: hashes[name] for name in (*STREAMS, *REFERENCE)}
    body = inputs.identity()
    run = body["run"]
    assert isinstance(run, dict)
    return sealed_manifest(
        {
            **body,
            "run": {**run, "first_ts_ns": first, "counts": counts},
            "event_hashes": {
                "row_group_starts_ns": [str(ns) for ns in starts_ns],
                **{name: table.document() for name, table in tables.items()},
                "tape": tape_digest({name: table.digest for name, table in tables.items()}),
            },
            "replay_plan": {
                "order_by": list(ORDER_BY),
                "event_count": sum(rows.values()),
                "counts": counts,
                "first_ts_ns": first,
                "last_ts_ns": last,
            },
            "artifacts": [
                _artifact(tape_key(inputs.tape_id, name), files[name]) for name in TAPE_FILES
            ],
            "expected_output_contract": _expected(inputs.tape_id, hashes, files, truth),
        }
    )


def _expected(
    named: str,
    hashes: Mapping[str, TableHash],
    files: Mapping[str, FileFacts],
    truth: tuple[GroundTruthLabels, ExpectedOutputs],
) -> Document:
    labels, outputs = truth
    return {
        "hidden_labels_embedded_in_market_events": False,
        "labels_path": labels_key(named, LABELS),
        "labels_hash": labels.labels_hash,
        "label_count": len(labels.labels),
        "smart_flow_outputs_path": labels_key(named, OUTPUTS),
        "smart_flow_outputs_hash": outputs.outputs_hash,
        "expected_output_count": len(outputs.outputs),
        "tables": {name: hashes[name].document() for name in TRUTH},
        "artifacts": [_artifact(labels_key(named, name), files[name]) for name in LABEL_FILES],
    }


def _artifact(path: str, facts: FileFacts) -> Document:
    return {"path": path, "digest": facts.digest, "size_bytes": facts.size_bytes}
