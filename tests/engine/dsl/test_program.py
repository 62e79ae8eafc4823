"""Parameters given to the compiler, the words they may not hide, and the shape of a program."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from contracts.errors import ContractError
from contracts.strategy import strategy_from
from engine.dsl import compile_strategy
from engine.dsl.program import CROSSOVER, MAX_STACK
from tests.properties import strategies
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
    assert [spec.value for spec in program.lowered.columns if spec.function == "ma"] == [7]
    assert 55.5 in program.lowered.constants
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
    assert refusal(SPEC, {"fats": 3}).hints == ("did you mean fast? declared are: fast, level",)


@pytest.mark.parametrize(
    "name", ["close", "volume", "ma", "atr", "bbands", "crossunder", "and", "or", "not"]
)
def test_a_parameter_may_not_hide_a_word_of_the_language(name):
    written = document(RULES)
    error = refusal(strategy_from({**written, "params": {**written["params"], name: 3}}))
    assert (error.code, error.loc) == ("DSL_TYPE_ERROR", f"/params/{name}")
    assert error.hints == (f'did you mean "my_{name}"?',)


def test_a_program_is_one_piece_of_code_per_rule_over_shared_columns():
    text = "ma(close, 3) > open and ma(close, 3) < high"
    rules = [{"if": text, "then": action} for action in ("buy", "hold", "close")]
    lowered = compile_strategy(strategy_from(document(rules))).lowered
    assert [spec.function for spec in lowered.columns].count("ma") == 1
    starts, stops = lowered.rules[:, 0].tolist(), lowered.rules[:, 1].tolist()
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == len(lowered.code)
    assert lowered.rules[:, 2].tolist() == [1, 0, 3]


def test_orders_stand_in_the_program_by_their_kind_and_distance_and_to_hold_places_none():
    written: list[Any] = [dict(rule) for rule in (*RULES, *RULES)]
    written[0]["order"] = {"type": "limit", "offset_bps": 25}
    written[1]["order"] = {"type": "stop", "offset_bps": -40}
    written[2] |= {"then": "hold", "order": {"type": "stop", "offset_bps": 7}}
    lowered = compile_strategy(strategy_from(document(written))).lowered
    assert lowered.rules[:, 3].tolist() == [1, 2, 0, 0]
    assert lowered.offsets.tolist() == pytest.approx([0.0025, -0.004, 0, 0])


def test_bands_share_the_columns_of_their_mean_and_deviation():
    text = "close > bbands(close, 20, 2, upper) or close < bbands(close, 20, 1, lower)"
    text += " or ma(close, 20) > bbands(close, 20, 3, middle) + stdev(close, 20)"
    program = compile_strategy(strategy_from(document([{"if": text, "then": "close"}])))
    assert set(program.described_columns()) == {"close", "ma(close, 20)", "stdev(close, 20)"}
    assert program.longest_window == 20


def test_a_crossing_is_one_instruction_over_two_values_on_the_stack():
    text = "crossover(close, open + 1)"
    program = compile_strategy(strategy_from(document([{"if": text, "then": "close"}])))
    assert program.described_columns() == ["close", "open"]
    assert program.lowered.code[-1].tolist() == [CROSSOVER, 0]
    assert program.longest_window == 0


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("ma(close, 3) > 1", ["close", "ma(close, 3)"]),
        ("atr(14) > 1", ["high", "low", "close", "atr(14)"]),
        ("lag(close / open, 1) > 1", ["close", "open", "close / open", "lag(close / open, 1)"]),
        (
            "ma((close + open) * -low, 100000) > 1",
            ["close", "open", "close + open", "low", "-low", "(close + open) * -low",
             "ma((close + open) * -low, 100000)"],
        ),
        ("ma(0.1234567890123, 3) > 1", ["0.1234567890123", "ma(0.1234567890123, 3)"]),
        ("ma(1e22, 3) > 1", ["1e+22", "ma(1e+22, 3)"]),
        ("ma(-1.5, 3) > 1", ["-1.5", "ma(-1.5, 3)"]),
        ("ma(-(close - open), 3) > 1", ["close", "open", "close - open", "-(close - open)",
                                        "ma(-(close - open), 3)"]),
    ],
)  # fmt: skip
def test_columns_are_described_in_the_language(text, described):
    rules = [{"if": text, "then": "buy"}, RULES[1]]
    found = compile_strategy(strategy_from(document(rules))).described_columns()
    assert found[: len(described)] == described


@hypothesis_settings(max_examples=150)
@given(strategies.numbers())
def test_a_described_column_is_that_column_when_it_is_compiled(text):
    rules = [{"if": f"lag({text}, 0) > 1", "then": "close"}]
    for described in compile_strategy(strategy_from(document(rules))).described_columns():
        again = [{"if": f"lag({described}, 0) > 1", "then": "close"}]
        found = compile_strategy(strategy_from(document(again))).described_columns()
        assert found[-2] == described


def test_an_expression_that_needs_more_stack_than_there_is_is_refused():
    full = {"if": alternating(31), "then": "close"}
    assert compile_strategy(strategy_from(document([full]))).lowered.rules[0, 2] == 3
    error = refusal(strategy_from(document([full, {"if": alternating(32), "then": "close"}])))
    assert (error.code, error.loc) == ("DSL_PARSE_ERROR", "/rules/1/if line 1 column 1")
    assert f"more than {MAX_STACK} values" in error.message
