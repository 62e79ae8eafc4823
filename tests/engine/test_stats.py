"""The normal distribution function against fifty digits, and percentiles against numpy."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.mathx import normal_quantile
from engine.stats import normal_cdf, percentile

RNG = np.random.default_rng(20140930)
BORDERS = [0.46875 * math.sqrt(2), 4 * math.sqrt(2)]
POINTS = np.concatenate(
    [
        RNG.uniform(-37, 37, 400),
        RNG.uniform(-7, 7, 400),
        RNG.uniform(-0.7, 0.7, 200),
        10.0 ** RNG.uniform(-300, -1, 100) * RNG.choice([-1, 1], 100),
        np.arange(-37.0, 38.0, 1 / 4),
        *(np.nextafter(sign * border, [-40, 40]) for border in BORDERS for sign in (-1, 1)),
    ]
)


def relative_error(x: float) -> float:
    with mpmath.workdps(50):
        wanted = mpmath.ncdf(mpmath.mpf(float(x)))
        return abs(float(mpmath.mpf(normal_cdf(float(x))) / wanted - 1))


def test_the_normal_distribution_function_is_right_to_fifteen_digits_down_to_its_end():
    assert max(relative_error(x) for x in POINTS) < 1.5e-15


def test_the_normal_distribution_function_has_its_values_at_the_ends():
    assert normal_cdf(0.0) == 0.5
    assert normal_cdf(-37.1) == normal_cdf(-math.inf) == 0.0
    assert normal_cdf(37.1) == normal_cdf(math.inf) == 1.0
    assert 0.0 < normal_cdf(-37.0) < 1e-298
    assert math.isnan(normal_cdf(math.nan))


def test_the_two_tails_make_up_one():
    for x in RNG.uniform(0, 9, 500):
        assert normal_cdf(float(x)) + normal_cdf(-float(x)) == pytest.approx(1.0, abs=2.3e-16)


def test_a_larger_argument_gives_a_larger_probability():
    values = [normal_cdf(float(x)) for x in np.linspace(-37, 7, 20_001)]
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("border", [sign * border for border in BORDERS for sign in (-1, 1)])
def test_the_normal_distribution_function_has_no_step_where_its_formulas_meet(border):
    points = [border + k * math.ulp(border) for k in range(-50, 51)]
    values = np.array([normal_cdf(x) for x in points])
    assert np.ptp(values) < 100 * math.ulp(border) + 4 * np.spacing(values).max()


def test_the_quantile_is_the_inverse_of_the_distribution_function():
    for p in np.concatenate([10.0 ** RNG.uniform(-15, -0.31, 300), RNG.uniform(0, 0.999, 300)]):
        assert normal_cdf(normal_quantile(float(p))) == pytest.approx(float(p), rel=2e-14)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.sampled_from([0.0, 1.0, 5.0, 33.3, 50.0, 95.0, 100.0]),
)
def test_a_percentile_is_the_one_of_numpy(values, percent):
    found = percentile(np.array(values), percent)
    assert found == pytest.approx(float(np.percentile(values, percent)), rel=1e-12, abs=1e-9)
    assert min(values) <= found <= max(values)


def test_a_percentile_between_an_infinite_value_and_itself_is_infinite_and_beside_it_is_not():
    values = np.array([1.0, 2.0, math.inf, math.inf])
    assert percentile(values, 100.0) == percentile(values, 90.0) == math.inf
    assert percentile(values, 100 / 3) == 2.0
    assert percentile(np.array([-math.inf, 1.0, 2.0]), 50.0) == 1.0


@pytest.mark.parametrize(
    ("values", "percent"), [([], 50.0), ([1.0, math.nan], 50.0), ([1.0], -1.0), ([1.0], 101.0)]
)
def test_a_percentile_of_nothing_or_outside_is_refused(values, percent):
    with pytest.raises(ContractError, match="PERCENTILE_UNDEFINED"):
        percentile(np.array(values, dtype=np.float64), percent)
