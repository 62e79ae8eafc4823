"""Counts of several tapes pooled: each figure with its interval over seeds.

Intervals are percentile bootstraps (Efron 1979) of ratios of sums: seeds are drawn with
replacement, a seed with all its tapes. The draws come from one fixed stream, so the same scores
have the same intervals, in any order. A share that is the same of every seed has an interval of no
width. Levels that figures must reach are ``levels``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, cast

import numpy as np

from contracts.canonical import Document
from contracts.control import PRESETS
from contracts.errors import ContractError
from contracts.flow import SUBTYPE_NAMES
from contracts.regime import REGIMES
from contracts.seeds import stream_id
from contracts.smart_flow import HYPOTHESES, HYPOTHESIS_NAMES, UNCLEAR
from engine.arrays import Floats, Ints
from engine.evaluation.scores import DELAYS, TapeScore, total_counts
from engine.evaluation.truth import CLASS_OF_SUBTYPE
from engine.rng import fill_uniforms
from engine.stats import percentile

ALL: Final = "all"
"""The group of every preset together."""
RESAMPLES: Final = 2_000
INTERVAL: Final = (2.5, 97.5)
"""Percentiles of the resampled ratios that a 95 % interval goes from and to."""
FALSE_WINDOWS: Final = 2_000
"""False alerts are told per so many windows of background."""
_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio of counts over tapes.

    Attributes
    ----------
    hits, of : int
    value : float or None
        Their ratio, times 2,000 for `GroupScore.false_high`; None of nothing.
    low, high : float or None
        Ends of its 95 % interval over seeds; None with fewer than two of them, or of nothing.
    """

    hits: int
    of: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Delay:
    """Time from a burst's print to its right alert.

    Attributes
    ----------
    median_ns, p90_ns : float or None
        None if there is no right alert.
    """

    median_ns: float | None
    p90_ns: float | None


@dataclass(frozen=True, slots=True)
class ProfileScore:
    """How one hypothesis did.

    Attributes
    ----------
    precision : Figure
        Right alerts over those that say it.
    recall : Figure
        Bursts found over bursts.
    direction : Figure
        Right alerts whose direction is the burst's.
    repeated : Figure
        Alerts of a burst that had been found.
    covered, there : Figure
        Windows of coverage in which it is found, and in which a burst of it is.
    from_first_print, from_last_print : Delay
    """

    precision: Figure
    recall: Figure
    direction: Figure
    repeated: Figure
    covered: Figure
    there: Figure
    from_first_print: Delay
    from_last_print: Delay


