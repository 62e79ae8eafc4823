"""Shapes of a session: activity and variance through the day, as fractions of their means.

Both are high at the open, low at midday and high again before the close (Wood, McInish and
Ord 1985; Harris 1986). What they multiply is ``kernels_factors`` and ``kernels``.
"""

from __future__ import annotations

import math

from engine.arrays import Floats
from engine.jit import kernel
from engine.mathx import exp

RATE_FLOOR, RATE_OPEN, RATE_CLOSE = 0.48, 2.4, 1.8
RATE_OPEN_WIDTH, RATE_CLOSE_WIDTH = 0.07, 0.06
VARIANCE_FLOOR, VARIANCE_OPEN, VARIANCE_CLOSE = 0.5, 6.5, 1.2
VARIANCE_OPEN_WIDTH, VARIANCE_CLOSE_WIDTH = 0.06, 0.05


@kernel
def day_shape(
    x: float, floor: float, opened: float, closed: float, opening: float, closing: float
) -> float:
    """Value at a fraction `x` of the session of floor + two exponentials, over its mean.

    Parameters
    ----------
    x : float
        0 at the open, 1 at the close.
    floor, opened, closed : float
        Level at midday, and what the open and the close add.
    opening, closing : float
        Fractions of the session in which they fade.
    """
    raw = floor + opened * exp(-x / opening) + closed * exp(-(1.0 - x) / closing)
    mean = floor + opened * opening * (1.0 - exp(-1.0 / opening))
    mean += closed * closing * (1.0 - exp(-1.0 / closing))
    return raw / mean


@kernel
def fill_shapes(first: int, length_s: float, rates: Floats, deviations: Floats) -> None:
    """Write activity and standard deviation of the seconds from `first` on of a session."""
    for i in range(rates.shape[0]):
        x = (first + i) / length_s
        rates[i] = day_shape(
            x, RATE_FLOOR, RATE_OPEN, RATE_CLOSE, RATE_OPEN_WIDTH, RATE_CLOSE_WIDTH
        )
        variance = day_shape(
            x,
            VARIANCE_FLOOR,
            VARIANCE_OPEN,
            VARIANCE_CLOSE,
            VARIANCE_OPEN_WIDTH,
            VARIANCE_CLOSE_WIDTH,
        )
        deviations[i] = math.sqrt(variance)
