"""The option mathematics of a tape against fifty digits, against QuantLib, and against arbitrage.

Accuracies are stated beside the checks. The value of the out-of-the-money option is what is
judged; the one in the money is that plus an exact intrinsic value.
"""

import json
import math
import os
import subprocess
import sys
from hashlib import sha1
from pathlib import Path

import mpmath
import numpy as np
import pytest
import QuantLib
from hypothesis import example, given
from hypothesis import strategies as st

from engine.mathx import log
from engine.tapes.market import surface

ROOT = Path(__file__).parents[4]
EPS = 2.0**-53
RNG = np.random.default_rng(71)
mpmath.mp.dps = 50

SPOTS = st.floats(0.5, 5_000.0)
MONEYNESSES = st.floats(-2.5, 2.5) | st.floats(-0.05, 0.05)
VARIANCES = st.floats(-7.0, 1.5).map(lambda power: 10.0**power)
CURVED_SPOTS = st.floats(20.0, 900.0)
RHOS = st.floats(-0.95, 0.95)
GAMMAS = st.floats(0.0, 0.5)
THETAS = st.floats(-5.0, 0.5).map(lambda power: 10.0**power)
SHARES = st.floats(0.05, 1.0)
"""Of the largest η that ρ admits."""


def true_value(is_call, spot, strike, w):
    """Black and Scholes's formula in fifty digits, from the doubles that are given."""
    spot, strike, w = map(mpmath.mpf, (spot, strike, w))
    s = mpmath.sqrt(w)
    d1 = mpmath.log(spot / strike) / s + s / 2
    d2 = d1 - s
    if is_call:
        return spot * mpmath.ncdf(d1) - strike * mpmath.ncdf(d2)
    return strike * mpmath.ncdf(-d2) - spot * mpmath.ncdf(-d1)


def true_variance(k, theta, rho, eta, gamma):
    k, theta, rho, eta, gamma = map(mpmath.mpf, (k, theta, rho, eta, gamma))
    phi = eta / (theta**gamma * (1 + theta) ** (1 - gamma))
    root = mpmath.sqrt((phi * k + rho) ** 2 + 1 - rho**2)
    return theta / 2 * (1 + rho * phi * k + root)


def value_tolerance(spot, strike, w):
    """Relative error that the rounding of the inputs of exp and of M(h − t) − M(h + t) allows."""
    s = math.sqrt(w)
    h = abs(math.log(strike / spot)) / s
    return 2 * EPS * (8 + 3 * abs(h - s / 2) * (h + s / 2) + 6 * (1 + h) / s)


def most_eta(rho):
    return 2.0 / (1.0 + abs(rho))


def test_the_normal_distribution_is_exact_to_the_last_bits():
    grid = np.concatenate([RNG.uniform(-9, 9, 2000), RNG.normal(0, 1, 2000), [0.0, 39.0, -39.0]])
    for x in map(float, grid):
        truth = mpmath.ncdf(x)
        assert abs(surface.normal_cdf(x) - truth) < 3e-16
        assert abs(surface.normal_pdf(x) - mpmath.npdf(x)) < 1e-14 * mpmath.npdf(x) + 1e-304


def test_the_tails_of_the_normal_distribution_keep_thirteen_digits():
    for x in map(float, np.concatenate([-np.linspace(0, 37, 800), -np.geomspace(1e-12, 1, 50)])):
        assert abs(surface.normal_cdf(x) / mpmath.ncdf(x) - 1) < 1e-13
    assert 0.0 <= surface.normal_cdf(-1e6) < 1e-300
    assert surface.normal_cdf(1e6) == 1.0


@given(
    st.floats(1e-6, 5),
    st.floats(0, 2),
    st.floats(0, 2),
    st.floats(-6, 2).map(lambda power: 10.0**power),
    st.floats(0, 0.1),
)
def test_the_term_structure_is_the_integral_of_a_reverting_variance(
    years, short, long, reversion, jump
):
    found = surface.atm_variance(years, short, long, reversion, jump)
    t, kappa = mpmath.mpf(years), mpmath.mpf(reversion)
    mean = (1 - mpmath.exp(-kappa * t)) / kappa
    truth = mpmath.mpf(long) * (t - mean) + mpmath.mpf(short) * mean + mpmath.mpf(jump)
    assert abs(found - truth) <= 1e-14 * years * (short + long) + 4 * EPS * jump + 1e-300


