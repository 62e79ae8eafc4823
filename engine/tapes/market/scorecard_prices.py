"""Statistics of prices: are they martingales, with heavy tails and volatility that clusters.

The sums are made by ``kernels_scorecard_prices``; each symbol's returns count as if divided by
their own deviation. What each statistic must be is ``contracts.tape_bands.PRICE_BANDS``.
"""

from __future__ import annotations

import math

import numpy as np

from engine.arrays import Floats
from engine.tapes.market import scorecard_layout as at
from engine.tapes.market.scorecard_figures import (
    aligned_tails,
    correlation,
    hill,
    joint_test,
    mean_of,
    pooled_kurtosis,
    ratio,
)
from engine.tapes.market.scorecard_layout import PriceSums

TAIL_SHARE = 0.05
FIRST_LAG = 3
"""From this lag on returns must have no autocorrelation at all."""


def price_values(sums: PriceSums, scale: Floats) -> dict[str, float]:
    """Every statistic of prices by the name of its band."""
    sizes = size_acf(sums)
    fine = pooled_kurtosis(sums.powers)
    ratios = variance_ratios(sums)
    return {
        **{
            f"variance_ratio_{minutes}m": value
            for minutes, value in zip(at.RATIO_MINUTES, ratios, strict=True)
        },
        "return_acf_1m": float(return_acf(sums)[0]),
        "return_ljung_box_p": joint_test(sums.joint, FIRST_LAG),
        "excess_kurtosis_1m": fine,
        "kurtosis_30m_per_1m": ratio(pooled_kurtosis(sums.coarse), fine),
        "return_tail_index": hill(aligned_tails(sums.tails, _deviations(sums, scale)), TAIL_SHARE),
        "abs_return_acf_20m": float(sizes[at.CLOCK_LAG - 1]),
        "abs_return_acf_least": float(sizes.min()),
        "clock_free_acf_20m": clock_free_acf(sums),
        "leverage_correlation": mean_of(correlation(row) for row in sums.leverage),
        "open_midday_volatility": mean_of(
            ratio(ratio(row[0, 1], row[0, 0]), ratio(row[1, 1], row[1, 0])) for row in sums.shape
        ),
    }


def variance_ratios(sums: PriceSums) -> list[float]:
    """Squares of returns over several minutes over the squares of their minutes.

    Both are of the same minutes, so that what volatility does through the day cancels.
    """
    weights = _weights(sums)
    found = (weights[:, None, None] * sums.ratios).sum(axis=0)
    return [ratio(float(row[0]), float(row[1])) for row in found]


def return_acf(sums: PriceSums) -> Floats:
    """Autocorrelation of minute returns by lag, their mean taken as zero."""
    pairs = np.where(_weights(sums)[:, None] > 0.0, sums.pairs, 0.0).sum(axis=0)
    return _quotients((_weights(sums)[:, None] * sums.products).sum(axis=0), pairs)


def size_acf(sums: PriceSums) -> Floats:
    """Autocorrelation of |r| by lag, about the mean over all sessions of a symbol."""
    mean, variance = _size_moments(sums)
    inverse = np.where(variance > 0.0, 1.0 / np.where(variance > 0.0, variance, 1.0), 0.0)
    centred = sums.absolute - mean[:, None] * sums.edges + mean[:, None] ** 2 * sums.pairs
    pairs = np.where(inverse[:, None] > 0.0, sums.pairs, 0.0)
    return _quotients((inverse[:, None] * centred).sum(axis=0), pairs.sum(axis=0))


def clock_free_acf(sums: PriceSums) -> float:
    """Autocorrelation of |r| beyond what the time of day explains.

    From the products within a session those of minutes of different sessions are taken, which
    share the time of day and nothing else; it takes two sessions.
    """
    _, variance = _size_moments(sums)
    pairs, found = at.CLOCK_MINUTES - at.CLOCK_LAG, list[float]()
    for row, spread in zip(sums.clock, variance, strict=True):
        sessions, within = float(row[at.CLOCK_MINUTES + 1]), float(row[at.CLOCK_MINUTES])
        sizes = row[: at.CLOCK_MINUTES]
        if sessions < 2.0 or not spread > 0.0:
            continue
        across = float((sizes[: -at.CLOCK_LAG] * sizes[at.CLOCK_LAG :]).sum()) - within
        same, other = within / sessions, across / (sessions * (sessions - 1.0))
        found.append((same - other) / pairs / float(spread))
    return mean_of(found)


def _deviations(sums: PriceSums, scale: Floats) -> Floats:
    """Root mean square of a symbol's minute returns over the profile's, 0 if unknown."""
    n = np.maximum(sums.powers[:, 0], 1.0)
    return np.sqrt(sums.powers[:, 2] / n) / scale


def _weights(sums: PriceSums) -> Floats:
    """Inverse mean square of a symbol's minute returns, 0 if it has none."""
    squares = sums.powers[:, 2]
    known = squares > 0.0
    return np.where(known, sums.powers[:, 0] / np.where(known, squares, 1.0), 0.0)


def _size_moments(sums: PriceSums) -> tuple[Floats, Floats]:
    """Mean and variance of a symbol's |r|."""
    n = np.maximum(sums.powers[:, 0], 1.0)
    mean = sums.powers[:, at.SIZE] / n
    return mean, sums.powers[:, 2] / n - mean * mean


def _quotients(parts: Floats, wholes: Floats) -> Floats:
    """Quotients, NaN over nothing."""
    return np.where(wholes > 0.0, parts / np.where(wholes > 0.0, wholes, 1.0), math.nan)
