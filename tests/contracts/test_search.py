"""Searches: their defaults, their bounds, and that the method says which fields there are."""

import json

import pytest

from contracts.document import load
from contracts.errors import ContractError
from contracts.search import MAX_SETS, SEARCH, GridSearch, LearningSearch, RandomSearch


def search(**fields):
    return load(SEARCH, json.dumps(fields), "search")


def test_the_method_says_what_a_search_is():
    assert search(method="grid") == GridSearch(method="grid", points=5)
    assert search(method="random", trials=3) == RandomSearch(method="random", trials=3, seed=0)
    learning = search(method="optuna", trials=3)
    assert isinstance(learning, LearningSearch)
    assert (learning.sampler, learning.batch, learning.seed) == ("tpe", 16, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "grid"},
        {"method": "grid", "points": 7},
        {"method": "random", "trials": MAX_SETS, "seed": str(2**63 - 1)},
        {"method": "optuna", "trials": 10_000, "sampler": "nsgaii", "batch": 1_000},
    ],
)
def test_a_search_reads_back_from_what_is_hashed(fields):
    read = search(**fields)
    assert read.document() == fields
    assert search(**read.document()) == read


@pytest.mark.parametrize("seed", [0, 7, 2**53, 2**63 - 1])
def test_a_seed_is_a_number_or_its_text(seed):
    numbers = search(method="random", trials=1, seed=seed)
    assert numbers == search(method="random", trials=1, seed=str(seed))
    assert numbers.seed == seed


@pytest.mark.parametrize(
    ("fields", "code", "loc"),
    [
        ({}, "SEARCH_FIELD_MISSING", "/method"),
        ({"method": None}, "SEARCH_VALUE_UNKNOWN", "/method"),
        ({"method": "Grid"}, "SEARCH_VALUE_UNKNOWN", "/method"),
        ({"method": "grid", "points": 0}, "SEARCH_VALUE_OUT_OF_RANGE", "/points"),
        ({"method": "grid", "points": 10_001}, "SEARCH_VALUE_OUT_OF_RANGE", "/points"),
        ({"method": "grid", "points": 2.5}, "SEARCH_VALUE_INVALID", "/points"),
        ({"method": "grid", "points": True}, "SEARCH_VALUE_INVALID", "/points"),
        ({"method": "grid", "trials": 4}, "SEARCH_FIELD_UNKNOWN", "/trials"),
        ({"method": "random"}, "SEARCH_FIELD_MISSING", "/trials"),
        ({"method": "random", "trials": 0}, "SEARCH_VALUE_OUT_OF_RANGE", "/trials"),
        ({"method": "random", "trials": MAX_SETS + 1}, "SEARCH_VALUE_OUT_OF_RANGE", "/trials"),
        ({"method": "random", "trials": 1, "batch": 2}, "SEARCH_FIELD_UNKNOWN", "/batch"),
        ({"method": "random", "trials": 1, "seed": -1}, "SEARCH_VALUE_OUT_OF_RANGE", "/seed"),
        ({"method": "random", "trials": 1, "seed": 2**63}, "SEARCH_VALUE_OUT_OF_RANGE", "/seed"),
        ({"method": "random", "trials": 1, "seed": "007"}, "SEARCH_VALUE_INVALID", "/seed"),
        ({"method": "optuna", "trials": 10_001}, "SEARCH_VALUE_OUT_OF_RANGE", "/trials"),
        ({"method": "optuna", "trials": 9, "batch": 1_001}, "SEARCH_VALUE_OUT_OF_RANGE", "/batch"),
        ({"method": "optuna", "trials": 9, "sampler": "TPE"}, "SEARCH_VALUE_UNKNOWN", "/sampler"),
        ({"method": "optuna", "trials": "9"}, "SEARCH_VALUE_INVALID", "/trials"),
    ],
)
def test_a_search_beyond_its_bounds_is_refused_where_it_is(fields, code, loc):
    with pytest.raises(ContractError) as caught:
        search(**fields)
    assert [(one.code, one.loc) for one in caught.value.problems] == [(code, loc)]
