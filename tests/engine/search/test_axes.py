"""Axes of a strategy: what may be chosen, to the last decimal, and what is refused."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.strategy import strategy_from
from engine.search import Axis, axes
from tests.engine.search.ranged import RULES, between, ranged
from tests.properties import strategies

decimals = st.decimals(-1000, 1000, places=4)


def all_values(axis):
    return axis.at(np.arange(axis.count))


def test_steps_of_a_tenth_are_the_decimal_numbers():
    [axis] = axes(ranged(level=between(0.1, 1.0, 0.1)))
    assert all_values(axis).tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


@given(low=decimals, count=st.integers(1, 60), step=st.decimals("0.0001", 50, places=4))
def test_every_value_is_the_double_nearest_to_its_decimal(low, count, step):
    high = low + (count - 1) * step
    axis = Axis("level", float(low), float(high), float(step), is_integer=False)
    assert all_values(axis).tolist() == [float(low + k * step) for k in range(count)]


@given(low=decimals, width=st.decimals(0, 100, places=4), step=st.decimals("0.1", 50, places=4))
def test_the_last_value_is_the_last_that_is_not_above_the_bound(low, width, step):
    axis = Axis("level", float(low), float(low + width), float(step), is_integer=False)
    values = all_values(axis)
    assert low <= Decimal(repr(float(values[-1]))) <= low + width < low + len(values) * step


def test_numbers_too_long_for_exact_doubles_give_the_same_values_as_short_ones():
    long = Axis("level", 0.1000000000000001, 0.9000000000000001, 0.1, is_integer=False)
    wanted = [float(Decimal("0.1000000000000001") + k * Decimal("0.1")) for k in range(9)]
    assert all_values(long).tolist() == wanted


def test_a_range_of_bars_has_the_integers_inside_it():
    [axis] = axes(ranged(fast={"default": 3, "min": 2.5, "max": 5.9}))
    assert (axis.low, axis.high, axis.step, axis.is_integer) == (3.0, 5.0, 1.0, True)
    assert all_values(axis).tolist() == [3.0, 4.0, 5.0]


def test_a_range_of_bars_with_a_step_begins_at_its_lower_bound():
    [axis] = axes(ranged(slow=between(5, 19, 5)))
    assert all_values(axis).tolist() == [5.0, 10.0, 15.0]


def test_a_range_that_is_no_window_and_has_no_step_has_no_count():
    [axis] = axes(ranged(width=between(1, 2)))
    assert (axis.step, axis.count, axis.is_integer) == (None, None, False)


def test_a_range_of_one_value_has_that_value():
    [axis] = axes(ranged(width=between(1.5, 1.5)))
    assert (axis.count, all_values(axis).tolist()) == (1, [1.5])


def test_numbers_are_no_axis_and_axes_are_in_the_order_of_their_names():
    spec = ranged(width=between(1, 2), fast=between(2, 3), level=between(0, 1))
    assert [axis.name for axis in axes(spec)] == ["fast", "level", "width"]
    assert axes(ranged()) == ()


def test_a_window_that_simplification_removes_still_counts_bars():
    rules = [{"if": "1 > 0 or ma(close, fast) > 1", "then": "buy"}, *RULES[1:]]
    params = {"fast": between(2, 4), "width": 1}
    [axis] = axes(strategy_from({**strategies.document(rules), "params": params}))
    assert axis.is_integer


@given(share=st.floats(0, 1), low=st.floats(-1e300, 1e300), high=st.floats(-1e300, 1e300))
def test_a_share_of_the_way_lies_between_the_bounds(share, low, high):
    low, high = min(low, high), max(low, high)
    axis = Axis("level", low, high, None, is_integer=False)
    [value] = axis.spread(np.array([share])).tolist()
    assert low <= value <= high


def test_shares_reach_both_bounds_and_every_step_alike():
    plain = Axis("level", -0.1, 0.7, None, is_integer=False)
    assert plain.spread(np.array([0.0, 1.0])).tolist() == [-0.1, 0.7]
    stepped = Axis("level", 0.1, 0.4, 0.1, is_integer=False)
    values, counts = np.unique(stepped.spread(np.arange(1000) / 1000), return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([0.1, 0.2, 0.3, 0.4], [250] * 4)
    assert stepped.spread(np.array([1.0])).tolist() == [0.4]


@pytest.mark.parametrize(
    ("declared", "message", "hint"),
    [
        ({"default": 2.3, "min": 2.2, "max": 2.8}, "2.2 … 2.8 holds no integer", 'write "max": 3'),
        (between(2, 8, 1.5), "min 2 and step 1.5", 'write "min": 2 and "step": 2'),
        (between(2.5, 8, 2), "min 2.5 and step 2", 'write "min": 3 and "step": 2'),
        (between(2, 8, 0.25), "min 2 and step 0.25", 'write "min": 2 and "step": 1'),
    ],
)
def test_a_range_of_bars_without_integers_is_refused(declared, message, hint):
    with pytest.raises(ContractError, match=message) as refused:
        axes(ranged(fast=declared))
    assert (refused.value.code, refused.value.loc) == ("DSL_PARAM_OUT_OF_RANGE", "/params/fast")
    assert refused.value.hints == (hint,)


def test_the_hint_for_a_range_without_integers_mends_it():
    [axis] = axes(ranged(fast={"default": 2.3, "min": 2.2, "max": math.ceil(2.8)}))
    assert all_values(axis).tolist() == [3.0]


def test_a_range_with_more_values_than_can_be_counted_is_refused():
    with pytest.raises(ContractError, match="more than 2\\^53 values") as refused:
        axes(ranged(level=between(0, 1, 1e-17)))
    assert (refused.value.code, refused.value.loc) == ("SEARCH_TOO_LARGE", "/params/level")


def test_an_expression_that_is_wrong_is_refused_as_when_it_compiles():
    rules = [{"if": "close > mean(close, fast)", "then": "buy"}, *RULES[1:]]
    with pytest.raises(ContractError) as refused:
        axes(strategy_from({**strategies.document(rules), "params": {"fast": between(2, 3)}}))
    assert (refused.value.code, refused.value.loc[:11]) == ("DSL_UNSUPPORTED_FUN", "/rules/0/if")
