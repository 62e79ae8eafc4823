"""Returns compounded per UTC day, and the tail of their distribution.

Which bars end a day is found once per dataset; the other metrics are ``metrics``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contracts.backtest import MIN_DAYS
from engine.arrays import Floats, Ints
from engine.jit import kernel

DAY_NS: Final = 86_400_000_000_000


def last_bars_of_days(ts_ns: Ints) -> Ints:
    """Index of the last bar of every UTC day.

    Parameters
    ----------
    ts_ns : ndarray, shape (bars,), int64
        Starts of the bars, rising.
    """
    day = ts_ns // DAY_NS
    return np.flatnonzero(np.append(np.diff(day) != 0, True)).astype(np.int64)


@kernel
def sort(x: Floats) -> None:
    """Sort in place (Shell 1959, gaps of Ciura 2001 and a ratio of 2.25 beyond).

    Days are few; numba's own sort takes seconds to compile.
    """
    gap = 701
    while gap * 9 // 4 < x.shape[0]:
        gap = gap * 9 // 4
    while gap > 0:
        for i in range(gap, x.shape[0]):
            value, j = x[i], i
            while j >= gap and x[j - gap] > value:
                x[j] = x[j - gap]
                j -= gap
            x[j] = value
        gap = smaller_gap(gap)


@kernel
def smaller_gap(gap: int) -> int:
    """The gap that follows one in Shell's sort."""
    if gap > 701:
        return max(gap * 4 // 9, 701)
    for next_gap in (301, 132, 57, 23, 10, 4, 1):
        if next_gap < gap:
            return next_gap
    return 0


@kernel
def tail_of_days(
    equity: Floats, initial: float, day_ends: Ints, scratch: Floats
) -> tuple[float, float]:
    """5th percentile of the daily returns and mean of the worst 1 %; NaN below 20 days.

    The percentile is linear between order statistics; the worst are ⌊(days − 1)/100⌋ + 1.
    """
    days = day_ends.shape[0]
    if days < MIN_DAYS:
        return math.nan, math.nan
    returns, last = scratch[:days], initial
    for k in range(days):
        now = equity[day_ends[k]]
        returns[k] = now / last - 1.0
        last = now
    sort(returns)
    place = (days - 1) * 0.05
    low = int(place)
    part = place - low
    above = returns[min(low + 1, days - 1)]
    step = above - returns[low]
    p5 = returns[low] + step * part if part < 0.5 else above - step * (1.0 - part)
    worst, total = int((days - 1) * 0.01) + 1, 0.0
    for k in range(worst):
        total += returns[k]
    return p5, total / worst


__all__ = ["DAY_NS", "last_bars_of_days", "tail_of_days"]
