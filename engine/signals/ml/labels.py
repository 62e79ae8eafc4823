"""What a learner is to foresee: which way the mid first moves by a barrier.

Which of these labels may be trained on at a bin is ``walk_forward``; the outcomes of entries,
which have costs and other barriers, are ``engine.signals.barriers``.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Floats, Labels
from engine.jit import kernel


@kernel
def first_moves(mid_price: Floats, start: int, stop: int, move: float, horizon_bins: int) -> Labels:
    """Labels of the bins start … stop − 1: the direction of the first move.

    The reference asks which of +tp, −tp, −sl and +sl ticks comes first; as a touch of the
    farther barrier is one of the nearer too, only the nearer matters.

    Parameters
    ----------
    mid_price : ndarray, shape (bins,), float64
        Those that are not above 0, or NaN, are passed over. Read below stop − 1 + horizon_bins.
    move : float
        The nearer barrier in quote units.
    horizon_bins : int
        A bin t is compared with the bins t + 1 … t + horizon_bins − 1.

    Returns
    -------
    ndarray, shape (stop − start,), int8
        1, −1, or 0 where neither was touched, the bins ended or the mid of t is not valid.
    """
    labels = np.zeros(stop - start, dtype=np.int8)
    bins = mid_price.shape[0]
    for t in range(start, stop):
        entry = mid_price[t]
        if not entry > 0.0:
            continue
        up, down = entry + move, entry - move
        for j in range(t + 1, min(t + horizon_bins, bins)):
            mid = mid_price[j]
            if not mid > 0.0:
                continue
            if mid >= up:
                labels[t - start] = 1
                break
            if mid <= down:
                labels[t - start] = -1
                break
    return labels
