"""The grid against itertools.product, and what is too large for it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.search.axes import axes
from engine.search.grid import Grid
from tests.engine.search.ranged import any_ranges, between, ranged


def rows(values):
    return list(zip(*(column.tolist() for column in values.values()), strict=True))


def one_by_one(axis, points):
    """Values of an axis, by another way."""
    if axis.count is not None:
        return [axis.at(np.array([k])).item() for k in range(axis.count)]
    even = np.linspace(axis.low, axis.high, points)
    return even.tolist()


@given(any_ranges.filter(bool), st.integers(2, 4))
def test_the_grid_is_the_product_of_all_values_with_the_last_name_fastest(ranges, points):
    found = axes(ranged(**ranges))
    grid = Grid(found, points)
    wanted = list(itertools.product(*(one_by_one(axis, points) for axis in found)))
    assert grid.size == len(wanted)
    stop = min(grid.size, 3000)
    np.testing.assert_allclose(rows(grid.part(0, stop)), wanted[:stop], rtol=1e-15, atol=1e-15)


@given(any_ranges.filter(bool), st.data())
def test_a_part_of_the_grid_is_that_part_of_the_whole(ranges, data):
    grid = Grid(axes(ranged(**ranges)), 3)
    start = data.draw(st.integers(0, grid.size - 1))
    stop = data.draw(st.integers(start, min(grid.size, start + 50)))
    assert rows(grid.part(start, stop)) == rows(grid.part(0, stop))[start:]


def test_a_range_without_a_step_has_as_many_points_as_asked_from_bound_to_bound():
    grid = Grid(axes(ranged(level=between(0.5, 1.5))), 5)
    assert grid.part(0, 5)["level"].tolist() == [0.5, 0.75, 1.0, 1.25, 1.5]


def test_one_point_is_the_lower_bound():
    grid = Grid(axes(ranged(level=between(0.5, 1.5))), 1)
    assert (grid.size, grid.part(0, 1)["level"].tolist()) == (1, [0.5])


def test_points_that_are_the_same_double_are_one():
    high = float(np.nextafter(1.0, 2.0))
    grid = Grid(axes(ranged(level=between(1.0, high))), 9)
    assert grid.part(0, grid.size)["level"].tolist() == [1.0, high]


def test_a_grid_of_a_million_sets_is_made_and_one_more_is_refused():
    million = ranged(fast=between(1, 1000), slow=between(1, 1000))
    assert Grid(axes(million), 5).size == 1_000_000
    with pytest.raises(ContractError) as refused:
        Grid(axes(ranged(fast=between(1, 1000), slow=between(1, 1001))), 5)
    error = refused.value
    assert (error.code, error.loc) == ("SEARCH_TOO_LARGE", "/params/slow")
    assert "1001000 sets (fast 1000 · slow 1001), more than 1000000" in error.message
    assert "step" in error.hints[0]
    assert "random" in error.hints[1]


def test_a_grid_too_large_to_write_out_is_refused_at_once():
    spec = ranged(level=between(0, 1, 1e-12), width=between(0, 1, 1e-12))
    with pytest.raises(ContractError, match="more than 1000000"):
        Grid(axes(spec), 5)
