"""What a detector must reach, beside what it does: the verdict on pooled scores.

The levels are those of the specification of the tape. A figure that nothing was counted for has
not been shown, so it is not reached.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from contracts.smart_flow import HYPOTHESES
from engine.evaluation.pooling import Figure, GroupScore, Pooled

Rule: TypeAlias = Literal["at_least", "below"]

MIN_PRECISION: Final = 0.90
MIN_RECALL: Final = 0.70
MIN_NOISE_ABSTAINED: Final = 0.95
MAX_FALSE_HIGH: Final = 1.0
"""False alerts of high confidence in 2,000 windows of background stay below."""
MIN_COVERED: Final = 0.95
WINDOWS: Final = 2_000
SIGNIFICANCE: Final = 1e-4
"""Chance that a single tape of a detector at its bound is refused."""


@dataclass(frozen=True, slots=True)
class Level:
    """One figure beside its bound.

    Attributes
    ----------
    name : str
        ``precision``, ``recall``, ``noise_abstained``, ``false_high`` or ``covered``.
    preset : str
    hypothesis : str
        Empty where it is of all of them.
    figure : Figure
        Its value is what is judged, its interval is for the reader.
    rule : str
        ``at_least`` or ``below`` the bound.
    bound : float
    ok : bool
        False if the figure has no value.
    """

    name: str
    preset: str
    hypothesis: str
    figure: Figure
    rule: Rule
    bound: float
    ok: bool


def levels(scores: Pooled) -> list[Level]:
    """Verdicts on every preset that there are tapes of, profile by profile, then as a whole."""
    return [level for preset, group in scores.presets.items() for level in _of(preset, group)]


def broken_levels(scores: Pooled) -> list[Level]:
    """Levels that so few tapes can be said to miss: chance alone would hardly give the figure.

    A share is broken if a binomial law with its bound as chance gives as few hits with less than
    `SIGNIFICANCE`, false alerts if a Poisson law with their bound as rate gives as many.
    """
    return [one for one in levels(scores) if not one.ok and chance_of(one) < SIGNIFICANCE]


def chance_of(level: Level) -> float:
    """Chance of a figure as bad as this, or worse, at the bound; 1 where nothing was counted."""
    hits, of = level.figure.hits, level.figure.of
    if of == 0:
        return 1.0
    if level.rule == "below":
        return _poisson_tail(hits, level.bound * of / WINDOWS)
    return _binomial_head(hits, of, level.bound)


def coverage_levels(scores: Pooled) -> list[Level]:
    """Verdicts on windows in which every profile is found, for tapes with assistance on."""
    return [
        _level("covered", preset, "", group.covered, "at_least", MIN_COVERED)
        for preset, group in scores.presets.items()
    ]


def _of(preset: str, group: GroupScore) -> list[Level]:
    found: list[Level] = []
    for name in HYPOTHESES:
        one = group.profiles[name]
        found += [
            _level("precision", preset, name, one.precision, "at_least", MIN_PRECISION),
            _level("recall", preset, name, one.recall, "at_least", MIN_RECALL),
        ]
    noise, false = group.noise_abstained, group.false_high
    return [
        *found,
        _level("noise_abstained", preset, "", noise, "at_least", MIN_NOISE_ABSTAINED),
        _level("false_high", preset, "", false, "below", MAX_FALSE_HIGH),
    ]


def _level(
    name: str, preset: str, hypothesis: str, figure: Figure, rule: Rule, bound: float
) -> Level:
    value = figure.value
    if value is None:
        return Level(name, preset, hypothesis, figure, rule, bound, False)
    ok = value >= bound if rule == "at_least" else value < bound
    return Level(name, preset, hypothesis, figure, rule, bound, ok)


def _binomial_head(hits: int, of: int, chance: float) -> float:
    """P(X ≤ hits) of a binomial law."""
    odds = (math.log(chance), math.log1p(-chance))
    whole = math.lgamma(of + 1)
    return math.fsum(
        math.exp(
            whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * odds[0] + (of - k) * odds[1]
        )
        for k in range(hits + 1)
    )


def _poisson_tail(hits: int, rate: float) -> float:
    """P(X ≥ hits) of a Poisson law."""
    below = math.fsum(math.exp(k * math.log(rate) - rate - math.lgamma(k + 1)) for k in range(hits))
    return max(0.0, 1.0 - below)