def test_without_reversion_the_term_structure_is_a_line():
    assert surface.atm_variance(0.5, 0.04, 0.09, 0.0, 0.01) == pytest.approx(0.03, abs=1e-16)


@given(
    st.floats(1e-6, 3),
    st.floats(1e-4, 2),
    st.floats(0, 2),
    st.floats(0, 2),
    st.floats(0, 40),
    st.floats(0, 0.1),
)
def test_the_variance_at_the_money_never_falls_with_the_expiry(
    years, later, short, long, reversion, jump
):
    near = surface.atm_variance(years, short, long, reversion, 0.0)
    for behind in (0.0, jump):
        far = surface.atm_variance(years + later, short, long, reversion, behind)
        assert far >= near - 4 * EPS * (short + long) * (years + later)


@given(st.floats(-4, 4), THETAS, RHOS, st.floats(0.01, 2), GAMMAS)
def test_the_surface_is_the_published_formula(k, theta, rho, eta, gamma):
    found = surface.ssvi_variance(k, theta, rho, eta, gamma)
    truth = true_variance(k, theta, rho, eta, gamma)
    assert abs(found / truth - 1) < 1e-13 / (1 - abs(rho))
    curvature = surface.ssvi_curvature(theta, eta, gamma)
    assert surface.ssvi_slice(k, theta, rho, curvature) == found


def test_where_there_is_no_time_there_is_no_variance():
    assert surface.ssvi_variance(0.3, 0.0, -0.5, 1.0, 0.4) == 0.0


def slice_density(theta, rho, eta, gamma):
    """Butterflies of a slice over a dense grid of strikes, and what rounding makes of 0."""
    spot, step = 100.0, 0.25
    strikes = np.arange(20.0, 400.0, step)
    calls = np.array(
        [
            surface.call_price(
                spot, x, surface.ssvi_variance(math.log(x / spot), theta, rho, eta, gamma)
            )
            for x in map(float, strikes)
        ]
    )
    return np.diff(calls, 2), 16 * EPS * spot


@given(THETAS, RHOS, SHARES, GAMMAS)
def test_no_butterfly_of_an_admissible_surface_has_a_negative_price(theta, rho, share, gamma):
    butterflies, rounding = slice_density(theta, rho, share * most_eta(rho), gamma)
    assert butterflies.min() >= -rounding


def test_butterflies_of_a_surface_that_bends_too_much_are_negative():
    butterflies, rounding = slice_density(0.04, -0.7, 4.0 * most_eta(0.7), 0.5)
    assert butterflies.min() < -1e6 * rounding


@given(THETAS, st.floats(1.0, 30.0), RHOS, SHARES, GAMMAS)
def test_the_variance_of_an_admissible_surface_never_falls_with_the_expiry(
    theta, growth, rho, share, gamma
):
    eta = share * most_eta(rho)
    for k in map(float, np.linspace(-3, 3, 61)):
        near = surface.ssvi_variance(k, theta, rho, eta, gamma)
        far = surface.ssvi_variance(k, theta * growth, rho, eta, gamma)
        assert far >= near * (1 - 1e-14 / (1 - abs(rho)))


@given(st.booleans(), SPOTS, MONEYNESSES, VARIANCES)
def test_prices_are_right_to_the_last_bits_and_out_of_the_money_to_many_digits(is_call, spot, k, w):
    strike = spot * math.exp(k)
    found = surface.option_price(is_call, spot, strike, w)
    truth = true_value(is_call, spot, strike, w)
    # A share of the lesser price is what the out-of-the-money option is worth at the most.
    assert abs(found - truth) <= 1e-15 * min(spot, strike) + EPS * (found + abs(spot - strike))
    if is_call == (strike >= spot) and truth > 1e-280 * spot:
        assert abs(found / truth - 1) <= value_tolerance(spot, strike, w)


@given(st.booleans(), SPOTS, MONEYNESSES, VARIANCES)
@example(True, 100.0, 2.5, 1e-7)
@example(False, 100.0, 2.5, 1e-7)
@example(True, 100.0, 0.0, 0.0)
def test_prices_lie_between_the_intrinsic_value_and_what_is_paid_at_the_most(is_call, spot, k, w):
    strike = spot * math.exp(k)
    found = surface.option_price(is_call, spot, strike, w)
    assert max(spot - strike if is_call else strike - spot, 0.0) <= found
    assert found <= (spot if is_call else strike)
    call = surface.option_price(True, spot, strike, w)
    put = surface.option_price(False, spot, strike, w)
    assert abs(call - put - (spot - strike)) <= 2 * EPS * max(spot, strike)
    assert surface.call_price(spot, strike, w) == call


