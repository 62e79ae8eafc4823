"""Strategies as stored objects: the ordered list, its digest, and what is refused."""

import json

import pytest

from contracts.canonical import canonical_json
from contracts.errors import ContractError
from islandflow_resources.strategies import (
    StrategyList,
    compiled,
    publish_list,
    publish_specs,
    registered_strategies,
    spec_key,
)
from tests.graph import strategy
from tests.islandflow_resources.backtests import many


def test_the_digest_is_of_the_ordered_list():
    one, two, three = many(3)
    digests = {
        StrategyList.of(listed).digest
        for listed in ([], [one], [one, two], [two, one], [one, two, three])
    }
    assert len(digests) == 5
    assert StrategyList.of([one, two]).digest == StrategyList.of((one, two)).digest


def test_another_name_is_another_list_of_the_same_meanings():
    first, second = StrategyList.of([strategy()]), StrategyList.of([strategy(name="Other")])
    assert first.programs[0].ir_hash == second.programs[0].ir_hash
    assert first.digest != second.digest


def test_a_strategy_is_compiled_once():
    spec = strategy(id="compiled_once")
    assert compiled(spec) is compiled(strategy(id="compiled_once"))


def test_a_list_with_a_strategy_that_does_not_compile_is_refused():
    bad = strategy(rules=[{"if": "nosuch(close) > 1", "then": "buy"},
                          {"if": "close < open", "then": "sell"}])  # fmt: skip
    with pytest.raises(ContractError) as caught:
        StrategyList.of([strategy(), bad])
    assert caught.value.code == "DSL_UNSUPPORTED_FUN"


def test_documents_and_list_are_stored_once_and_read_back(object_store):
    strategies = many(4)
    listed = StrategyList.of(strategies)
    for _ in range(2):
        publish_specs(object_store, strategies)
        publish_list(object_store, listed)
    assert len(object_store.keys("strategies/")) == 5
    for spec in strategies:
        assert object_store.get(spec_key(spec)) == canonical_json(spec.document()) + b"\n"
    entries = json.loads(object_store.get(listed.key))["strategies"]
    assert [entry["strategy_hash"] for entry in entries] == [s.strategy_hash for s in strategies]
    assert [entry["ir_hash"] for entry in entries] == [p.ir_hash for p in listed.programs]
    assert entries[0]["columns"] == compiled(strategies[0]).described_columns()


def test_an_empty_registry_says_how_to_fill_it(database):
    with pytest.raises(ContractError) as caught:
        registered_strategies(database)
    assert caught.value.code == "STRATEGY_NONE_REGISTERED"
    assert "islandflow strategy register" in caught.value.hints[0]
