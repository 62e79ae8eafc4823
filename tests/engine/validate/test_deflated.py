"""Deflated Sharpe ratio: the published example, the oracle, and where it is not defined."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.validate import (
    deflated_sharpe,
    expected_maximum_sharpe,
    null_variance,
    probabilistic_sharpe,
)
from tests.oracles import validation as oracle

# Bailey and López de Prado 2014, section "A numerical example": years of 250 days.
SHARPE, RETURNS, SKEWNESS, KURTOSIS, VARIANCE = 2.5 / math.sqrt(250), 1250, -3.0, 10.0, 0.5 / 250


def test_the_published_example_is_met():
    assert expected_maximum_sharpe(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)
    found = [
        deflated_sharpe(SHARPE, RETURNS, SKEWNESS, KURTOSIS, candidates, VARIANCE)
        for candidates in (100, 46)
    ]
    assert found == pytest.approx([0.9004, 0.9505], abs=5e-5)


@given(
    st.floats(-0.5, 0.5),
    st.integers(2, 100_000),
    st.floats(-3, 3),
    st.floats(1.1, 30),
    st.integers(1, 100_000),
    st.floats(0, 0.1),
)
def test_it_is_what_the_oracle_finds(sharpe, returns, skewness, excess, candidates, variance):
    kurtosis = skewness**2 + excess
    benchmark = oracle.expected_best(variance, candidates)
    wanted = oracle.probabilistic_sharpe(sharpe, benchmark, returns, skewness, kurtosis)
    assert expected_maximum_sharpe(candidates, variance) == pytest.approx(
        benchmark, rel=1e-9, abs=1e-12
    )
    found = deflated_sharpe(sharpe, returns, skewness, kurtosis, candidates, variance)
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_every_candidate_of_a_matrix_is_deflated_as_the_oracle_does():
    rng = np.random.default_rng(11)
    candidates = [[rng.standard_t(5, 150), rng.normal(0.1, 1, 90)] for _ in range(7)]
    wanted = oracle.deflated_sharpe(candidates)
    ratios = np.array([one["sharpe"] for one in wanted])
    variance = max(float(ratios.var(ddof=1)), null_variance(240))
    for one in wanted:
        shape = one["skewness"], one["kurtosis"]
        found = deflated_sharpe(one["sharpe"], 240, *shape, 7, variance)
        assert found == pytest.approx(one["dsr"], rel=1e-9)


def test_one_candidate_is_not_deflated():
    assert expected_maximum_sharpe(1, 5.0) == 0.0
    assert deflated_sharpe(0.1, 100, 0.0, 3.0, 1, 5.0) == probabilistic_sharpe(
        0.1, 0.0, 100, 0.0, 3.0
    )


def test_more_candidates_and_more_variance_deflate_more():
    maxima = [expected_maximum_sharpe(count, 1.0) for count in (1, 2, 3, 10, 1000, 10**9)]
    assert maxima == sorted(set(maxima))
    assert expected_maximum_sharpe(50, 4.0) == pytest.approx(2 * expected_maximum_sharpe(50, 1.0))
    assert expected_maximum_sharpe(50, 0.0) == 0.0


def test_a_ratio_at_the_benchmark_is_as_likely_as_not():
    assert probabilistic_sharpe(0.2, 0.2, 1000, -1.0, 9.0) == 0.5


@pytest.mark.parametrize(
    ("sharpe", "skewness", "kurtosis"),
    [
        (1.0, 2.0, 5.0),  # two values only: the radicand is 0
        (1.0, 3.0, 5.0),
        (0.1, math.nan, 3.0),
        (math.nan, 0.0, 3.0),
        (0.1, 0.0, math.inf),
    ],
)
def test_moments_that_give_no_variance_give_no_probability(sharpe, skewness, kurtosis):
    assert probabilistic_sharpe(sharpe, 0.0, 100, skewness, kurtosis) is None
    assert deflated_sharpe(sharpe, 100, skewness, kurtosis, 10, 0.01) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: probabilistic_sharpe(0.1, 0.0, 1, 0.0, 3.0),
        lambda: null_variance(1),
        lambda: deflated_sharpe(0.1, 0, 0.0, 3.0, 10, 0.1),
        lambda: expected_maximum_sharpe(0, 0.1),
        lambda: expected_maximum_sharpe(3, -0.1),
        lambda: expected_maximum_sharpe(3, math.nan),
        lambda: expected_maximum_sharpe(3, math.inf),
    ],
)
def test_what_is_not_defined_is_refused_with_a_hint(call):
    with pytest.raises(ContractError, match="SHARPE_UNDEFINED") as refused:
        call()
    assert refused.value.hints
