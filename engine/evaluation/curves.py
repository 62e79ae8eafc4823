"""Precision against recall, reliability, and what is kept as more confidence is asked for.

Counting puts every log-odds and confidence on a grid whose ends are exact in binary, so that the
curves of many tapes are those of the sums of their counts. Matching stays strict on every point:
of a burst's clusters or alerts above a level one is right, the others wrong. Figures at the level
that the policy asks for, with their intervals, are ``pooling``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum

import numpy as np

from contracts.smart_flow import HYPOTHESES
from engine.arrays import Floats, Ints
from engine.evaluation import scores as sc
from engine.evaluation.matching import Alerts, Clusters
from engine.evaluation.scores import TapeScore, total_counts, total_sums
from engine.evaluation.truth import CLASS_OF_SUBTYPE, Bursts
from engine.mathx import exp


@dataclass(frozen=True, slots=True)
class Point:
    """What holds from a level on.

    Attributes
    ----------
    level : float
        Least log-odds, or least confidence.
    kept, right : int
        Clusters or alerts at or above it; those of them that find a burst.
    precision : float
    recall : float or None
        Share of the bursts that are found; None if there is none.
    share_kept : float
        Share of what is kept at the lowest level.
    """

    level: float
    kept: int
    right: int
    precision: float
    recall: float | None
    share_kept: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated probabilities in one bin against the truth.

    Attributes
    ----------
    low, high : float
        Ends of the bin; the upper one belongs to the next.
    clusters, true : int
        Clusters, and those whose burst the hypothesis is true of.
    stated, observed : float or None
        Mean probability, and the share that it is true of; None of nothing.
    """

    low: float
    high: float
    clusters: int
    true: int
    stated: float | None
    observed: float | None


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves of one hypothesis.

    Attributes
    ----------
    precision_recall : tuple of Point
        Over the clusters whose first hypothesis it is, abstained from or not: falling log-odds.
    average_precision : float or None
        Σ (Rₙ − Rₙ₋₁) Pₙ over them; None if there is no burst.
    reliability : tuple of Reliability
        Of 1 / (1 + e⁻ᶻ) over every cluster; several clusters of one burst are all true.
    brier : float or None
        Mean of (probability − truth)².
    abstention : tuple of Point
        Over the alerts that say it: falling confidence.
    """

    precision_recall: tuple[Point, ...]
    average_precision: float | None
    reliability: tuple[Reliability, ...]
    brier: float | None
    abstention: tuple[Point, ...]


def curves(scores: Iterable[TapeScore]) -> dict[str, Curves]:
    """Curves of every hypothesis over the tapes together; ``all`` has those of all alerts.

    The log-odds of different hypotheses are each of its own question, so ``all`` has no other
    curve than that of abstention.
    """
    tapes = list(scores)
    counts = {name: total_counts(tapes, name) for name in sc.COUNTS}
    stated, errors = total_sums(tapes, "probability"), total_sums(tapes, "squared_error")
    bursts = bursts_by_class(counts["bursts"])
    z_levels = np.arange(sc.Z_LEVELS) / sc.Z_STEPS - sc.Z_LIMIT
    levels = np.arange(sc.CONFIDENCE_LEVELS) / sc.CONFIDENCE_STEPS
    alerts, firsts = counts["confidence_alerts"], counts["confidence_bursts"]
    found: dict[str, Curves] = {}
    for code, name in enumerate(HYPOTHESES):
        of = int(bursts[code])
        points = _points(z_levels, counts["z_clusters"][code], counts["z_bursts"][code], of)
        clusters = int(counts["reliability"][code].sum())
        found[name] = Curves(
            precision_recall=points,
            average_precision=_average(points) if of else None,
            reliability=_reliability(
                counts["reliability"][code], counts["reliability_true"][code], stated[code]
            ),
            brier=float(errors[code]) / clusters if clusters else None,
            abstention=_points(levels, alerts[code], firsts[code], of),
        )
    everything = _points(levels, alerts.sum(axis=0), firsts.sum(axis=0), int(bursts.sum()))
    found["all"] = Curves((), None, (), None, everything)
    return found


def bursts_by_class(bursts: Ints) -> Ints:
    """Sums over subtypes and regimes of counts by these, shape (6,): noise is left out."""
    sums = np.zeros(len(HYPOTHESES) + 1, dtype=np.int64)
    np.add.at(sums, CLASS_OF_SUBTYPE, bursts.sum(axis=1))
    return sums[:-1]


def z_counts(z: Floats, clusters: Clusters, bursts: Bursts) -> tuple[Ints, Ints]:
    """Clusters by their first hypothesis and its log-odds, and bursts by their best such cluster.

    Parameters
    ----------
    z : ndarray, shape (clusters, 6), float64
        NaN counts for the least; of equal ones the first hypothesis is taken.
    clusters : Clusters
    bursts : Bursts

    Returns
    -------
    two ndarrays, shape `scores.COUNTS`, int64
        A burst is counted once, where one of its clusters has its class for first hypothesis.
    """
    filled = np.where(np.isnan(z), -np.inf, z)
    first = filled.argmax(axis=1)
    best = np.clip(filled[np.arange(z.shape[0]), first], -sc.Z_LIMIT, sc.Z_LIMIT)
    level = np.floor(best * sc.Z_STEPS).astype(np.int64) + sc.Z_LIMIT * sc.Z_STEPS
    return _tally(first, level, clusters.owner, bursts, sc.COUNTS["z_clusters"])


def confidence_counts(alerts: Alerts, bursts: Bursts) -> tuple[Ints, Ints]:
    """Alerts by what they say and their confidence, and bursts by their best right one."""
    level = np.floor(np.clip(alerts.confidence, 0.0, 1.0) * sc.CONFIDENCE_STEPS).astype(np.int64)
    return _tally(alerts.said, level, alerts.owner, bursts, sc.COUNTS["confidence_alerts"])


def reliability_counts(
    z: Floats, clusters: Clusters, bursts: Bursts
) -> tuple[Ints, Ints, Floats, Floats]:
    """Clusters, true ones, stated probabilities by bin, and squared errors, by hypothesis.

    Parameters
    ----------
    z : ndarray, shape (clusters, 6), float64
        Hypotheses that are NaN of a cluster state nothing of it.
    clusters : Clusters
    bursts : Bursts
    """
    shape = sc.COUNTS["reliability"]
    count, true = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    stated, errors = np.zeros(shape), np.zeros(shape[0])
    wanted = np.full(clusters.seq.size, -1, dtype=np.int64)
    owned = clusters.owner >= 0
    wanted[owned] = bursts.wanted[clusters.owner[owned]]
    for code in range(shape[0]):
        known = ~np.isnan(z[:, code])
        p = np.array([1.0 / (1.0 + exp(-one)) for one in z[known, code].tolist()])
        truth = wanted[known] == code
        place = np.minimum((p * shape[1]).astype(np.int64), shape[1] - 1)
        count[code] = np.bincount(place, minlength=shape[1])
        true[code] = np.bincount(place[truth], minlength=shape[1])
        stated[code] = [fsum(p[place == k].tolist()) for k in range(shape[1])]
        errors[code] = fsum(((p - truth) ** 2).tolist())
    return count, true, stated, errors


def _tally(
    said: Ints, level: Ints, owner: Ints, bursts: Bursts, shape: tuple[int, ...]
) -> tuple[Ints, Ints]:
    every, best = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    np.add.at(every, (said, level), 1)
    fits = owner >= 0
    fits[fits] = bursts.wanted[owner[fits]] == said[fits]
    highest = np.full(bursts.ids.size, -1, dtype=np.int64)
    np.maximum.at(highest, owner[fits], level[fits])
    reached = highest >= 0
    np.add.at(best, (bursts.wanted[reached], highest[reached]), 1)
    return every, best


def _points(levels: Floats, every: Ints, best: Ints, bursts: int) -> tuple[Point, ...]:
    """A point at each level at which there is something, from the highest down."""
    kept, right = np.cumsum(every[::-1])[::-1], np.cumsum(best[::-1])[::-1]
    total = int(every.sum())
    return tuple(
        Point(
            level=float(levels[place]),
            kept=int(kept[place]),
            right=int(right[place]),
            precision=int(right[place]) / int(kept[place]),
            recall=int(right[place]) / bursts if bursts else None,
            share_kept=int(kept[place]) / total,
        )
        for place in np.flatnonzero(every)[::-1].tolist()
    )


def _average(points: tuple[Point, ...]) -> float:
    total, before = 0.0, 0.0
    for point in points:
        recall = point.recall or 0.0
        total += (recall - before) * point.precision
        before = recall
    return total


def _reliability(count: Ints, true: Ints, stated: Floats) -> tuple[Reliability, ...]:
    bins = count.size
    return tuple(
        Reliability(
            low=k / bins,
            high=(k + 1) / bins,
            clusters=n,
            true=int(true[k]),
            stated=float(stated[k]) / n if n else None,
            observed=int(true[k]) / n if n else None,
        )
        for k, n in enumerate(count.tolist())
    )
