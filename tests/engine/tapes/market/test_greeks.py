"""Greeks of arrays are QuantLib's and differences of prices; volatilities come back."""

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from engine.tapes.market.greeks import greeks, implied_volatilities

SPOTS = st.floats(5.0, 900.0)
MONEYNESSES = st.floats(-0.4, 0.4)
VOLATILITIES = st.floats(0.05, 1.5)
YEARS = st.floats(0.003, 3.0)


@given(st.booleans(), SPOTS, MONEYNESSES, VOLATILITIES, YEARS)
def test_greeks_are_those_of_quantlib(is_call, spot, k, volatility, years):
    strike = spot * float(np.exp(k))
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    oracle = QuantLib.BlackCalculator(
        QuantLib.PlainVanillaPayoff(kind, strike), spot, volatility * years**0.5, 1.0
    )
    found = greeks(is_call, spot, strike, volatility, years)
    assert found.price == pytest.approx(oracle.value(), rel=1e-9, abs=1e-12 * spot)
    assert found.delta == pytest.approx(oracle.delta(spot), abs=1e-11)
    assert found.gamma == pytest.approx(oracle.gamma(spot), rel=1e-8, abs=1e-11)
    assert found.vega == pytest.approx(oracle.vega(years), rel=1e-8, abs=1e-10 * spot)
    assert found.theta == pytest.approx(oracle.theta(spot, years), rel=1e-8, abs=1e-9 * spot)


def test_greeks_are_the_differences_of_prices():
    strikes = np.linspace(70.0, 140.0, 29)
    kinds = np.arange(29) % 2 == 0
    spot, volatility, years = 100.0, 0.3, 0.4
    found = greeks(kinds, spot, strikes, volatility, years)

    def price(step_spot=0.0, step_volatility=0.0, step_years=0.0):
        return greeks(
            kinds, spot + step_spot, strikes, volatility + step_volatility, years + step_years
        ).price

    assert np.allclose(found.delta, (price(1e-3) - price(-1e-3)) / 2e-3, rtol=0, atol=1e-8)
    bends = (price(0.05) - 2 * price() + price(-0.05)) / 0.05**2
    assert np.allclose(found.gamma, bends, rtol=1e-4, atol=1e-8)
    slopes = (price(0, 1e-4) - price(0, -1e-4)) / 2e-4
    assert np.allclose(found.vega, slopes, rtol=1e-6, atol=1e-6)
    decays = -(price(0, 0, 1e-4) - price(0, 0, -1e-4)) / 2e-4
    assert np.allclose(found.theta, decays, rtol=1e-5, atol=1e-6)


def test_shapes_are_broadcast():
    found = greeks([[True], [False]], 100.0, [90.0, 100.0, 110.0], 0.2, 0.5)
    assert all(column.shape == (2, 3) and column.dtype == np.float64 for column in found)
    parity = found.price[0] - found.price[1]
    assert np.allclose(parity, [10.0, 0.0, -10.0], rtol=0, atol=1e-13)
    assert np.allclose(found.delta[0] - found.delta[1], 1.0, rtol=0, atol=1e-15)
    assert np.array_equal(found.vega[0], found.vega[1])
    single = greeks(True, 100.0, 90.0, 0.2, 0.5)
    assert single.price.shape == ()
    assert single.price == found.price[0, 0]
    back = implied_volatilities([[True], [False]], found.price, 100.0, [90.0, 100.0, 110.0], 0.5)
    assert back.shape == (2, 3)
    assert np.allclose(back, 0.2, rtol=0, atol=1e-12)
    assert greeks([], [], [], [], []).price.shape == (0,)


def test_what_has_no_value_is_not_a_number():
    for arguments in ((-1.0, 90.0, 0.2, 0.5), (100.0, 0.0, 0.2, 0.5), (100.0, 90.0, 0.0, 0.5)):
        assert all(np.isnan(column) for column in greeks(True, *arguments))
    assert all(np.isnan(column) for column in greeks(True, 100.0, 90.0, 0.2, np.nan))
    found = implied_volatilities(True, [9.0, 10.0, 12.0, 100.0, np.nan], 100.0, 90.0, 0.5)
    assert np.isnan(found).tolist() == [True, True, False, True, True]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="broadcast"):
        greeks([True, False], [1.0, 2.0, 3.0], 1.0, 0.2, 0.5)
    with pytest.raises(ValueError, match="broadcast"):
        implied_volatilities(True, [1.0, 2.0], [1.0, 2.0, 3.0], 1.0, 0.5)
