"""Every refusal of the language: its code, its pointer, its line and column, and a hint.

Texts that nobody would write are in test_tree.py; what is not of the document's shape is refused
before expressions are read, see tests/contracts/test_strategy.py.
"""

import re

import pytest

from contracts.errors import ContractError
from contracts.strategy import strategy_from
from engine.dsl import compile_strategy
from engine.dsl.check import FUNCTIONS, MAX_WINDOW
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
    ("bbands(close, 20, 2, 'upper') > 1", PARSE, 1, 22),
    ("crossover(close, open) close < 1", PARSE, 1, 24),
    ("not", PARSE, 1, 1),
    ("close > 1 OR open > 1", PARSE, 1, 11),
    # functions that are not there
    ("mean(close, 20) > 1", FUNCTION, 1, 1),
    ("close > crossove(open, 3)", FUNCTION, 1, 9),
    ("close >\n  ma2(open, 3)", FUNCTION, 2, 3),
    ("lag(abs(close), 1) > 1", FUNCTION, 1, 5),
    ("close(1) > 1", FUNCTION, 1, 1),
    ("upper(close, 20) > 1", FUNCTION, 1, 1),
    ("bbands(sma(close, 3), 20, 2, upper) > 1", FUNCTION, 1, 8),
    ("atr(tr(14)) > 1", TYPE, 1, 5),
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
    ("ma(close, fastt) > 1", TYPE, 1, 11),
    ("atr() > 1", TYPE, 1, 1),
    ("atr(close, 14) > 1", TYPE, 1, 1),
    ("close > atr(high, low, close, 14)", TYPE, 1, 9),
    ("atr(close) > 1", TYPE, 1, 5),
    ("atr(7 + 7) > 1", TYPE, 1, 5),
    ("atr(14)", TYPE, 1, 1),
    ("rsi(14) < 30", TYPE, 1, 1),
    ("rsi(close < 30, 14) < 30", TYPE, 1, 5),
    ("ema(close, 2 * fast) > 1", TYPE, 1, 12),
    ("ema(fast) > 1", TYPE, 1, 1),
    ("stdev(close, close) > 1", TYPE, 1, 14),
    ("slope(close, lag(close, 1)) > 0", TYPE, 1, 14),
    ("highest(high, low) > 1", TYPE, 1, 15),
    ("lowest(20) > 1", TYPE, 1, 1),
    ("lag(close, (1 + 1)) > 1", TYPE, 1, 13),
    ("lag(close, - - 1) > 1", TYPE, 1, 12),
    ("bbands(close, 20, 2) > 1", TYPE, 1, 1),
    ("bbands(close, 20, upper) > 1", TYPE, 1, 1),
    ("bbands(close, 20, 2, upper, 1) > 1", TYPE, 1, 1),
    ("bbands(close, 20, 2, top) > 1", TYPE, 1, 22),
    ("bbands(close, 20, 2, close) > 1", TYPE, 1, 22),
    ("bbands(close, 20, 2, 1) > 1", TYPE, 1, 22),
    ("bbands(close, 20, 2, -upper) > 1", TYPE, 1, 22),
    ("bbands(close, 20, upper, 2) > 1", TYPE, 1, 19),
    ("bbands(close, 20, 1 + 1, upper) > 1", TYPE, 1, 19),
    ("bbands(close, 20, close, upper) > 1", TYPE, 1, 19),
    ("bbands(close, 2 * 10, 2, upper) > 1", TYPE, 1, 15),
    ("bbands(close > 1, 20, 2, upper) > 1", TYPE, 1, 8),
    ("bbands(close, 20, 2, upper)", TYPE, 1, 1),
    ("close > upper", TYPE, 1, 9),
    ("ma > 1", TYPE, 1, 1),
    ("true", TYPE, 1, 1),
    # numbers outside their bounds
    ("ma(close, 0) > 1", RANGE, 1, 11),
    ("ma(close, -3) > 1", RANGE, 1, 11),
    ("ma(close, 2.5) > 1", RANGE, 1, 11),
    ("ma(close, level) > 1", RANGE, 1, 11),
    ("ma(close, 100001) > 1", RANGE, 1, 11),
    ("lag(close, 1.5) > 1", RANGE, 1, 12),
    ("lag(close, 1e9) > 1", RANGE, 1, 12),
    ("slope(close, 1) > 0", RANGE, 1, 14),
    ("slope(close, 0) > 0", RANGE, 1, 14),
    ("ema(close, 0) > 1", RANGE, 1, 12),
    ("rsi(close, 2.5) < 30", RANGE, 1, 12),
    ("rsi(close, -14) < 30", RANGE, 1, 12),
    ("atr(0) > 1", RANGE, 1, 5),
    ("atr(-14) > 1", RANGE, 1, 5),
    ("atr(level) > 1", RANGE, 1, 5),
    ("stdev(close, 0) > 1", RANGE, 1, 14),
    ("highest(high, 0.5) > 1", RANGE, 1, 15),
    ("lowest(low, 100001) > 1", RANGE, 1, 13),
    ("ma(close, -fast) > 1", RANGE, 1, 11),
    ("bbands(close, 0, 2, upper) > 1", RANGE, 1, 15),
    ("bbands(close, 2.5, 2, middle) > 1", RANGE, 1, 15),
    ("bbands(close, 20, -2, lower) > 1", RANGE, 1, 19),
    ("bbands(close, 20, -level, lower) > 1", RANGE, 1, 19),
    ("bbands(close, 20, 1e999, lower) > 1", RANGE, 1, 19),
    ("close > 1e999", RANGE, 1, 9),
    ("ma(close, 1e999) > 1", RANGE, 1, 11),
    ("close > " + "9" * 400, RANGE, 1, 9),
    # looks at a later bar
    ("lag(close, -1) > close", STATIC, 1, 12),
    ("close > 1 and\n lag(ma(close, 3), -2) > 1", STATIC, 2, 20),
    ("crossover(lag(close, -fast), close)", STATIC, 1, 22),
    ("lag(close, -0.5) > 1", STATIC, 1, 12),
    ("close > lag(bbands(lag(close, -2), 20, 2, upper), 3)", STATIC, 1, 31),
    ("rsi(close, 14) < 30 and atr(14) > lag(atr(14), -1)", STATIC, 1, 48),
]
NEVER = ["1 > 2", "close > 1 and 2 < 1", "not (1 == 1)", "not (close > 1 or 3 > 2)", "fast > 100"]


