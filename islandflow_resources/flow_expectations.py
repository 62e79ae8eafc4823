"""A detection judged by what its tape was made to show: the expected outputs of a catalogue.

Each expected output speaks of a label, the label of prints; what was made of the clusters of
those prints is held against it. The judgement is strict: what no feature says is absent, and no
other feature stands in for it. This reads labels and is therefore no part of the detector; scores
over seeds are elsewhere, see ``engine.evaluation``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from contracts.canonical import Document, Json
from contracts.errors import ContractError
from contracts.flow_columns import ALERTS, FLOW_PRINTS
from contracts.labels import (
    ExpectedOutputs,
    ExpectedPipelineEvent,
    GroundTruthLabel,
    GroundTruthLabels,
    PipelineEvent,
    SmartFlowExpectedOutput,
)
from contracts.tape_columns import OPTION_PRINTS
from engine.arrays import Ints
from islandflow_resources import flow_chains
from islandflow_resources.flow_chains import Chain, Row, Tables
from islandflow_resources.flow_requirements import is_met, shown, told, values_of
from islandflow_resources.table_schemas import numbers_of

MismatchKind: TypeAlias = Literal[
    "missing_expected_alert",
    "unexpected_class",
    "unexpected_direction",
    "confidence_out_of_range",
    "missing_required_evidence",
    "forbidden_evidence_present",
    "pipeline_event_presence_mismatch",
    "missing_abstention_reason",
    "false_positive",
]

NOTHING: Final = "nothing"
_SILENT: Final[Row] = {"hypothesis_type": "unclear", "direction": "unknown", "confidence": 0.0}


class Mismatch(NamedTuple):
    """Where a detection is not what was expected.

    Attributes
    ----------
    kind : str
    subject : str
        Requirement, stage, reason, or the id of an alert; empty where the kind says it all.
    wanted, found : str
    """

    kind: MismatchKind
    subject: str
    wanted: str
    found: str

    def __str__(self) -> str:
        about = f" of {self.subject}" if self.subject else ""
        return f"{self.kind}{about}: wanted {self.wanted}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Judged:
    """One expected output, and what was found.

    Attributes
    ----------
    expected_output_id, label_id, scenario_id : str
    cluster_id : str or None
        The cluster that was judged: the alert with most of the label's prints, without alerts
        the cluster with most of them; None if they are in none.
    alert_ids : tuple of str
        Every alert on its prints.
    mismatches : tuple of Mismatch
        None of them if all is as expected.
    penalty : float
        What its false positives cost, 0 without one.
    """

    expected_output_id: str
    label_id: str
    scenario_id: str
    cluster_id: str | None
    alert_ids: tuple[str, ...]
    mismatches: tuple[Mismatch, ...]
    penalty: float

    @property
    def document(self) -> Document:
        """As JSON."""
        mismatches: list[Json] = [{**one._asdict()} for one in self.mismatches]
        return {
            "expected_output_id": self.expected_output_id,
            "label_id": self.label_id,
            "scenario_id": self.scenario_id,
            "cluster_id": self.cluster_id,
            "alert_ids": [*self.alert_ids],
            "mismatches": mismatches,
            "penalty": self.penalty,
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every expected output of a tape; goes through them in their order.

    Attributes
    ----------
    outputs : tuple of Judged
    other_alerts : tuple of str
        Alerts on prints that no expected output speaks of, by their ids.
    """

    outputs: tuple[Judged, ...]
    other_alerts: tuple[str, ...]

    def __iter__(self) -> Iterator[Judged]:
        return iter(self.outputs)

    @property
    def is_as_expected(self) -> bool:
        """Whether nothing differs; other alerts are not asked for."""
        return not any(one.mismatches for one in self.outputs)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a detection made of the prints of a label."""

    packets: tuple[Row, ...]
    chains: tuple[Chain, ...]
    main: Chain | None

    @property
    def alerts(self) -> list[Row]:
        """Rows of alerts, the one that is judged first."""
        others = [one for one in self.chains if one is not self.main]
        ordered = [self.main, *others] if self.main else []
        return [one.alert for one in ordered if one.alert]


def judge_expectations(
    outputs: ExpectedOutputs, labels: GroundTruthLabels, tables: Tables
) -> Judgement:
    """Hold a detection against the expected outputs of its tape.

    Parameters
    ----------
    outputs, labels
        Documents of the tape that it was made of.
    tables : mapping of str to pyarrow.Table
        Of one detection, by the names of ``contracts.flow_columns.DETECTIONS``.

    Raises
    ------
    ContractError
        ``FLOW_LABELS_DIFFER`` if the two documents do not belong together,
        ``FLOW_TABLE_MISSING``.
    """
    by_id = {one.label_id: one for one in labels.labels}
    _refuse_strangers(labels, outputs, by_id)
    wanted = [by_id[one.label_id] for one in outputs.outputs]
    places = _Places(tables, np.unique([seq for label in wanted for seq in _prints_of(label)]))
    chains = flow_chains.chains(tables, places.clusters)
    judged = tuple(
        _judged(output, label, _found(label, places, chains))
        for output, label in zip(outputs.outputs, wanted, strict=True)
    )
    mine = {name for one in judged for name in one.alert_ids}
    every = flow_chains.table(tables, ALERTS.name).column("alert_id").to_pylist()
    return Judgement(judged, tuple(name for name in every if name not in mine))


class _Places:
    """Packets and clusters of some prints.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
    seqs : ndarray, int64
        Numbers of the prints.
    """

    def __init__(self, tables: Tables, seqs: Ints) -> None:
        prints = flow_chains.table(tables, FLOW_PRINTS.name)
        columns = [numbers_of(prints.column(name)) for name in ("seq", "packet_seq", "cluster_seq")]
        rows = np.flatnonzero(np.isin(columns[0], seqs.astype(np.int64)))
        self._of = {
            seq: (packet, cluster)
            for seq, packet, cluster in zip(*(one[rows].tolist() for one in columns), strict=True)
        }

    @property
    def clusters(self) -> set[int]:
        """Numbers of all their clusters."""
        return {cluster for _, cluster in self._of.values() if cluster}

    def of(self, seqs: Iterable[int]) -> list[tuple[int, int]]:
        """Packet and cluster of each print, 0 for none; prints that were never seen left out."""
        return [self._of[seq] for seq in seqs if seq in self._of]


def _refuse_strangers(
    labels: GroundTruthLabels, outputs: ExpectedOutputs, by_id: Mapping[str, GroundTruthLabel]
) -> None:
    wrong = [one.label_id for one in outputs.outputs if one.label_id not in by_id]
    if outputs.source_labels_hash == labels.labels_hash and not wrong:
        return
    said = f"there is no label {wrong[0]}" if wrong else "they name other labels by their hash"
    hint = "give the two documents that lie beside one tape"
    raise ContractError("FLOW_LABELS_DIFFER", f"of the expected outputs: {said}", "", (hint,))


def _prints_of(label: GroundTruthLabel) -> list[int]:
    """Numbers of the option prints that a label is about; context is not."""
    return [
        ref.seq
        for ref in label.event_refs
        if ref.event_kind == OPTION_PRINTS.name and ref.role != "context"
    ]


def _found(label: GroundTruthLabel, places: _Places, chains: Mapping[int, Chain]) -> _Found:
    at = places.of(_prints_of(label))
    counts = Counter(cluster for _, cluster in at if cluster in chains)
    mine = [chains[number] for number in sorted(counts)]
    packet_seqs = {packet for packet, _ in at if packet}
    packets = (row for one in mine for row in one.packets if row["packet_seq"] in packet_seqs)
    # Of equal ones the first is taken, so that one and the same is always judged.
    ranked = sorted(mine, key=lambda one: (not one.alert, -counts[one.cluster["cluster_seq"]]))
    return _Found(tuple(packets), tuple(mine), ranked[0] if ranked else None)


def _judged(output: SmartFlowExpectedOutput, label: GroundTruthLabel, found: _Found) -> Judged:
    mismatches = (
        *_alert_mismatches(output, found),
        *_verdict_mismatches(output, found.main),
        *_evidence_mismatches(output, found.main),
        *_stage_mismatches(output.expected_pipeline_events, found),
        *_reason_mismatches(output, found.main),
    )
    is_false = any(one.kind == "false_positive" for one in mismatches)
    return Judged(
        output.expected_output_id,
        output.label_id,
        label.scenario_id,
        found.main.id if found.main else None,
        tuple(row["alert_id"] for row in found.alerts),
        mismatches,
        output.false_positive_penalty.score if is_false else 0.0,
    )


def _alert_mismatches(output: SmartFlowExpectedOutput, found: _Found) -> Iterator[Mismatch]:
    """No alert where there should be one, and alerts where there should be none.

    Beside the alert that is judged, others of the expected class are parts of the same flow.
    """
    is_wanted = output.alert_expectation == "alert"
    if is_wanted and not found.alerts:
        yield Mismatch("missing_expected_alert", "", output.expected_class, _reasons_told(found))
    for row in found.alerts[1:] if is_wanted else found.alerts:
        if not is_wanted or row["hypothesis_type"] != output.expected_class:
            wanted = output.expected_class if is_wanted else output.alert_expectation
            yield Mismatch("false_positive", row["alert_id"], wanted, row["hypothesis_type"])


def _reasons_told(found: _Found) -> str:
    return found.main.cluster["abstention_reasons"] if found.main else NOTHING


def _verdict_mismatches(output: SmartFlowExpectedOutput, main: Chain | None) -> Iterator[Mismatch]:
    """Class, direction, confidence; of prints in no cluster nothing is said, with confidence 0."""
    row: Row = main.cluster if main else _SILENT
    kind, direction, confidence = row["hypothesis_type"], row["direction"], row["confidence"]
    if kind != output.expected_class:
        yield Mismatch("unexpected_class", "", output.expected_class, kind)
    if direction != output.expected_direction:
        yield Mismatch("unexpected_direction", "", output.expected_direction, direction)
    low, high = output.confidence_range.low, output.confidence_range.high
    if not low <= confidence <= high:
        wanted = f"{low:g} to {high:g}"
        yield Mismatch("confidence_out_of_range", "confidence_range", wanted, f"{confidence:g}")


def _evidence_mismatches(output: SmartFlowExpectedOutput, main: Chain | None) -> Iterator[Mismatch]:
    asked = [(one, True) for one in output.required_evidence]
    asked += [(one, False) for one in output.forbidden_evidence]
    for requirement, is_required in asked:
        values = values_of(main, requirement)
        if is_met(requirement, values) == is_required:
            continue
        kind = "missing_required_evidence" if is_required else "forbidden_evidence_present"
        wanted = told(requirement) if is_required else f"not {told(requirement)}"
        found = ", ".join(shown(one) for one in values) or NOTHING
        yield Mismatch(kind, requirement.requirement_id, wanted, found)


def _stage_mismatches(
    expected: Iterable[ExpectedPipelineEvent], found: _Found
) -> Iterator[Mismatch]:
    clusters = [one.cluster for one in found.chains]
    stages: dict[PipelineEvent, list[Row]] = {
        "flow_evidence_candidate": [*found.packets],
        "flow_evidence_cluster": clusters,
        "flow_hypothesis_event": [row for row in clusters if not row["abstained"]],
        "smart_flow_insight": found.alerts,
    }
    for one in expected:
        rows, fields = stages[one.event_kind], one.required_fields
        whole = [row for row in rows if all(_says(row, name) for name in fields)]
        is_there = bool(whole if one.expectation == "present" else rows)
        if is_there == (one.expectation == "present"):
            continue
        wanted = " with ".join((one.expectation, *([", ".join(fields)] if fields else [])))
        yield Mismatch("pipeline_event_presence_mismatch", one.event_kind, wanted, f"{len(rows)}")


def _says(row: Row, name: str) -> bool:
    return row.get(name) not in (None, "")


def _reason_mismatches(output: SmartFlowExpectedOutput, main: Chain | None) -> Iterator[Mismatch]:
    """Reasons that should be there and are not; others beside them are not asked for."""
    given = main.cluster["abstention_reasons"] if main else ""
    if main and not main.cluster["abstained"]:
        given = "not_abstained"
    for reason in output.abstention_reasons:
        if reason not in given.split():
            yield Mismatch("missing_abstention_reason", reason, reason, given or NOTHING)
