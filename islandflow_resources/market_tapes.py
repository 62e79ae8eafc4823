"""Tapes of the synthetic market in the store: made once by their recipe, trusted verified.

The files are written by ``tape_folder``, the manifest last; a damaged tape is reported and left,
never replaced. What is wanted is ``tape_requests``, how a tape is judged ``tape_reports``. Tapes
of orders are ``mbo_tapes``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from contracts.digest import document_digest
from contracts.errors import IntegrityError, IslandflowError, NotFoundError, Problem
from contracts.tape import USUAL_NAMESPACE, USUAL_PARTITION, WHAT, SeedBundle
from contracts.tape_manifest import MANIFEST, ExpectedOutputManifest, tape_key
from engine.tapes.market.api import VERSION, MarketTape
from islandflow_resources import tape_folder
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.materialise import provenance
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.tape_catalogue import catalogue_truth
from islandflow_resources.tape_checks import raise_findings
from islandflow_resources.tape_documents import file_findings
from islandflow_resources.tape_inputs import TapeInputs
from islandflow_resources.tape_places import TapePlace
from islandflow_resources.tape_requests import ResolvedTape


@dataclass(frozen=True)
class MarketRef:
    """Address of the tape that a spec and a seed determine.

    Attributes
    ----------
    tape : ResolvedTape
    seed : int
    """

    tape: ResolvedTape
    seed: int

    @cached_property
    def inputs(self) -> TapeInputs:
        """What the bytes of the tape and its manifest follow from."""
        inputs = TapeInputs(
            self.tape.spec,
            SeedBundle(seed=self.seed, namespace=USUAL_NAMESPACE, partition=USUAL_PARTITION),
            VERSION,
            self.tape.profile,
            self.tape.key,
            "",
            None,
        )
        return replace(inputs, run_id=f"run-{inputs.tape_id}")

    def __str__(self) -> str:
        return f"{self.tape.key}|{self.seed}"

    @property
    def recipe(self) -> str:
        """Recipe digest, ``sha256:…``."""
        return self.inputs.snapshot.recipe_digest

    @property
    def manifest_key(self) -> str:
        """Key of the manifest."""
        return tape_key(self.inputs.tape_id, MANIFEST)


@dataclass(frozen=True)
class MarketTapeFiles:
    """A tape that stands in the store, its manifest verified.

    Attributes
    ----------
    ref : MarketRef
    manifest : ExpectedOutputManifest
    place : TapePlace
    """

    ref: MarketRef
    manifest: ExpectedOutputManifest
    place: TapePlace

    @property
    def content_digest(self) -> str:
        """What the streams and the reference data say."""
        return self.manifest.event_hashes.tape

    @cached_property
    def labels_digest(self) -> str:
        """What the truth about them says: bursts and prints, labels, expected outputs."""
        contract = self.manifest.expected_output_contract
        return document_digest(
            {
                "labels": contract.labels_hash,
                "outputs": contract.smart_flow_outputs_hash,
                "print_labels": contract.tables.print_labels.digest,
                "burst_labels": contract.tables.burst_labels.digest,
            }
        )

    @property
    def states_digest(self) -> str:
        """What the states of its sessions say."""
        return self.manifest.expected_output_contract.tables.session_states.digest


@dataclass(frozen=True, slots=True)
class MadeMarketTape:
    """What became of one tape: made, found again, or refused with a problem."""

    ref: MarketRef
    tape: MarketTapeFiles | None
    used_cache: bool
    seconds: float
    problem: Problem | None = None


def make_market_tape(
    store: ObjectStore,
    labels_store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    ref: MarketRef,
    folder: Path,
    run_id: str,
) -> MadeMarketTape:
    """Make a tape, or find it again and verify the bytes of every file.

    A tape whose stored files are damaged, or in whose place another one stands, comes back
    with its problem and is published nowhere.

    Parameters
    ----------
    folder : Path
        Local, for what is written on the way.
    """
    start = time.perf_counter()
    try:
        tape = find_market_tape(store, labels_store, database, ref)
        used_cache = tape is not None
        if tape is None:
            with runtime.computing():
                written = tape_folder.write_tape(
                    store,
                    lambda: MarketTape(ref.tape.spec, ref.seed),
                    ref.inputs,
                    folder,
                    provenance=provenance(run_id),
                    labels_store=labels_store,
                    catalogue=catalogue_truth,
                )
            tape = MarketTapeFiles(ref, written.manifest, written.place)
            database.record([_row(tape, run_id)])
        else:
            raise_findings(file_findings(tape.place, tape.manifest, True))
    except IslandflowError as error:
        if error.retryable:
            raise
        seconds = time.perf_counter() - start
        return MadeMarketTape(ref, None, False, seconds, error.problems[0])
    return MadeMarketTape(ref, tape, used_cache, time.perf_counter() - start)


def find_market_tape(
    store: ObjectStore, labels_store: ObjectStore, database: Database, ref: MarketRef
) -> MarketTapeFiles | None:
    """A recorded tape with its manifest verified, its files not yet; None if there is none.

    Raises
    ------
    ContractError
        ``TAPE_EXISTS`` if another tape stands in its place.
    IntegrityError
        ``TAPE_MANIFEST_INVALID``, or ``RECORD_DIFFERS`` if the manifest is not the one that
        was recorded.
    """
    known = database.find([ref.recipe]).get(ref.recipe)
    if known is None:
        return None
    found = tape_folder.find_tape(store, ref.inputs, labels_store)
    if found is None:
        return None
    tape = MarketTapeFiles(ref, found.manifest, found.place)
    recorded = known.content_digest, known.file_digest
    if (tape.content_digest, file_digest(tape.manifest.to_bytes())) == recorded:
        return tape
    raise IntegrityError(
        "RECORD_DIFFERS",
        f"{store.uri(ref.manifest_key)} names {tape.content_digest}, "
        f"recorded is {known.content_digest}",
        ref.manifest_key,
        ("look at both, and move away the one that is damaged",),
    )


def standing_tape(
    store: ObjectStore, labels_store: ObjectStore, database: Database, ref: MarketRef
) -> MarketTapeFiles:
    """As `find_market_tape`, for whoever cannot go on without it.

    Raises
    ------
    NotFoundError
        ``TAPE_NOT_FOUND``.
    """
    tape = find_market_tape(store, labels_store, database, ref)
    if tape is not None:
        return tape
    hint = "make it: run the job market_tapes for its partition"
    raise NotFoundError("TAPE_NOT_FOUND", f"there is no tape {ref}", str(ref), (hint,))


def _row(tape: MarketTapeFiles, run_id: str) -> Artefact:
    ref, manifest = tape.ref, tape.manifest
    return Artefact(
        recipe_digest=ref.recipe,
        what=WHAT,
        scenario_key=ref.tape.key,
        seed=ref.seed,
        version=VERSION,
        content_digest=tape.content_digest,
        file_digest=file_digest(manifest.to_bytes()),
        object_key=ref.manifest_key,
        manifest_key=ref.manifest_key,
        rows=manifest.replay_plan.event_count,
        recipe={"tape_id": ref.inputs.tape_id, "seed": str(ref.seed), "version": VERSION},
        run_id=run_id,
    )
