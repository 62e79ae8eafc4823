"""Detections of tapes that stand and have passed, in the store: made once, trusted verified.

The detector is handed the streams of a tape and its reference data, without its labels. What a
detection says is stored by ``flow_folder``, how it is judged ``flow_truth``.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.digest import recipe_digest
from contracts.errors import IntegrityError, IslandflowError, NotFoundError, Problem
from contracts.flow_manifest import WHAT as DETECTION
from contracts.flow_manifest import detection_id, detection_recipe
from contracts.flow_policy import ScoringPolicy
from contracts.tape import TapeSpec, tape_id, tape_recipe
from engine.flow.api import VERSION
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_folder import StoredDetection, detect, find_detection
from islandflow_resources.market_tapes import MarketRef, MarketTapeFiles
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.sound_tapes import sound_tape
from islandflow_resources.tape_places import TapePlace, read_manifest, stored_place

WHAT: Final = "smart_flow_detection"


@dataclass(frozen=True)
class SoundDetection:
    """A detection of a sound tape, or the reason that there is none.

    Attributes
    ----------
    tape : MarketTapeFiles or None
    detection : StoredDetection or None
    used_cache : bool
    seconds : float
    problem : Problem or None
    is_damaged : bool
        Whether that is a matter of integrity.
    """

    tape: MarketTapeFiles | None
    detection: StoredDetection | None
    used_cache: bool
    seconds: float
    problem: Problem | None = None
    is_damaged: bool = False


def make_detection(
    store: ObjectStore,
    labels_store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    ref: MarketRef,
    policy: ScoringPolicy,
    run_id: str,
) -> SoundDetection:
    """Detect what is in a sound tape, or find that it has been done.

    Parameters
    ----------
    labels_store : ObjectStore
        For the tape's own verdict; the detector never sees it.
    """
    start = time.perf_counter()
    found = sound_tape(store, labels_store, database, ref, run_id)
    if found.tape is None:
        return SoundDetection(None, None, False, found.seconds, found.problem, found.is_damaged)
    place = TapePlace(store, found.tape.place.prefix)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="islandflow-flow-") as folder,
            runtime.computing(),
        ):
            detection = detect(store, TapeFeed(place), policy, Path(folder))
        _refuse_other(database, detection)
        database.record([_row(ref, detection, run_id)])
    except IslandflowError as error:
        return _refused(error, time.perf_counter() - start)
    seconds = time.perf_counter() - start
    return SoundDetection(found.tape, detection, not detection.created, seconds)


def sound_detection(
    store: ObjectStore,
    labels_store: ObjectStore,
    database: Database,
    ref: MarketRef,
    policy: ScoringPolicy,
    run_id: str,
) -> SoundDetection:
    """The detection of a sound tape, if it stands; every byte of it verified."""
    start = time.perf_counter()
    found = sound_tape(store, labels_store, database, ref, run_id)
    if found.tape is None:
        return SoundDetection(None, None, False, found.seconds, found.problem, found.is_damaged)
    try:
        recipe = detection_recipe(found.tape.content_digest, policy.policy_digest, VERSION, 0)
        detection = find_detection(store, detection_id(recipe))
        if detection is None:
            hint = "make it: run the job smart_flow for its partition"
            said = f"there is no detection of {ref} under the policy {policy.id} {policy.version}"
            raise NotFoundError("DETECTION_NOT_FOUND", said, str(ref), (hint,))
        _refuse_other(database, detection)
        detection.verify()
    except IslandflowError as error:
        return _refused(error, time.perf_counter() - start)
    return SoundDetection(found.tape, detection, True, time.perf_counter() - start)


def _refused(error: IslandflowError, seconds: float) -> SoundDetection:
    if error.retryable:
        raise error
    is_damaged = isinstance(error, IntegrityError)
    return SoundDetection(None, None, False, seconds, error.problems[0], is_damaged)


def _recipe(detection: StoredDetection) -> str:
    return recipe_digest(DETECTION, version=VERSION, specs={"inputs": detection.manifest.recipe})


def _refuse_other(database: Database, detection: StoredDetection) -> None:
    """Refuse a detection that says something else than what was recorded of it."""
    recipe = _recipe(detection)
    known = database.find([recipe]).get(recipe)
    if known is not None and known.content_digest != detection.manifest.content_digest:
        raise IntegrityError(
            "RECORD_DIFFERS",
            f"{detection.store.uri(detection.key)} says {detection.manifest.content_digest}, "
            f"recorded is {known.content_digest}",
            detection.key,
            ("look at both, and move away the one that is damaged",),
        )


def _row(ref: MarketRef, detection: StoredDetection, run_id: str) -> Artefact:
    manifest = detection.manifest
    return Artefact(
        recipe_digest=_recipe(detection),
        what=WHAT,
        scenario_key=ref.tape.key,
        seed=ref.seed,
        version=VERSION,
        content_digest=manifest.content_digest,
        file_digest=file_digest(manifest.to_bytes()),
        object_key=detection.key,
        manifest_key=detection.key,
        rows=sum(table.rows for table in manifest.tables.values()),
        recipe=manifest.recipe,
        run_id=run_id,
    )


def stored_detection(
    store: ObjectStore, spec: TapeSpec, seed: int, generator: str, policy: ScoringPolicy
) -> StoredDetection | None:
    """The detection of the tape of a spec and a seed, if both stand; nothing is verified."""
    recipe = tape_recipe(spec, seed, generator)
    try:
        manifest = read_manifest(stored_place(store, tape_id(recipe)))
    except NotFoundError:
        return None
    tape = manifest.event_hashes.tape
    made = detection_recipe(tape, policy.policy_digest, VERSION, 0)
    return find_detection(store, detection_id(made))
