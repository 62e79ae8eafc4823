"""What ``islandflow tape …`` does, as functions that return lines.

Arguments are read in ``cli_tapes``. Tapes are made in ``engine.tapes.market``; their files are
``islandflow_resources.tape_folder``, who proves, replays and compares them stands beside it.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contracts.control import ControlLog
from contracts.document import load
from contracts.errors import ContractError, Problem
from contracts.seeds import parse_seed
from contracts.tape import (
    SEED_BUNDLE,
    USUAL_NAMESPACE,
    USUAL_PARTITION,
    NamedControl,
    SeedBundle,
    TapeProfile,
    TapeSpec,
)
from contracts.tape_columns import STREAMS
from contracts.tape_defaults import DEFAULT_SYMBOLS, default_profile
from contracts.tape_manifest import MANIFEST, ExpectedOutputManifest, ParameterSnapshot, tape_key
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.tape_folder import TapeEvents

MAX_INSTANT_NS: Final = 2**63 - 1
_FLAGS: Final = {
    "/seed": "--seed",
    "/namespace": "--seed-namespace",
    "/partition": "--seed-partition",
    "/run_name": "--run-name",
    "/run_id": "--run-id",
    "/scenario_id": "--scenario-id",
}
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MakeRequest:
    """Flags of ``tape make``; None where a flag is not given."""

    profile: Path | None = None
    seed_bundle: Path | None = None
    seed: str | None = None
    seed_namespace: str | None = None
    seed_partition: str | None = None
    run_name: str | None = None
    out: Path | None = None
    run_id: str | None = None
    scenario_id: str | None = None
    start_ns: int | None = None
    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request with everything that it must have."""

    profile: Path
    run_name: str
    out: Path


def defaults(symbols: int | None = None) -> list[str]:
    """The complete default profile, as JSON to start from."""
    profile = default_profile(DEFAULT_SYMBOLS if symbols is None else symbols)
    return [json.dumps(profile.model_dump(mode="json"), indent=2)]


def complete(request: MakeRequest) -> _Wanted:
    """Refuse a request that lacks something, or says it twice.

    Raises
    ------
    ContractError
        ``ARGUMENT_MISSING`` or ``ARGUMENTS_INVALID`` for every flag.
    """
    found = [*_missing(request), *_twice(request)]
    if found:
        first, *others = found
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    assert request.profile is not None
    assert request.run_name is not None
    assert request.out is not None
    return _Wanted(request.profile, request.run_name, request.out)


def load_bundle(data: bytes) -> SeedBundle:
    """Read a seed bundle from its bytes."""
    return load(SEED_BUNDLE, data, "seed bundle")


def make(
    resources: ResourceSet, request: MakeRequest, profile: TapeProfile, bundle: SeedBundle | None
) -> list[str]:
    """Make a tape and its labels into a folder, or find that they are there.

    Parameters
    ----------
    bundle : SeedBundle or None
        Of the request's file; None if the request has a seed.

    Raises
    ------
    ContractError
        If the request is incomplete, or the tape cannot be made or written.
    """
    wanted = complete(request)
    with _flags_named():
        seeds = bundle or _bundle(request)
    resources.engine_runtime.prepare()
    from islandflow_jobs.progress_bar import progress_bar
    from islandflow_resources import tape_sources
    from islandflow_resources.folder_store import FolderStore
    from islandflow_resources.materialise import provenance
    from islandflow_resources.progress import Progress
    from islandflow_resources.tape_catalogue import catalogue_truth, require_scenario
    from islandflow_resources.tape_folder import write_tape
    from islandflow_resources.tape_inputs import tape_inputs

    spec = _spec(resources, request, profile)
    with _flags_named():
        inputs = tape_inputs(
            profile,
            spec,
            seeds,
            tape_sources.generator_version(),
            wanted.run_name,
            run_id=request.run_id,
            scenario_id=request.scenario_id,
        )
        require_scenario(inputs)
    make_folder(wanted.out)
    store = FolderStore(wanted.out)
    with tempfile.TemporaryDirectory(prefix=".tape-", dir=wanted.out) as folder, progress_bar():
        written = write_tape(
            store,
            tape_sources.events_of(inputs),
            inputs,
            Path(folder),
            provenance=provenance(inputs.run_id),
            catalogue=catalogue_truth,
            progress=Progress("seconds of the tape", _LOG.info),
        )
    key = tape_key(inputs.tape_id, MANIFEST)
    word = "made" if written.created else "unchanged"
    return [f"{word} {store.uri(key)}", *_told(written.manifest)]


def verify(
    resources: ResourceSet, folder: Path, labels: Path | None, *, with_labels: bool
) -> list[str]:
    """Prove every byte of a tape in a folder.

    Raises
    ------
    ContractError
        If there is none.
    IntegrityError
        With everything that is wrong.
    """
    from islandflow_jobs.progress_bar import progress_bar
    from islandflow_resources.progress import Progress
    from islandflow_resources.tape_loader import verify_tape
    from islandflow_resources.tape_places import local_place

    def again(snapshot: ParameterSnapshot) -> TapeEvents | None:
        resources.engine_runtime.prepare()
        from islandflow_resources.tape_sources import made_again

        return made_again(snapshot)

    place = local_place(folder, labels)
    with progress_bar():
        progress = Progress("events", _LOG.info)
        proved = verify_tape(place, with_labels=with_labels, again=again, progress=progress)
    seen = "labels included" if with_labels else "its labels not looked at"
    return [f"ok {place}, {seen}", *_told(proved.manifest)]


