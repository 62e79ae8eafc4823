"""exp, log and the normal quantile from + − × / and sqrt alone.

libm's last bit differs between machines and builds; these do not, and being
branch-free they vectorise. Accuracy is tested against a high-precision oracle in
``tests/engine/test_mathx.py``. Random bits live in ``rng``.
"""

from __future__ import annotations

import math

import numpy as np

from engine.jit import bits_from_float, float_from_bits, kernel

_LOG2E = 1.4426950408889634
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
# 1.5·2⁵²: adding it rounds to an integer that stands in the low bits
_ROUND = 6755399441055744.0
_ONE_BITS = np.uint64(1023)
_MANTISSA_BITS = np.uint64(52)
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
_HALF_EXPONENT = np.uint64(0x3FE0000000000000)
_SQRT_HALF = 0.7071067811865476
# 2⁵² as a double and its bits: or-ing a small integer in converts it to a double
_INT_BITS = np.uint64(0x4330000000000000)
_INT = 4503599627370496.0
CENTRE = 0.425
FAR_TAIL = 1.4e-11
"""Below this tail probability the quantile takes its third branch (√25 = 5)."""


@kernel
def exp(x: float) -> float:
    """Exponential function for |x| ≤ 700; arguments outside are clamped there.

    Reduction x = k ln 2 + r, |r| ≤ ½ ln 2 (Cody and Waite 1980, ch. 6), then the
    Taylor polynomial of degree 13, whose truncation error is below 2⁻⁵⁷.
    """
    x = 700.0 if x > 700.0 else x
    x = -700.0 if x < -700.0 else x
    shifted = x * _LOG2E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HI) - k * _LN2_LO
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = (p * r) * r + r + 1.0
    return p * float_from_bits((bits_from_float(shifted) + _ONE_BITS) << _MANTISSA_BITS)


@kernel
def expm1(x: float) -> float:
    """eˣ − 1 without cancellation near zero."""
    if abs(x) >= 0.35:
        return exp(x) - 1.0
    term = x
    total = x
    for n in range(2, 18):
        term = term * x / n
        total = total + term
    return total


@kernel
def tanh(x: float) -> float:
    """Hyperbolic tangent with an absolute error below 4e-16; odd, and 0 at 0."""
    power = exp(2.0 * abs(x))
    value = (power - 1.0) / (power + 1.0)
    return -value if x < 0.0 else value


@kernel
def log(x: float) -> float:
    """Natural logarithm of a positive normal double.

    x = m 2ᵏ with m in [√½, √2), s = (m − 1)/(m + 1), log m = 2 atanh s by its
    series to s²³, whose truncation error is below 2⁻⁵⁷.
    """
    bits = bits_from_float(x)
    k = float_from_bits((bits >> _MANTISSA_BITS) | _INT_BITS) - (_INT + 1022.0)
    m = float_from_bits((bits & _MANTISSA) | _HALF_EXPONENT)
    low = m < _SQRT_HALF
    k = k - 1.0 if low else k
    f = (m + m - 1.0) if low else (m - 1.0)
    s = f / (2.0 + f)
    z = s * s
    p = 0.08695652173913043
    p = p * z + 0.09523809523809523
    p = p * z + 0.10526315789473684
    p = p * z + 0.11764705882352941
    p = p * z + 0.13333333333333333
    p = p * z + 0.15384615384615385
    p = p * z + 0.18181818181818182
    p = p * z + 0.2222222222222222
    p = p * z + 0.2857142857142857
    p = p * z + 0.4
    p = p * z + 0.6666666666666666
    half = 0.5 * f * f
    return k * _LN2_HI - ((half - (s * (half + p * z) + k * _LN2_LO)) - f)


@kernel
def central(q: float) -> float:
    """Normal quantile for |p − ½| ≤ 0.425 (Wichura 1988, AS 241, PPND16)."""
    r = 0.180625 - q * q
    a = 2509.0809287301226727
    a = a * r + 33430.575583588128105
    a = a * r + 67265.770927008700853
    a = a * r + 45921.953931549871457
    a = a * r + 13731.693765509461125
    a = a * r + 1971.5909503065514427
    a = a * r + 133.14166789178437745
    a = a * r + 3.387132872796366608
    b = 5226.495278852545925
    b = b * r + 28729.085735721942674
    b = b * r + 39307.89580009271061
    b = b * r + 21213.794301586595867
    b = b * r + 5394.1960214247511077
    b = b * r + 687.1870074920579083
    b = b * r + 42.313330701600911252
    b = b * r + 1.0
    return q * a / b


@kernel
def middle_tail(r: float) -> float:
    """Absolute normal quantile for r = √(−log p) ≤ 5 (Wichura 1988, AS 241)."""
    r = r - 1.6
    c = 7.7454501427834140764e-4
    c = c * r + 0.0227238449892691845833
    c = c * r + 0.24178072517745061177
    c = c * r + 1.27045825245236838258
    c = c * r + 3.64784832476320460504
    c = c * r + 5.7694972214606914055
    c = c * r + 4.6303378461565452959
    c = c * r + 1.42343711074968357734
    d = 1.05075007164441684324e-9
    d = d * r + 5.475938084995344946e-4
    d = d * r + 0.0151986665636164571966
    d = d * r + 0.14810397642748007459
    d = d * r + 0.68976733498510000455
    d = d * r + 1.6763848301838038494
    d = d * r + 2.05319162663775882187
    d = d * r + 1.0
    return c / d


@kernel
def _far_tail(r: float) -> float:
    """Absolute normal quantile for r = √(−log p) > 5 (Wichura 1988, AS 241)."""
    r = r - 5.0
    e = 2.01033439929228813265e-7
    e = e * r + 2.71155556874348757815e-5
    e = e * r + 0.0012426609473880784386
    e = e * r + 0.026532189526576123093
    e = e * r + 0.29656057182850489123
    e = e * r + 1.7848265399172913358
    e = e * r + 5.4637849111641143699
    e = e * r + 6.6579046435011037772
    f = 2.04426310338993978564e-15
    f = f * r + 1.4215117583164458887e-7
    f = f * r + 1.8463183175100546818e-5
    f = f * r + 7.868691311456132591e-4
    f = f * r + 0.0148753612908506148525
    f = f * r + 0.13692988092273580531
    f = f * r + 0.59983220655588793769
    f = f * r + 1.0
    return e / f


@kernel
def normal_quantile(p: float) -> float:
    """Inverse of the standard normal distribution function, 0 < p < 1.

    Wichura, M. J. (1988), Algorithm AS 241, PPND16: relative error about 1e-16.
    """
    q = p - 0.5
    if abs(q) <= CENTRE:
        return central(q)
    tail = p if q < 0.0 else 1.0 - p
    r = math.sqrt(-log(tail))
    value = middle_tail(r) if r <= 5.0 else _far_tail(r)
    return -value if q < 0.0 else value
