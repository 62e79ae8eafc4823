"""Every market either keeps all guards or is refused by name and bar; nothing else happens.

The guards are checked by tests/oracles/guards.py on the stored integers. Guards on
datasets that somebody changed are in test_audit.py.
"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import UnrepresentableError
from engine.paths import audit, simulate
from tests.engine.paths.markets import FAMILIES, columns, load
from tests.engine.paths.test_agreement import disagreements
from tests.oracles.guards import first_broken
from tests.oracles.paths import realise
from tests.properties.scenarios import documents, grid, wild_documents

POINTS = 400
LOTS_OF_64_BITS = 2.0**62


def kept(doc: dict, seed: int) -> bool:
    """Check one market against the oracle; return whether it was kept."""
    spec = load(doc)
    market = realise(doc, seed)
    try:
        bars = simulate(spec, seed)
    except UnrepresentableError as refusal:
        assert refusal.code == "SCENARIO_UNREPRESENTABLE"
        assert refusal.hints
        bar = int(re.fullmatch(r"bar (\d+)", refusal.loc)[1])
        assert f"at bar {bar}" in refusal.message
        if "volume" in refusal.message:
            assert market.volume[bar] >= LOTS_OF_64_BITS
        else:
            assert bar == market.broken
        return False
    assert market.broken is None
    found = columns(bars)
    assert first_broken(doc, market, found) is None
    audit(spec, seed, bars)
    disagreements(found, market)
    return True


@pytest.mark.parametrize("family", FAMILIES)
def test_every_point_of_a_wide_grid_keeps_all_guards_or_is_refused(family):
    outcomes = [kept(doc, 1000 + i) for i, doc in enumerate(grid(family, POINTS))]
    assert len(outcomes) == POINTS
    assert outcomes.count(True) >= POINTS // 4
    assert outcomes.count(False) >= POINTS // 20


@pytest.mark.parametrize("family", FAMILIES)
def test_sensible_markets_keep_all_guards_or_are_refused(family):
    @settings(max_examples=40, derandomize=True)
    @given(documents(family), st.integers(0, 2**63 - 1))
    def every(doc, seed):
        kept(doc, seed)

    every()


@pytest.mark.parametrize("family", FAMILIES)
def test_absurd_numbers_keep_all_guards_or_are_refused(family):
    @settings(max_examples=100, derandomize=True)
    @given(wild_documents(family), st.integers(0, 2**63 - 1))
    def every(doc, seed):
        kept(doc, seed)

    every()
