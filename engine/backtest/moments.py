"""Sums of powers of a trial's returns, by block and over all bars.

What overfitting control needs of a trial besides its metrics, in a few numbers, so that
millions of trials can be judged without their curves (``docs/validation.md``, Moments of
a trial). What is made of them is ``engine.validate``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from contracts.validation import BLOCKS
from engine.arrays import Floats, Ints
from engine.jit import kernel

POWERS = 4


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of returns of k trials.

    Attributes
    ----------
    counts : ndarray, shape (16,), int64
        Bars that the sums of each block hold.
    sums, squares : ndarray, shape (k, 16), float64
        Σr and Σr² of each block; NaN for a trial whose equity fell to zero or below.
    powers : ndarray, shape (k, 4), float64
        Σr, Σr², Σr³, Σr⁴ over all bars.
    """

    counts: Ints
    sums: Floats
    squares: Floats
    powers: Floats


def block_edges(bars: int) -> Ints:
    """Edges of the blocks, shape (17,): block b holds bars ``edges[b] … edges[b + 1] − 1``."""
    return np.arange(BLOCKS + 1, dtype=np.int64) * bars // BLOCKS


def kept_bars(edges: Ints, gap_bars: int) -> Ints:
    """Bars of each block after those left out at the beginning of all but the first."""
    sizes = np.diff(edges)
    sizes[1:] = np.maximum(sizes[1:] - gap_bars, 0)
    return sizes


@kernel
def sum_powers(
    equity: Floats,
    initial: float,
    edges: Ints,
    gap: int,
    sums: Floats,
    squares: Floats,
    powers: Floats,
) -> None:
    """Write the sums of one trial.

    Parameters
    ----------
    equity : ndarray, shape (bars,), float64
    initial : float
        Equity before the first bar.
    edges : ndarray, shape (blocks + 1,), int64
    gap : int
        Bars left out of a block's sums at its beginning, the first block apart.
    sums, squares : ndarray, shape (blocks,), float64
    powers : ndarray, shape (4,), float64
    """
    last = initial
    all1, all2, all3, all4 = 0.0, 0.0, 0.0, 0.0
    lowest = initial
    for b in range(edges.shape[0] - 1):
        kept = min(edges[b] + (gap if b > 0 else 0), edges[b + 1])
        own1, own2 = 0.0, 0.0
        for i in range(edges[b], edges[b + 1]):
            r = equity[i] / last - 1.0
            last = equity[i]
            lowest = min(lowest, last)
            square = r * r
            all1 += r if i < kept else 0.0
            all2 += square if i < kept else 0.0
            own1 += r if i >= kept else 0.0
            own2 += square if i >= kept else 0.0
            all3 += square * r
            all4 += square * square
        sums[b], squares[b] = own1, own2
        all1 += own1
        all2 += own2
    powers[0], powers[1], powers[2], powers[3] = all1, all2, all3, all4
    if not lowest > 0.0:
        for b in range(edges.shape[0] - 1):
            sums[b], squares[b] = math.nan, math.nan
        for k in range(powers.shape[0]):
            powers[k] = math.nan
