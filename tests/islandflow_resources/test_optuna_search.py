"""Optuna behind the interface of searches: what it proposes follows from document and scores."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.search import GridSearch, LearningSearch, RandomSearch
from engine.dsl import compile_sweep
from engine.search import axes
from engine.search import make_search as make_listed
from islandflow_resources.optuna_search import make_search, sampler_seed
from tests.engine.search.ranged import any_ranges, between, ranged

SPEC = ranged(fast=between(2, 60), slow=between(10, 200, 10), level=between(0.9, 1.1))
SAMPLERS = ("tpe", "nsgaii")

# What another process does: all batches of each sampler, as hex; it imports no test.
PROCESS = """
import json, sys
from contracts.search import LearningSearch
from contracts.strategy import load_strategy
from islandflow_resources.optuna_search import make_search
spec = load_strategy(sys.argv[1])
for sampler in sys.argv[2:]:
    document = LearningSearch(
        method="optuna", sampler=sampler, trials=60, batch=30, seed=2**63 - 1
    )
    search = make_search(spec, document)
    while (batch := search.ask()) is not None:
        search.tell(-(batch.values["fast"] - 20) ** 2 - batch.values["level"])
        print(json.dumps({name: each.tobytes().hex() for name, each in batch.values.items()}))
"""


def processes(*arguments):
    """What two processes print whose sets and dictionaries are ordered differently."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", *arguments],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
        )
        for hash_seed in ("1", "2")
    ]
    return [process.communicate()[0] for process in started]


def learning(**fields):
    return LearningSearch(method="optuna", **fields)


def quadratic(values):
    """Best, 0, at 20, 120 and 1.03."""
    off = ((values["fast"] - 20) / 58, (values["slow"] - 120) / 190, (values["level"] - 1.03) / 0.2)
    return -sum(distance**2 for distance in off)


def run(search, score):
    """All batches of a search that is told `score` of each."""
    found = []
    while (batch := search.ask()) is not None:
        found.append(batch)
        search.tell(score(batch.values))
    return found


