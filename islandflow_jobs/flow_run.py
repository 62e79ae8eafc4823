"""What ``islandflow flow …`` does, as functions that return lines.

Arguments are read in ``cli_flow``. The detector is ``engine.flow``, its files
``islandflow_resources.flow_folder``, how it is judged ``engine.evaluation``.
"""

from __future__ import annotations

import json
import logging
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contracts.errors import ContractError, IntegrityError, Problem
from contracts.flow_columns import ALERTS, HYPOTHESIS_ROWS
from contracts.flow_manifest import MANIFEST
from contracts.flow_policy import ScoringPolicy, usual_policy
from contracts.smart_flow import HYPOTHESES
from contracts.tape_manifest import LABEL_FILES, PARAMETERS, load_snapshot
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from engine.evaluation import Figure, Pooled
    from islandflow_resources.flow_folder import StoredDetection
    from islandflow_resources.tape_places import TapePlace

_LOG: Final = logging.getLogger(__name__)


def detect(
    resources: ResourceSet,
    tape: Path,
    out: Path,
    policy: ScoringPolicy | None,
    lateness_ms: float,
) -> list[str]:
    """Detect what is in a tape into a folder, or find that it has been done.

    Raises
    ------
    ContractError
        If there is no tape, the folder cannot be written to, or the lateness is no number.
    IntegrityError
        If a file of the tape is not what its manifest says.
    """
    if not math.isfinite(lateness_ms):
        said, hint = f"{lateness_ms} is no time", "write milliseconds, 0 to 60000"
        raise ContractError("FLOW_LATENESS_INVALID", said, "--lateness-ms", (hint,))
    resources.engine_runtime.prepare()
    from islandflow_jobs.progress_bar import progress_bar
    from islandflow_jobs.tape_run import make_folder
    from islandflow_resources import flow_folder
    from islandflow_resources.flow_feed import TapeFeed
    from islandflow_resources.folder_store import FolderStore
    from islandflow_resources.progress import Progress
    from islandflow_resources.tape_places import local_place

    feed = TapeFeed(local_place(tape))
    make_folder(out)
    store = FolderStore(out)
    with tempfile.TemporaryDirectory(prefix=".flow-", dir=out) as folder, progress_bar():
        found = flow_folder.detect(
            store,
            feed,
            policy or usual_policy(),
            Path(folder),
            lateness_ns=round(lateness_ms * 1e6),
            progress=Progress("events", _LOG.info),
        )
    word = "made" if found.created else "unchanged"
    return [f"{word} {store.uri(found.key)}", *_told(found)]


def explain(resources: ResourceSet, any_id: str, folder: Path, *, as_json: bool) -> list[str]:
    """Why there is an alert, from the score of its cluster down to single prints.

    Raises
    ------
    ContractError
        If there is no detection, or the id is none.
    NotFoundError
        ``FLOW_ALERT_UNKNOWN`` or ``FLOW_CLUSTER_UNKNOWN``.
    """
    resources.engine_runtime.prepare()
    from islandflow_resources.flow_explain import explain as explained
    from islandflow_resources.flow_told import told

    detection = _only_detection(folder)
    found = explained(detection.tables(), any_id, detection.policy)
    if not as_json:
        return told(found)
    document = found.alert.document() if found.alert else found.projection.document()
    return json.dumps(document, indent=2, ensure_ascii=False).splitlines()


def evaluate(
    resources: ResourceSet, tape: Path, folder: Path, labels: Path | None, *, as_json: bool
) -> Iterator[str]:
    """What a detection comes to against the labels of its tape; then what was expected and missed.

    Raises
    ------
    ContractError
        If there is no detection or tape, they do not belong together, the labels are missing,
        or the policy was tuned on the tape's seed.
    IntegrityError
        ``TAPE_FILE_DIFFERS`` for labels that are not what the tape's manifest says;
        ``FLOW_EXPECTATION_MISSED`` with every way in which an expected output is not met.
    """
    resources.engine_runtime.prepare()
    from engine.evaluation import pooled
    from islandflow_resources.flow_truth import (
        refuse_changed_truth,
        refuse_other_tape,
        score_of,
    )
    from islandflow_resources.tape_places import local_place, read_manifest

    detection, place = _only_detection(folder), local_place(tape, labels)
    manifest = read_manifest(place)
    refuse_other_tape(detection, manifest.event_hashes.tape)
    _refuse_unlabelled(place, labels)
    refuse_changed_truth(place, manifest)
    snapshot = load_snapshot(place.get(PARAMETERS))
    score = score_of(detection, place, snapshot.spec, snapshot.seed_bundle.root_seed)
    figures = pooled([score])
    expected, missed = _expectations(detection, place)
    if as_json:
        document = {"score": figures.document(), "expected_outputs_met": expected}
        yield from json.dumps(document, indent=2).splitlines()
    else:
        yield from (*_figures(figures), f"expected outputs met: {expected}")
    if missed:
        first, *others = missed
        raise IntegrityError(first.code, first.message, first.loc, first.hints, tuple(others))


