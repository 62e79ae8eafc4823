"""Kernels of deviation and slope: window sums in twice the precision of a double.

Both sum distances from one value of the window, scaled by a power of two. The sums are made
anew from the window at the latest after `_PERIOD` windows, and at once when so little of them
is left that what they hold is the rounding of values gone by. Both cost a constant number of
steps per bar on average. Every other indicator is in ``indicators``.
"""

from __future__ import annotations

import math

from engine.arrays import Floats
from engine.jit import kernel

# 2²⁷ + 1 splits 53 bits into 26 and 26
_SPLIT = 134217729.0
_PERIOD = 8
# 2⁻³⁰: of squares summed with 2⁻⁹⁰ of relative rounding this share is still a good double
_LEFT = 9.313225746154785e-10
_EXPONENTS = 900


@kernel
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Sum of two doubles as a double and the rounding error, exactly (Knuth 1969)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@kernel
def two_product(a: float, b: float) -> tuple[float, float]:
    """Product of two doubles as a double and the rounding error, exactly (Dekker 1971)."""
    product = a * b
    wide = _SPLIT * a
    a_high = wide - (wide - a)
    a_low = a - a_high
    wide = _SPLIT * b
    b_high = wide - (wide - b)
    b_low = b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


@kernel
def short_product(count: float, a: float) -> tuple[float, float]:
    """Product like `two_product`, where `count` has no more than 26 bits."""
    product = count * a
    wide = _SPLIT * a
    high = wide - (wide - a)
    return product, (count * high - product) + count * (a - high)


@kernel
def deviation(x: Floats, n: int, out: Floats) -> None:
    """Population deviation of the last n values; undefined while any of them is.

    √(n Σd² − (Σd)²)/n for distances d from a value of the window (Chan, Golub and LeVeque
    1983); exactly zero where all values are equal and, underflow aside, nowhere else.

    Parameters
    ----------
    x, out : ndarray, shape (bars,), float64
        Values and where their deviations go; not the same memory.
    n : int
        Bars in a window, 1 to 100 000.
    """
    filled, run, age = 0, 0, 0
    zero, scale, reach, stride = 0.0, 1.0, 0.0, 0.0
    total, total_low, spread, spread_low = 0.0, 0.0, 0.0, 0.0
    for i in range(x.shape[0]):
        out[i] = math.nan
        before = x[i - 1] if filled > 0 else math.nan
        filled, run, age = counted(x[i], before, filled, run, age)
        if filled < n:
            age = _PERIOD * n
            continue
        if run >= n:
            out[i] = 0.0
            age = _PERIOD * n
            continue
        if age < _PERIOD * n:
            step, step_low = two_sum(x[i] * scale, -x[i - n] * scale)
            both, arm, arm_low = lever(x[i] * scale, x[i - n] * scale, zero, n)
            total, total_low, arm, arm_low = moved(total, total_low, step, step_low, arm, arm_low)
            change, change_low = two_product(step, arm)
            change_low += step * arm_low + step_low * arm
            spread, error = two_sum(spread, change)
            spread_low += error + change_low
            reach = abs(both) if abs(both) > reach else reach
            stride = abs(step) if abs(step) > stride else stride
        if age >= _PERIOD * n or not spread > _LEFT * n * reach * stride:
            zero, scale = origin(x, i, n)
            total, total_low, spread, spread_low = sums_of_squares(x, i, n, zero, scale)
            reach, stride, age = 0.0, 0.0, 0
        out[i] = math.sqrt(spread + spread_low) / (n * scale)


@kernel
def counted(value: float, before: float, filled: int, run: int, age: int) -> tuple[int, int, int]:
    """Length of the stretch of defined values and of that of equal ones, and the sums' age.

    It takes no array: passing one on counts references, in every bar.
    """
    if not math.isfinite(value):
        return 0, 0, age
    return filled + 1, run + 1 if value == before else 1, age + 1


@kernel
def origin(x: Floats, i: int, n: int) -> tuple[float, float]:
    """Minus the value of bar i, scaled, and the power of two that makes the window's width about 1.

    The newest value stays in the window longest, and while it is there, the distances
    from it cannot dwarf the deviation.
    """
    width = 0.0
    for j in range(i - n + 1, i):
        distance = abs(0.5 * x[j] - 0.5 * x[i])
        width = distance if distance > width else width
    exponent = math.frexp(width)[1]
    scale = math.ldexp(1.0, -min(max(exponent, -_EXPONENTS), _EXPONENTS))
    return -x[i] * scale, scale


