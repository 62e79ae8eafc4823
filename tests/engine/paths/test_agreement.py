"""Bars of the engine are the bars of docs/scenarios.md, made another way.

The oracle is tests/oracles/paths.py. That bars are the same on every run is in
test_determinism.py, that they have the right law in test_calibration.py.
"""

import math
from functools import cache

import numpy as np
import pytest

from engine.paths import simulate
from tests.engine.paths.markets import CASES, columns, load, moments
from tests.oracles.guards import first_broken
from tests.oracles.paths import Market, realise, stationary_law

SEEDS = (0, 7, 2**63 - 1)
NEAR_BOUNDARY = 1e-9


@cache
def expected(name: str, seed: int) -> Market:
    return realise(CASES[name], seed)


def on_boundary(value: float) -> bool:
    """Whether a value lies so near a half that a last bit decides how it is rounded."""
    return abs(value - math.floor(value) - 0.5) < NEAR_BOUNDARY * value


def disagreements(found: dict[str, list[int]], market: Market) -> int:
    """Count differing integers, all of which must be of one tick and undecidable.

    Volumes beyond 10⁹ lots may differ by 1e-9 of themselves: near one a double holds the
    uniform of a volume only to 2⁻⁵⁴, which the slope of its quantile widens.
    """
    wanted = {name: getattr(market, name) for name in found}
    count = 0
    for name, column in found.items():
        assert len(column) == len(wanted[name])
        for t, (mine, other) in enumerate(zip(column, wanted[name], strict=True)):
            if mine == other:
                continue
            unrounded = (*market.prices[t], market.volume[t])
            allowed = max(1, 1e-9 * other) if name == "volume_lots" else 1
            assert abs(mine - other) <= allowed, f"{name} of bar {t}: {mine}, not {other}"
            assert any(on_boundary(value) for value in unrounded), f"{name} of bar {t}"
            count += 1
    return count


@pytest.mark.parametrize("name", CASES)
def test_bars_equal_the_oracles_to_the_tick(name):
    undecided = 0
    for seed in SEEDS:
        found = columns(simulate(load(CASES[name]), seed))
        market = expected(name, seed)
        assert market.broken is None
        undecided += disagreements(found, market)
        assert first_broken(CASES[name], market, found) is None
    assert undecided <= 2


@pytest.mark.parametrize("name", CASES)
def test_expected_returns_deviations_and_labels_equal_the_oracles(name):
    spec = load(CASES[name])
    for seed in SEEDS:
        found = moments(spec, seed)
        market = expected(name, seed)
        np.testing.assert_allclose(found["mu"], market.mu, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found["sigma"], market.sigma, rtol=1e-12, atol=0)
        assert found["label"].tolist() == market.label
        assert simulate(spec, seed).label.tolist() == market.label


@pytest.mark.parametrize("start", [0.37, 1.0, 100.0, 12_345.678, 9.9e8])
@pytest.mark.parametrize("tick", [1e-5, 0.0025, 0.01, 0.25])
def test_prices_equal_the_oracles_on_every_grid_that_holds_them(start, tick):
    if not 200 < start / tick < 5e11:
        start = 300 * tick
    for name in ("plain trend", "plain shock_mix"):
        doc = {**CASES[name], "start_price": start, "tick_size": tick, "duration_bars": 150}
        assert disagreements(columns(simulate(load(doc), 3)), realise(doc, 3)) <= 1


def test_a_price_is_rounded_but_the_path_behind_it_is_not():
    doc = {**CASES["plain trend"], "duration_bars": 2000}
    coarse = simulate(load({**doc, "tick_size": 0.5}), 4)
    fine = simulate(load({**doc, "tick_size": 0.5e-6}), 4)
    assert np.abs(coarse.close_ticks - fine.close_ticks / 1e6).max() <= 0.5 + 1e-6


def test_a_longer_scenario_begins_with_the_shorter_one():
    for doc in CASES.values():
        short = columns(simulate(load({**doc, "duration_bars": 130}), 9))
        long = columns(simulate(load({**doc, "duration_bars": 260}), 9))
        assert {name: column[:130] for name, column in long.items()} == short


def test_scenarios_of_one_family_share_their_draws():
    doc = CASES["plain trend"]
    calm = moments(load(doc), 6)
    wild = moments(load({**doc, "params": {"drift": -9.0, "sigma": 70.0}}), 6)
    z = (calm["r"] - calm["mu"]) / calm["sigma"]
    np.testing.assert_allclose((wild["r"] - wild["mu"]) / wild["sigma"], z, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "transition",
    [
        [[0.0, 1.0], [1.0, 0.0]],
        [[0.999999, 0.000001], [0.2, 0.8]],
        [[1 - 1e-12, 1e-12], [4e-12, 1 - 4e-12]],
        [[0.5, 0.5, 0.0], [0.0, 0.3, 0.7], [0.0, 0.6, 0.4]],
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
        [[1 / 3, 1 / 3, 1 / 3]] * 3,
        [[1.0, 1e-20], [1e-20, 1.0]],
    ],
)
def test_the_first_regime_has_the_exact_stationary_law(transition):
    from engine.paths.regime_switch import stationary_law as engines

    found = engines(np.array(transition))
    np.testing.assert_allclose(found, stationary_law(transition), rtol=1e-12, atol=1e-15)
