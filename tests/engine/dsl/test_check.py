"""Every refusal of the language: its code, its pointer, its line and column, and a hint.

Texts that nobody would write are in test_tree.py; what is not of the document's shape is refused
before expressions are read, see tests/contracts/test_strategy.py.
"""

import json
import re

import pytest

from contracts.errors import ContractError
from contracts.strategy import load_strategy, strategy_from
from engine.dsl import compile_strategy
from tests.contracts.fixture_files import FOLDER, INVALID
from tests.properties.strategies import document

LEAVES = {"if": "close < 1", "then": "close"}
PARSE, FUNCTION, TYPE = "DSL_PARSE_ERROR", "DSL_UNSUPPORTED_FUN", "DSL_TYPE_ERROR"
RANGE, STATIC = "DSL_PARAM_OUT_OF_RANGE", "DSL_STATIC_FAIL"

REFUSED = [
    # what does not parse
    ("close >", PARSE, 1, 7),
    ("close > 1 extra", PARSE, 1, 11),
    ("close > 1)", PARSE, 1, 10),
    ("(close > 1", PARSE, 1, 10),
    ("close >> 1", PARSE, 1, 8),
    ("close = 1", PARSE, 1, 7),
    ("close > 1 and", PARSE, 1, 11),
    ("close > 1\nand close < < 2", PARSE, 2, 13),
    ("1 < close < 3", PARSE, 1, 11),
    ("close > .5", PARSE, 1, 9),
    ("Close > 1", PARSE, 1, 1),
    ("close > 'a'", PARSE, 1, 9),
    ("close > 1 & open > 1", PARSE, 1, 11),
    ("ma(close 20) > 1", PARSE, 1, 10),
    ("ma(close, ) > 1", PARSE, 1, 11),
    ("close[1] > 1", PARSE, 1, 6),
    ("close ** 2 > 1", PARSE, 1, 8),
    # functions that are not there
    ("mean(close, 20) > 1", FUNCTION, 1, 1),
    ("close > crossove(open, 3)", FUNCTION, 1, 9),
    ("close >\n  ma2(open, 3)", FUNCTION, 2, 3),
    ("lag(abs(close), 1) > 1", FUNCTION, 1, 5),
    ("close(1) > 1", FUNCTION, 1, 1),
    # types and arity
    ("close", TYPE, 1, 1),
    ("ma(close, 3)", TYPE, 1, 1),
    ("not close", TYPE, 1, 5),
    ("close > 1 and open", TYPE, 1, 15),
    ("(close > 1) + 1 > 2", TYPE, 1, 2),
    ("crossover(close, open) > 1", TYPE, 1, 1),
    ("crossover(close > 1, open)", TYPE, 1, 11),
    ("ma(close > 1, 3) > 1", TYPE, 1, 4),
    ("close > opne", TYPE, 1, 9),
    ("close > fastt", TYPE, 1, 9),
    ("ma(close) > 1", TYPE, 1, 1),
    ("ma(close, 3, 4) > 1", TYPE, 1, 1),
    ("close > 1 or crossover(close)", TYPE, 1, 14),
    ("ma() > 1", TYPE, 1, 1),
    ("ma(close, close) > 1", TYPE, 1, 11),
    ("ma(close, ma(close, 3)) > 1", TYPE, 1, 11),
    ("ma(close, 2 > 1) > 1", TYPE, 1, 11),
    # numbers outside their bounds
    ("ma(close, 0) > 1", RANGE, 1, 11),
    ("ma(close, -3) > 1", RANGE, 1, 11),
    ("ma(close, 2.5) > 1", RANGE, 1, 11),
    ("ma(close, level) > 1", RANGE, 1, 11),
    ("ma(close, 100001) > 1", RANGE, 1, 11),
    ("lag(close, 1.5) > 1", RANGE, 1, 12),
    ("lag(close, 1e9) > 1", RANGE, 1, 12),
    ("close > 1e999", RANGE, 1, 9),
    ("ma(close, 1e999) > 1", RANGE, 1, 11),
    ("close > " + "9" * 400, RANGE, 1, 9),
    # looks at a later bar
    ("lag(close, -1) > close", STATIC, 1, 12),
    ("close > 1 and\n lag(ma(close, 3), -2) > 1", STATIC, 2, 20),
    ("crossover(lag(close, -fast), close)", STATIC, 1, 22),
    ("lag(close, -0.5) > 1", STATIC, 1, 12),
]
NEVER = ["1 > 2", "close > 1 and 2 < 1", "not (1 == 1)", "not (close > 1 or 3 > 2)", "fast > 100"]