LONGER = [
    ("ma(close, 51) > 1", 51, 11),
    ("close > 1 and lag(close, 51) > 1", 51, 26),
    ("atr(60) > 1", 60, 5),
    ("bbands(close, 99, 2, lower) > 1", 99, 15),
    ("slope(ma(close, 51), 2) > 0", 51, 17),
    ("ema(close, slow) > 1", 80, 12),
]


def compiled(*rules, bars=None):
    written = document([*rules, LEAVES])
    written["params"]["slow"] = 80
    return compile_strategy(strategy_from(written), bars=bars)


def refusal(*rules, bars=None):
    with pytest.raises(ContractError) as caught:
        compiled(*rules, bars=bars)
    assert caught.value.hints
    assert all(caught.value.hints)
    return caught.value


@pytest.mark.parametrize(("text", "code", "line", "column"), REFUSED)
def test_a_refusal_has_its_code_and_its_place(text, code, line, column):
    error = refusal({"if": "close > 1", "then": "hold"}, {"if": text, "then": "buy"})
    assert (error.code, error.loc) == (code, f"/rules/1/if line {line} column {column}")


def test_the_refusals_are_many_and_of_every_code_that_an_expression_can_have():
    assert len({text for text, *_ in REFUSED}) == len(REFUSED) >= 100
    assert {code for _, code, *_ in REFUSED} == {PARSE, FUNCTION, TYPE, RANGE, STATIC}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_refused_without_arguments_and_as_a_bare_name(name):
    for text, column in ((f"close > {name}()", 9), (f"{name} > close", 1)):
        error = refusal({"if": text, "then": "buy"})
        assert (error.code, error.loc) == (TYPE, f"/rules/0/if line 1 column {column}")


@pytest.mark.parametrize(("text", "window", "column"), LONGER)
def test_a_window_longer_than_the_data_is_refused_where_the_data_are_given(text, window, column):
    rule = {"if": text, "then": "buy"}
    error = refusal(rule, bars=50)
    assert (error.code, error.loc) == (STATIC, f"/rules/0/if line 1 column {column}")
    assert "longer than the data, 50 bars" in error.message
    assert error.hints[0].startswith("write 50 instead of ")
    for bars in (None, window):
        assert compiled(rule, bars=bars).longest_window == window


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
    assert len(compile_strategy(strategy_from(document(rules))).lowered.rules) == 4


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("crossovr(close, open)", "crossover"),
        ("mma(close, 3) > 1", "ma"),
        ("lagg(close, 3) > 1", "lag"),
        ("close > opne", "open"),
        ("volum > 3", "volume"),
        ("levl > close", "level"),
        ("sma(close, 3) > 1", "ma"),
        ("wma(close, 3) > 1", "ma"),
        ("max(high, 3) > close", "highest"),
        ("std(close, 3) > 1", "stdev"),
        ("cross(close, open)", "crossover"),
        ("shift(close, 1) > 1", "lag"),
        ("price > 1", "close"),
        ("close > ma(close, fsat)", "fast"),
        ("bbands(close, 20, 2, uper) > 1", "upper"),
    ],
)
def test_the_hint_for_a_misspelt_name_is_the_nearest_one_and_mends_it(text, nearest):
    [hint] = refusal({"if": text, "then": "buy"}).hints
    assert hint == f"did you mean {nearest}?"
    known = ("close", "open", "high", "ma", "bbands")
    wrong = next(word for word in re.findall(r"[a-z]+", text) if word not in known)
    mended = compiled({"if": text.replace(wrong, nearest), "then": "buy"})
    assert mended.lowered.rules.shape == (2, 4)


ACCEPTED = [
    "ma(close, 1) > 1",
    f"ma(close, {MAX_WINDOW}) > 1",
    "slope(close, 2) > 0",
    "lag(close, 0) > 1",
    "lag(close, -0) > 1",
    "-fast < close",
    "close > 3.0 * ma(close, 3.0)",
    "bbands(close, 1, 0, lower) < close",
    "bbands(close, fast, level, upper) > 1",
    "bbands(ma(close, 3) - open, 20, 2.5, middle) > 1",
    "rsi(volume / 2, fast) < 30",
    "lag(atr(14), 1) < atr(14)",
    "highest(high, 1) == high",
    "crossunder(lowest(low, fast), stdev(close, 2))",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_values_at_their_bounds_and_every_kind_of_argument_are_accepted(text):
    assert compiled({"if": text, "then": "buy"}).lowered.columns


def test_a_parameter_may_be_called_like_a_band():
    rules = [{"if": "bbands(close, 20, lower, lower) > close", "then": "buy"}, LEAVES]
    spec = strategy_from({**document(rules), "params": {"lower": 2}})
    assert 2.0 in compile_strategy(spec).lowered.constants
