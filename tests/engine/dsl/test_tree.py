"""The shape of a tree, where its nodes stand, and the bounds of depth, size and numbers.

Texts at random are in test_fuzz.py, what to write instead of a text that does not parse in
test_hints.py.
"""

import time

import pytest

from contracts.errors import ContractError
from contracts.strategy import MAX_EXPRESSION_CHARS, strategy_from
from engine.dsl import compile_strategy
from engine.dsl.tree import MAX_DEPTH, MAX_PARENTHESES, parse
from tests.properties import strategies

CODES = {
    "DSL_SCHEMA_INVALID",
    "DSL_PARSE_ERROR",
    "DSL_UNSUPPORTED_FUN",
    "DSL_TYPE_ERROR",
    "DSL_PARAM_OUT_OF_RANGE",
    "DSL_STATIC_FAIL",
}
LEAVES = {"if": "close < 1", "then": "close"}
SECONDS = 2.0


def verdict(text: str) -> str:
    """``ok``, or the code of the refusal; anything else is a crash of the test."""
    started = time.perf_counter()
    rules = [{"if": text, "then": "buy"}, LEAVES]
    try:
        program = compile_strategy(strategy_from(strategies.document(rules)))
    except ContractError as error:
        for problem in error.problems:
            assert problem.code in CODES
            assert problem.loc.startswith("/rules/0/if")
            assert problem.hints
        return error.code
    finally:
        assert time.perf_counter() - started < SECONDS
    assert program.ir_hash.startswith("sha256:")
    return "ok"


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("close > ma( open ,3 )", ["close > ma( open ,3 )", "close", "ma( open ,3 )", "open", "3"]),
        ("(close) > - level", ["(close) > - level", "close", "- level", "level"]),
        ("not (1 > 2)\n and 3>4", ["not (1 > 2)\n and 3>4", "not (1 > 2)", "1 > 2", "1", "2",
                                   "3>4", "3", "4"]),
    ],
)  # fmt: skip
def test_a_node_knows_the_piece_of_text_it_was_read_from(text, sources):
    def pieces(node):
        return [node.source, *(piece for arg in node.args for piece in pieces(arg))]

    assert pieces(parse(text, "")) == sources


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 - 2 - 3 < 4", "((1 - 2) - 3) < 4"),
        ("1 / 2 * 3 < 4", "((1 / 2) * 3) < 4"),
        ("1 + 2 * 3 < 4", "(1 + (2 * 3)) < 4"),
        ("-1 * 2 < 4", "((-1) * 2) < 4"),
        ("1 - -2 < 4", "(1 - (-2)) < 4"),
        ("not 1 < 2 and 3 < 4", "(not (1 < 2)) and (3 < 4)"),
        ("1 < 2 or 3 < 4 and 5 < 6", "(1 < 2) or ((3 < 4) and (5 < 6))"),
    ],
)
def test_operators_bind_as_in_arithmetic_and_associate_to_the_left(text, same):
    def shape(node):
        return [node.op, node.text, node.value, *map(shape, node.args)]

    assert shape(parse(text, "")) == shape(parse(same, ""))


@pytest.mark.parametrize("shape", strategies.SHAPES)
@pytest.mark.parametrize("depth", [1, 5, 30, 33, 64, 100, 130, 200, 300, 450, 990, 1900])
def test_deep_nesting_has_a_verdict(shape, depth):
    text = strategies.nested(shape, depth)
    found = verdict(text)
    if len(text) > MAX_EXPRESSION_CHARS:
        assert found == "DSL_SCHEMA_INVALID"
    elif depth <= 30 or (shape == "and" and depth <= 100):
        assert found == "ok"
    elif depth > MAX_DEPTH or text.count("(") > MAX_PARENTHESES:
        assert found == "DSL_PARSE_ERROR"
    else:
        assert found in {"ok", "DSL_PARSE_ERROR"}


def test_the_longest_flat_condition_has_a_verdict():
    halves = [
        "or ".join(f"low>{level}" for level in part) for part in (range(104), range(104, 208))
    ]
    text = f"({halves[0]}) or ({halves[1]})"
    assert 0.9 * MAX_EXPRESSION_CHARS < len(text) <= MAX_EXPRESSION_CHARS
    assert verdict(text) == "ok"


@pytest.mark.parametrize("number", ["1e308", "1e-308", "1e-999", "0." + "0" * 400 + "1", "9" * 300])
def test_huge_and_tiny_numbers_that_doubles_hold_compile(number):
    assert verdict(f"close > {number}") == "ok"
    assert verdict(f"close > {number} * {number} / {number} - {number}") == "ok"


@pytest.mark.parametrize("number", ["1e309", "1e999", "9" * 400, "1" + "0" * 309])
def test_numbers_beyond_the_doubles_are_refused(number):
    for text in (f"close > {number}", f"ma(close, {number}) > 1", f"lag(close, -{number}) > 1"):
        assert verdict(text) == "DSL_PARAM_OUT_OF_RANGE"


def test_white_space_and_line_breaks_separate_and_mean_nothing():
    def ir_hash(text):
        rules = [{"if": text, "then": "buy"}, LEAVES]
        return compile_strategy(strategy_from(strategies.document(rules))).ir_hash

    spaced = " close\t>\n ma ( close ,\r\n 3 )and open<2 "
    assert ir_hash(spaced) == ir_hash("close>ma(close,3) and open<2")


@pytest.mark.parametrize("name", ["order", "andy", "nothing", "or_", "not1", "lagging"])
def test_a_name_may_begin_with_a_word_of_the_language(name):
    written = strategies.document([{"if": f"close > {name}", "then": "buy"}, LEAVES])
    program = compile_strategy(strategy_from({**written, "params": {name: 77}}))
    assert 77 in program.lowered.constants
