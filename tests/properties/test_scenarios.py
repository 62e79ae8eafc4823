"""Scenario documents at random are valid, of every family, and the same on every run.

What the engine makes of them is tested in tests/engine/paths/test_guards.py.
"""

import pytest
from hypothesis import given, settings

from tests.engine.paths.markets import load
from tests.properties.scenarios import FAMILIES, documents, grid


@settings(max_examples=150, derandomize=True)
@given(documents())
def test_a_drawn_document_is_accepted_by_the_contract(doc):
    assert load(doc).family == doc["family"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_point_of_a_grid_is_another_valid_document(family):
    points = grid(family, 100)
    assert len({load(doc).scenario_hash for doc in points}) == 100
    assert grid(family, 100) == points
