"""The oracles of the market's flow on cases that can be done by hand."""

import math

import numpy as np
import pytest

from tests.oracles import market_flow as oracle


def test_without_children_the_integral_is_the_base_times_the_time():
    base = np.array([1.0, 3.0, 2.0])
    found = oracle.compensators(np.array([0.5, 2.25]), base, [])
    assert found == pytest.approx([0.5, 0.5 + 3.0 + 0.5])


def test_a_child_is_expected_as_its_parent_fades():
    found = oracle.compensators(np.array([1.0, 2.0]), np.zeros(3), [(0.5, math.log(2.0))])
    assert found == pytest.approx([0.0, 0.25])
    far = oracle.compensators(np.array([0.0, 1e3]), np.zeros(1001), [(0.5, 1.0)])
    assert far[1] == pytest.approx(0.5)


def test_the_rarest_profile_is_raised_most_and_never_above_the_limit():
    counts = {"a": 4, "b": 2, "c": 0}
    found = oracle.boosts(counts, 20, assisted=True)
    assert found == {"a": 1.0, "b": 1.28, "c": 1.86}
    assert oracle.boosts(counts, 20, assisted=False) == dict.fromkeys(counts, 1.0)
    assert oracle.boosts({"a": 0, "b": 0}, 10, assisted=True) == {"a": 1.0, "b": 1.0}
    # 1 + 0.56 + 0.14 + 0.22, a mean of one
    assert oracle.boosts({"a": 2, "b": 0}, 30, assisted=True)["b"] == pytest.approx(1.8648 - 0.0048)


def test_deltas_of_call_and_put_differ_by_one():
    call = oracle.delta(100.0, 100.0, 1.0, 0.2, is_put=False)
    assert call == pytest.approx(0.5398278)
    assert oracle.delta(100.0, 100.0, 1.0, 0.2, is_put=True) == pytest.approx(call - 1.0)


def test_groups_begin_where_the_gap_is_wide():
    assert list(oracle.groups(np.array([1, 2, 10, 12, 30]), 3)) == [1, 10, 30]


def test_the_last_value_is_that_at_or_before():
    times, values = np.array([10, 20]), np.array([1.0, 2.0])
    assert list(oracle.last_at(times, values, np.array([5, 10, 19, 20]))) == [1.0, 1.0, 1.0, 2.0]
