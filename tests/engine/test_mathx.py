"""exp, log, expm1, tanh and the normal quantile against fifty digits.

Errors are counted in units in the last place of the true value. That they give the same
bits without a compiler is in test_interpreted.py.
"""

import math

import mpmath
import numpy as np
import pytest

from engine.mathx import exp, expm1, log, normal_quantile, tanh

mpmath.mp.dps = 50
RNG = np.random.default_rng(20240101)
EXPONENTS = np.concatenate(
    [
        RNG.uniform(-700, 700, 1500),
        RNG.uniform(-1, 1, 700),
        10.0 ** RNG.uniform(-300, 0, 300) * RNG.choice([-1, 1], 300),
        np.arange(-700.0, 701.0, 7.0),
        (np.arange(-40, 41) + 0.5) * math.log(2),
    ]
)
POSITIVES = np.concatenate(
    [
        10.0 ** RNG.uniform(-307, 308, 1500),
        RNG.uniform(0.5, 2, 1000),
        1 + 10.0 ** RNG.uniform(-15.9, -0.5, 300),
        1 - 10.0 ** RNG.uniform(-15.9, -0.5, 300),
        2.0 ** np.arange(-1022, 1024, 31),
        np.nextafter(math.sqrt(0.5), [0, 1]),
        RNG.uniform(100, 1e12, 300),
    ]
)
SMALL = 10.0 ** RNG.uniform(-300, 0.5, 1200) * RNG.choice([-1, 1], 1200)
PROBABILITIES = np.concatenate(
    [
        2.0 ** -np.arange(1.0, 55.0),
        10.0 ** RNG.uniform(-16.2, -0.31, 1200),
        RNG.uniform(0, 1, 1200),
        0.5 + 10.0 ** RNG.uniform(-15, -1, 200),
        np.nextafter([0.075, 0.925, math.exp(-25)], 0),
        np.nextafter([0.075, 0.925, math.exp(-25)], 1),
    ]
)


def ulps(found, wanted):
    """Error of a double in units in the last place of the true value."""
    return abs(float((mpmath.mpf(float(found)) - wanted) / math.ulp(float(wanted))))


def worst(function, oracle, grid):
    return max(ulps(function(float(x)), oracle(mpmath.mpf(float(x)))) for x in grid)


def true_quantile(p):
    """Invert the distribution function by Newton's method on log p, from a double."""
    from scipy.special import ndtri

    if p == 0.5:
        return mpmath.mpf(0)
    x = mpmath.mpf(float(ndtri(float(p))))
    for _ in range(3):
        x = x - (mpmath.ncdf(x) - p) / mpmath.npdf(x)
    return x


def test_exp_is_right_to_one_unit_in_the_last_place():
    assert worst(exp, mpmath.exp, EXPONENTS) < 1.0


def test_log_is_right_to_one_unit_in_the_last_place():
    assert worst(log, mpmath.log, POSITIVES[POSITIVES != 1.0]) < 1.0
    assert log(1.0) == 0.0


def test_expm1_is_right_to_four_units_in_the_last_place():
    grid = np.concatenate([SMALL, EXPONENTS, [-0.35, 0.35, np.nextafter(0.35, 0)]])
    assert worst(expm1, mpmath.expm1, grid) < 4.0


def test_tanh_is_right_to_an_absolute_error_of_four_parts_in_1e16():
    grid = np.concatenate([SMALL, EXPONENTS, RNG.uniform(-25, 25, 1500), [18.0, 22.0, 350.0, 1e9]])
    errors = [abs(mpmath.mpf(tanh(float(x))) - mpmath.tanh(mpmath.mpf(float(x)))) for x in grid]
    assert max(errors) < 4e-16


def test_tanh_is_odd_between_minus_one_and_one():
    for x in np.concatenate([SMALL, EXPONENTS]):
        assert tanh(-float(x)) == -tanh(float(x))
        assert -1.0 <= tanh(float(x)) <= 1.0
    assert tanh(0.0) == 0.0
    assert (tanh(1e300), tanh(-1e300)) == (1.0, -1.0)


def test_the_normal_quantile_is_right_to_six_units_down_to_the_last_uniform():
    def error(p):
        return ulps(normal_quantile(float(p)), true_quantile(mpmath.mpf(float(p))))

    inside = PROBABILITIES[PROBABILITIES != 0.5]
    assert max(error(p) for p in inside) < 6.0
    assert normal_quantile(0.5) == 0.0


def test_the_normal_quantile_is_odd_around_one_half():
    for k in RNG.integers(1, 2**52, 2000):
        below = float(k) * 2.0**-53
        assert normal_quantile(1.0 - below) == -normal_quantile(below)


@pytest.mark.parametrize(
    ("function", "points"),
    [
        (exp, np.linspace(-5, 5, 4001)),
        (log, np.geomspace(1e-6, 1e12, 4001)),
        (expm1, np.linspace(-0.5, 0.5, 4001)),
        (normal_quantile, np.linspace(1e-6, 1 - 1e-6, 4001)),
        (normal_quantile, 2.0 ** np.linspace(-54, -1, 4001)),
    ],
)
def test_a_larger_argument_gives_a_larger_value(function, points):
    values = np.array([function(float(x)) for x in points])
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize(
    "border", [0.075, 0.925, math.exp(-25.0), 1 - math.exp(-25.0), 2.0**-20, 0.5]
)
def test_the_normal_quantile_has_no_step_down_where_its_formulas_meet(border):
    points = [border]
    for _ in range(50):
        points.insert(0, float(np.nextafter(points[0], 0)))
        points.append(float(np.nextafter(points[-1], 1)))
    values = np.array([normal_quantile(p) for p in points])
    assert (np.diff(values) >= -4 * np.spacing(np.abs(values[1:]))).all()


def test_exp_is_held_at_its_documented_ends():
    assert exp(1e9) == exp(700.0)
    assert exp(-1e9) == exp(-700.0)
    assert expm1(-1e9) == -1.0
