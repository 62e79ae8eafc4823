"""Kernels of the indicator columns that keep one running state: means, RSI, ATR, extremes, lag.

A value that is not finite is undefined, going in; coming out, undefined is NaN. What each
function means and where it is undefined is said in ``docs/backtest.md``. Deviation and slope,
which need sums of twice the precision, are written in ``rolling``; which columns a strategy
needs is decided in ``program``, and ``columns`` fills them.
"""

from __future__ import annotations

import math

from engine.arrays import Floats, Ints
from engine.jit import kernel

# 2¹⁰⁰⁶: of smaller values, 100 000 cannot overflow a sum; larger ones are added up times 2⁻²⁰
_HUGE = 6.858067644123577e302
_DOWN = 9.5367431640625e-07
_UP = 1048576.0


@kernel
def moving_average(x: Floats, n: int, out: Floats) -> None:
    """Simple mean of the last n values; undefined while any of them is, or if their sum overflows.

    The running sum carries what rounding lost (Neumaier 1974), so that a mean depends
    neither on the length of the series nor on a value that has left its window. Values near
    the end of the doubles have a sum of their own, which is forgotten with the last of them.

    Parameters
    ----------
    x, out : ndarray, shape (bars,), float64
        Values and where their means go; not the same memory.
    n : int
        Bars in a window, 1 to 100 000.
    """
    total, lost, filled = 0.0, 0.0, 0
    far, far_lost, far_filled = 0.0, 0.0, 0
    for i in range(x.shape[0]):
        if not math.isfinite(x[i]):
            total, lost, filled = 0.0, 0.0, 0
            far, far_lost, far_filled = 0.0, 0.0, 0
            out[i] = math.nan
            continue
        filled += 1
        if abs(x[i]) < _HUGE:
            total, lost = add(total, lost, x[i])
        else:
            far, far_lost = add(far, far_lost, x[i] * _DOWN)
            far_filled += 1
        if filled > n:
            if abs(x[i - n]) < _HUGE:
                total, lost = add(total, lost, -x[i - n])
            else:
                far, far_lost = add(far, far_lost, -x[i - n] * _DOWN)
                far_filled -= 1
        mean = (total + lost) / n
        if far_filled > 0:
            mean = (total + lost + (far + far_lost) * _UP) / n
        else:
            far, far_lost = 0.0, 0.0
        out[i] = mean if filled >= n and math.isfinite(mean) else math.nan


@kernel
def add(total: float, lost: float, value: float) -> tuple[float, float]:
    """Sum and the rounding error it leaves out, after one more value (Neumaier 1974)."""
    after = total + value
    if abs(total) >= abs(value):
        return after, lost + ((total - after) + value)
    return after, lost + ((value - after) + total)


@kernel
def ema(x: Floats, n: int, out: Floats) -> None:
    """Exponential mean e + 2/(n+1)·(x − e), seeded by the mean of n values (Brown 1956).

    An undefined value, or one that makes the mean overflow, starts the seed anew after it.

    Parameters
    ----------
    x, out : ndarray, shape (bars,), float64
        Values and where their means go; not the same memory.
    n : int
        Bars of the seed, from 1.
    """
    share = 2.0 / (n + 1)
    mean, total, lost, filled = 0.0, 0.0, 0.0, 0
    for i in range(x.shape[0]):
        out[i] = math.nan
        if not math.isfinite(x[i]):
            filled = 0
            continue
        filled += 1
        if filled > n:
            mean += share * (x[i] - mean)
        else:
            if filled == 1:
                total, lost = 0.0, 0.0
            total, lost = add(total, lost, x[i])
            mean = (total + lost) / n
        if not math.isfinite(mean):
            filled = 0
        elif filled >= n:
            out[i] = mean


@kernel
def rsi(x: Floats, n: int, out: Floats) -> None:
    """Relative strength index 100·U/(U + D) of Wilder's means of rises and falls (Wilder 1978).

    Undefined until n changes are known since the start or the last undefined value, and while
    both means are zero. A mean that overflows starts anew, with the next change.

    Parameters
    ----------
    x, out : ndarray, shape (bars,), float64
        Values and where their indices go, 0 to 100; not the same memory.
    n : int
        Changes of the seed, from 1.
    """
    up, up_lost, down, down_lost, filled = 0.0, 0.0, 0.0, 0.0, 0
    for i in range(x.shape[0]):
        out[i] = math.nan
        if not math.isfinite(x[i]):
            filled = 0
            continue
        filled += 1
        if filled == 1:
            up, up_lost, down, down_lost = 0.0, 0.0, 0.0, 0.0
            continue
        change = x[i] - x[i - 1]
        rise = change if change > 0.0 else 0.0
        fall = -change if change < 0.0 else 0.0
        up, up_lost = wilder(up, up_lost, rise, filled - 1, n)
        down, down_lost = wilder(down, down_lost, fall, filled - 1, n)
        both = up + down
        if not math.isfinite(both):
            filled, up, up_lost, down, down_lost = 1, 0.0, 0.0, 0.0, 0.0
        elif filled > n and both > 0.0:
            out[i] = 100.0 * (up / both)


