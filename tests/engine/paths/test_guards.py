"""Every market either keeps all guards or is refused by name and bar; nothing else happens.

The guards are checked by tests/oracles/guards.py on the stored integers. Guards on
datasets that somebody changed are in test_audit.py.
"""

import re

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError, UnrepresentableError
from engine.paths import Bars, audit, simulate
from tests.engine.paths.markets import FAMILIES, PLAIN, columns, load
from tests.engine.paths.test_agreement import disagreements
from tests.oracles.guards import first_broken
from tests.oracles.paths import Market, realise
from tests.properties.scenarios import documents, grid, wild_documents

POINTS = 128  # a power of two: a Sobol sequence is balanced only there
NO_SHRINKING = (Phase.explicit, Phase.generate)  # an example is short, a shrink is a minute
LOTS_OF_64_BITS = 2.0**62
# moves of many deviations, so that the volume's answer to them is at its cap
STEEP = {
    "trend": {"drift": 1.0, "sigma": 0.01},
    "mean_revert": {"kappa": 1.0, "theta": 1.0, "sigma": 0.01},
    "level_revert": {"kappa": 0.01, "sigma": 0.01, "level": 200.0},
    "vol_cluster": {"omega": 1e-4, "alpha": 0.0, "beta": 0.0, "mu": 1.0},
    "shock_mix": {"p_jump": 0.9, "jump_mu": 1.0, "jump_sigma": 0.0, "sigma": 0.01},
    "regime_switch": {
        "regimes": [{"drift": 1.0, "sigma": 0.01}, {"drift": -1.0, "sigma": 0.01}],
        "transition": [[0.5, 0.5], [0.5, 0.5]],
    },
}


def accepted(doc: dict) -> bool:
    """Whether the contract lets a document pass at all."""
    try:
        load(doc)
    except ContractError:
        return False
    return True


def outcome(doc: dict, seed: int) -> Bars | UnrepresentableError:
    try:
        return simulate(load(doc), seed)
    except UnrepresentableError as refusal:
        return refusal


def kept(doc: dict, seed: int) -> bool:
    """Check one market against the oracle; return whether it was kept."""
    market = realise(doc, seed)
    made = outcome(doc, seed)
    if isinstance(made, UnrepresentableError):
        check_refusal(made, market)
        return False
    assert market.broken is None
    found = columns(made)
    assert first_broken(doc, market, found) is None
    audit(load(doc), seed, made)
    disagreements(found, market)
    return True


def check_refusal(refusal: UnrepresentableError, market: Market) -> None:
    assert refusal.code == "SCENARIO_UNREPRESENTABLE"
    assert refusal.hints
    assert re.fullmatch(r"bar \d+", refusal.loc)
    bar = int(refusal.loc.removeprefix("bar "))
    assert f"at bar {bar}" in refusal.message
    if "volume" in refusal.message:
        assert market.volume[bar] >= LOTS_OF_64_BITS
        assert all(volume < LOTS_OF_64_BITS for volume in market.volume[:bar])
        return
    assert bar == market.broken


def undecided(doc: dict, seed: int = 1) -> int:
    """Count prices that only a last bit decides; the contract or the engine may refuse them all."""
    try:
        found = columns(simulate(load(doc), seed))
    except ContractError:
        return 0
    market = realise(doc, seed)
    assert market.broken is None
    return disagreements(found, market)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_point_of_a_wide_grid_keeps_all_guards_or_is_refused(family):
    outcomes = [kept(doc, 1000 + i) for i, doc in enumerate(grid(family, POINTS))]
    assert len(outcomes) == POINTS
    assert outcomes.count(True) >= POINTS // 4
    assert outcomes.count(False) >= POINTS // 20


@pytest.mark.parametrize("family", FAMILIES)
def test_a_volume_beyond_64_bits_is_refused_at_its_bar(family):
    volume = {"mean_lots": 1e9, "sigma": 3.0, "response": 2.0}
    doc = {**PLAIN[family], "volume": volume, "params": STEEP[family], "duration_bars": 100}
    outcomes = [kept(doc, seed) for seed in range(20)]
    assert not any(outcomes)


@pytest.mark.parametrize(
    ("start", "tick"),
    [
        (1e305, 1e302),
        (1e-303, 1e-306),
        (1e-304, 1e-307),
        (1e-310, 1e-313),
        (1.7e308, 1e300),
        (5e-324, 5e-324),
        (1.0, 5e-324),
        (5e-324, 1.0),
    ],
)
def test_prices_at_the_ends_of_a_double_are_right_or_refused(start, tick):
    for family in ("trend", "shock_mix"):
        doc = {**PLAIN[family], "start_price": start, "tick_size": tick, "duration_bars": 100}
        assert undecided(doc) <= 1


@pytest.mark.parametrize("level", [5e-324, 1e-310, 1e-300, 1e300, 1.7e308])
def test_a_level_at_the_ends_of_a_double_is_right_or_refused(level):
    params = {"kappa": 1e-6, "sigma": 20.0, "level": level}
    assert undecided({**PLAIN["level_revert"], "params": params, "duration_bars": 100}) <= 1


@pytest.mark.parametrize("side", [-1, 1])
def test_the_first_bar_that_breaks_a_guard_is_the_one_named(side):
    start = 100.4 if side < 0 else 1e12 - 1e8
    doc = {**PLAIN["trend"], "start_price": start, "tick_size": 1.0}
    outcomes = [kept({**doc, "params": {"drift": side, "sigma": 5.0}}, seed) for seed in range(20)]
    assert not any(outcomes)


@pytest.mark.parametrize("family", FAMILIES)
def test_sensible_markets_keep_all_guards_or_are_refused(family):
    outcomes = []

    @settings(max_examples=40, derandomize=True, phases=NO_SHRINKING)
    @given(documents(family), st.integers(0, 2**63 - 1))
    def every(doc, seed):
        outcomes.append(kept(doc, seed))

    every()
    assert outcomes.count(True) >= 20


@pytest.mark.parametrize("family", FAMILIES)
def test_absurd_numbers_keep_all_guards_or_are_refused(family):
    outcomes = []

    @settings(max_examples=100, derandomize=True, phases=NO_SHRINKING)
    @given(wild_documents(family), st.integers(0, 2**63 - 1))
    def every(doc, seed):
        outcomes.append(accepted(doc) and kept(doc, seed))

    every()
    assert outcomes.count(False) >= 20
