"""Options on a tape: the normal distribution, the surface of variance, prices and back.

Scalars in, scalars out, for kernels; all from + − × / and sqrt and ``engine.mathx``, so that
a tape has the same bytes everywhere. Interest and dividends are zero: the forward is the
spot, a European option is worth what an American one is. Arrays for readers of tapes are in
``greeks``, ticks and quotes in the kernels that emit them, the audit in ``arbitrage``.

Every value rests on one function, the Mills ratio M(a) = (1 − N(a)) / n(a). With s = √w,
h = |log(strike / spot)| / s and t = s / 2 the out-of-the-money option of a strike is worth

    least · n(h − t) · (M(h − t) − M(h + t)),    least = min(spot, strike),

and `least · n(h − t)` is also spot · n(d₁), of which delta, gamma, vega and theta are made.
The option in the money is that plus its intrinsic value, so nothing large is ever subtracted.
"""

from __future__ import annotations

import math

from engine.jit import inlined, kernel
from engine.mathx import exp, expm1, log

_ROOT_2PI_INVERSE = 0.3989422804014327
_FAR = 39.0
"""Beyond it a normal tail is below 1e-300, and is as good as none."""
_NO_DECAY = 1e-17
_LEAST_VALUE = 1e-250
_MOST_DEVIATION = 80.0
_MOST_STEPS = 60


@inlined
def _mills(a: float) -> float:
    """Mills ratio for 0 ≤ a ≤ 39, relative error of the rational function below 1e-16.

    Degrees 9 and 10, interpolating at the Chebyshev nodes of (a − 4) / (a + 4) in 80 digits;
    all coefficients are positive, so that its evaluation loses nothing.
    """
    p = 3.539374381695656e-06
    p = p * a + 9.490976487703701e-05
    p = p * a + 0.0012464787276564907
    p = p * a + 0.010371227498271933
    p = p * a + 0.05978940563837088
    p = p * a + 0.24680591661471118
    p = p * a + 0.72954882116895
    p = p * a + 1.495130620744631
    p = p * a + 1.9465576298640739
    p = p * a + 1.2533141373155001
    q = 3.5393743817034457e-06
    q = q * a + 9.490976487536711e-05
    q = q * a + 0.0012500181021993545
    q = q * a + 0.010466137253814498
    q = q * a + 0.0610288059825763
    q = q * a + 0.2569873142590225
    q = q * a + 0.7868808831123079
    q = q * a + 1.7221395351506155
    q = q * a + 2.5687784862680085
    q = q * a + 2.3510128403844215
    q = q * a + 1.0
    return p / q


@inlined
def normal_pdf(x: float) -> float:
    """Density of the standard normal distribution; 1e-305 where it is less."""
    return _ROOT_2PI_INVERSE * exp(-0.5 * x * x)


@inlined
def normal_cdf(x: float) -> float:
    """Standard normal distribution function, absolute error below 3e-16."""
    a = min(abs(x), _FAR)
    tail = normal_pdf(a) * _mills(a)
    return 1.0 - tail if x > 0.0 else tail


@inlined
def atm_variance(
    years: float, short_var: float, long_var: float, reversion: float, jump_var: float
) -> float:
    """Total variance at the money of an expiry, θ(T).

    ``long_var · T + (short_var − long_var) · (1 − exp(−reversion · T)) / reversion +
    jump_var``: the integral of a variance that reverts from `short_var` to `long_var` (both a
    year, `reversion` a year), and the variance of a jump, passed for expiries behind it alone.
    It never falls as T grows if no argument is negative.
    """
    decay = reversion * years
    mean = years if decay <= _NO_DECAY else -expm1(-decay) / reversion
    return long_var * (years - mean) + short_var * mean + jump_var


@inlined
def ssvi_curvature(theta: float, eta: float, gamma: float) -> float:
    """φ(θ) = η θ^−γ (1 + θ)^(γ − 1), of which an expiry needs one; θ > 0."""
    return eta * exp((gamma - 1.0) * log(1.0 + theta) - gamma * log(theta))


