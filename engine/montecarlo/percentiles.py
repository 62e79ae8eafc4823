"""Percentiles and shares over paths, their standard errors, and how many paths they need.

All follow ``docs/validation.md``. The paths themselves come from ``blocks``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.validation import MONTE_CARLO_STATISTICS
from engine.arrays import Floats
from engine.montecarlo import kernels as k

GONE: Final = "equity fell to zero or below"
UNDEFINED: Final = "no path defines it"
NO_LOSS: Final = "no losing bar"
OVERFLOW: Final = "growth overflows"

_PERCENTILES: Final = {
    "sharpe_p5": (k.SHARPE, 5),
    "sharpe_p50": (k.SHARPE, 50),
    "sharpe_p95": (k.SHARPE, 95),
    "max_drawdown_p95": (k.MAX_DRAWDOWN, 5),
    "profit_factor_p5": (k.PROFIT_FACTOR, 5),
    "total_return_p5": (k.TOTAL_RETURN, 5),
    "total_return_p50": (k.TOTAL_RETURN, 50),
}
_Z: Final = 1.96
_NOISE: Final = 1e-12
"""Deviation, of statistics about 1 or below, that is rounding: what should be equal differs by it
when it is added up in another order."""
_STEP: Final = 1_000
_LARGEST_STEP: Final = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic over paths.

    Attributes
    ----------
    value, error : float or None
        The statistic and its standard error.
    scale : float
        What `precision` is a share of: the deviation of the statistic over paths, or 1; 0 where
        it does not deviate.
    reason : str
        Why the value is None.
    """

    value: float | None
    error: float | None = None
    scale: float = 0.0
    reason: str = ""

    def excess(self, precision: float) -> float:
        """Standard error as a ratio of what is allowed; 0 where there is nothing to wait for."""
        if self.error is None or self.scale == 0.0:
            return 0.0
        return self.error / (precision * self.scale)


def estimates(paths: Floats, ruin_drawdown: float) -> dict[str, Estimate]:
    """Every statistic of `contracts.validation.MONTE_CARLO_STATISTICS`, in their order.

    Parameters
    ----------
    paths : ndarray, shape (4, paths), float64
        See ``kernels.walk``.
    ruin_drawdown : float
        Share of the highest equity whose loss is ruin.
    """
    shares = {
        "probability_of_loss": int(np.count_nonzero(paths[k.TOTAL_RETURN] < 0.0)),
        "probability_of_ruin": int(np.count_nonzero(paths[k.MAX_DRAWDOWN] <= -ruin_drawdown)),
    }
    series = [_Sorted(row) for row in paths]
    found: dict[str, Estimate] = {}
    for name in MONTE_CARLO_STATISTICS:
        if name in shares:
            found[name] = _share(shares[name], paths.shape[1])
            continue
        which, percent = _PERCENTILES[name]
        reason = NO_LOSS if which == k.PROFIT_FACTOR else OVERFLOW
        found[name] = series[which].estimate(percent, reason)
    return found


def more_paths(paths: int, excess: float, max_paths: int) -> int:
    """Number of paths that should bring an `excess` above 1 to 1, at most `max_paths`."""
    wanted = min(math.ceil(1.1 * paths * excess**2), _LARGEST_STEP * paths)
    return min(-(-wanted // _STEP) * _STEP, max_paths)


def percentile(ordered: Floats, percent: int) -> float:
    """Percentile of one or more ascending numbers, interpolated at (N − 1) · q / 100."""
    place = (ordered.shape[0] - 1) * percent / 100
    low = math.floor(place)
    below, above = float(ordered[low]), float(ordered[math.ceil(place)])
    if below == above:  # and a difference of infinities is no number
        return below
    return below + (above - below) * (place - low)


def standard_error(ordered: Floats, percent: int) -> float:
    """Standard error of a percentile, from the order statistics about it (Conover 1999, ch. 3)."""
    size = ordered.shape[0]
    middle = size * percent / 100
    half = _Z * math.sqrt(size * percent * (100 - percent)) / 100
    high = float(ordered[min(math.ceil(middle + half), size - 1)])
    low = float(ordered[max(math.floor(middle - half), 0)])
    return (high - low) / (2 * _Z) if high != low else 0.0


class _Sorted:
    """One statistic of all paths that define it, in ascending order."""

    def __init__(self, values: Floats) -> None:
        ordered = np.sort(values)
        self._ordered = ordered[: ordered.shape[0] - int(np.count_nonzero(np.isnan(values)))]
        self._scale = _deviation(self._ordered)

    def estimate(self, percent: int, infinite: str) -> Estimate:
        """Percentile with its error; `infinite` is the reason if it is not finite."""
        if not self._ordered.size:
            return Estimate(None, reason=UNDEFINED)
        value = percentile(self._ordered, percent)
        if not math.isfinite(value):
            return Estimate(None, reason=infinite)
        error = standard_error(self._ordered, percent)
        return Estimate(value, error if math.isfinite(error) else None, self._scale)


def _deviation(ordered: Floats) -> float:
    """Standard deviation; 0 where there is none, or none that is finite."""
    if ordered.shape[0] < 2 or not math.isfinite(ordered[0]) or not math.isfinite(ordered[-1]):
        return 0.0
    deviation = float(np.std(ordered, ddof=1))
    largest = max(abs(float(ordered[0])), abs(float(ordered[-1])), 1.0)
    return deviation if deviation > _NOISE * largest else 0.0


def _share(count: int, paths: int) -> Estimate:
    share = count / paths
    return Estimate(share, math.sqrt(share * (1.0 - share) / paths), 1.0)