@given(st.booleans(), SPOTS, MONEYNESSES, VARIANCES)
def test_the_ways_to_price_agree_to_the_bit(is_call, spot, k, w):
    strike = spot * math.exp(k)
    moneyness = log(strike / spot)
    price, delta, slope = surface.priced(is_call, spot, strike, moneyness, w)
    assert price == surface.option_price(is_call, spot, strike, w)
    assert price == surface.option_price_at(is_call, spot, strike, moneyness, w)
    assert delta == surface.delta(is_call, spot, strike, w)
    assert surface.vega(spot, strike, w, 0.25) == 0.5 * slope


@given(st.booleans(), SPOTS, MONEYNESSES, VARIANCES)
def test_delta_and_vega_are_the_derivatives(is_call, spot, k, w):
    strike = spot * math.exp(k)
    s = mpmath.sqrt(w)
    d1 = mpmath.log(mpmath.mpf(spot) / mpmath.mpf(strike)) / s + s / 2
    # d1 cannot be known better than the ratio of two doubles over s.
    rounding = 4 * EPS * (1 + (1 + abs(k)) / math.sqrt(w))
    delta = mpmath.ncdf(d1) - (0 if is_call else 1)
    assert abs(surface.delta(is_call, spot, strike, w) - delta) <= rounding
    assert abs(surface.vega(spot, strike, w, 1.0) / spot - mpmath.npdf(d1)) <= rounding


def test_rounding_lifts_no_price_above_the_most_that_is_paid():
    assert 12.68 + (85.49 - 12.68) > 85.49
    assert surface.option_price(True, 85.49, 12.68, 1e4) == 85.49
    assert surface.option_price(False, 12.68, 85.49, 1e4) == 85.49
    assert surface.priced(True, 85.49, 12.68, log(12.68 / 85.49), 1e4)[0] == 85.49


def test_an_option_without_time_is_worth_its_exercise():
    assert surface.option_price(True, 100.0, 90.0, 0.0) == 10.0
    assert surface.option_price(True, 100.0, 110.0, 0.0) == 0.0
    assert surface.option_price(False, 100.0, 110.0, 0.0) == 10.0
    deltas = [surface.delta(True, 100.0, strike, 0.0) for strike in (90.0, 100.0, 110.0)]
    assert deltas == [1.0, 0.5, 0.0]
    deltas = [surface.delta(False, 100.0, strike, 0.0) for strike in (90.0, 100.0, 110.0)]
    assert deltas == [0.0, -0.5, -1.0]
    assert surface.vega(100.0, 110.0, 0.0, 1.0) == 0.0


@given(st.booleans(), CURVED_SPOTS, st.floats(-0.7, 0.7), st.floats(0.02, 1.5), st.floats(0.002, 3))
def test_prices_and_sensitivities_are_those_of_quantlib(is_call, spot, k, volatility, years):
    strike = spot * math.exp(k)
    deviation = volatility * math.sqrt(years)
    w = deviation * deviation
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    oracle = QuantLib.BlackCalculator(
        QuantLib.PlainVanillaPayoff(kind, strike), spot, deviation, 1.0
    )
    found = surface.option_price(is_call, spot, strike, w)
    assert found == pytest.approx(oracle.value(), rel=1e-10, abs=1e-12 * spot)
    delta = surface.delta(is_call, spot, strike, w)
    assert delta == pytest.approx(oracle.delta(spot), abs=1e-11)
    vega = surface.vega(spot, strike, w, years)
    assert vega == pytest.approx(oracle.vega(years), rel=1e-9, abs=1e-10 * spot)


def test_a_price_in_the_market_implies_the_volatility_that_quantlib_finds():
    for k in np.linspace(-0.5, 0.5, 21):
        for years in (1 / 365, 0.1, 1.0):
            for volatility in (0.08, 0.35, 1.2):
                spot, strike = 100.0, 100.0 * math.exp(float(k))
                is_call = strike >= spot
                w = volatility * volatility * years
                price = surface.option_price(is_call, spot, strike, w)
                if price < 1e-9:
                    continue
                kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
                oracle = QuantLib.blackFormulaImpliedStdDev(
                    kind, strike, spot, price, 1.0, 0.0, QuantLib.nullDouble(), 1e-12, 1000
                )
                found = surface.implied_volatility(is_call, price, spot, strike, years)
                assert found * math.sqrt(years) == pytest.approx(oracle, rel=1e-6)
                assert found == pytest.approx(volatility, rel=1e-10)


