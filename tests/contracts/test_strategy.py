"""Strategies: their identity, their parameters, and what is refused before expressions are read."""

import json
from typing import Any

import pytest

from contracts.errors import ContractError
from contracts.strategy import load_strategy, strategy_from
from engine.dsl import compile_strategy
from tests.contracts.fixture_files import INDEX, INVALID, document, valid_files
from tests.properties import documents

(CROSSOVER,) = valid_files("strategies")
HASH = "sha256:4c181a6d45966489dff9124949d2491211353b5fefbb6a96fd505b500f72fdd0"


def explicit(spec):
    return spec.model_dump(mode="json", by_alias=True)


def test_the_crossover_keeps_its_hash():
    assert load_strategy(CROSSOVER.read_bytes()).strategy_hash == HASH


def test_spelling_changes_no_identity():
    spec = load_strategy(CROSSOVER.read_bytes())
    written = document(CROSSOVER)
    for other in (
        dict(reversed(written.items())),
        explicit(spec),
        spec.document(),
        json.loads(json.dumps(written).replace("20,", "20.0,")),
    ):
        assert load_strategy(json.dumps(other)) == spec
        assert strategy_from(other).strategy_hash == spec.strategy_hash


def candidates(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value - 0.5, value + 1]
    if value is None:
        return [1.5]
    words = ["close", "5m", "hold", f"{value} > 0", f"{value}-x"]
    return [word for word in words if word != value] if isinstance(value, str) else []


def test_a_change_of_any_field_changes_the_hash():
    spec = load_strategy(CROSSOVER.read_bytes())
    full = explicit(spec)
    hashes, total = {spec.strategy_hash}, 1
    for path in documents.places(full):
        value = documents.value_at(full, path)
        if isinstance(value, dict | list) or path[-1] in ("version", "type"):
            continue
        valid = []
        for other in candidates(value):
            try:
                valid.append(strategy_from(documents.replaced(full, path, other)))
            except ContractError:
                continue
        assert valid, path
        hashes |= {other.strategy_hash for other in valid}
        total += len(valid)
    assert len(hashes) == total > 25


def test_removing_a_rule_a_parameter_or_a_tag_changes_the_hash():
    written = document(CROSSOVER)
    paths = [("rules", 0), ("params", "slow"), ("metadata", "tags", 0), ("metadata", "notes", 0)]
    hashes = {strategy_from(documents.removed(written, path)).strategy_hash for path in paths}
    assert len(hashes | {strategy_from(written).strategy_hash}) == 5


def test_the_order_of_rules_is_part_of_a_strategy():
    written = document(CROSSOVER)
    turned = {**written, "rules": written["rules"][::-1]}
    assert strategy_from(turned).strategy_hash != strategy_from(written).strategy_hash


def test_a_range_stands_for_its_default():
    written = {
        **document(CROSSOVER),
        "params": {"fast": {"default": 5, "min": 1, "max": 9}, "k": 2},
    }
    assert strategy_from(written).bound_params == {"fast": 5, "k": 2}


def test_a_strategy_without_risk_is_refused_with_what_mends_it():
    error = _refusal(documents.removed(document(CROSSOVER), ("risk",)))
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", "/risk")
    _, _, rest = error.hints[0].partition("add ")
    added = json.loads("{" + rest[: rest.index(" and a rule")] + "}")
    assert strategy_from({**documents.removed(document(CROSSOVER), ("risk",)), **added})


@pytest.mark.parametrize("actions", [["buy"], ["buy", "hold"], ["hold"]])
def test_a_strategy_that_never_leaves_is_refused(actions):
    rules = [{"if": "close > open", "then": action} for action in actions]
    error = _refusal({**document(CROSSOVER), "rules": rules})
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", "/rules")


@pytest.mark.parametrize("action", ["sell", "close"])
def test_a_strategy_that_leaves_is_read(action):
    rules = [{"if": "close > open", "then": action}]
    written: dict[str, Any] = {**document(CROSSOVER), "rules": rules}
    assert strategy_from(written).rules[0].then == action


def test_every_problem_of_shape_has_the_code_of_the_language():
    error = _refusal({"id": "A", "risk": {"sizing": {"type": "x"}}})
    assert {problem.code for problem in error.problems} == {"DSL_SCHEMA_INVALID"}
    assert len(error.problems) == 6


def test_the_crossover_compiles():
    program = compile_strategy(load_strategy(CROSSOVER.read_bytes()))
    assert [column.value for column in program.columns if column.function == "ma"] == [20, 100]


def test_the_lookahead_fixture_has_the_right_shape_and_is_refused_for_what_it_says():
    name = "strategies/strategy_invalid_lookahead.json"
    spec = load_strategy((INVALID / name).read_bytes())
    with pytest.raises(ContractError) as caught:
        compile_strategy(spec)
    assert caught.value.code == INDEX[name]["code"]
    assert caught.value.loc == INDEX[name]["loc"]
    assert "later bar" in caught.value.message


def _refusal(written: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        strategy_from(written)
    return caught.value
