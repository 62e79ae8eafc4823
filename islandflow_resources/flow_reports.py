"""A detection against the truth of its tape: its score, and expectations that it misses.

Scores are made once by their recipe (``derived``); the detection must stand. Judging a batch of
them is ``islandflow_assets.detection_reports``.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.digest import document_digest
from contracts.errors import IntegrityError, IslandflowError, Problem
from contracts.flow_policy import ScoringPolicy
from engine.evaluation import TapeScore, tape_score
from islandflow_resources.database import Database
from islandflow_resources.flow_expectations import judge_expectations
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.flow_truth import stored_score, truth_documents
from islandflow_resources.market_tapes import MarketRef
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.sound_detections import sound_detection
from islandflow_resources.tape_places import TapePlace

_SHOWN = 5


@dataclass(frozen=True)
class TapeReport:
    """One detection judged, or the reason that it is not.

    Attributes
    ----------
    score : TapeScore or None
    detection : StoredDetection or None
    labels_digest, digest : str
        Of the truth, and of what the score says.
    expected : int
        Expected outputs that the tape has.
    missed : Problem or None
        The first ways in which they are not met.
    problem : Problem or None
    is_damaged : bool
        Whether that is a matter of integrity.
    """

    score: TapeScore | None
    detection: StoredDetection | None = None
    labels_digest: str = ""
    digest: str = ""
    expected: int = 0
    missed: Problem | None = None
    problem: Problem | None = None
    is_damaged: bool = False


def tape_report(
    store: ObjectStore,
    labels_store: ObjectStore,
    database: Database,
    ref: MarketRef,
    policy: ScoringPolicy,
    run_id: str,
) -> TapeReport:
    """Judge the detection of a tape, or find that it has been judged."""
    found = sound_detection(store, labels_store, database, ref, policy, run_id)
    if found.detection is None or found.tape is None:
        return TapeReport(None, problem=found.problem, is_damaged=found.is_damaged)
    tape, detection = found.tape, found.detection
    try:
        policy.refuse_tuned(ref.seed)
        document = stored_score(
            store,
            database,
            detection,
            tape.place,
            ref.tape.spec,
            ref.seed,
            tape.labels_digest,
            ref.tape.key,
            run_id,
        )
        expected, missed = _expectations(detection, tape.place)
    except IslandflowError as error:
        if error.retryable:
            raise
        is_damaged = isinstance(error, IntegrityError)
        return TapeReport(None, problem=error.problems[0], is_damaged=is_damaged)
    return TapeReport(
        tape_score(document),
        detection,
        tape.labels_digest,
        document_digest(document),
        expected,
        missed,
    )


def _expectations(detection: StoredDetection, place: TapePlace) -> tuple[int, Problem | None]:
    """Expected outputs of the tape, and the first ways in which a detection misses them."""
    labels, outputs = truth_documents(place)
    if not outputs.outputs:
        return 0, None
    judged = judge_expectations(outputs, labels, detection.tables()).outputs
    missed = [f"{one.expected_output_id}: {how}" for one in judged for how in one.mismatches]
    if not missed:
        return len(judged), None
    hint = "look at it with: islandflow flow explain"
    said = "; ".join(missed[:_SHOWN])
    return len(judged), Problem("FLOW_EXPECTATION_MISSED", said, str(detection.key), (hint,))