@given(st.booleans(), SPOTS, MONEYNESSES, VARIANCES)
@example(True, 100.0, 0.0, 1e-7)
@example(True, 1.0, 2.5, 0.05)
def test_the_implied_volatility_gives_the_price_back(is_call, spot, k, w):
    strike = spot * math.exp(k)
    price = surface.option_price(is_call, spot, strike, w)
    found = surface.implied_volatility(is_call, price, spot, strike, 0.25)
    intrinsic = max(spot - strike if is_call else strike - spot, 0.0)
    if math.isnan(found):
        most = spot if is_call else strike
        assert price - intrinsic <= 1e-249 * min(spot, strike) or price >= most
        return
    again = surface.option_price(is_call, spot, strike, found * found * 0.25)
    value = price - intrinsic
    allowed = 1e-15 * min(spot, strike) + 2 * EPS * (price + intrinsic)
    if is_call == (strike >= spot):
        allowed = min(allowed, 4 * value_tolerance(spot, strike, w) * value)
    assert abs(again - price) <= allowed


@given(st.floats(-1.5, 1.5), st.floats(0.01, 3), st.floats(0.2, 5))
def test_a_guess_changes_no_more_than_rounding_would(k, deviation, off):
    value = surface.out_of_the_money(1.0, k, deviation * deviation)
    if not 1e-200 < value < 0.99:
        return
    alone = surface.implied_deviation(value, k, 0.0)
    near = surface.implied_deviation(value, k, deviation * off)
    vega = surface.priced(True, 1.0, 1.0, abs(k), deviation * deviation)[2]
    assert abs(near - alone) <= 1e-10 * alone + 4 * EPS / max(vega, 1e-6)


@pytest.mark.parametrize(
    ("is_call", "price", "spot", "strike", "years"),
    [
        (True, 10.0, 100.0, 90.0, 1.0),
        (True, 9.0, 100.0, 90.0, 1.0),
        (False, 9.0, 90.0, 100.0, 1.0),
        (True, 100.0, 100.0, 90.0, 1.0),
        (False, 90.0, 100.0, 90.0, 1.0),
        (False, math.inf, 100.0, 90.0, 1.0),
        (True, 0.0, 100.0, 110.0, 1.0),
        (True, -1.0, 100.0, 110.0, 1.0),
        (True, math.nan, 100.0, 110.0, 1.0),
        (True, 1.0, 0.0, 110.0, 1.0),
        (True, 1.0, 100.0, -1.0, 1.0),
        (True, 1.0, 100.0, 110.0, 0.0),
    ],
)
def test_a_price_that_no_volatility_gives_implies_none(is_call, price, spot, strike, years):
    assert math.isnan(surface.implied_volatility(is_call, price, spot, strike, years))


def sample() -> str:
    """Digest of what every function gives for fixed arguments."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(300):
        is_call, spot = bool(rng.integers(2)), float(rng.uniform(5, 500))
        strike = spot * float(rng.uniform(0.4, 2.0))
        years = float(rng.uniform(0.001, 2))
        theta = surface.atm_variance(years, 0.09, 0.05, float(rng.uniform(0, 9)), 0.001)
        k = log(strike / spot)
        w = surface.ssvi_variance(k, theta, float(rng.uniform(-0.9, 0.3)), 0.9, 0.4)
        price, delta, slope = surface.priced(is_call, spot, strike, k, w)
        sigma = surface.implied_volatility(is_call, price, spot, strike, years)
        guessed = surface.implied_deviation(0.01, k, 0.2)
        found += [theta, w, price, delta, slope, sigma, guessed, surface.normal_cdf(k * 9)]
    return sha1(np.array(found).tobytes()).hexdigest()


def test_interpreted_functions_give_the_compiled_bytes():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.tapes.market.test_surface"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"compiled": False, "digest": sample()}


if __name__ == "__main__":
    compiled = hasattr(surface.priced, "py_func")
    sys.stdout.write(json.dumps({"compiled": compiled, "digest": sample()}))