def diff(one: Path, other: Path) -> list[str]:
    """Which parameters of two tapes differ, and from which row on which table does.

    Raises
    ------
    ContractError
        If one of them is not there.
    """
    from islandflow_resources.tape_diff import diff_tapes
    from islandflow_resources.tape_places import local_place

    found = diff_tapes(local_place(one), local_place(other))
    lines = [f"manifest {change.pointer}: {change.before}, {change.after}" for change in found.run]
    lines += [
        f"parameter {change.pointer}: {change.before}, {change.after}"
        for change in found.parameters
    ]
    for table in found.tables:
        if table.first is None:
            lines.append(f"{table.name}: the same {table.rows[0]} rows")
        else:
            where = f"{table.name}: differs from row {table.first.row} on, {table.first}"
            lines.append(f"{where}; {table.rows[0]} rows, {table.rows[1]} rows")
    return [*lines, "the same" if found.is_same else "different"]


def replay(
    folder: Path,
    streams: Sequence[str],
    start_ns: int,
    end_ns: int,
    speed: float,
) -> Iterator[str]:
    """Events of a tape in order as JSON, one a line; 64-bit integers as decimal strings.

    Raises
    ------
    ContractError
        If there is no tape, or no such stream, range or speed.
    """
    from islandflow_resources.tape_places import local_place
    from islandflow_resources.tape_replay import replay_events

    events = replay_events(
        local_place(folder), streams=streams, start_ns=start_ns, end_ns=end_ns, speed=speed
    )
    wide = {
        name: {column.name for column in schema.columns if column.kind == "int64"}
        for name, schema in STREAMS.items()
    }
    for event in events:
        values = {
            name: str(value) if name in wide[event.stream] else value
            for name, value in event.values.items()
        }
        line = {
            "stream": event.stream,
            "trace_id": event.trace_id,
            "ts_ns": str(event.ts_ns),
            "ingest_ns": str(event.ingest_ns),
            "seq": str(event.seq),
            **values,
        }
        yield json.dumps(line, separators=(",", ":"))


@contextmanager
def _flags_named() -> Iterator[None]:
    """Let problems of what was given by flags name the flags, not fields of documents."""
    try:
        yield
    except ContractError as error:
        first, *others = [
            Problem(one.code, one.message, _FLAGS.get(one.loc, one.loc), one.hints)
            for one in error.problems
        ]
        raise ContractError(
            first.code, first.message, first.loc, first.hints, tuple(others)
        ) from error


def _missing(request: MakeRequest) -> Iterator[Problem]:
    given = {
        "--profile": request.profile,
        "--out": request.out,
        "--run-name": request.run_name,
        "--seed": request.seed_bundle if request.seed is None else request.seed,
    }
    hints = {
        "--profile": "start from one: islandflow tape make --defaults > profile.json",
        "--out": "name the folder that tapes and labels are written below",
        "--run-name": "say in a few words what the tape is for",
        "--seed": "give --seed N, or --seed-bundle FILE",
    }
    for flag, value in given.items():
        if value is None:
            yield Problem("ARGUMENT_MISSING", f"{flag} is missing", flag, (hints[flag],))


def _twice(request: MakeRequest) -> Iterator[Problem]:
    if request.seed_bundle is None:
        return
    for flag, value in (
        ("--seed", request.seed),
        ("--seed-namespace", request.seed_namespace),
        ("--seed-partition", request.seed_partition),
    ):
        if value is not None:
            said = f"{flag} and --seed-bundle say the same"
            yield Problem("ARGUMENTS_INVALID", said, flag, ("leave one of them out",))


def _bundle(request: MakeRequest) -> SeedBundle:
    document = {
        "seed": str(parse_seed(request.seed or "")),
        "namespace": _given(request.seed_namespace, USUAL_NAMESPACE),
        "partition": _given(request.seed_partition, USUAL_PARTITION),
    }
    return load_bundle(json.dumps(document).encode())


def _given(value: str | None, usual: str) -> str:
    return usual if value is None else value


def _spec(resources: ResourceSet, request: MakeRequest, profile: TapeProfile) -> TapeSpec:
    from islandflow_resources.tape_specs import resolve

    start_ns, duration_s = request.start_ns, request.duration_s
    deployed = _deployed(resources) if isinstance(profile.control, NamedControl) else None
    try:
        return resolve(profile, deployed, start_ns=start_ns, duration_s=duration_s)
    except ContractError as error:
        if error.code != "TAPE_WINDOW_INVALID" or (start_ns is None and duration_s is None):
            raise
        flag = "--duration" if start_ns is None else "--start-ts"
        raise ContractError(error.code, error.message, flag, error.hints) from error


def _deployed(resources: ResourceSet) -> ControlLog:
    from islandflow_resources.control_log import ControlLogStore

    return ControlLogStore(resources.database).log()


def make_folder(out: Path) -> None:
    """Make the folder that something is written into.

    Raises
    ------
    ContractError
        ``FOLDER_NOT_WRITABLE``.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(out, os.W_OK | os.X_OK)
        why = "" if is_writable else "it cannot be written to"
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        hint = "name a folder that can be made or written to"
        said = f"cannot write into {out}: {why}"
        raise ContractError("FOLDER_NOT_WRITABLE", said, "--out", (hint,))


def _told(manifest: ExpectedOutputManifest) -> list[str]:
    plan, contract = manifest.replay_plan, manifest.expected_output_contract
    counts = ", ".join(f"{getattr(plan.counts, name)} {name}" for name in STREAMS)
    return [
        f"run {manifest.run.run_id}, {manifest.run.run_name}",
        f"{plan.event_count} events: {counts}",
        f"{contract.label_count} labels, {contract.tables.burst_labels.rows} bursts",
        f"parameters {manifest.parameter_snapshot_hash}",
        f"events {manifest.event_hashes.tape}",
    ]