def policy() -> list[str]:
    """The usual scoring policy as JSON, to start from."""
    return json.dumps(usual_policy().model_dump(mode="json"), indent=2).splitlines()


def _only_detection(folder: Path) -> StoredDetection:
    """The one detection in a folder, every byte of it verified."""
    from islandflow_resources.flow_folder import find_detection
    from islandflow_resources.folder_store import FolderStore

    names = sorted(path.parent.name for path in folder.glob(f"detections/*/{MANIFEST}"))
    if not names and (folder / MANIFEST).is_file():
        return _only_detection_of(folder)
    if len(names) == 1:
        found = find_detection(FolderStore(folder), names[0])
        assert found is not None
        found.verify()
        return found
    said = f"there {'is no detection' if not names else f'are {len(names)} detections'} in {folder}"
    hint = (
        "name one of its folders: " + ", ".join(names[:8])
        if names
        else "make one: islandflow flow detect TAPE --out DIR"
    )
    code = "DETECTION_AMBIGUOUS" if names else "DETECTION_MISSING"
    raise ContractError(code, said, str(folder), (hint,))


def _only_detection_of(folder: Path) -> StoredDetection:
    """The detection whose own folder was named."""
    from islandflow_resources.flow_folder import find_detection
    from islandflow_resources.folder_store import FolderStore

    whole = folder.resolve()
    found = find_detection(FolderStore(whole.parent.parent), whole.name)
    if found is None:
        hint = "name the folder that was given to: islandflow flow detect --out"
        said = f"{folder} does not lie in a folder named detections"
        raise ContractError("DETECTION_MISSING", said, str(folder), (hint,))
    found.verify()
    return found


def _refuse_unlabelled(place: TapePlace, labels: Path | None) -> None:
    """Refuse to judge without all labels of the tape."""
    there = place.label_names()
    missing = [name for name in LABEL_FILES if name not in there]
    if not missing:
        return
    where = f"in {labels}" if labels else "beside the tape"
    said = f"there is no {missing[0]} {where}: a detection is judged by the labels of its tape"
    hint = "name the folder of its labels with --labels"
    raise ContractError("FLOW_LABELS_MISSING", said, "--labels", (hint,))


def _expectations(detection: StoredDetection, place: TapePlace) -> tuple[int, list[Problem]]:
    """How many expected outputs are met, and every way in which others are not."""
    from islandflow_resources.flow_expectations import judge_expectations
    from islandflow_resources.flow_truth import truth_documents

    labels, outputs = truth_documents(place)
    hints = ("look at it with: islandflow flow explain",)
    judged = judge_expectations(outputs, labels, detection.tables()).outputs
    missed = [
        Problem("FLOW_EXPECTATION_MISSED", str(one), output.expected_output_id, hints)
        for output in judged
        for one in output.mismatches
    ]
    return sum(not one.mismatches for one in judged), missed


def _told(found: StoredDetection) -> Iterator[str]:
    manifest = found.manifest
    alerts = found.table(ALERTS.name)
    counts = Counter(alerts.column("hypothesis_type").to_pylist())
    rows = {name: table.rows for name, table in manifest.tables.items()}
    yield f"policy {found.policy.id} {found.policy.version}, {manifest.policy_digest}"
    yield f"{manifest.events} events, {manifest.late} too late, {manifest.repeated} repeated"
    yield f"{rows['flow_packets']} packets, {rows[HYPOTHESIS_ROWS.name]} clusters"
    yield f"{rows[ALERTS.name]} alerts"
    for name in HYPOTHESES:
        yield f"  {name:<26}{counts[name]}"


def _figures(figures: Pooled) -> Iterator[str]:
    """A line for each hypothesis, then the whole."""
    whole = figures.everything
    yield f"{'':<26}{'precision':>20}{'recall':>20}{'direction':>12}"
    for name, one in whole.profiles.items():
        parts = f"{_said(one.precision):>20}{_said(one.recall):>20}"
        yield f"{name:<26}{parts}{_share(one.direction):>12}"
    yield f"noise abstained: {_said(whole.noise_abstained)}"
    yield f"decoys with an alert: {_said(whole.decoys_alerted)}"
    yield f"confident false alerts in 2,000 windows: {_share(whole.false_high)}"
    yield f"windows with every profile found: {_said(whole.covered)}"


def _said(figure: Figure) -> str:
    return f"{_share(figure)} ({figure.hits}/{figure.of})"


def _share(figure: Figure) -> str:
    value: Any = figure.value
    return "-" if value is None else f"{value:.3f}"