@kernel
def wilder(mean: float, lost: float, value: float, count: int, n: int) -> tuple[float, float]:
    """Wilder's mean after its `count`-th value, and the rounding error of a seed not yet full.

    Up to n values it is their sum, which the n-th divides by n; then (mean·(n − 1) + value)/n
    (Wilder 1978).
    """
    if count > n:
        return (mean * (n - 1) + value) / n, 0.0
    total, lost = add(mean, lost, value)
    if count == n:
        return (total + lost) / n, 0.0
    return total, lost


@kernel
def atr(high: Floats, low: Floats, close: Floats, n: int, out: Floats) -> None:
    """Average true range: Wilder's mean of max(high, close₋₁) − min(low, close₋₁) (Wilder 1978).

    The first range is that of bar 1. An undefined price, or a range or mean that overflows,
    starts the seed anew.

    Parameters
    ----------
    high, low, close, out : ndarray, shape (bars,), float64
        Prices and where the averages go, in price units; `out` shares no memory.
    n : int
        Ranges of the seed, from 1.
    """
    mean, lost, filled = 0.0, 0.0, 0
    for i in range(close.shape[0]):
        out[i] = math.nan
        if i == 0:
            continue
        before = close[i - 1]
        top = high[i] if high[i] > before else before
        bottom = low[i] if low[i] < before else before
        if not (math.isfinite(before) and math.isfinite(high[i]) and math.isfinite(low[i])):
            mean, lost, filled = 0.0, 0.0, 0
            continue
        filled += 1
        mean, lost = wilder(mean, lost, top - bottom, filled, n)
        if not math.isfinite(mean):
            mean, lost, filled = 0.0, 0.0, 0
        elif filled >= n:
            out[i] = mean


@kernel
def highest(x: Floats, n: int, queue: Ints, out: Floats) -> None:
    """Highest of the last n values; undefined while any of them is.

    A queue keeps the bars whose values no later one reaches (Lemire 2006).

    Parameters
    ----------
    x, out : ndarray, shape (bars,), float64
        Values and where their maxima go; not the same memory.
    n : int
        Bars in a window, from 1.
    queue : ndarray, shape (at least min(n, bars),), int64
        Scratch, overwritten.
    """
    _extremes(x, n, 1.0, queue, out)


@kernel
def lowest(x: Floats, n: int, queue: Ints, out: Floats) -> None:
    """Lowest of the last n values; undefined while any of them is.

    Parameters are those of `highest`.
    """
    _extremes(x, n, -1.0, queue, out)


@kernel
def _extremes(x: Floats, n: int, sign: float, queue: Ints, out: Floats) -> None:
    """Highest of sign · x over the last n values, times sign."""
    size, filled = queue.shape[0], 0
    front, held = 0, 0
    for i in range(x.shape[0]):
        out[i] = math.nan
        if not math.isfinite(x[i]):
            filled, held = 0, 0
            continue
        filled += 1
        if held > 0 and queue[front] <= i - n:
            front, held = after(front, size), held - 1
        back = front + held - 1
        back = back - size if back >= size else back
        while held > 0 and sign * x[queue[back]] <= sign * x[i]:
            held -= 1
            back = back - 1 if back > 0 else size - 1
        back = after(back, size) if held > 0 else front
        queue[back] = i
        held += 1
        if filled >= n:
            out[i] = x[queue[front]]


@kernel
def after(place: int, size: int) -> int:
    """Place behind `place` in a ring of `size`."""
    return place + 1 if place + 1 < size else 0


@kernel
def lag(x: Floats, n: int, out: Floats) -> None:
    """Value of n bars ago; undefined before, and where that value was.

    Parameters
    ----------
    x, out : ndarray, shape (bars,), float64
        Values and where they go; not the same memory.
    n : int
        Bars to look back, from 0.
    """
    for i in range(x.shape[0]):
        out[i] = x[i - n] if i >= n and math.isfinite(x[i - n]) else math.nan
