"""Words of smart-flow detection: hypotheses, profiles, bands, facts, reasons, versions.

What a detector says in them is laid out in ``flow_columns`` and ``flow_projection``; how sure it
must be is a ``flow_policy``. Nothing here knows what is hidden in a tape, see ``flow``.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

CONTRACT_VERSION: Final = "smart-flow.contracts.v1"
POLICY_VERSION: Final = "smart-flow.hypothesis-score.policy.v1"
MODEL_VERSION: Final = "smart-flow.hypothesis-score.rules.v2"
"""Version 1 was the predecessor's rules, where any penalty forced abstention."""
PROJECTION_VERSION: Final = "smart-flow.explainability-projection.v1"

Direction: TypeAlias = Literal["bullish", "bearish", "neutral", "mixed", "unknown"]
HypothesisType: TypeAlias = Literal[
    "directional_accumulation",
    "retail_attention_flow",
    "event_positioning",
    "volatility_supply",
    "structure_arbitrage",
    "hedge_rebalance",
    "unclear",
]
Band: TypeAlias = Literal["low", "medium", "high"]
Grade: TypeAlias = Literal["poor", "thin", "usable", "strong"]
Status: TypeAlias = Literal["accepted", "down_weighted", "rejected"]
FactKind: TypeAlias = Literal[
    "execution_aggression",
    "execution_context",
    "premium_size",
    "structure_shape",
    "quote_quality",
    "timing_context",
    "underlying_context",
    "event_context",
    "eligibility_decision",
    "synthetic_ground_truth",
    "other",
]
AbstentionReason: TypeAlias = Literal[
    "insufficient_evidence",
    "stale_quote_context",
    "conflicting_evidence",
    "inside_market_context",
    "complex_or_special_print_context",
    "below_policy_threshold",
    "calibration_unavailable",
    "not_abstained",
    "other",
]

HYPOTHESES: Final[tuple[HypothesisType, ...]] = (
    "directional_accumulation",
    "retail_attention_flow",
    "event_positioning",
    "volatility_supply",
    "structure_arbitrage",
    "hedge_rebalance",
)
"""What a detector can say of flow; the place of one is its code, `UNCLEAR` comes after."""
UNCLEAR: Final = len(HYPOTHESES)
HYPOTHESIS_NAMES: Final[tuple[HypothesisType, ...]] = (*HYPOTHESES, "unclear")

PROFILES_OF: Final[dict[HypothesisType, str]] = {
    "directional_accumulation": "institutional_directional",
    "retail_attention_flow": "retail_whale",
    "event_positioning": "event_driven",
    "volatility_supply": "vol_seller",
    "structure_arbitrage": "arbitrage",
    "hedge_rebalance": "hedge_reactive",
}
"""The smart-money profile that a hypothesis speaks of."""

DIRECTIONS: Final[tuple[Direction, ...]] = ("bullish", "bearish", "neutral", "mixed", "unknown")
NBBO_SIDES: Final = ("AA", "A", "MID", "B", "BB", "MISSING", "STALE")
STRUCTURES: Final = (
    "single",
    "straddle",
    "strangle",
    "vertical",
    "conversion",
    "ladder",
    "box",
    "multi_leg",
)
STATUSES: Final[tuple[Status, ...]] = ("accepted", "down_weighted", "rejected")
ELIGIBILITY_REASONS: Final = (
    "evidence_context_usable",
    "insufficient_observation_size",
    "insufficient_premium",
    "missing_quote_context",
    "stale_quote_context",
    "wide_quote_context",
    "wide_underlying_quote_context",
    "inside_market_context",
)
SIGNAL_REASONS: Final = ("keep:premium", "reject:min-premium")
DARK_EVENTS: Final = ("absorbed_block", "stealth_accumulation", "distribution")

MEDIUM_FROM: Final = 0.52
HIGH_FROM: Final = 0.72


def band_of(confidence: float) -> Band:
    """Band of a policy confidence.

    Examples
    --------
    >>> band_of(0.52), band_of(0.719), band_of(0.72)
    ('medium', 'medium', 'high')
    """
    if confidence >= HIGH_FROM:
        return "high"
    return "medium" if confidence >= MEDIUM_FROM else "low"
