"""Features of smart flow: every knotted quantity is cut into triangles that sum to one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.flow_features import AXES, FEATURE_NAMES, FEATURES, QUANTITIES, QUANTITY_NAMES
from tests.oracles.smart_flow_verdicts import triangle

KNOTTED = [one for one in QUANTITIES if one.knots]


@pytest.mark.parametrize("quantity", KNOTTED, ids=lambda one: one.name)
def test_knots_ascend_within_the_bounds(quantity):
    assert list(quantity.knots) == sorted(set(quantity.knots))
    assert quantity.low <= quantity.knots[0]
    assert quantity.knots[-1] <= quantity.high


@pytest.mark.parametrize("quantity", KNOTTED, ids=lambda one: one.name)
@given(data=st.data())
def test_triangles_over_the_knots_sum_to_one_everywhere(quantity, data):
    value = data.draw(st.floats(quantity.low, quantity.high))
    heights = [triangle(value, quantity.knots, place) for place in range(len(quantity.knots))]
    assert sum(heights) == pytest.approx(1.0, abs=1e-12)
    assert 1 <= sum(height > 0 for height in heights) <= 2


@pytest.mark.parametrize("quantity", KNOTTED, ids=lambda one: one.name)
def test_at_a_knot_its_own_triangle_alone_counts(quantity):
    for place, knot in enumerate(quantity.knots):
        heights = [triangle(knot, quantity.knots, k) for k in range(len(quantity.knots))]
        assert heights == [float(k == place) for k in range(len(quantity.knots))]


def test_a_quantity_has_a_feature_for_each_knot_or_one_for_itself():
    counts = Counter(one.quantity for one in FEATURES)
    assert [counts[place] for place in range(len(QUANTITIES))] == [
        max(len(one.knots), 1) for one in QUANTITIES
    ]
    for one in FEATURES:
        quantity = QUANTITIES[one.quantity]
        suffix = f"_{one.knot}" if quantity.knots else ""
        assert one.name == f"{quantity.name}{suffix}"
        assert (one.knot >= 0) is bool(quantity.knots)


def test_names_are_unique_and_every_axis_has_a_quantity():
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    assert len(set(QUANTITY_NAMES)) == len(QUANTITY_NAMES) == 37
    assert {one.axis for one in QUANTITIES} == set(AXES)
    assert all(one.low < one.high for one in QUANTITIES)
