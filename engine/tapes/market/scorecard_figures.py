"""Figures made of sums: moments, correlations, tails, decays. Small arrays in, one number out.

A figure that the sums say nothing about is NaN. The sums are made by the ``kernels_scorecard``
modules; exp and log are ``engine.mathx``, so that a scorecard is the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from engine.arrays import Floats, Ints
from engine.mathx import exp, log
from engine.tapes.market.scorecard_layout import OCTAVE, XX, XY, YY, N, X, Y

LN2: Final = 0.6931471805599453


def ratio(part: float, whole: float) -> float:
    """A quotient, NaN over nothing."""
    return float(part) / float(whole) if whole else math.nan


def mean_of(values: Iterable[float]) -> float:
    """Mean of those that are numbers."""
    found = [value for value in values if not math.isnan(value)]
    return ratio(math.fsum(found), len(found))


def rate(count: float, whole: float, stated: float) -> float:
    """A share over the stated one; 1 if none is stated and none is there."""
    share = ratio(count, whole)
    if stated > 0.0 or math.isnan(share):
        return share / stated if stated > 0.0 else share
    return 1.0 if share == 0.0 else math.inf


def excess_kurtosis(powers: Floats) -> tuple[float, float]:
    """Excess kurtosis and number of values, of the sums of their powers 0 to 4."""
    n = float(powers[0])
    if n < 4.0:
        return math.nan, 0.0
    m, p2, p3, p4 = (float(powers[k]) / n for k in range(1, 5))
    variance = p2 - m * m
    if variance <= 0.0:
        return math.nan, 0.0
    fourth = p4 - 4.0 * m * p3 + 6.0 * m * m * p2 - 3.0 * m**4
    return fourth / (variance * variance) - 3.0, n


def pooled_kurtosis(powers: Floats) -> float:
    """Excess kurtosis of values of which every symbol's have been divided by their deviation."""
    found = [one for one in (excess_kurtosis(row) for row in powers) if one[1] > 0.0]
    return ratio(math.fsum(k * n for k, n in found), math.fsum(n for _, n in found))


def correlation(sums: Floats) -> float:
    """Pearson's correlation of pairs, of their sums."""
    n = float(sums[N])
    if n < 3.0:
        return math.nan
    x, y = float(sums[X]) / n, float(sums[Y]) / n
    xx, yy = float(sums[XX]) / n - x * x, float(sums[YY]) / n - y * y
    # What is left of equal values is rounding.
    if xx <= 1e-12 * float(sums[XX]) / n or yy <= 1e-12 * float(sums[YY]) / n:
        return math.nan
    return (float(sums[XY]) / n - x * y) / math.sqrt(xx * yy)


def hill(bins: Ints, share: float) -> float:
    """Hill's tail index of the largest `share` of values, of their logarithmic histogram.

    Hill (1975). The threshold is the border of the bin in which the share is reached; within
    a bin, a doubling over `OCTAVE`, values count as its middle.
    """
    total = int(bins.sum())
    above = np.cumsum(bins[::-1])[::-1]
    enough = np.flatnonzero(above >= max(share * total, 1.0))
    if total == 0 or enough.size == 0:
        return math.nan
    first = int(enough[-1])
    top = bins[first:].astype(np.float64)
    steps = (np.arange(top.size) + 0.5) * (LN2 / OCTAVE)
    return ratio(float(top.sum()), float((top * steps).sum()))


def aligned_tails(tails: Ints, deviations: Floats) -> Ints:
    """One logarithmic histogram of all symbols', each divided by its own deviation."""
    found = np.zeros(2 * tails.shape[1], dtype=np.int64)
    for row, deviation in zip(tails, deviations, strict=True):
        if not deviation > 0.0:
            continue
        shift = round(OCTAVE * log(float(deviation)) / LN2)
        start = min(max(tails.shape[1] // 2 - shift, 0), tails.shape[1])
        found[start : start + tails.shape[1]] += row
    return found


def chi_square_tail(x: float, freedom: int) -> float:
    """Probability that a chi-square of an even number of degrees of freedom exceeds `x`."""
    half = 0.5 * x
    if half > 690.0:
        return 0.0
    term, found = 1.0, 1.0
    for j in range(1, freedom // 2):
        term *= half / j
        found += term
    return min(exp(-half) * found, 1.0)


def joint_test(joint: Floats, first_lag: int) -> float:
    """P-value of no autocorrelation from a lag on, robust to changing volatility.

    A portmanteau test of Ljung and Box's kind, each product's sum over its own deviation
    instead of that of independent values (Lobato, Nankervis and Savin 2001): under a martingale
    the squares are chi-square and the lags uncorrelated.
    """
    rows = joint[first_lag - 1 :]
    if rows.shape[0] % 2 or not bool((rows[:, 1] > 0.0).all()):
        return math.nan
    return chi_square_tail(float((rows[:, 0] ** 2 / rows[:, 1]).sum()), rows.shape[0])


def decay_exponent(acf: Floats) -> float:
    """Exponent of a power law, by least squares of logs over bins of lags that double.

    Infinite if the mean of a bin is not positive: that falls faster than any power.
    """
    points: list[tuple[float, float]] = []
    first, last = 1, 1
    while first <= acf.size:
        last = min(last, acf.size)
        level = float(acf[first - 1 : last].mean())
        if math.isnan(level):
            return math.nan
        if level <= 0.0:
            return math.inf
        points.append((0.5 * log(float(first) * last), log(level)))
        first, last = last + 1, 2 * last
    x, y = mean_of(p[0] for p in points), mean_of(p[1] for p in points)
    across = math.fsum((p[0] - x) * (p[1] - y) for p in points)
    return -ratio(across, math.fsum((p[0] - x) ** 2 for p in points))