def refusal(*rules):
    with pytest.raises(ContractError) as caught:
        compile_strategy(strategy_from(document([*rules, LEAVES])))
    assert caught.value.hints
    assert all(caught.value.hints)
    return caught.value


@pytest.mark.parametrize(("text", "code", "line", "column"), REFUSED)
def test_a_refusal_has_its_code_and_its_place(text, code, line, column):
    error = refusal({"if": "close > 1", "then": "hold"}, {"if": text, "then": "buy"})
    assert (error.code, error.loc) == (code, f"/rules/1/if line {line} column {column}")


@pytest.mark.parametrize("text", NEVER)
def test_a_rule_that_can_never_be_true_is_refused(text):
    error = refusal({"if": text, "then": "buy"})
    assert (error.code, error.loc) == (STATIC, "/rules/0/if")
    assert "never" in error.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("close > open", "close > open"),
        ("close > open", "open < close"),
        ("close > 1 and open > 1", "open > 1 and (close > 1 and close > 1)"),
        ("crossover(close, open)", "not not crossover(close, open)"),
    ],
)
def test_one_condition_that_both_buys_and_sells_is_refused_at_the_later_rule(first, second):
    for some, others in (("buy", "sell"), ("sell", "buy")):
        error = refusal({"if": first, "then": some}, {"if": second, "then": others})
        assert (error.code, error.loc) == (STATIC, "/rules/1/if")
        assert "buys and sells" in error.message


def test_a_hold_between_does_not_hide_that_one_condition_buys_and_sells():
    rules = [{"if": "close > open", "then": action} for action in ("hold", "buy", "sell")]
    assert refusal(*rules).loc == "/rules/2/if"


def test_one_condition_may_buy_twice_or_buy_and_close():
    rules = [{"if": "close > open", "then": action} for action in ("buy", "buy", "close", "hold")]
    assert len(compile_strategy(strategy_from(document(rules))).rules) == 4


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("crossovr(close, open)", "crossover"),
        ("mma(close, 3) > 1", "ma"),
        ("lagg(close, 3) > 1", "lag"),
        ("close > opne", "open"),
        ("volum > 3", "volume"),
        ("levl > close", "level"),
    ],
)
def test_the_hint_for_a_misspelt_name_is_the_nearest_one_and_mends_it(text, nearest):
    [hint] = refusal({"if": text, "then": "buy"}).hints
    assert hint == f"did you mean {nearest}?"
    wrong = next(word for word in re.findall(r"[a-z]+", text) if word not in ("close", "open"))
    mended = document([{"if": text.replace(wrong, nearest), "then": "buy"}, LEAVES])
    assert compile_strategy(strategy_from(mended)).rules.shape == (2, 3)


def test_the_lookahead_fixture_is_refused_where_it_looks_and_its_hint_mends_it():
    written = json.loads((INVALID / "strategies" / "strategy_invalid_lookahead.json").read_text())
    for rule in (0, 1):
        with pytest.raises(ContractError) as caught:
            compile_strategy(load_strategy(json.dumps(written)))
        error = caught.value
        assert (error.code, error.loc) == (STATIC, f"/rules/{rule}/if line 1 column 12")
        assert "later bar" in error.message
        assert error.hints == ("write a lag of 0 or more bars",)
        text = written["rules"][rule]["if"]
        assert text[11:].startswith("-1")
        written["rules"][rule]["if"] = text.replace("-1", "1")
    assert compile_strategy(load_strategy(json.dumps(written))).rules.shape == (2, 3)


def test_every_valid_fixture_compiles():
    paths = sorted((FOLDER / "strategies").iterdir())
    assert paths
    for path in paths:
        assert compile_strategy(load_strategy(path.read_bytes())).rules.size


def test_windows_at_their_bounds_are_accepted():
    for text in ("ma(close, 1) > 1", "ma(close, 100000) > 1", "lag(close, 0) > 1", "-fast < close"):
        rules = [{"if": text, "then": "buy"}, LEAVES]
        assert compile_strategy(strategy_from(document(rules))).columns
