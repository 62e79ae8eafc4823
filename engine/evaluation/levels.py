"""What a detector must reach, beside what it does: the verdict on pooled scores.

The levels are those of the specification of the tape. A figure that nothing was counted for has
not been shown, so it is not reached.
"""

from __future__ import annotations

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