def best_score(document):
    return max(
        quadratic(batch.values).max() for batch in run(make_search(SPEC, document), quadratic)
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
@hypothesis_settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(ranges=any_ranges.filter(bool), seed=st.integers(0, 2**63 - 1))
def test_every_set_is_on_its_axes_and_compiles(sampler, ranges, seed):
    spec = ranged(**ranges)
    search = make_search(spec, learning(sampler=sampler, trials=30, batch=12, seed=seed))
    for batch in run(search, lambda values: next(iter(values.values()))):
        assert compile_sweep(spec, batch.values).size == batch.size
        for axis in axes(spec):
            values, count = batch.values[axis.name].tolist(), axis.count
            allowed = None if count is None else set(axis.at(np.arange(count)).tolist())
            assert all(axis.low <= value <= axis.high for value in values)
            assert allowed is None or allowed.issuperset(values)


def test_batches_are_as_large_as_asked_and_the_last_has_the_rest():
    search = make_search(SPEC, learning(trials=40, batch=16))
    assert search.size == 40
    sizes = [batch.size for batch in run(search, quadratic)]
    assert sizes == [16, 16, 8]
    assert search.ask() is None


def test_a_strategy_without_axes_has_one_set_of_nothing():
    search = make_search(ranged(), learning(trials=40))
    assert search.size == 1
    [batch] = run(search, lambda _: np.zeros(1))
    assert (batch.values, batch.size) == ({}, 1)


def test_two_processes_told_the_same_scores_are_asked_the_same_sets():
    first, second = processes(PROCESS, json.dumps(SPEC.document()), *SAMPLERS)
    assert first == second
    assert len(first.splitlines()) == 2 * len(SAMPLERS)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resumed_search_goes_on_as_the_undisturbed_one(sampler):
    document = learning(sampler=sampler, trials=80, batch=20, seed=4)
    whole = run(make_search(SPEC, document), quadratic)
    resumed = make_search(SPEC, document)
    for batch in whole[:2]:
        assert resumed.ask() is not None
        resumed.tell(quadratic(batch.values))
    rest = run(resumed, quadratic)
    assert len(rest) == 2
    for left, right in zip(rest, whole[2:], strict=True):
        assert left.values["level"].tobytes() == right.values["level"].tobytes()


def test_other_scores_are_answered_with_other_sets():
    document = learning(trials=60, batch=30, seed=4)
    up, down = (run(make_search(SPEC, document), score) for score in (quadratic, _worse))
    assert up[0].values["level"].tolist() == down[0].values["level"].tolist()
    assert up[1].values["level"].tolist() != down[1].values["level"].tolist()


def _worse(values):
    return -quadratic(values)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_undefined_scores_are_failures_that_a_search_survives(sampler):
    search = make_search(SPEC, learning(sampler=sampler, trials=60, batch=15, seed=1))

    def score(values):
        return np.where(values["fast"] > 30, np.nan, quadratic(values))

    assert sum(batch.size for batch in run(search, score)) == 60
    nothing = make_search(SPEC, learning(sampler=sampler, trials=60, batch=15, seed=1))
    assert len(run(nothing, lambda values: np.full(len(values["fast"]), np.nan))) == 4


def test_infinite_scores_are_told_like_others():
    search = make_search(SPEC, learning(trials=60, batch=15, seed=1))
    scores = iter(np.tile([np.inf, -np.inf, 0.0, 1.0, np.nan], 12).reshape(4, 15))
    assert len(run(search, lambda _: next(scores))) == 4


def test_tpe_beats_random_draws_on_a_quadratic():
    seeds = range(3)
    learnt = [best_score(learning(trials=60, batch=15, seed=seed)) for seed in seeds]
    drawn = [best_score(RandomSearch(method="random", trials=60, seed=seed)) for seed in seeds]
    assert np.median(learnt) > np.median(drawn) / 2  # both are below 0: at most half as far off


def test_seeds_that_agree_in_their_lowest_32_bits_differ():
    assert sampler_seed(1) != sampler_seed(1 + 2**32)
    assert 0 <= sampler_seed(2**63 - 1) < 2**32


@pytest.mark.parametrize(
    "document",
    [GridSearch(method="grid", points=3), RandomSearch(method="random", trials=20, seed=5)],
)
def test_grids_and_draws_are_those_of_the_engine(document):
    [ours], [engines] = (
        run(make(SPEC, document), quadratic) for make in (make_search, make_listed)
    )
    assert ours.size == engines.size
    for name, values in engines.values.items():
        assert ours.values[name].tobytes() == values.tobytes()


def test_a_search_that_learns_keeps_its_turns():
    search = make_search(SPEC, learning(trials=32, batch=16))
    assert search.ask() is not None
    with pytest.raises(ContractError, match="before the 16 scores"):
        search.ask()
    with pytest.raises(ContractError, match="wanted: 16"):
        search.tell(np.zeros(15))


def test_nobody_loads_optuna_for_a_grid_or_to_count_sets():
    code = (
        "import sys; from contracts.search import GridSearch, LearningSearch\n"
        "from contracts.strategy import load_strategy\n"
        "from islandflow_resources.optuna_search import make_search\n"
        "spec = load_strategy(sys.argv[1])\n"
        "grid = make_search(spec, GridSearch(method='grid'))\n"
        "learning = make_search(spec, LearningSearch(method='optuna', trials=7))\n"
        "print(grid.ask().size, learning.size, 'optuna' in sys.modules)"
    )
    command = [sys.executable, "-c", code, json.dumps(ranged(fast=between(2, 5)).document())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4", "7", "False"]


def test_a_search_prints_nothing(capfd):
    run(make_search(SPEC, learning(trials=30)), quadratic)
    assert capfd.readouterr() == ("", "")