@dataclass(frozen=True, slots=True)
class RegimeScore:
    """One hypothesis in one regime: of the minute for precision, of the burst for recall."""

    precision: Figure
    recall: Figure


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Tapes of one preset, or of all of them.

    Attributes
    ----------
    tapes, seeds : int
    profiles : dict of str to ProfileScore
        By hypothesis.
    regimes : dict of str to dict of str to RegimeScore
        By hypothesis and regime.
    subtypes : dict of str to Figure
        Recall by subtype; of noise, the share that was abstained from.
    noise_abstained : Figure
        Bursts of noise that no alert is of.
    decoys_alerted : Figure
        Decoys that an alert is of.
    false_high : Figure
        False alerts of high confidence in 2,000 windows of background.
    covered, there : Figure
        Windows of coverage in which every profile is found, and in which each has a burst.
    confusion : dict of str to dict of str to int
        Clusters by what they are, ``unclear`` for noise and nobody's, and by what was said,
        ``unclear`` for nothing.
    """

    tapes: int
    seeds: int
    profiles: dict[str, ProfileScore]
    regimes: dict[str, dict[str, RegimeScore]]
    subtypes: dict[str, Figure]
    noise_abstained: Figure
    decoys_alerted: Figure
    false_high: Figure
    covered: Figure
    there: Figure
    confusion: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Pooled:
    """What tapes say of a detector together.

    Attributes
    ----------
    presets : dict of str to GroupScore
        Of the presets that there are tapes of, in the order of ``contracts.control.PRESETS``.
    everything : GroupScore
    """

    presets: dict[str, GroupScore]
    everything: GroupScore

    def document(self) -> Document:
        """The figures as JSON."""
        return cast("Document", asdict(self))


def pooled(scores: Sequence[TapeScore]) -> Pooled:
    """Pool the counts of tapes, by preset and all together.

    Parameters
    ----------
    scores : sequence of TapeScore
        In any order, of any seeds and presets.

    Raises
    ------
    ContractError
        ``EVALUATION_TAPE_EMPTY`` without a tape.
    """
    if not scores:
        raise ContractError(
            "EVALUATION_TAPE_EMPTY",
            "there is no score to pool",
            hints=("evaluate a tape first",),
        )
    groups = {
        preset: [score for score in scores if score.preset == preset]
        for preset in PRESETS
        if any(score.preset == preset for score in scores)
    }
    return Pooled({preset: _group(mine) for preset, mine in groups.items()}, _group(scores))


class Resampled:
    """Counts of seeds, and how often each seed is drawn.

    Parameters
    ----------
    scores : sequence of TapeScore
        One or more.
    """

    def __init__(self, scores: Sequence[TapeScore]) -> None:
        self.seeds = sorted({score.seed for score in scores})
        self._tapes = [[one for one in scores if one.seed == seed] for seed in self.seeds]
        self._drawn = _multiplicities(len(self.seeds))

    def counts(self, name: str) -> Ints:
        """Sums over the tapes of each seed, shape (seeds, …)."""
        return np.stack([total_counts(mine, name) for mine in self._tapes])

    def figure(self, hits: Ints, of: Ints, *, per: float = 1.0) -> Figure:
        """Ratio of two counts with its interval.

        Parameters
        ----------
        hits, of : ndarray, shape (seeds,), int64
        per : float
            What the ratio is multiplied by.
        """
        total, whole = int(hits.sum()), int(of.sum())
        if not whole:
            return Figure(total, whole, None, None, None)
        value = per * total / whole
        if len(self.seeds) < 2:
            return Figure(total, whole, value, None, None)
        drawn = self._drawn @ of
        kept = drawn > 0
        ratios: Floats = per * (self._drawn[kept] @ hits) / drawn[kept]
        low, high = (percentile(ratios, percent) for percent in INTERVAL)
        return Figure(total, whole, value, low, high)


def _multiplicities(seeds: int) -> Ints:
    """How often each seed is drawn, shape (`RESAMPLES`, seeds)."""
    first, second = np.empty(RESAMPLES * seeds), np.empty(RESAMPLES * seeds)
    stream = stream_id("evaluation", "seeds")
    fill_uniforms(np.uint64(_SEED), np.uint64(stream), 0, first, second)
    chosen = (first * seeds).astype(np.int64).reshape(RESAMPLES, seeds)
    rows = np.arange(RESAMPLES)[:, None] * seeds
    counts = np.bincount((rows + chosen).ravel(), minlength=RESAMPLES * seeds)
    return counts.astype(np.int64).reshape(RESAMPLES, seeds)


def _group(scores: Sequence[TapeScore]) -> GroupScore:
    drawn = Resampled(scores)
    bursts, alerted = drawn.counts("bursts"), drawn.counts("alerted")
    noise = CLASS_OF_SUBTYPE == UNCLEAR
    heard, all_noise = alerted[:, noise].sum(axis=(1, 2)), bursts[:, noise].sum(axis=(1, 2))
    decoys, followed = drawn.counts("decoys"), drawn.counts("decoys_alerted")
    background, coverage = drawn.counts("background"), drawn.counts("coverage")
    return GroupScore(
        tapes=len(scores),
        seeds=len(drawn.seeds),
        profiles=_profiles(drawn, scores),
        regimes=_regimes(drawn),
        subtypes=_subtypes(drawn),
        noise_abstained=drawn.figure(all_noise - heard, all_noise),
        decoys_alerted=drawn.figure(followed.sum(axis=1), decoys.sum(axis=1)),
        false_high=drawn.figure(background[:, 1], background[:, 0], per=FALSE_WINDOWS),
        covered=drawn.figure(coverage[:, 1], coverage[:, 0]),
        there=drawn.figure(coverage[:, 2], coverage[:, 0]),
        confusion=confusion(scores),
    )


def confusion(scores: Iterable[TapeScore]) -> dict[str, dict[str, int]]:
    """Clusters by what they are and what was said; ``unclear`` is noise, nobody's, and silence."""
    counts = total_counts(scores, "confusion").sum(axis=1)
    sums = np.zeros((UNCLEAR + 1, UNCLEAR + 1), dtype=np.int64)
    np.add.at(sums, np.append(CLASS_OF_SUBTYPE, UNCLEAR), counts)
    return {
        true: {said: int(sums[row, column]) for column, said in enumerate(HYPOTHESIS_NAMES)}
        for row, true in enumerate(HYPOTHESIS_NAMES)
    }


