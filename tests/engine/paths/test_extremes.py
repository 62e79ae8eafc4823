"""Highs, lows and volumes have their documented laws, bar by bar.

Each column is carried back to the draw it came from, on a grid so fine that rounding
does not show, and the draws are compared with their law by Kolmogorov and Smirnov.
Laws of the path itself are in test_calibration.py.
"""

import numpy as np
import pytest
from scipy.stats import kstest

from engine.paths import Bars, simulate
from tests.engine.paths.markets import FAMILIES, PLAIN, load, moments

BARS = 60_000
SEED = 13
LEVEL = 0.001 / 24  # one in a thousand over all tests here
FINE = {"start_price": 1e8, "tick_size": 0.01, "duration_bars": BARS, "volume_model": "lognormal"}
VOLUME = {"mean_lots": 1e8, "sigma": 0.4, "response": 0.6}
STEADY = {
    **{family: doc["params"] for family, doc in PLAIN.items()},
    "trend": {"drift": 0.1, "sigma": 30.0},
    "level_revert": {"kappa": 0.05, "sigma": 25.0, "level": 1.05e8},
    "mean_revert": {"kappa": 0.2, "theta": 0.01, "sigma": 8.0},
    "vol_cluster": {"omega": 2.0, "alpha": 0.08, "beta": 0.9, "mu": 0.0},
    "shock_mix": {"p_jump": 0.03, "jump_mu": 0.1, "jump_sigma": 80.0},
}


@pytest.fixture(scope="module", params=FAMILIES)
def market(request) -> tuple[Bars, dict[str, np.ndarray]]:
    doc = {**PLAIN[request.param], **FINE, "volume": VOLUME, "params": STEADY[request.param]}
    return simulate(load(doc), SEED), moments(load(doc), SEED)


def uniforms(bars: Bars, sigma: np.ndarray, extreme: np.ndarray) -> np.ndarray:
    """Invert the law of an extreme of the bridge: U = exp(−2(m − a)(m − b)/σ²)."""
    a, b, m = (np.log(column) for column in (bars.open_ticks, bars.close_ticks, extreme))
    return np.exp(-2 * (m - a) * (m - b) / sigma**2)


def test_highs_have_their_analytic_law(market):
    bars, hidden = market
    assert kstest(uniforms(bars, hidden["sigma"], bars.high_ticks), "uniform").pvalue > LEVEL


def test_lows_have_their_analytic_law(market):
    bars, hidden = market
    assert kstest(uniforms(bars, hidden["sigma"], bars.low_ticks), "uniform").pvalue > LEVEL


def test_a_deviation_wrong_by_two_per_cent_would_be_noticed(market):
    bars, hidden = market
    for wrong in (0.98, 1.02):
        found = uniforms(bars, wrong * hidden["sigma"], bars.high_ticks)
        assert kstest(found, "uniform").pvalue < LEVEL


def test_the_draws_of_high_low_and_return_are_independent(market):
    bars, hidden = market
    u = uniforms(bars, hidden["sigma"], bars.high_ticks)
    v = uniforms(bars, hidden["sigma"], bars.low_ticks)
    z = (hidden["r"] - hidden["mu"]) / hidden["sigma"]
    for one, other in ((u, v), (u, z), (v, z), (u[1:], u[:-1])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / np.sqrt(BARS)


def test_returns_around_their_expectation_are_normal(market):
    bars, hidden = market
    r = np.log(bars.close_ticks / bars.open_ticks)
    assert kstest((r - hidden["mu"]) / hidden["sigma"], "norm").pvalue > LEVEL


def test_log_volume_rises_with_the_move_and_has_its_deviation(market):
    bars, hidden = market
    move = np.abs(hidden["r"] + hidden["gap"]) / hidden["sigma"]
    mean = np.log(VOLUME["mean_lots"]) + VOLUME["response"] * np.minimum(move, 10)
    rest = (np.log(bars.volume_lots) - mean) / VOLUME["sigma"]
    assert abs(rest.mean()) < 4.5 / np.sqrt(BARS)
    assert abs(rest.std() - 1) < 4.5 / np.sqrt(2 * BARS)
    assert kstest(rest, "norm").pvalue > LEVEL


@pytest.mark.parametrize("family", FAMILIES)
def test_constant_volume_is_constant(family):
    doc = {**PLAIN[family], "volume_model": "const", "volume": {"mean_lots": 41.5}}
    assert set(simulate(load(doc), 3).volume_lots.tolist()) == {42}
