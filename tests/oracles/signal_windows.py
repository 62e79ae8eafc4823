"""Windows over one series, slow and plain: robust z, slope of a line, running mean, percentiles.

Written from section 2 of docs/signals.md alone. Every function takes the whole series and gives one
of the same length. The signals made of them are in book_signals.py, trades in barrier_trades.py.
"""

from collections.abc import Sequence

import numpy as np

LEAST_SCALE = 1e-12


def robust_z(
    series: np.ndarray, window: int, min_periods: int = 30, least_scale: float = LEAST_SCALE
) -> np.ndarray:
    """Distance from the median of the window that ends here, in robust deviations.

    A two-dimensional ``series`` (bins, columns) is taken column by column.
    """
    z = np.zeros(series.shape)
    for i in range(len(series)):
        held = series[max(0, i - window + 1) : i + 1]
        if len(held) < min_periods:
            continue
        middle = np.median(held, axis=0)
        scale = 1.4826 * np.median(np.abs(held - middle), axis=0)
        # The median of a window with a NaN is NaN, and no comparison holds for that.
        z[i] = np.where(
            scale > least_scale, (series[i] - middle) / np.where(scale > 0, scale, 1.0), 0.0
        )
    return z


def z_or_global(series: np.ndarray, window: int, min_periods: int) -> np.ndarray:
    """Robust z of ``v1``; if all of it is 0, the z by mean and deviation of the whole series."""
    z = robust_z(series, window, min_periods)
    if z.any():
        return z
    deviation = np.std(series)
    if deviation <= LEAST_SCALE:
        return z
    return (series - np.mean(series)) / deviation


def z_or_window(series: np.ndarray, window: int, min_periods: int) -> np.ndarray:
    """Robust z of ``v2``; where the scale is 0, the z by mean and deviation of the same window."""
    z = np.zeros(len(series))
    for i in range(min_periods - 1, len(series)):
        held = series[max(0, i - window + 1) : i + 1]
        middle = np.median(held)
        scale = 1.4826 * np.median(np.abs(held - middle))
        if scale > LEAST_SCALE:
            z[i] = (series[i] - middle) / scale
        elif np.std(held) > LEAST_SCALE:
            z[i] = (series[i] - np.mean(held)) / np.std(held)
    return z


def slope(series: np.ndarray, window: int) -> np.ndarray:
    """Slope of the line of least squares through the last values; NaN before there are enough.

    Σ x·y and Σ y run along the series as written there, so their rounding does too.
    """
    slopes = np.full(len(series), np.nan)
    if len(series) < window:
        return slopes
    places = range(window)
    sum_x = float(sum(places))
    divisor = window * float(sum(x * x for x in places)) - sum_x * sum_x
    sum_xy = float(sum(x * y for x, y in zip(places, series, strict=False)))
    sum_y = float(sum(series[:window]))
    slopes[window - 1] = (window * sum_xy - sum_x * sum_y) / divisor
    for i in range(window, len(series)):
        sum_xy = sum_xy - sum_y + series[i - window] + (window - 1) * series[i]
        sum_y = sum_y - series[i - window] + series[i]
        slopes[i] = (window * sum_xy - sum_x * sum_y) / divisor
    return slopes


def ema(series: np.ndarray, alpha: float) -> np.ndarray:
    """Exponential mean that starts at the first value."""
    means = np.array(series, float)
    for i in range(1, len(means)):
        means[i] = alpha * series[i] + (1.0 - alpha) * means[i - 1]
    return means


def span_ema(series: np.ndarray, span: int) -> np.ndarray:
    """Exponential mean with alpha = 2/(span + 1)."""
    return ema(series, 2.0 / (span + 1))


def differences(series: np.ndarray, dt_s: float) -> list[np.ndarray]:
    """First, second and third differences by time; all 0 at the first bin."""
    found = []
    for _ in range(3):
        taken = np.zeros(len(series))
        for i in range(1, len(series)):
            taken[i] = (series[i] - series[i - 1]) / dt_s
        found.append(taken)
        series = taken
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Percentile with a straight line between the two nearest of the sorted values."""
    ordered = sorted(float(value) for value in values)
    place = (len(ordered) - 1) * percent / 100.0
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