def _profiles(drawn: Resampled, scores: Sequence[TapeScore]) -> dict[str, ProfileScore]:
    alerts, right, repeated = (
        drawn.counts(name).sum(axis=2) for name in ("alerts", "right", "repeated")
    )
    bursts, found = (drawn.counts(name).sum(axis=2) for name in ("bursts", "found"))
    straight, shown = drawn.counts("right_direction"), drawn.counts("coverage_profiles")
    windows = drawn.counts("coverage")[:, 0]
    profiles: dict[str, ProfileScore] = {}
    for code, name in enumerate(HYPOTHESES):
        mine = code == CLASS_OF_SUBTYPE
        said = alerts[:, code]
        first, last = (_delay(scores, which, code) for which in DELAYS)
        profiles[name] = ProfileScore(
            precision=drawn.figure(right[:, code], said),
            recall=drawn.figure(found[:, mine].sum(axis=1), bursts[:, mine].sum(axis=1)),
            direction=drawn.figure(straight[:, code], right[:, code]),
            repeated=drawn.figure(repeated[:, code], said),
            covered=drawn.figure(shown[:, 0, code], windows),
            there=drawn.figure(shown[:, 1, code], windows),
            from_first_print=first,
            from_last_print=last,
        )
    return profiles


def _regimes(drawn: Resampled) -> dict[str, dict[str, RegimeScore]]:
    alerts, right = drawn.counts("alerts"), drawn.counts("right")
    bursts, found = drawn.counts("bursts"), drawn.counts("found")

    def of(code: int) -> dict[str, RegimeScore]:
        mine = code == CLASS_OF_SUBTYPE
        there, seen = bursts[:, mine].sum(axis=1), found[:, mine].sum(axis=1)
        return {
            regime: RegimeScore(
                precision=drawn.figure(right[:, code, k], alerts[:, code, k]),
                recall=drawn.figure(seen[:, k], there[:, k]),
            )
            for k, regime in enumerate(REGIMES)
        }

    return {name: of(code) for code, name in enumerate(HYPOTHESES)}


def _subtypes(drawn: Resampled) -> dict[str, Figure]:
    bursts, found, alerted = (
        drawn.counts(name).sum(axis=2) for name in ("bursts", "found", "alerted")
    )
    noise = CLASS_OF_SUBTYPE == UNCLEAR
    hits = found.copy()
    hits[:, noise] = bursts[:, noise] - alerted[:, noise]
    return {
        name: drawn.figure(hits[:, code], bursts[:, code])
        for code, name in enumerate(SUBTYPE_NAMES)
    }


def _delay(scores: Sequence[TapeScore], which: str, code: int) -> Delay:
    waits = np.array([wait for one in scores for wait in one.delays_ns[which][code]], dtype=float)
    if not waits.size:
        return Delay(None, None)
    return Delay(percentile(waits, 50.0), percentile(waits, 90.0))
