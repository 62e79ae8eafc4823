"""Indicators by their definitions: every bar from its own window or its own seed, exactly.

Numbers are fractions until the end, undefined is None (and so is NaN, going in). Nothing here
overflows but what the definition rounds to a double. How expressions use indicators is told in
tests/oracles/expressions.py.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

Series = Sequence[float]
Values = list[float | None]


def moving_average(x: Series, n: int) -> Values:
    """Means of the last n values; undefined if their sum is no double."""
    return [
        None if window is None or _rounded(sum(window)) is None else _rounded(sum(window) / n)
        for window in _windows(x, n)
    ]


def deviation(x: Series, n: int) -> Values:
    """Population deviations of the last n values."""
    return [None if window is None else _deviation(window) for window in _windows(x, n)]


def slope(x: Series, n: int) -> Values:
    """Least-squares slopes over the last n values."""
    return [None if window is None else _slope(window) for window in _windows(x, n)]


def highest(x: Series, n: int) -> Values:
    """Greatest of the last n values."""
    return [None if window is None else float(max(window)) for window in _windows(x, n)]


def lowest(x: Series, n: int) -> Values:
    """Least of the last n values."""
    return [None if window is None else float(min(window)) for window in _windows(x, n)]


def lag(x: Series, n: int) -> Values:
    """Values of n bars ago."""
    return [
        None if t < n or not math.isfinite(x[t - n]) else float(x[t - n]) for t in range(len(x))
    ]


def ema(x: Series, n: int) -> Values:
    """Exponential means, each from the seed of its stretch on."""
    return [_ema(stretch, n) for stretch in _stretches(x)]


def rsi(x: Series, n: int) -> Values:
    """Relative strength indices, each from the seed of its stretch on."""
    return [_rsi(stretch, n) for stretch in _stretches(x)]


def atr(high: Series, low: Series, close: Series, n: int) -> Values:
    """Average true ranges, each from the seed of its stretch on."""
    ranges = [math.nan] if len(close) else []
    for t in range(1, len(close)):
        prices = (high[t], low[t], close[t - 1])
        known = all(math.isfinite(price) for price in prices)
        ranges.append(
            Fraction(max(high[t], close[t - 1])) - Fraction(min(low[t], close[t - 1]))
            if known
            else math.nan
        )
    return [
        None if len(stretch) < n else _rounded(_wilder(stretch, n))
        for stretch in _stretches(ranges)
    ]


def _windows(x: Series, n: int) -> Iterator[list[Fraction] | None]:
    for t in range(len(x)):
        window = x[max(0, t - n + 1) : t + 1]
        full = len(window) == n and all(math.isfinite(value) for value in window)
        yield [Fraction(value) for value in window] if full else None


def _stretches(x: Sequence[float | Fraction]) -> Iterator[list[Fraction]]:
    """The defined values up to each bar since the last undefined one; empty on such a bar."""
    stretch: list[Fraction] = []
    for value in x:
        stretch = [*stretch, Fraction(value)] if math.isfinite(value) else []
        yield stretch


def _deviation(window: list[Fraction]) -> float:
    mean = sum(window) / len(window)
    return _root(sum((value - mean) ** 2 for value in window) / len(window))


def _root(square: Fraction) -> float:
    """Square root to 128 bits, rounded to a double."""
    bits = square.numerator.bit_length() - square.denominator.bit_length()
    half = max(0, 128 - bits // 2)
    whole = (square.numerator << (2 * half)) // square.denominator
    return float(Fraction(math.isqrt(whole), 1 << half))


def _slope(window: list[Fraction]) -> float | None:
    n = len(window)
    mean, middle = sum(window) / n, Fraction(n - 1, 2)
    covered = sum((k - middle) * (value - mean) for k, value in enumerate(window))
    return _rounded(covered / sum((k - middle) ** 2 for k in range(n)))


def _ema(stretch: list[Fraction], n: int) -> float | None:
    if len(stretch) < n:
        return None
    mean = sum(stretch[:n]) / n
    for value in stretch[n:]:
        mean += Fraction(2, n + 1) * (value - mean)
    return _rounded(mean)


def _rsi(stretch: list[Fraction], n: int) -> float | None:
    changes = [after - before for before, after in itertools.pairwise(stretch)]
    if len(changes) < n:
        return None
    up = _wilder([max(change, Fraction(0)) for change in changes], n)
    down = _wilder([max(-change, Fraction(0)) for change in changes], n)
    return None if up + down == 0 else _rounded(100 * up / (up + down))


def _wilder(values: list[Fraction], n: int) -> Fraction:
    mean = sum(values[:n]) / n
    for value in values[n:]:
        mean = (mean * (n - 1) + value) / n
    return mean


def _rounded(number: Fraction) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None
