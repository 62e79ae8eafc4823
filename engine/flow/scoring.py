"""From clusters to hypotheses: log-odds, confidence, direction, and when nothing is said.

Each pattern of a hypothesis has the log-odds that a cluster is of it rather than of another
kind: an intercept and a weight times each feature, added up. The hypothesis has those of the
pattern that fits best. It is said if they reach what the policy asks for and lead those of every
other; how sure it is then is the policy's confidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from contracts.flow_features import AXES, FEATURE_NAMES, FEATURES, QUANTITIES
from contracts.flow_policy import Pattern, ScoringPolicy
from contracts.smart_flow import (
    DIRECTIONS,
    ELIGIBILITY_REASONS,
    HIGH_FROM,
    HYPOTHESES,
    MEDIUM_FROM,
    STATUSES,
    STRUCTURES,
    UNCLEAR,
)
from engine.arrays import Floats, Ints
from engine.flow import layout as at
from engine.flow.quantities import features_of, features_of_rows
from engine.jit import kernel

Bools: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

_BULLISH, _BEARISH, _NEUTRAL, _MIXED, _UNKNOWN = range(len(DIRECTIONS))
_ACCEPTED, _DOWN, _REJECTED = range(len(STATUSES))
_REASON: Final = {name: code for code, name in enumerate(ELIGIBILITY_REASONS)}
_PLACE: Final = {name: code for code, name in enumerate(HYPOTHESES)}
_STRADDLES: Final = [STRUCTURES.index(name) for name in ("straddle", "strangle")]
_INSIDE_FROM: Final = 0.65
_CONFLICT_FROM: Final = 1.0 / 3.0
_REACTED_FROM: Final = 0.5
"""Moves of the underlying from which on hedging is said to follow them."""


_WORDS: Final = (
    "insufficient_evidence",
    "stale_quote_context",
    "conflicting_evidence",
    "inside_market_context",
    "below_policy_threshold",
)


def _listed(bits: int) -> str:
    words = [word for bit, word in enumerate(_WORDS) if bits >> bit & 1]
    return " ".join(words) or "not_abstained"


REASONS: Final = tuple(_listed(bits) for bits in range(1 << len(_WORDS)))
"""Every set of reasons to abstain, blank between them; the place of one is its bits."""


class Weights(NamedTuple):
    """A policy as arrays.

    Attributes
    ----------
    hypotheses : ndarray, shape (patterns,), int64
        Which each pattern is of.
    intercepts : ndarray, shape (patterns,), float64
    weights : ndarray, shape (patterns, features), float64
    alert_z, high_z, ceilings : ndarray, shape (6,), float64
    """

    hypotheses: Ints
    intercepts: Floats
    weights: Floats
    alert_z: Floats
    high_z: Floats
    ceilings: Floats


class Scores(NamedTuple):
    """What is said of some clusters, one a row.

    Attributes
    ----------
    z : ndarray, shape (clusters, 6), float64
    quality : ndarray, float64
    status, reason : ndarray, int64
        Codes in ``smart_flow.STATUSES`` and ``ELIGIBILITY_REASONS``.
    hypothesis, direction : ndarray, int64
        Codes; `UNCLEAR` and unknown where nothing is said.
    confidence, margin : ndarray, float64
    abstained : ndarray, bool
    reasons : ndarray, int64
        Why nothing is said: places in `REASONS`.
    """

    z: Floats
    quality: Floats
    status: Ints
    reason: Ints
    hypothesis: Ints
    direction: Ints
    confidence: Floats
    margin: Floats
    abstained: Bools
    reasons: Ints


def weights_of(policy: ScoringPolicy) -> Weights:
    """A policy as arrays."""
    ordered = [policy.hypotheses[name] for name in HYPOTHESES]
    patterns = [(h, one) for h, mine in enumerate(ordered) for one in mine.patterns.values()]
    return Weights(
        np.array([h for h, _ in patterns]),
        np.array([one.intercept for _, one in patterns]),
        np.array([[one.weights[name] for name in FEATURE_NAMES] for _, one in patterns]),
        np.array([one.alert_z for one in ordered]),
        np.array([one.high_z for one in ordered]),
        np.array([one.ceiling for one in ordered]),
    )


@kernel
def add_up(
    features: Floats, hypotheses: Ints, intercepts: Floats, weights: Floats, z: Floats
) -> None:
    """Log-odds of every row: those of each hypothesis' best pattern.

    They are added up in the order of the features, so that no batch matters.
    """
    z[:] = -np.inf
    for row in range(features.shape[0]):
        for p in range(weights.shape[0]):
            total = intercepts[p]
            for f in range(features.shape[1]):
                total += weights[p, f] * features[row, f]
            z[row, hypotheses[p]] = max(z[row, hypotheses[p]], total)


def scored(ints: Ints, reals: Floats, policy: ScoringPolicy) -> Scores:
    """Hypotheses of some clusters.

    Parameters
    ----------
    ints : ndarray, shape (clusters, CLUSTER_INTS), int64
    reals : ndarray, shape (clusters, CLUSTER_REALS), float64
    policy : ScoringPolicy
    """
    weights = weights_of(policy)
    z = np.zeros((len(ints), len(HYPOTHESES)))
    add_up(features_of(ints, reals), weights.hypotheses, weights.intercepts, weights.weights, z)
    rows = np.arange(len(ints))
    status, reason = eligibility(ints, reals, policy)
    best = z.argmax(axis=1)
    others = z.copy()
    others[rows, best] = -np.inf
    margin = z[rows, best] - others.max(axis=1)
    is_low = z[rows, best] < weights.alert_z[best]
    is_close = margin < policy.rules.min_margin
    abstained = (status == _REJECTED) | is_low | is_close
    confidence = np.where(abstained, 0.0, confidence_of(z[rows, best], best, weights))
    return Scores(
        z,
        quality_of(ints),
        status,
        reason,
        np.where(abstained, UNCLEAR, best),
        np.where(abstained, _UNKNOWN, directions(ints, reals, best)),
        confidence,
        margin,
        abstained,
        _reasons(ints, reason, abstained, is_low, is_close),
    )


def confidence_of(z: Floats, hypothesis: Ints, weights: Weights) -> Floats:
    """Confidence of the policy: 0.52 where it is said, 0.72 where it is high, then the ceiling."""
    low, high = weights.alert_z[hypothesis], weights.high_z[hypothesis]
    ceiling = weights.ceilings[hypothesis]
    step = (z - low) / (high - low)
    rising = MEDIUM_FROM + (HIGH_FROM - MEDIUM_FROM) * step
    above = HIGH_FROM + (ceiling - HIGH_FROM) * np.minimum(step - 1.0, 1.0)
    return np.minimum(np.where(step < 1.0, rising, above), ceiling)


def quality_of(ints: Ints) -> Floats:
    """Quality of the evidence: quotes that are there, quotes that are fresh, an underlying."""
    prints = np.maximum(ints[:, at.C_PRINTS], 1)
    coverage = 1.0 - ints[:, at.C_MISSING] / prints
    fresh = 1.0 - (ints[:, at.C_STALE] + ints[:, at.C_MISSING]) / prints
    return 0.55 * coverage + 0.3 * fresh + 0.15 * (ints[:, at.K_LAST_MID2] > 0)


def eligibility(ints: Ints, reals: Floats, policy: ScoringPolicy) -> tuple[Ints, Ints]:
    """Status of clusters as evidence, and the first reason for it, as codes."""
    rules, prints = policy.rules, np.maximum(ints[:, at.C_PRINTS], 1)
    missing, stale = ints[:, at.C_MISSING] / prints, ints[:, at.C_STALE] / prints
    decisions = (
        (ints[:, at.C_ORDERS] < rules.min_orders, _REJECTED, "insufficient_observation_size"),
        (reals[:, at.R_USD] < rules.min_premium_usd, _REJECTED, "insufficient_premium"),
        (1.0 - missing < rules.min_coverage, _REJECTED, "missing_quote_context"),
        (stale >= rules.max_stale, _REJECTED, "stale_quote_context"),
        *_down_weights(ints, reals, stale, policy),
    )
    return _decided(len(ints), decisions)


def packet_eligibility(ints: Ints, reals: Floats, policy: ScoringPolicy) -> tuple[Ints, Ints]:
    """Status of packets as evidence: their quotes are judged, not their size."""
    rules, prints = policy.rules, np.maximum(ints[:, at.K_PRINTS], 1)
    missing, stale = ints[:, at.K_MISSING] / prints, ints[:, at.K_STALE] / prints
    inside = ints[:, at.K_SIDES + 2] / prints
    quoted = np.maximum(ints[:, at.K_PRINTS] - ints[:, at.K_MISSING], 1)
    spread_bps = reals[:, at.R_K_SPREADS] / quoted
    decisions = (
        (1.0 - missing < rules.min_coverage, _REJECTED, "missing_quote_context"),
        (stale >= rules.max_stale, _REJECTED, "stale_quote_context"),
        (stale > 0.0, _DOWN, "stale_quote_context"),
        (spread_bps > rules.wide_spread_bps, _DOWN, "wide_quote_context"),
        (
            reals[:, at.R_K_MOST_U_SPREAD] > rules.wide_underlying_bps,
            _DOWN,
            "wide_underlying_quote_context",
        ),
        (inside >= _INSIDE_FROM, _DOWN, "inside_market_context"),
    )
    return _decided(len(ints), decisions)


def directions(ints: Ints, reals: Floats, hypothesis: Ints) -> Ints:
    """Direction of some clusters if they are what is said, as codes."""
    lead = ints[:, at.C_BUYS] - ints[:, at.C_SELLS]
    up = np.where(ints[:, at.C_IS_PUT] == 1, -lead, lead)
    plain = np.where(up > 0, _BULLISH, np.where(up < 0, _BEARISH, _UNKNOWN))
    both = np.isin(ints[:, at.C_STRUCTURE], _STRADDLES)
    plain = np.where(both, _MIXED, plain)
    moved = reals[:, at.R_MOVE_SIGMAS]
    followed = np.where(moved > 0.0, _BULLISH, _BEARISH)
    hedged = np.where(np.abs(moved) >= _REACTED_FROM, followed, plain)
    is_neutral = np.isin(hypothesis, [_PLACE["volatility_supply"], _PLACE["structure_arbitrage"]])
    found = np.where(hypothesis == _PLACE["hedge_rebalance"], hedged, plain)
    return np.where(is_neutral, _NEUTRAL, found)


def contributions(
    row: Mapping[str, float | str | int | bool], policy: ScoringPolicy
) -> dict[str, dict[str, float]]:
    """What each axis adds to the log-odds of each hypothesis: of its pattern that fits best.

    Parameters
    ----------
    row : mapping
        By the columns of ``flow_columns.HYPOTHESIS_ROWS``.
    policy : ScoringPolicy

    Returns
    -------
    dict of str to dict of str to float
        By hypothesis, then by axis and ``intercept``; added up, they are its log-odds.
    """
    features = features_of_rows({name: np.array([value]) for name, value in row.items()})[0]
    found: dict[str, dict[str, float]] = {}
    for name in HYPOTHESES:
        patterns = policy.hypotheses[name].patterns.values()
        found[name] = max(
            (_parts(features, one) for one in patterns), key=lambda p: fsum(p.values())
        )
    return found


def _parts(features: Floats, pattern: Pattern) -> dict[str, float]:
    """What each axis adds to the log-odds of a pattern."""
    parts = {"intercept": pattern.intercept, **dict.fromkeys(AXES, 0.0)}
    for one, value in zip(FEATURES, features, strict=True):
        parts[QUANTITIES[one.quantity].axis] += pattern.weights[one.name] * float(value)
    return parts


def _quoted(ints: Ints) -> Ints:
    """Prints that had a quote, at least 1."""
    return np.maximum(ints[:, at.C_PRINTS] - ints[:, at.C_MISSING], 1)


def _down_weights(
    ints: Ints, reals: Floats, stale: Floats, policy: ScoringPolicy
) -> tuple[tuple[Bools, int, str], ...]:
    spread_bps = reals[:, at.R_SPREADS] / _quoted(ints)
    wide_bps = reals[:, at.R_MOST_U_SPREAD]
    return (
        (stale > 0.0, _DOWN, "stale_quote_context"),
        (spread_bps > policy.rules.wide_spread_bps, _DOWN, "wide_quote_context"),
        (wide_bps > policy.rules.wide_underlying_bps, _DOWN, "wide_underlying_quote_context"),
        (_is_inside(ints), _DOWN, "inside_market_context"),
    )


def _decided(rows: int, decisions: tuple[tuple[Bools, int, str], ...]) -> tuple[Ints, Ints]:
    """The worst status of each row, with the first reason for it."""
    status = np.full(rows, _ACCEPTED, dtype=np.int64)
    reason = np.full(rows, _REASON["evidence_context_usable"], dtype=np.int64)
    for holds, code, name in decisions:
        worse = holds & (code > status)
        status[worse], reason[worse] = code, _REASON[name]
    return status, reason


def _is_inside(ints: Ints) -> Bools:
    return ints[:, at.C_INSIDE] / np.maximum(ints[:, at.C_PRINTS], 1) >= _INSIDE_FROM


def _reasons(ints: Ints, reason: Ints, abstained: Bools, is_low: Bools, is_close: Bools) -> Ints:
    """Every reason of each row as a place in `REASONS`."""
    aggressive = np.maximum(ints[:, at.C_BUYS] + ints[:, at.C_SELLS], 1)
    minority = np.minimum(ints[:, at.C_BUYS], ints[:, at.C_SELLS])
    few = [_REASON[name] for name in ("insufficient_observation_size", "insufficient_premium")]
    told = (
        np.isin(reason, few),
        ints[:, at.C_STALE] + ints[:, at.C_MISSING] > 0,
        is_close | (minority / aggressive >= _CONFLICT_FROM),
        _is_inside(ints),
        is_low,
    )
    found = np.zeros(len(ints), dtype=np.int64)
    for bit, holds in enumerate(told):
        found |= np.where(holds & abstained, 1 << bit, 0)
    return found
