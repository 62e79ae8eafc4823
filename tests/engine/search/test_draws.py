"""Random sets: inside their axes, each once, the same in every process, spread evenly."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.search.axes import axes
from engine.search.draws import Draws
from engine.search.grid import Grid
from tests.engine.search.ranged import any_ranges, between, ranged
from tests.oracles import philox as oracle

seeds = st.integers(0, 2**63 - 1)


def rows(values):
    return list(zip(*(column.tolist() for column in values.values()), strict=True))


def all_sets(draws):
    return rows(draws.part(0, draws.size))


@given(any_ranges.filter(bool), st.integers(1, 60), seeds)
def test_every_set_is_inside_its_axes_and_comes_once(ranges, trials, seed):
    found = axes(ranged(**ranges))
    draws = Draws(found, trials, seed)
    sets = all_sets(draws)
    assert len(set(sets)) == len(sets) == draws.size <= trials
    for axis, values in zip(found, zip(*sets, strict=True), strict=True):
        allowed = None if axis.count is None else set(axis.at(np.arange(axis.count)).tolist())
        assert all(axis.low <= value <= axis.high for value in values)
        assert allowed is None or allowed.issuperset(values)


@given(any_ranges.filter(bool), st.integers(1, 30), st.integers(0, 30), seeds)
def test_more_trials_are_the_same_trials_and_others(ranges, trials, more, seed):
    found = axes(ranged(**ranges))
    few, many = all_sets(Draws(found, trials, seed)), all_sets(Draws(found, trials + more, seed))
    assert many[: len(few)] == few


def test_many_draws_of_few_sets_are_all_of_them():
    found = axes(ranged(fast=between(2, 5), slow=between(10, 30, 10)))
    grid = Grid(found, 1)
    draws = Draws(found, 500, 3)
    assert draws.size == grid.size == 12
    assert set(all_sets(draws)) == set(rows(grid.part(0, 12)))


def test_draws_are_those_of_the_named_stream():
    found = axes(ranged(level=between(0, 1)))
    values = Draws(found, 3, 11).part(0, 3)["level"].tolist()
    stream = oracle.stream("search/random/level")
    assert values == [oracle.uniform(11, stream, trial, 0) for trial in range(3)]


def test_an_axis_draws_the_same_whatever_stands_beside_it():
    alone = Draws(axes(ranged(level=between(0, 1))), 20, 5).part(0, 20)["level"]
    beside = Draws(axes(ranged(fast=between(1, 9), level=between(0, 1))), 20, 5)
    assert beside.part(0, 20)["level"].tolist() == alone.tolist()


def test_seeds_draw_other_sets():
    found = axes(ranged(level=between(0, 1)))
    assert set(all_sets(Draws(found, 50, 1))).isdisjoint(all_sets(Draws(found, 50, 2)))


def test_draws_are_uniform():
    found = axes(ranged(fast=between(1, 10), level=between(2, 4)))
    values = Draws(found, 20_000, 8).part(0, 20_000)
    assert stats.kstest((values["level"] - 2) / 2, "uniform").pvalue > 0.01
    counts = np.bincount(values["fast"].astype(int), minlength=11)[1:]
    assert stats.chisquare(counts).pvalue > 0.01