@kernel
def sums_of_squares(
    x: Floats, i: int, n: int, zero: float, scale: float
) -> tuple[float, float, float, float]:
    """Sums of the distances in the window that ends on bar i and of their squares, in two parts."""
    total, total_low, squares, squares_low = 0.0, 0.0, 0.0, 0.0
    for j in range(i - n + 1, i + 1):
        value, low = two_sum(x[j] * scale, zero)
        total, error = two_sum(total, value)
        total_low += error + low
        square, square_low = two_product(value, value)
        squares, error = two_sum(squares, square)
        squares_low += error + (square_low + 2.0 * value * low)
    first, first_low = short_product(float(n), squares)
    second, second_low = two_product(total, total)
    spread, error = two_sum(first, -second)
    spread_low = error + (first_low - second_low + (n * squares_low - 2.0 * total * total_low))
    return total, total_low, spread, spread_low


@kernel
def slope(x: Floats, n: int, out: Floats) -> None:
    """Least-squares slope per bar of the last n values; undefined while any of them is.

    12 Σ(k − (n−1)/2)·d / (n(n² − 1)) for k = 0 … n − 1 from the oldest value on (Gauss 1809
    for k equally spaced) and distances d from a value of the window; exactly zero where all
    values are equal.

    Parameters
    ----------
    x, out : ndarray, shape (bars,), float64
        Values and where their slopes go, per bar; not the same memory.
    n : int
        Bars in a window, 2 to 100 000.
    """
    filled, run, age = 0, 0, 0
    zero, scale, reach, stride = 0.0, 1.0, 0.0, 0.0
    total, total_low, moment, moment_low, spread = 0.0, 0.0, 0.0, 0.0, 0.0
    units = float(n) * (float(n) * float(n) - 1.0)
    for i in range(x.shape[0]):
        out[i] = math.nan
        before = x[i - 1] if filled > 0 else math.nan
        filled, run, age = counted(x[i], before, filled, run, age)
        if filled < n:
            age = _PERIOD * n
            continue
        if run >= n:
            out[i] = 0.0
            age = _PERIOD * n
            continue
        if age < _PERIOD * n:
            step, step_low = two_sum(x[i] * scale, -x[i - n] * scale)
            both, arm, arm_low = lever(x[i] * scale, x[i - n] * scale, zero, n)
            total, total_low, arm, arm_low = moved(total, total_low, step, step_low, arm, arm_low)
            moment, error = two_sum(moment, arm)
            moment_low += error + arm_low
            spread += step * arm
            reach = abs(both) if abs(both) > reach else reach
            stride = abs(step) if abs(step) > stride else stride
        if age >= _PERIOD * n or not spread > _LEFT * n * reach * stride:
            zero, scale = origin(x, i, n)
            total, total_low, moment, moment_low, spread = moments(x, i, n, zero, scale)
            reach, stride, age = 0.0, 0.0, 0
        value = (moment + moment_low) * 6.0 / (units * scale)
        out[i] = value if math.isfinite(value) else math.nan


@kernel
def lever(new: float, old: float, zero: float, n: int) -> tuple[float, float, float]:
    """Sum of the distances that come and go, as a double, and n times it in two parts."""
    both, low = two_sum(new, old)
    both, error = two_sum(both, 2.0 * zero)
    arm, arm_low = short_product(float(n), both)
    return both, arm, arm_low + n * (low + error)


@kernel
def moved(
    total: float, total_low: float, step: float, step_low: float, arm: float, arm_low: float
) -> tuple[float, float, float, float]:
    """Sum of the distances after a step, and `arm` less the sums before and after it.

    With n times the distances that came and went as `arm`, what is left of it is what twice
    the moment grew by, and times the step, what the spread grew by.
    """
    twice, twice_low = two_sum(-2.0 * total, -step)
    arm_low -= 2.0 * total_low + step_low
    arm, error = two_sum(arm, twice)
    arm_low += error + twice_low
    total, error = two_sum(total, step)
    return total, total_low + (error + step_low), arm, arm_low


@kernel
def moments(
    x: Floats, i: int, n: int, zero: float, scale: float
) -> tuple[float, float, float, float, float]:
    """Sums of d and (2k − n + 1)·d in two parts, and n Σd² − (Σd)² in one, over a window."""
    total, total_low, moment, moment_low, squares = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(i - n + 1, i + 1):
        place = float(2 * (j - i) + n - 1)
        value, low = two_sum(x[j] * scale, zero)
        total, error = two_sum(total, value)
        total_low += error + low
        turn, turn_low = short_product(place, value)
        moment, error = two_sum(moment, turn)
        moment_low += error + (turn_low + place * low)
        squares += value * value
    return total, total_low, moment, moment_low, n * squares - total * total
