"""Percentiles, their errors and numbers of paths follow docs/validation.md.

The oracle is tests/oracles/montecarlo.py; the paths are tested in test_kernels.py.
"""

import math

import numpy as np
import pytest

from contracts.validation import MONTE_CARLO_STATISTICS
from engine.montecarlo.percentiles import (
    NO_LOSS,
    OVERFLOW,
    UNDEFINED,
    estimates,
    more_paths,
    percentile,
    standard_error,
)
from tests.oracles import montecarlo as oracle

INF = math.inf
PERCENTS = (5, 50, 95)


def paths_of(count, factors=None):
    """Statistics of some paths, drawn without a series."""
    rng = np.random.default_rng(count)
    paths = np.array(
        [
            rng.normal(0, 1, count),
            -rng.random(count),
            rng.random(count) * 2,
            rng.normal(0, 1, count),
        ]
    )
    if factors is not None:
        paths[2] = factors
    return paths


@pytest.mark.parametrize("percent", PERCENTS)
@pytest.mark.parametrize("count", [1, 2, 20, 21, 100, 101, 999, 2_000])
def test_percentiles_and_their_errors_are_the_oracles(count, percent):
    ordered = np.sort(np.random.default_rng(count).normal(0, 1, count))
    found = percentile(ordered, percent)
    assert found == pytest.approx(oracle.percentile(ordered.tolist(), percent), rel=1e-12)
    assert found == pytest.approx(np.percentile(ordered, percent), rel=1e-12)
    wanted = oracle.standard_error(ordered.tolist(), percent)
    assert standard_error(ordered, percent) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("infinite", [0, 1, 19, 20, 21, 100])
@pytest.mark.parametrize("percent", PERCENTS)
def test_an_infinite_neighbour_makes_a_percentile_infinite(percent, infinite):
    values = [float(i) for i in range(101 - infinite)] + [INF] * infinite
    assert percentile(np.array(values), percent) == oracle.percentile(values, percent)


def test_the_error_of_a_percentile_is_its_deviation_over_samples():
    """The median and a tail of normal samples; places rounded outwards widen it by a little."""
    for percent, density in ((50, 0.3989), (5, 0.1031)):
        share = percent / 100
        true = math.sqrt(share * (1 - share) / 4_000) / density
        errors = [
            standard_error(np.sort(np.random.default_rng(seed).normal(0, 1, 4_000)), percent)
            for seed in range(50)
        ]
        assert np.mean(errors) == pytest.approx(true, rel=0.08)


def test_all_statistics_come_in_their_order():
    found = estimates(paths_of(200), 0.5)
    assert tuple(found) == MONTE_CARLO_STATISTICS
    assert found["sharpe_p5"].value < found["sharpe_p50"].value < found["sharpe_p95"].value
    assert all(one.reason == "" and one.error > 0 for one in found.values())


def test_shares_are_of_all_paths_and_ruin_includes_its_border():
    paths = paths_of(4)
    paths[1] = [-0.5, -0.4999, -0.6, 0.0]
    paths[3] = [-0.1, 0.0, 0.2, 0.3]
    found = estimates(paths, 0.5)
    assert found["probability_of_loss"].value == 0.25
    assert found["probability_of_ruin"].value == 0.5
    assert found["probability_of_loss"].error == pytest.approx(math.sqrt(0.25 * 0.75 / 4))


def test_paths_that_never_move_are_left_out_of_the_profit_factor():
    found = estimates(paths_of(5, [math.nan, 1.0, math.nan, 3.0, 2.0]), 0.5)
    assert found["profit_factor_p5"].value == pytest.approx(1.1)
    assert found["profit_factor_p5"].scale == pytest.approx(1.0)


def test_an_undefined_or_infinite_profit_factor_is_null_with_its_reason():
    for factors, reason in ((math.nan, UNDEFINED), (INF, NO_LOSS), ([INF, math.nan], NO_LOSS)):
        found = estimates(paths_of(2, factors), 0.5)["profit_factor_p5"]
        assert (found.value, found.error, found.reason) == (None, None, reason)
        assert found.excess(0.001) == 0.0


def test_a_finite_profit_factor_among_infinite_ones_waits_for_nothing():
    factors = np.where(np.arange(100) < 50, np.linspace(1, 2, 100), INF)
    found = estimates(paths_of(100, factors), 0.5)["profit_factor_p5"]
    assert 1.0 < found.value < 2.0
    assert found.error > 0.0
    assert found.excess(1e-9) == 0.0


def test_what_is_infinite_but_no_profit_factor_has_overflown():
    paths = paths_of(40)
    paths[3] = INF
    found = estimates(paths, 0.5)
    assert (found["total_return_p50"].value, found["total_return_p50"].reason) == (None, OVERFLOW)
    assert found["sharpe_p50"].value is not None


def test_a_statistic_that_differs_by_rounding_alone_does_not_deviate():
    paths = np.full((4, 100), 0.1)
    paths[:, ::3] = np.nextafter(0.1, 1)
    assert all(one.excess(1e-9) == 0.0 for one in list(estimates(paths, 0.5).values())[:7])


def test_the_excess_is_the_error_over_what_is_allowed():
    paths = paths_of(2_000)
    found = estimates(paths, 0.5)
    deviation = float(np.std(paths[0], ddof=1))
    assert found["sharpe_p5"].excess(0.01) == pytest.approx(
        found["sharpe_p5"].error / (0.01 * deviation)
    )
    assert found["probability_of_loss"].excess(0.01) == found["probability_of_loss"].error / 0.01


@pytest.mark.parametrize(
    ("paths", "excess", "max_paths", "wanted"),
    [
        (2_000, 1.01, 200_000, 3_000),
        (2_000, 1.5, 200_000, 5_000),
        (2_000, 9.0, 200_000, 8_000),
        (8_000, 5.0, 9_500, 9_500),
        (8_000, 1.0000001, 200_000, 9_000),
        (2_000, 3.0, 2_000, 2_000),
    ],
)
def test_paths_grow_as_the_excess_asks(paths, excess, max_paths, wanted):
    assert more_paths(paths, excess, max_paths) == wanted
    assert oracle.next_count(paths, excess, max_paths) == wanted
