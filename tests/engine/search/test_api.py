"""The interface of searches: batches, turns, and sets that the language accepts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.search import GridSearch, RandomSearch
from engine.dsl import compile_sweep
from engine.search import make_search
from tests.engine.search.ranged import any_ranges, between, ranged

GRID = GridSearch(method="grid", points=3)


def random_search(trials, seed=0):
    return RandomSearch(method="random", trials=trials, seed=seed)


searches = st.one_of(st.just(GRID), st.builds(random_search, st.integers(1, 40), st.integers(0, 9)))


def batches(search):
    found = []
    while (batch := search.ask()) is not None:
        found.append(batch)
        search.tell(np.zeros(batch.size))
    return found


@hypothesis_settings(max_examples=25)
@given(any_ranges, searches)
def test_every_set_compiles(ranges, document):
    spec = ranged(**ranges)
    search = make_search(spec, document)
    [batch] = batches(search)
    assert set(batch.values) == set(ranges)
    assert compile_sweep(spec, batch.values).size == batch.size == search.size


@hypothesis_settings(max_examples=25)
@given(any_ranges, searches)
def test_a_search_made_again_asks_for_the_same_sets(ranges, document):
    spec = ranged(**ranges)
    [first], [second] = (batches(make_search(spec, document)) for _ in range(2))
    assert {name: column.tobytes() for name, column in first.values.items()} == {
        name: column.tobytes() for name, column in second.values.items()
    }


def test_the_order_in_which_parameters_are_written_does_not_matter():
    ranges = {"width": between(1, 2), "fast": between(2, 4)}
    turned = dict(reversed(ranges.items()))
    [first], [second] = (batches(make_search(ranged(**each), GRID)) for each in (ranges, turned))
    assert list(first.values) == list(second.values) == ["fast", "width"]
    assert first.values["width"].tolist() == second.values["width"].tolist()


@pytest.mark.parametrize("document", [GRID, random_search(7)])
def test_a_strategy_without_axes_has_one_set_of_nothing(document):
    search = make_search(ranged(), document)
    assert search.size == 1
    [batch] = batches(search)
    assert (batch.values, batch.size) == ({}, 1)


def test_a_large_grid_comes_in_batches_that_are_the_whole():
    search = make_search(ranged(fast=between(1, 500), slow=between(1, 500)), GRID)
    found = batches(search)
    assert [batch.size for batch in found] == [100_000, 100_000, 50_000]
    assert search.size == sum(batch.size for batch in found)
    slow = np.concatenate([batch.values["slow"] for batch in found])
    assert np.array_equal(slow, np.tile(np.arange(1.0, 501.0), 500))


def test_a_search_that_has_ended_stays_ended():
    search = make_search(ranged(fast=between(1, 3)), GRID)
    assert len(batches(search)) == 1
    assert search.ask() is None


def test_a_batch_is_refused_before_the_scores_of_the_last():
    search = make_search(ranged(fast=between(1, 3)), GRID)
    assert search.ask() is not None
    with pytest.raises(ContractError, match="before the 3 scores of the last") as refused:
        search.ask()
    assert refused.value.code == "SEARCH_OUT_OF_TURN"


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
def test_scores_that_are_not_one_for_each_set_are_refused(shape):
    search = make_search(ranged(fast=between(1, 3)), GRID)
    assert search.ask() is not None
    with pytest.raises(ContractError, match="wanted: 3"):
        search.tell(np.zeros(shape))


def test_scores_that_nobody_asked_for_are_refused():
    search = make_search(ranged(fast=between(1, 3)), GRID)
    with pytest.raises(ContractError, match="wanted: none"):
        search.tell(np.zeros(3))
