"""Figures of a scorecard: on samples of known law, and against SciPy and NumPy."""

import math

import numpy as np
import pytest
import scipy.stats

from engine.tapes.market import scorecard_figures as figures
from engine.tapes.market.kernels_scorecard import log_bin
from engine.tapes.market.scorecard_layout import RETURN_ONE, TAIL_BINS

RNG = np.random.default_rng(11)


def binned(values, zero):
    found = np.zeros(TAIL_BINS, dtype=np.int64)
    for value in values:
        found[log_bin(float(value), zero)] += 1
    return found


def powers(values):
    return np.array([(values**k).sum() for k in range(5)] + [np.abs(values).sum()])


@pytest.mark.parametrize("index", [1.3, 1.6, 2.2, 4.0])
def test_the_tail_index_of_a_pareto_law_is_found(index):
    sample = RNG.pareto(index, 40_000) + 1.0
    assert figures.hill(binned(sample, 0), 0.05) == pytest.approx(index, rel=0.08)


def test_the_tail_index_is_that_of_the_largest_values_alone():
    body = RNG.uniform(0.1, 1.0, 95_000)
    tail = RNG.pareto(2.0, 5_000) + 1.0
    found = figures.hill(binned(np.concatenate([body, tail]), RETURN_ONE), 0.05)
    assert found == pytest.approx(2.0, rel=0.1)
    assert math.isnan(figures.hill(np.zeros(TAIL_BINS, dtype=np.int64), 0.05))


def test_tails_of_symbols_are_laid_on_each_other_by_their_deviations():
    sample = np.abs(RNG.standard_t(3, 20_000))
    rows = np.stack([binned(sample * scale, RETURN_ONE) for scale in (1.0, 8.0, 0.3)])
    scales = np.array([1.0, 8.0, 0.3]) * math.sqrt(3.0)
    together = figures.aligned_tails(rows, scales)
    assert together.sum() == 60_000
    one = figures.hill(rows[0], 0.05)
    assert figures.hill(together, 0.05) == pytest.approx(one, rel=0.03)
    silent = figures.aligned_tails(rows, np.array([0.0, math.nan, 1.0]))
    assert silent.sum() == 20_000


@pytest.mark.parametrize("law", ["normal", "laplace", "standard_t"])
def test_kurtosis_is_scipys(law):
    sample = getattr(RNG, law)(*([5] if law == "standard_t" else []), size=5_000) + 0.3
    found, n = figures.excess_kurtosis(powers(sample))
    assert found == pytest.approx(scipy.stats.kurtosis(sample), rel=1e-9)
    assert n == 5_000


def test_kurtosis_of_symbols_does_not_see_their_different_deviations():
    samples = [RNG.normal(0, scale, 20_000) for scale in (1.0, 50.0)]
    rows = np.stack([powers(sample) for sample in samples])
    assert abs(figures.pooled_kurtosis(rows)) < 0.1
    assert scipy.stats.kurtosis(np.concatenate(samples)) > 2.0
    assert math.isnan(figures.pooled_kurtosis(np.zeros((2, 6))))
    assert math.isnan(figures.excess_kurtosis(powers(np.full(9, 2.0)))[0])


def test_correlation_is_numpys_and_undefined_where_nothing_varies():
    x = RNG.normal(5, 2, 400)
    y = 0.3 * x + RNG.normal(0, 1, 400)

    def sums(x, y):
        return np.array([len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()])

    assert figures.correlation(sums(x, y)) == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-9)
    assert math.isnan(figures.correlation(sums(x, np.full(400, 0.1))))
    assert math.isnan(figures.correlation(sums(x[:2], y[:2])))


@pytest.mark.parametrize("freedom", [2, 4, 58])
@pytest.mark.parametrize("x", [0.0, 1.0, 30.0, 58.0, 120.0, 400.0])
def test_the_tail_of_a_chi_square_is_scipys(x, freedom):
    expected = scipy.stats.chi2.sf(x, freedom)
    assert figures.chi_square_tail(x, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-290)


def test_a_chi_square_that_is_out_of_reach_has_no_tail():
    assert figures.chi_square_tail(1e6, 58) == 0.0


def test_p_values_of_the_joint_test_are_uniform_under_a_martingale_and_small_without():
    ps, low = [], []
    for _ in range(300):
        z = RNG.standard_t(4, 500) * np.exp(0.5 * np.sin(np.arange(500) / 60))
        for values, found in ((z, ps), (z[5:] + 0.5 * z[:-5], low)):
            joint = []
            for lag in range(1, 61):
                product = values[:-lag] * values[lag:]
                joint.append((product.sum(), (product**2).sum()))
            found.append(figures.joint_test(np.array(joint), 3))
    assert scipy.stats.kstest(ps, "uniform").pvalue > 1e-3
    assert np.median(low) < 1e-3
    assert math.isnan(figures.joint_test(np.zeros((60, 2)), 3))


@pytest.mark.parametrize("exponent", [0.3, 0.5, 0.8])
def test_the_exponent_of_a_power_law_is_found(exponent):
    acf = 0.3 * np.arange(1.0, 101.0) ** -exponent
    assert figures.decay_exponent(acf) == pytest.approx(exponent, rel=0.02)


def test_a_decay_below_zero_is_faster_than_any_power():
    acf = 0.3 * np.arange(1.0, 101.0) ** -0.5
    acf[64:] = -0.001
    assert figures.decay_exponent(acf) == math.inf
    assert math.isnan(figures.decay_exponent(np.full(100, math.nan)))


def test_rates_are_shares_over_the_stated_ones():
    assert figures.rate(3, 100, 0.06) == pytest.approx(0.5)
    assert figures.rate(0, 100, 0.0) == 1.0
    assert figures.rate(1, 100, 0.0) == math.inf
    assert math.isnan(figures.rate(0, 0, 0.1))
    assert math.isnan(figures.rate(0, 0, 0.0))


def test_means_pass_over_what_is_not_known():
    assert figures.mean_of([1.0, math.nan, 3.0]) == 2.0
    assert math.isnan(figures.mean_of([math.nan]))
    assert math.isnan(figures.ratio(1.0, 0.0))
