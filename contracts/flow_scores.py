"""How a hypothesis of smart flow was scored: contributions, confidence, abstention, alternatives.

What is said on the strength of a score is ``flow_projection``; the weights are a
``flow_policy``.
"""

from __future__ import annotations

from math import fsum
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from contracts.digest import Digest
from contracts.document import Model, Number
from contracts.flow_evidence import Part, Ref, Text, Truth
from contracts.flow_features import AXES, Axis
from contracts.problems import broken_rule
from contracts.smart_flow import HYPOTHESES, AbstentionReason, Direction, HypothesisType

SCORE_TOLERANCE: Final = 1e-6
"""Contributions add up to the score within this, or this part of it."""

LogOdds = Annotated[Number, Field(ge=-1e6, le=1e6)]
ContractVersion: TypeAlias = Literal["smart-flow.contracts.v1"]
PolicyVersion: TypeAlias = Literal["smart-flow.hypothesis-score.policy.v1"]
ModelVersion: TypeAlias = Literal["smart-flow.hypothesis-score.rules.v2"]


class ScorePenalty(Model):
    """What counts against a hypothesis: an axis that takes from its score.

    Attributes
    ----------
    penalty_id : str
        ``penalty:<cluster id>:<axis>``.
    score : float
        Log-odds that it takes away, positive.
    """

    penalty_id: Ref
    axis: Axis
    score: Annotated[LogOdds, Field(gt=0)]
    reason: Text


class ConfidenceVector(Model):
    """How sure a hypothesis is.

    Attributes
    ----------
    policy_confidence : float
        Of the policy, 0 if abstained; not a probability.
    evidence_quality : float
    hypothesis_margin : float
        Log-odds by which it leads the second.
    conviction : float
        Probability that its score stands for, uncalibrated; 0 if abstained.
    calibration_version : str or None
        None: confidences are not calibrated.
    """

    policy_confidence: Part
    evidence_quality: Part
    hypothesis_margin: LogOdds
    conviction: Part
    calibration_version: Text | None


class HypothesisScore(Model):
    """The score of the leading hypothesis, and what it is made of.

    Attributes
    ----------
    hypothesis_type : str
        The leading one, also if it was abstained from.
    z : float
        Log-odds: intercept and contributions together.
    contributions : dict of str to float
        Log-odds by every axis of ``flow_features.AXES``.
    penalties : tuple of ScorePenalty
        The negative ones of them, greatest first.
    """

    contract_version: ContractVersion
    policy_version: PolicyVersion
    model_version: ModelVersion
    policy_digest: Digest
    hypothesis_type: HypothesisType
    z: LogOdds
    intercept: LogOdds
    contributions: dict[Axis, LogOdds]
    penalties: Annotated[tuple[ScorePenalty, ...], Field(max_length=len(AXES))]
    confidence: ConfidenceVector

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.hypothesis_type not in HYPOTHESES:
            raise broken_rule("unclear has no score", "score a hypothesis", "hypothesis_type")
        for axis in AXES:
            if axis not in self.contributions:
                said = f"{axis} contributes nothing, not even 0"
                raise broken_rule(said, f'write "{axis}": 0', "contributions")
        total = fsum((self.intercept, *self.contributions.values()))
        if abs(total - self.z) > SCORE_TOLERANCE * max(1.0, abs(self.z)):
            said = f"z is {self.z:g}, intercept and contributions add up to {total:g}"
            raise broken_rule(said, "write their sum", "z")
        taken = {one.axis: one.score for one in self.penalties}
        wanted = {axis: -value for axis, value in self.contributions.items() if value < 0}
        if len(taken) != len(self.penalties) or taken != wanted:
            said = "penalties are not the negative contributions"
            raise broken_rule(said, "list each of those once, its sign reversed", "penalties")
        return self


class Abstention(Model):
    """Whether nothing is said, and why.

    Attributes
    ----------
    reasons : tuple of str
        ``not_abstained`` alone if something is said.
    source_reasons : tuple of str
        Codes of the evidence that led there.
    """

    abstained: Truth
    reasons: Annotated[tuple[AbstentionReason, ...], Field(min_length=1, max_length=9)]
    source_reasons: Annotated[tuple[Text, ...], Field(max_length=32)]

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.abstained and "not_abstained" in self.reasons:
            raise broken_rule("what is abstained from has a reason", "write it", "reasons")
        if not self.abstained and self.reasons != ("not_abstained",):
            said = "nothing is abstained from"
            raise broken_rule(said, 'write "reasons": ["not_abstained"]', "reasons")
        return self


class Alternative(Model):
    """Another hypothesis, less likely.

    Attributes
    ----------
    direction : str
        ``unknown`` where it was not stored.
    z : float
        Log-odds.
    behind : float
        Log-odds by which it is behind the first; negative if only a level keeps it there.
    reasons : tuple of str
        What speaks for the first against it, most first.
    """

    hypothesis_type: HypothesisType
    direction: Direction
    z: LogOdds
    behind: LogOdds
    reasons: Annotated[tuple[Text, ...], Field(max_length=len(AXES) + 1)]
