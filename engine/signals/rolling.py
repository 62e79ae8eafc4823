"""Rolling helpers of signals, a value at a time: robust z, least-squares slope, EMA.

Definitions: ``docs/signals.md``. Sorted windows are ``engine.grid.ranks``.
"""

from __future__ import annotations

import math
from typing import Final

from engine.arrays import Floats
from engine.grid.ranks import enter, exchange, robust_z
from engine.jit import inlined, kernel

Z_FLOOR: Final = 1e-12


@kernel
def window_z(
    ring: Floats, ranks: Floats, window: int, least: int, seen: int, value: float
) -> float:
    """Take the value number `seen` into a window, and its robust z within it."""
    place = seen % window
    if seen < window:
        enter(ranks[:window], seen, value)
    else:
        exchange(ranks[:window], ring[place], value)
    ring[place] = value
    return robust_z(ranks[:window], min(seen + 1, window), value, least, Z_FLOOR)


@kernel
def window_slope(ring: Floats, sums: Floats, window: int, seen: int) -> float:
    """Least-squares slope per bin over the last values of a ring; NaN until there are enough.

    `sums` holds Σy and Σx·y with x = 0 … window − 1. The ring holds one value more than the
    window, the newest being number `seen`.
    """
    if seen < window - 1:
        return math.nan
    size, newest = ring.shape[0], ring[seen % ring.shape[0]]
    if seen == window - 1:
        sums[0], sums[1] = 0.0, 0.0
        for x in range(window):
            y = ring[x % size]
            sums[0] += y
            sums[1] += x * y
    else:
        old = ring[(seen - window) % size]
        sums[1] = sums[1] - sums[0] + old + (window - 1) * newest
        sums[0] = sums[0] - old + newest
    x_sum = 0.5 * window * (window - 1)
    x_squares = (window - 1) * window * (2 * window - 1) / 6.0
    return (window * sums[1] - x_sum * sums[0]) / (window * x_squares - x_sum * x_sum)


@inlined
def average(before: float, value: float, alpha: float, seen: int) -> float:
    """Exponential moving average that starts with the first value."""
    if seen == 0:
        return value
    return alpha * value + (1.0 - alpha) * before


@inlined
def mean_of(fields: Floats, column: int, bin_: int, first: int, last: int) -> float:
    """Mean of the rows `first … last` of a bin."""
    total = 0.0
    for row in range(first, last + 1):
        total += fields[column, bin_, row]
    return total / (last - first + 1)


@inlined
def sum_of(fields: Floats, column: int, bin_: int, first: int, last: int) -> float:
    """Sum of the rows `first … last` of a bin."""
    total = 0.0
    for row in range(first, last + 1):
        total += fields[column, bin_, row]
    return total
