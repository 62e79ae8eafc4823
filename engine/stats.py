"""The normal distribution function and percentiles, the same on every machine.

They use + − × / and ``mathx.exp`` alone, so that no maths library can change a digest. The normal
quantile is ``mathx.normal_quantile``; what the statistics of a backtest mean is said by
``engine.backtest.metrics`` and ``engine.validate``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Floats
from engine.jit import kernel
from engine.mathx import exp

_SQRT_HALF: Final = 0.7071067811865476
_INV_SQRT_PI: Final = 5.6418958354775628695e-1
_NEAR: Final = 0.46875
_FAR: Final = 4.0
_LOWEST: Final = 37.0


@kernel
def _error_function(y: float) -> float:
    """Error function for |y| ≤ 0.46875 (Cody 1969)."""
    z = y * y
    a = 1.85777706184603153e-1
    a = a * z + 3.16112374387056560e00
    a = a * z + 1.13864154151050156e02
    a = a * z + 3.77485237685302021e02
    a = a * z + 3.20937758913846947e03
    b = z + 2.36012909523441209e01
    b = b * z + 2.44024637934444173e02
    b = b * z + 1.28261652607737228e03
    b = b * z + 2.84423683343917062e03
    return y * a / b


@kernel
def _scaled_middle(y: float) -> float:
    """e^(y²) erfc(y) for 0.46875 ≤ y ≤ 4 (Cody 1969)."""
    c = 2.15311535474403846e-8
    c = c * y + 5.64188496988670089e-1
    c = c * y + 8.88314979438837594e00
    c = c * y + 6.61191906371416295e01
    c = c * y + 2.98635138197400131e02
    c = c * y + 8.81952221241769090e02
    c = c * y + 1.71204761263407058e03
    c = c * y + 2.05107837782607147e03
    c = c * y + 1.23033935479799725e03
    d = y + 1.57449261107098347e01
    d = d * y + 1.17693950891312499e02
    d = d * y + 5.37181101862009858e02
    d = d * y + 1.62138957456669019e03
    d = d * y + 3.29079923573345963e03
    d = d * y + 4.36261909014324716e03
    d = d * y + 3.43936767414372164e03
    d = d * y + 1.23033935480374942e03
    return c / d


@kernel
def _scaled_tail(y: float) -> float:
    """e^(y²) erfc(y) for y > 4 (Cody 1969)."""
    z = 1.0 / (y * y)
    p = 1.63153871373020978e-2
    p = p * z + 3.05326634961232344e-1
    p = p * z + 3.60344899949804439e-1
    p = p * z + 1.25781726111229246e-1
    p = p * z + 1.60837851487422766e-2
    p = p * z + 6.58749161529837803e-4
    q = z + 2.56852019228982242e00
    q = q * z + 1.87295284992346047e00
    q = q * z + 5.27905102951428412e-1
    q = q * z + 6.05183413124413191e-2
    q = q * z + 2.33520497626869185e-3
    return (_INV_SQRT_PI - z * p / q) / y


@kernel
def normal_cdf(x: float) -> float:
    """Probability that a standard normal is at most `x`; 0 below −37, where it is under 1e-298.

    Cody, W. J. (1969), *Rational Chebyshev approximations for the error function*, with
    the coefficients of his CALERF (1990). As there, the exponent is split at a multiple of
    1/16, whose square is exact; here on x itself, so that no tail loses digits to x / √2.
    """
    if math.isnan(x):
        return x
    size = abs(x)
    y = size * _SQRT_HALF
    if y <= _NEAR:
        return 0.5 + 0.5 * _error_function(x * _SQRT_HALF)
    if size > _LOWEST:
        return 0.0 if x < 0.0 else 1.0
    scaled = _scaled_middle(y) if y <= _FAR else _scaled_tail(y)
    whole = math.floor(size * 16.0) / 16.0
    rest = (size - whole) * (size + whole)
    tail = 0.5 * exp(-0.5 * whole * whole) * exp(-0.5 * rest) * scaled
    return tail if x < 0.0 else 1.0 - tail


def percentile(values: Floats, percent: float) -> float:
    """Percentile by linear interpolation at place (n − 1) · percent / 100 of the sorted values.

    Parameters
    ----------
    values : ndarray, shape (n,), float64
        In any order, n ≥ 1.
    percent : float
        0 … 100.

    Raises
    ------
    ContractError
        ``PERCENTILE_UNDEFINED`` for no value, a NaN, or a percentage outside.
    """
    if values.size == 0 or not 0.0 <= percent <= 100.0 or bool(np.isnan(values).any()):
        message = f"percentile {percent} of {values.size} values is not defined"
        hint = ("give at least one value, no NaN, and 0 to 100 percent",)
        raise ContractError("PERCENTILE_UNDEFINED", message, hints=hint)
    ordered = np.sort(values)
    place = (values.size - 1) * percent / 100.0
    low = min(math.floor(place), values.size - 1)
    lower, upper = float(ordered[low]), float(ordered[min(low + 1, values.size - 1)])
    share = place - low
    # An infinite neighbour that has no weight must not make the difference NaN.
    return lower if share == 0.0 or lower == upper else lower + (upper - lower) * share
