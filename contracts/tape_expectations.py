"""What is true of each scenario of the catalogue, and what a detector should make of it.

Classes, directions, bands and evidence are those of the predecessor's catalogue; where its
numbers belonged to its own prices (an implied volatility of 0.9 for an index fund), they are
those that the scenario's market has here. Documents are made for a tape once its events are
known; the market itself is ``contracts.tape_catalogue``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from contracts.labels import (
    EXPECTED_OUTPUTS_VERSION,
    LABELS_VERSION,
    ConfidenceRange,
    EventRef,
    ExpectedOutputs,
    ExpectedPipelineEvent,
    FalsePositivePenalty,
    GroundTruthLabel,
    GroundTruthLabels,
    PipelineEvent,
    Requirement,
    SmartFlowExpectedOutput,
)
from contracts.smart_flow import AbstentionReason, Band, Direction, FactKind, HypothesisType
from contracts.tape_catalogue import scenario

_Severity = Literal["none", "low", "medium", "high"]
_Operator = Literal["present", "absent", "gte", "lte", "eq"]


class Fact(NamedTuple):
    """What must hold of the evidence, or must not; see ``contracts.labels.Requirement``."""

    kind: FactKind
    key: str
    operator: _Operator
    value: float | bool | str | None
    rationale: str

    @property
    def requirement(self) -> Requirement:
        """As a document says it; its id is made of kind and key."""
        return Requirement(
            requirement_id=f"{self.kind}_{self.key}"[:64],
            fact_kind=self.kind,
            feature_key=self.key,
            operator=self.operator,
            value=self.value,
            rationale=self.rationale,
        )


class Expectation(NamedTuple):
    """What a detector should say of a scenario.

    Attributes
    ----------
    alert : bool
        Whether it deserves an alert.
    expected_class, direction, band : str
    confidence : tuple of float
        Least and greatest.
    required, forbidden : tuple of Fact
    penalty : float
        What a wrong alert costs, with its severity.
    reasons : tuple of str
        Why it is abstained from.
    note : str
    """

    alert: bool
    expected_class: HypothesisType
    direction: Direction
    band: Band
    confidence: tuple[float, float]
    required: tuple[Fact, ...]
    forbidden: tuple[Fact, ...]
    penalty: tuple[float, _Severity]
    reasons: tuple[AbstentionReason, ...]
    note: str


_KEPT: Final[tuple[AbstentionReason, ...]] = ("not_abstained",)

EXPECTATIONS: Final[Mapping[str, Expectation]] = {
    "institutional-directional-flow": Expectation(
        True,
        "directional_accumulation",
        "bullish",
        "high",
        (0.72, 0.92),
        (
            Fact("premium_size", "total_premium", "gte", 50_000, "a sweep of size"),
            Fact(
                "execution_aggression", "nbbo_aggression_ratio_max", "gte", 0.6, "it pays the ask"
            ),
            Fact("quote_quality", "nbbo_coverage_ratio_mean", "gte", 0.8, "quotes are fresh"),
        ),
        (Fact("quote_quality", "nbbo_stale_ratio_mean", "gte", 0.5, "quotes are fresh"),),
        (0.15, "low"),
        _KEPT,
        "calls of one contract are swept over the venues, and the underlying follows",
    ),
    "retail-attention-call-chase": Expectation(
        True,
        "retail_attention_flow",
        "bullish",
        "medium",
        (0.52, 0.76),
        (
            Fact("timing_context", "candidate_count", "gte", 1, "it is seen at all"),
            Fact("premium_size", "total_premium", "gte", 10_000, "many small orders add up"),
            Fact(
                "execution_aggression", "nbbo_aggression_ratio_max", "gte", 0.45, "most pay the ask"
            ),
        ),
        (
            Fact(
                "structure_shape",
                "structure_context",
                "eq",
                "complex_or_spread_context",
                "nobody trades packages here",
            ),
        ),
        (0.35, "medium"),
        _KEPT,
        "many small orders in a call that is about to expire; nobody knows anything",
    ),
    "event-noise-positioning": Expectation(
        True,
        "event_positioning",
        "mixed",
        "medium",
        (0.48, 0.72),
        (
            Fact("event_context", "days_to_event", "lte", 2, "the company reports soon"),
            Fact(
                "underlying_context",
                "net_directional_bias",
                "lte",
                0.35,
                "calls and puts are bought alike",
            ),
            Fact("quote_quality", "nbbo_coverage_ratio_mean", "gte", 0.5, "quotes can be used"),
        ),
        (
            Fact(
                "other",
                "legacy_certainty_language",
                "eq",
                True,
                "an event is awaited, not foretold",
            ),
        ),
        (0.45, "medium"),
        _KEPT,
        "straddles behind the event are bought; which way it goes is nobody's opinion",
    ),
    "volatility-seller-supply": Expectation(
        True,
        "volatility_supply",
        "neutral",
        "medium",
        (0.5, 0.74),
        (
            Fact("execution_context", "execution_iv", "gte", 0.25, "options are dear"),
            Fact("underlying_context", "underlying_move_bps", "lte", 15, "the underlying is calm"),
            Fact("quote_quality", "nbbo_coverage_ratio_mean", "gte", 0.75, "quotes are fresh"),
        ),
        (
            Fact(
                "underlying_context",
                "expected_direction",
                "eq",
                "bullish",
                "who writes puts for income sells volatility",
            ),
        ),
        (0.4, "medium"),
        _KEPT,
        "puts below the price are written at the bid while options cost twice what moves cost",
    ),
    "hedge-reactive-put-flow": Expectation(
        True,
        "hedge_rebalance",
        "bearish",
        "medium",
        (0.5, 0.78),
        (
            Fact(
                "underlying_context",
                "underlying_move_bps",
                "lte",
                -10,
                "the underlying has fallen before",
            ),
            Fact("structure_shape", "option_type", "eq", "put", "puts protect"),
            Fact("premium_size", "total_premium", "gte", 20_000, "protection of size"),
        ),
        (Fact("timing_context", "retail_burst", "eq", True, "few orders, not many small ones"),),
        (0.35, "medium"),
        _KEPT,
        "puts at the money are bought after a fall that really happened",
    ),
    "structure-arbitrage-calm": Expectation(
        True,
        "structure_arbitrage",
        "neutral",
        "medium",
        (0.5, 0.76),
        (
            Fact("structure_shape", "structure_context", "present", True, "legs come together"),
            Fact("underlying_context", "net_directional_bias", "lte", 0.25, "legs cancel out"),
            Fact("quote_quality", "nbbo_coverage_ratio_mean", "gte", 0.7, "quotes are fresh"),
        ),
        (Fact("event_context", "days_to_event", "lte", 2, "no event is near"),),
        (0.3, "medium"),
        _KEPT,
        "boxes: four legs in equal size that depend on no price at all",
    ),
    "no-alert-wide-quote-chop": Expectation(
        False,
        "unclear",
        "unknown",
        "low",
        (0.0, 0.35),
        (
            Fact("quote_quality", "option_spread_bps_max", "gte", 800, "quotes are wide"),
            Fact("premium_size", "total_premium", "lte", 10_000, "premium is thin"),
            Fact("eligibility_decision", "reason_code", "present", True, "it is set aside"),
        ),
        (
            Fact(
                "synthetic_ground_truth",
                "alert_expectation",
                "eq",
                "alert",
                "there is nothing to be seen",
            ),
            Fact("other", "confidence_band", "eq", "high", "there is nothing to be sure of"),
        ),
        (0.9, "high"),
        ("inside_market_context", "below_policy_threshold"),
        "a few contracts inside a wide quote that is seldom renewed",
    ),
}
"""By the ids of ``contracts.tape_catalogue.SCENARIO_IDS``."""

_PRESENT: Final[dict[bool, tuple[tuple[PipelineEvent, Literal["present", "absent"]], ...]]] = {
    True: (
        ("flow_evidence_candidate", "present"),
        ("flow_evidence_cluster", "present"),
        ("flow_hypothesis_event", "present"),
    ),
    False: (
        ("flow_evidence_candidate", "present"),
        ("flow_hypothesis_event", "absent"),
        ("smart_flow_insight", "absent"),
    ),
}
"""Stages that speak of a scenario with an alert, and of one without."""


def ground_truth(
    run_id: str, tape_id: str, refs: Mapping[str, Sequence[EventRef]]
) -> tuple[GroundTruthLabels, ExpectedOutputs]:
    """Labels and expected outputs of the scenarios that a tape holds.

    Parameters
    ----------
    refs : mapping of str to sequence of EventRef
        Events of each scenario by its id, the anchor first; in the order of the labels.

    Raises
    ------
    ContractError
        ``TAPE_SCENARIO_UNKNOWN``.
    """
    labels = GroundTruthLabels(
        labels_version=LABELS_VERSION,
        run_id=run_id,
        tape_id=tape_id,
        labels=tuple(_label(run_id, name, tuple(events)) for name, events in refs.items()),
    )
    outputs = ExpectedOutputs(
        expected_outputs_version=EXPECTED_OUTPUTS_VERSION,
        run_id=run_id,
        tape_id=tape_id,
        source_labels_hash=labels.labels_hash,
        outputs=tuple(_output(run_id, name) for name in refs),
    )
    return labels, outputs


def _label(run_id: str, scenario_id: str, refs: tuple[EventRef, ...]) -> GroundTruthLabel:
    one, wanted = scenario(scenario_id), EXPECTATIONS[scenario_id]
    return GroundTruthLabel(
        label_id=f"label:{run_id}:{scenario_id}",
        run_id=run_id,
        scenario_id=scenario_id,
        family=one.family,
        event_refs=refs,
        expected_class=wanted.expected_class,
        expected_direction=wanted.direction,
        confidence_band=wanted.band,
        required_evidence=tuple(fact.requirement for fact in wanted.required),
        forbidden_evidence=tuple(fact.requirement for fact in wanted.forbidden),
        false_positive_penalty=_penalty(wanted),
        notes=(wanted.note,),
    )


def _output(run_id: str, scenario_id: str) -> SmartFlowExpectedOutput:
    wanted = EXPECTATIONS[scenario_id]
    low, high = wanted.confidence
    return SmartFlowExpectedOutput(
        expected_output_id=f"expected:{run_id}:{scenario_id}",
        label_id=f"label:{run_id}:{scenario_id}",
        alert_expectation="alert" if wanted.alert else "no_alert",
        expected_class=wanted.expected_class,
        expected_direction=wanted.direction,
        confidence_band=wanted.band,
        confidence_range=ConfidenceRange(low=low, high=high),
        expected_pipeline_events=tuple(
            ExpectedPipelineEvent(
                event_kind=kind, expectation=expectation, required_fields=(), notes=""
            )
            for kind, expectation in _PRESENT[wanted.alert]
        ),
        required_evidence=tuple(fact.requirement for fact in wanted.required),
        forbidden_evidence=tuple(fact.requirement for fact in wanted.forbidden),
        abstention_reasons=wanted.reasons,
        false_positive_penalty=_penalty(wanted),
    )


def _penalty(wanted: Expectation) -> FalsePositivePenalty:
    score, severity = wanted.penalty
    return FalsePositivePenalty(score=score, severity=severity, reason=wanted.note)
