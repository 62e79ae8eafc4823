"""Sorted windows: one value in, one out, and the robust z of the latest.

The window is kept sorted by shifting, which for a few hundred doubles is faster than any
tree. Median is a look-up; the median of the absolute deviations is the middle of two
sorted runs, found by bisection.
"""

from __future__ import annotations

import math

from engine.arrays import Floats
from engine.jit import inlined, kernel

MAD_TO_SIGMA = 1.4826


@kernel
def enter(ranks: Floats, filled: int, value: float) -> None:
    """Insert a value into the first `filled` values, which are sorted."""
    at = filled
    while at > 0 and ranks[at - 1] > value:
        ranks[at] = ranks[at - 1]
        at -= 1
    ranks[at] = value


@kernel
def exchange(ranks: Floats, old: float, new: float) -> None:
    """Replace a value of a full window, in place and in order."""
    low, high = 0, ranks.shape[0]
    while low < high:
        middle = (low + high) // 2
        if ranks[middle] < old:
            low = middle + 1
        else:
            high = middle
    last = ranks.shape[0] - 1
    if new > old:
        # Past those that are equal: a window of a quiet market is mostly zeros.
        high = ranks.shape[0]
        while high - low > 1:
            middle = (low + high) // 2
            if ranks[middle] > old:
                high = middle
            else:
                low = middle
    while low < last and ranks[low + 1] < new:
        ranks[low] = ranks[low + 1]
        low += 1
    while low > 0 and ranks[low - 1] > new:
        ranks[low] = ranks[low - 1]
        low -= 1
    ranks[low] = new


@inlined
def median(ranks: Floats, filled: int) -> float:
    """Median of the first `filled` values, which are sorted."""
    half = filled // 2
    if filled % 2 == 1:
        return ranks[half]
    return 0.5 * (ranks[half - 1] + ranks[half])


@kernel
def scale_of(ranks: Floats, filled: int, centre: float) -> float:
    """1.4826 times the median absolute deviation from the median.

    Downwards from the middle the deviations rise, and upwards too: two sorted runs, of
    which the smallest half is split by bisection.
    """
    below = filled // 2
    wanted = below + 1
    low, high = max(0, wanted - (filled - below)), below
    while low < high:
        taken = (low + high) // 2
        # Too few from below if the next one there is smaller than the last taken above.
        if centre - ranks[below - 1 - taken] < ranks[below + wanted - taken - 1] - centre:
            low = taken + 1
        else:
            high = taken
    up = wanted - low
    lower = centre - ranks[below - low] if low > 0 else -1.0
    upper = ranks[below + up - 1] - centre if up > 0 else -1.0
    largest = max(lower, upper)
    if filled % 2 == 1:
        return MAD_TO_SIGMA * largest
    if lower > upper:
        lower = centre - ranks[below - low + 1] if low > 1 else -1.0
    else:
        upper = ranks[below + up - 2] - centre if up > 1 else -1.0
    return MAD_TO_SIGMA * (0.5 * (max(lower, upper) + largest))


@inlined
def robust_z(ranks: Floats, filled: int, value: float, least: int, floor: float) -> float:
    """Distance from the median in robust sigmas, 0 where they are not above a floor."""
    if filled < least:
        return 0.0
    centre = median(ranks, filled)
    scale = scale_of(ranks, filled, centre)
    return (value - centre) / scale if scale > floor else 0.0


@kernel
def plain_z(ring: Floats, filled: int, newest: int, value: float) -> float:
    """Distance from the mean in population standard deviations, oldest value first."""
    size = ring.shape[0]
    first = (newest - filled + 1) % size
    before = min(filled, size - first)
    total = 0.0
    for i in range(first, first + before):
        total += ring[i]
    for i in range(filled - before):
        total += ring[i]
    mean = total / filled
    squares = 0.0
    for i in range(first, first + before):
        gap = ring[i] - mean
        squares += gap * gap
    for i in range(filled - before):
        gap = ring[i] - mean
        squares += gap * gap
    deviation_ = math.sqrt(squares / filled)
    return float((value - mean) / deviation_) if deviation_ > 1e-12 else 0.0