@inlined
def ssvi_slice(k: float, theta: float, rho: float, curvature: float) -> float:
    """Total variance at log moneyness k on the slice of an expiry; see `ssvi_variance`."""
    z = curvature * k
    tilt = z + rho
    return 0.5 * theta * (1.0 + rho * z + math.sqrt(tilt * tilt + (1.0 - rho * rho)))


@inlined
def ssvi_variance(k: float, theta: float, rho: float, eta: float, gamma: float) -> float:
    """Total variance at log moneyness ``k = log(strike / spot)``: a power-law SSVI surface.

    ``w = θ/2 · (1 + ρφk + √((φk + ρ)² + 1 − ρ²))`` with φ of `ssvi_curvature` (Gatheral and
    Jacquier 2014, "Arbitrage-free SVI volatility surfaces", theorem 4.1 and remark 4.4).

    No butterfly arbitrage: ``η (1 + |ρ|) ≤ 2``, ``0 ≤ γ ≤ ½``, |ρ| < 1. No calendar
    arbitrage: besides, θ does not fall from an expiry to the next, and all expiries share ρ,
    η and γ. Variance is 0 where θ is.
    """
    if theta <= 0.0:
        return 0.0
    return ssvi_slice(k, theta, rho, ssvi_curvature(theta, eta, gamma))


@inlined
def _normalised(k: float, deviation: float) -> tuple[float, float, float]:
    """Out-of-the-money value, its n(h − t), and M(|h − t|); all over the lesser of the prices."""
    h = abs(k) / deviation
    t = 0.5 * deviation
    gap = min(abs(h - t), _FAR)
    density = _ROOT_2PI_INVERSE * exp(-0.5 * gap * gap)
    near = _mills(gap)
    far = _mills(min(h + t, _FAR))
    value = density * (near - far) if h >= t else 1.0 - density * (near + far)
    return max(value, 0.0), density, near


@inlined
def out_of_the_money(least: float, k: float, w: float) -> float:
    """Value of the out-of-the-money option; `least` is the lesser of spot and strike."""
    if w <= 0.0:
        return 0.0
    value, _, _ = _normalised(k, math.sqrt(w))
    return least * value


@inlined
def priced(
    is_call: bool, spot: float, strike: float, k: float, w: float
) -> tuple[float, float, float]:
    """Price, delta, and spot · n(d₁) at once, `k` being log(strike / spot).

    The third is vega over √years. Gamma is it over spot² · √w, theta a year is minus it times
    √w over twice the years. For w = 0 they are the limits of w → 0.
    """
    least = min(spot, strike)
    call_otm = strike >= spot
    intrinsic = 0.0 if is_call == call_otm else abs(spot - strike)
    if w <= 0.0:
        call = 0.5 if spot == strike else (0.0 if call_otm else 1.0)
        at_money = spot * _ROOT_2PI_INVERSE if spot == strike else 0.0
        return intrinsic, call if is_call else call - 1.0, at_money
    deviation = math.sqrt(w)
    value, density, near = _normalised(k, deviation)
    price = min(intrinsic + least * value, spot if is_call else strike)
    slope = density * least
    if call_otm:
        tail = density * near
        call = tail if abs(k) >= 0.5 * w else 1.0 - tail
        return price, call if is_call else call - 1.0, slope
    put = slope / spot * _mills(min(abs(k) / deviation + 0.5 * deviation, _FAR))
    return price, 1.0 - put if is_call else -put, slope


@inlined
def option_price_at(is_call: bool, spot: float, strike: float, k: float, w: float) -> float:
    """Black–Scholes price where k = log(strike / spot) is known already."""
    value = out_of_the_money(min(spot, strike), k, w)
    if is_call:
        return min(value + max(spot - strike, 0.0), spot)
    return min(value + max(strike - spot, 0.0), strike)


@inlined
def option_price(is_call: bool, spot: float, strike: float, w: float) -> float:
    """Black–Scholes price of total variance w: intrinsic ≤ price ≤ spot (a put: strike).

    Absolute error below 1e-15 of the lesser of spot and strike, so of what is out of the
    money, on either side; prices in any unit.
    """
    return option_price_at(is_call, spot, strike, log(strike / spot), w)


