"""What is concluded from evidence of smart flow, as documents: hypothesis, insight, alert.

An alert carries the whole projection that explains it, down to single prints, and must agree
with it in everything. The evidence is ``flow_evidence``, the score ``flow_scores``; the same
things as tables are ``flow_columns``; ``islandflow_resources.flow_explain`` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, TypeAdapter, model_validator

from contracts.canonical import parse_document
from contracts.document import Model, Nanoseconds, validate
from contracts.flow_evidence import (
    MAX_REFS,
    ClusterId,
    Eligibility,
    EvidenceFact,
    EvidenceQuality,
    ObservationRef,
    PacketId,
    Part,
    Ref,
    Refs,
    Text,
    alert_id,
    hypothesis_event_id,
    hypothesis_id,
    insight_id,
)
from contracts.flow_scores import Abstention, Alternative, ContractVersion, HypothesisScore
from contracts.market import Symbol
from contracts.problems import broken_rule
from contracts.smart_flow import PROFILES_OF, Band, Direction, HypothesisType, band_of

MAX_BYTES: Final = 64_000_000
"""Longer alerts are refused unread."""
MAX_ALTERNATIVES: Final = 3

ContractId = Annotated[str, Field(strict=True, min_length=21, max_length=21)]
ProjectionVersion: TypeAlias = Literal["smart-flow.explainability-projection.v1"]
Alternatives = Annotated[tuple[Alternative, ...], Field(max_length=MAX_ALTERNATIVES)]
PacketIds = Annotated[tuple[PacketId, ...], Field(min_length=1, max_length=MAX_REFS)]


class FlowHypothesisEvent(Model):
    """What a cluster of prints is taken for.

    Attributes
    ----------
    event_id, hypothesis_id : str
        ``smartflow:hypothesis:<cluster id>`` and ``hypothesis:<cluster id>``.
    contract : str
        OCC id of the first leg.
    emitted_ns : int
        Nothing later was looked at.
    hypothesis_type, direction : str
        ``unclear`` and ``unknown`` if abstained.
    """

    event_id: Ref
    hypothesis_id: Ref
    cluster_id: ClusterId
    packet_ids: PacketIds
    symbol: Symbol
    contract: ContractId
    structure_type: Text
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    emitted_ns: Nanoseconds
    hypothesis_type: HypothesisType
    direction: Direction
    score: HypothesisScore
    alternatives: Alternatives
    abstention: Abstention
    evidence_refs: Refs
    generated_from: Literal["flow_evidence_cluster"]

    @model_validator(mode="after")
    def _of_its_cluster(self) -> Self:
        cluster = self.cluster_id
        _same("event_id", self.event_id, hypothesis_event_id(cluster))
        _same("hypothesis_id", self.hypothesis_id, hypothesis_id(cluster))
        _same("symbol", self.symbol, cluster.split(":")[1])
        if not self.start_ns <= self.end_ns <= self.emitted_ns:
            said = "start_ns, end_ns and emitted_ns do not follow one another"
            raise broken_rule(said, "write times in this order", "emitted_ns")
        if self.abstention.abstained:
            _same("hypothesis_type", self.hypothesis_type, "unclear")
            _same("direction", self.direction, "unknown")
            confidence = self.score.confidence.policy_confidence
            _same("score/confidence/policy_confidence", confidence, 0.0)
        else:
            _same("hypothesis_type", self.hypothesis_type, self.score.hypothesis_type)
        return self


class SmartFlowInsight(Model):
    """The same for a reader: in a sentence, with a band."""

    insight_id: Ref
    hypothesis_id: Ref
    label: Text
    summary: Text
    hypothesis_type: HypothesisType
    direction: Direction
    confidence: Part
    band: Band
    evidence_refs: Refs
    abstention: Abstention
    alternatives: Alternatives

    @model_validator(mode="after")
    def _banded(self) -> Self:
        _same("band", self.band, band_of(self.confidence))
        return self


class ProjectedEvidence(Model):
    """What a hypothesis rests on."""

    observations: Annotated[tuple[ObservationRef, ...], Field(min_length=1, max_length=MAX_REFS)]
    facts: Annotated[tuple[EvidenceFact, ...], Field(min_length=1, max_length=64)]
    quality: EvidenceQuality
    eligibility: Eligibility

    @model_validator(mode="after")
    def _refs_are_observed(self) -> Self:
        ids = [one.observation_id for one in self.observations]
        _refuse_repeated(ids, "observations", "observation_id")
        _refuse_repeated([one.fact_id for one in self.facts], "facts", "fact_id")
        known = set(ids)
        for place, fact in enumerate(self.facts):
            _refuse_unknown(fact.observation_refs, known, "facts", place, "observation_refs")
        for place, decision in enumerate(self.eligibility.decisions):
            at = ("eligibility", "decisions", place, "evidence_refs")
            _refuse_unknown(decision.evidence_refs, known, *at)
        return self


class ExplainabilityProjection(Model):
    """A hypothesis, what it means, and all that it rests on."""

    contract_version: ContractVersion
    projection_version: ProjectionVersion
    source_channel: Literal["smart-flow"]
    trace_id: Ref
    hypothesis: FlowHypothesisEvent
    insight: SmartFlowInsight
    evidence: ProjectedEvidence

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        event, insight = self.hypothesis, self.insight
        confidence = event.score.confidence
        _same("trace_id", self.trace_id, event.event_id)
        _same("insight/insight_id", insight.insight_id, insight_id(event.cluster_id))
        for name in ("hypothesis_id", "hypothesis_type", "direction"):
            _same(f"insight/{name}", getattr(insight, name), getattr(event, name))
        _same("insight/confidence", insight.confidence, confidence.policy_confidence)
        for name in ("evidence_refs", "abstention", "alternatives"):
            _same(f"insight/{name}", getattr(insight, name), getattr(event, name))
        quality = self.evidence.quality.quality_score
        _same("evidence/quality/quality_score", quality, confidence.evidence_quality)
        known = {one.observation_id for one in self.evidence.observations}
        _refuse_unknown(event.evidence_refs, known, "hypothesis", "evidence_refs")
        _refuse_unknown(event.packet_ids, known, "hypothesis", "packet_ids")
        return self


class AlertTrigger(Model):
    """Why there is an alert."""

    kind: Literal["non_abstained_hypothesis"]
    projection_trace_id: Ref
    projection_version: ProjectionVersion
    source_channel: Literal["smart-flow"]


class SmartFlowAlertEvent(Model):
    """An alert, with all that explains it.

    Attributes
    ----------
    alert_id : str
        ``smartflow:alert:<hypothesis id>``.
    profile : str
        Smart-money profile of the hypothesis.
    """

    alert_id: Ref
    hypothesis_id: Ref
    insight_id: Ref
    symbol: Symbol
    hypothesis_type: HypothesisType
    profile: Text
    direction: Direction
    policy_confidence: Part
    band: Band
    evidence_quality: Part
    emitted_ns: Nanoseconds
    trigger: AlertTrigger
    evidence_refs: Refs
    projection: ExplainabilityProjection

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        event, insight = self.projection.hypothesis, self.projection.insight
        if event.abstention.abstained:
            said, hint = "its hypothesis is abstained from", "there is no alert then"
            raise broken_rule(said, hint, "projection", "hypothesis", "abstention")
        confidence = event.score.confidence
        _same("alert_id", self.alert_id, alert_id(event.cluster_id))
        _same("insight_id", self.insight_id, insight.insight_id)
        for name in ("hypothesis_id", "symbol", "hypothesis_type", "direction", "emitted_ns"):
            _same(name, getattr(self, name), getattr(event, name))
        _same("profile", self.profile, PROFILES_OF[event.hypothesis_type])
        _same("policy_confidence", self.policy_confidence, confidence.policy_confidence)
        _same("band", self.band, insight.band)
        _same("evidence_quality", self.evidence_quality, confidence.evidence_quality)
        _same("evidence_refs", self.evidence_refs, event.evidence_refs)
        traced = self.trigger.projection_trace_id
        _same("trigger/projection_trace_id", traced, self.projection.trace_id)
        return self


ALERT: Final[TypeAdapter[SmartFlowAlertEvent]] = TypeAdapter(SmartFlowAlertEvent)
PROJECTION: Final[TypeAdapter[ExplainabilityProjection]] = TypeAdapter(ExplainabilityProjection)
WHAT: Final = "smart flow alert"
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "hypothesis_id is hypothesis:<cluster id>, event_id smartflow:hypothesis:<cluster id>",
    "alert_id is smartflow:alert:<hypothesis id>, insight_id smartflow:insight:<hypothesis id>",
    "alert, insight and hypothesis agree in ids, type, direction, confidence, band and refs",
    "an alert's hypothesis is not abstained from; its profile is that of the hypothesis",
    "intercept and contributions, one for every axis, add up to z; the negative ones are penalties",
    "what is abstained from is unclear and unknown, has a reason, and confidence 0",
    "band and grade are those of the confidence and of the quality",
    "every ref is an observation of the projection; no observation and no fact twice",
    "start_ns at most end_ns at most emitted_ns; the first decision is that on the whole",
)


def load_alert(data: bytes | str) -> SmartFlowAlertEvent:
    """Read an alert from its bytes.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.
    """
    return validate(ALERT, parse_document(data, WHAT, MAX_BYTES), WHAT)


def _same(at: str, found: object, wanted: object) -> None:
    if found == wanted:
        return
    name, plain = at.rpartition("/")[2], (str, int, float)
    if isinstance(found, plain) and isinstance(wanted, plain):
        said, hint = f"{name} is {found}, the rest says {wanted}", f"write {wanted}"
    else:
        said, hint = f"{name} is not what the rest says", "write the same in both places"
    raise broken_rule(said, hint, *at.split("/"))


def _refuse_repeated(ids: list[str], listed: str, name: str) -> None:
    seen: set[str] = set()
    for place, one in enumerate(ids):
        if one in seen:
            said, hint = f"{one} is given twice", "list each once"
            raise broken_rule(said, hint, listed, place, name)
        seen.add(one)


def _refuse_unknown(refs: Iterable[str], known: set[str], *at: str | int) -> None:
    for place, one in enumerate(refs):
        if one not in known:
            said = f"{one} is not among the observations"
            raise broken_rule(said, "list it there, or leave it out", *at, place)
