"""Thresholds that a signal takes from its own values, slow and plain.

Written from section 4 of docs/signals.md. The signals are in book_signals.py, what a threshold
leads to in barrier_trades.py.
"""

import numpy as np

from tests.oracles.book_signals import svac_windows
from tests.oracles.signal_windows import percentile

FIRST_BIN = 300
PERCENTS = (50, 70, 80, 90, 95, 99)
IIRC = [0.001, 0.005, 0.01, 0.02, 0.05]


def kept(found: list[float]) -> list[float]:
    """Positive ones, rounded to six places, each once, in order."""
    return sorted({round(value, 6) for value in found if round(value, 6) > 0})


def by_size(values: np.ndarray) -> list[float]:
    """Percentiles of the absolute values."""
    return kept([percentile(np.abs(values), percent) for percent in PERCENTS])


def by_quartiles(values: np.ndarray) -> list[float]:
    """Distance of the quartiles, and the larger of both tails."""
    p5, p25, p75, p95 = (percentile(values, percent) for percent in (5, 25, 75, 95))
    near, far = max(abs(p25), abs(p75)), max(abs(p5), abs(p95))
    return kept([0.5 * (p75 - p25), p75 - p25, near, (near + far) / 2.0, far])


def adaptive(
    name: str, series: np.ndarray, part: slice | None = None, cell_width_ms: float = 100
) -> list[float] | None:
    """Thresholds of a signal, or none if it has fixed ones.

    ``part`` is the calibration part of ``v2``; without one, what ``v1`` takes.
    """
    if name == "iirc":
        return IIRC
    if name not in ("pfp", "spg", "msd", "ads_pfp_svac"):
        return None
    if part is None:
        all_warm = svac_windows(cell_width_ms)["zscore_window_bins"] - 1
        part = slice(all_warm if name == "ads_pfp_svac" else FIRST_BIN, None)
    values = series[part]
    if len(values) == 0:
        return []
    return by_quartiles(values) if name == "spg" else by_size(values)