@inlined
def call_price(spot: float, strike: float, w: float) -> float:
    """Black–Scholes price of a call."""
    return option_price(True, spot, strike, w)


@inlined
def delta(is_call: bool, spot: float, strike: float, w: float) -> float:
    """Change of the price with the spot: N(d₁), less one for a put."""
    return priced(is_call, spot, strike, log(strike / spot), w)[1]


@inlined
def vega(spot: float, strike: float, w: float, years: float) -> float:
    """Change of the price, a call's or a put's, per 1.00 of annual volatility."""
    return priced(True, spot, strike, log(strike / spot), w)[2] * math.sqrt(years)


@inlined
def _step(x: float, value: float, density: float, h: float, t: float) -> float:
    """Halley's step of the deviation, on the scale on which the value is nearest to a line.

    Left of the inflection h = t that is 1 / log, almost quadratic there (Jäckel 2015, "Let's
    be rational"), and for values above a half the logarithm of what they lack to 1.
    """
    bend = 0.5 * (h * h - t * t) / t
    if x >= 0.5:
        rest = 1.0 - value
        if rest <= 0.0:
            return -math.inf
        step = (log(rest) - log(1.0 - x)) * rest / density
        bend += density / rest
    elif h >= t:
        if value <= 0.0:
            return math.inf
        at, wanted, rate = log(value), log(x), density / value
        step = at * (wanted - at) / (wanted * rate)
        bend -= rate * (1.0 + 2.0 / at)
    else:
        step = (x - value) / density
    return step / min(max(1.0 + 0.5 * step * bend, 0.5), 2.0)


@inlined
def _first_guess(x: float, k: float) -> float:
    """The inflection √(2|k|), or what the tail's leading terms say where that is less.

    The value tends to n(h) s³ / k² · √(least / most) as s falls.
    """
    k = abs(k)
    inflection = math.sqrt(2.0 * k)
    if k < 1e-12:
        return max(inflection, 1e-9)
    exponent = -log(x)
    for _ in range(2):
        s = k / math.sqrt(2.0 * max(exponent, 0.5))
        exponent = 0.5 * k - log(x * k * k / (_ROOT_2PI_INVERSE * s * s * s))
    return min(k / math.sqrt(2.0 * max(exponent, 1e-3)), inflection)


@inlined
def implied_deviation(x: float, k: float, guess: float) -> float:
    """√w at which the out-of-the-money value is x of the lesser of spot and strike; 0 < x < 1.

    From `guess`, which may be 0 where none is known, by steps that halve the bracket instead
    where they leave it. A guess changes the last bits at most.
    """
    low, high = 0.0, _MOST_DEVIATION
    s = guess if guess > 0.0 else _first_guess(x, k)
    for _ in range(_MOST_STEPS):
        value, density, _ = _normalised(k, s)
        if value > x:
            high = s
        else:
            low = s
        step = _step(x, value, density, abs(k) / s, 0.5 * s)
        if abs(step) <= 1e-5 * s:
            return s + step
        s = s + step if s + step > low and s + step < high else 0.5 * (low + high)
    return s


@kernel
def implied_volatility(
    is_call: bool, price: float, spot: float, strike: float, years: float
) -> float:
    """Annual volatility at which the option is worth `price`; NaN where there is none.

    There is none at or below the intrinsic value (within 1e-250 of the lesser of spot and
    strike), at or above the spot (a put: the strike), and where an argument is not positive.
    """
    if not (price > 0.0 and spot > 0.0 and strike > 0.0 and years > 0.0):
        return math.nan
    least = min(spot, strike)
    intrinsic = max(spot - strike if is_call else strike - spot, 0.0)
    x = (price - intrinsic) / least
    if not (x > _LEAST_VALUE and x < 1.0):
        return math.nan
    return implied_deviation(x, log(strike / spot), 0.0) / math.sqrt(years)
