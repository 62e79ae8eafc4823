"""Parameters given to the compiler, the words they may not hide, and the shape of a program."""

import math

import pytest

from contracts.errors import ContractError
from contracts.strategy import strategy_from
from engine.dsl import compile_strategy
from engine.dsl.program import MAX_STACK
from tests.properties.strategies import alternating, document

RULES = [{"if": "ma(close, fast) > level", "then": "buy"}, {"if": "close < 1", "then": "close"}]
SPEC = strategy_from(document(RULES))


def refusal(spec, params=None):
    with pytest.raises(ContractError) as caught:
        compile_strategy(spec, params)
    assert caught.value.hints
    return caught.value


def test_given_parameters_replace_defaults_and_are_bound_in_the_program():
    program = compile_strategy(SPEC, {"fast": 7, "level": 55.5})
    assert [spec.value for spec in program.columns if spec.function == "ma"] == [7]
    assert 55.5 in program.constants
    written = document(RULES) | {"params": {"fast": 7, "level": 55.5}}
    assert program.ir_hash == compile_strategy(strategy_from(written)).ir_hash
    assert program.ir_hash != compile_strategy(SPEC).ir_hash


@pytest.mark.parametrize("value", [0, 9.5, 10, -1, math.inf, math.nan])
def test_a_value_outside_the_range_of_its_parameter_is_refused(value):
    error = refusal(SPEC, {"fast": value})
    assert (error.code, error.loc) == ("DSL_PARAM_OUT_OF_RANGE", "/params/fast")
    assert "1 … 9" in error.hints[0]


def test_values_at_the_ends_of_the_range_are_accepted():
    hashes = {compile_strategy(SPEC, {"fast": value}).ir_hash for value in (1, 4, 9)}
    assert len(hashes) == 3


def test_a_value_inside_the_range_that_is_no_window_is_refused_where_it_is_used():
    error = refusal(SPEC, {"fast": 2.5})
    assert (error.code, error.loc) == ("DSL_PARAM_OUT_OF_RANGE", "/rules/0/if line 1 column 11")


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_parameter_without_a_range_must_still_be_finite(value):
    error = refusal(SPEC, {"level": value})
    assert (error.code, error.loc) == ("DSL_PARAM_OUT_OF_RANGE", "/params/level")


def test_a_parameter_that_is_not_declared_is_refused_with_those_that_are():
    error = refusal(SPEC, {"slow": 3})
    assert (error.code, error.loc) == ("DSL_PARAM_OUT_OF_RANGE", "/params/slow")
    assert error.hints == ("declared are: fast, level",)


@pytest.mark.parametrize("name", ["close", "volume", "ma", "crossunder", "and", "or", "not"])
def test_a_parameter_may_not_hide_a_word_of_the_language(name):
    written = document(RULES)
    error = refusal(strategy_from({**written, "params": {**written["params"], name: 3}}))
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", f"/params/{name}")
    assert error.hints == (f"rename it, e.g. {name}_level",)


def test_a_program_is_one_piece_of_code_per_rule_over_shared_columns():
    text = "ma(close, 3) > open and ma(close, 3) < high"
    rules = [{"if": text, "then": action} for action in ("buy", "hold", "close")]
    program = compile_strategy(strategy_from(document(rules)))
    assert [spec.function for spec in program.columns].count("ma") == 1
    starts, stops = program.rules[:, 0].tolist(), program.rules[:, 1].tolist()
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == len(program.code)
    assert program.rules[:, 2].tolist() == [1, 0, 3]


def test_an_expression_that_needs_more_stack_than_there_is_is_refused():
    full = {"if": alternating(31), "then": "close"}
    assert compile_strategy(strategy_from(document([full]))).rules.tolist()[0][2] == 3
    error = refusal(strategy_from(document([full, {"if": alternating(32), "then": "close"}])))
    assert (error.code, error.loc) == ("DSL_PARSE_ERROR", "/rules/1/if line 1 column 1")
    assert f"more than {MAX_STACK} values" in error.message
