"""Equal meaning gives an equal ir_hash, another meaning another one, and no value changes."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, reject
from hypothesis import settings as hypothesis_settings

from contracts.errors import ContractError
from contracts.strategy import load_strategy, strategy_from
from engine.dsl import compile_strategy
from engine.dsl.check import Scope, check
from engine.dsl.simplify import form, simplify
from engine.dsl.tree import parse
from tests.contracts.fixture_files import document as read
from tests.contracts.fixture_files import valid_files
from tests.oracles import expressions
from tests.properties import strategies

PARAMS = {"fast": 4.0, "level": 100.5}
LEAVES = {"if": "close < 1", "then": "close"}
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)

SAME = [
    ("close > open", "open < close"),
    ("close >= open", "open <= close"),
    ("close == open", "open == close"),
    ("close != open", "open != close"),
    ("close > 1 and open > 1", "open > 1 and close > 1"),
    ("close > 1 or open > 1", "open > 1 or close > 1"),
    ("close > 1 and (open > 1 and low > 1)", "(low > 1 and close > 1) and open > 1"),
    ("not not close > 1", "close > 1"),
    ("not not not close > 1", "not close > 1"),
    ("close > 1 and close > 1", "close > 1"),
    ("close > 1 or 1 < close", "close > 1"),
    ("close > 1 and 2 > 1", "close > 1"),
    ("close > 1 or 2 < 1", "close > 1"),
    ("close > 1 or 2 > 1", "3 == 3"),
    ("close + open > 1", "open + close > 1"),
    ("close * open > 1", "open * close > 1"),
    ("close > 2 + 3 * 4", "close > 14"),
    ("close > 10 / 4", "close > 2.5"),
    ("close > -(1 - 3)", "close > 2"),
    ("close > +2", "close > 2"),
    ("close > 1e2", "close > 100.0"),
    ("close > level", "close > 100.5"),
    ("ma(close, fast) > 1", "ma(close, 4) > 1"),
    ("lag(close, -0) > 1", "lag(close, 0) > 1"),
    ("(((close))) > (1)", "close > 1"),
    ("ma(close + open, 3) > 1", "ma(open + close, 3) > 1"),
    ("crossover(close + 1, 1 + open)", "crossover(1 + close, open + 1)"),
    ("bbands(close, 20, 2, middle) > 1", "ma(close, 20) > 1"),
    ("bbands(close, 20, 2, upper) > 1", "ma(close, 20) + 2 * stdev(close, 20) > 1"),
    ("bbands(close, 20, 2, lower) > 1", "ma(close, 20) - stdev(close, 20) * 2 > 1"),
    ("bbands(close, fast, 0.5, lower) > 1", "bbands(close, 4, 5e-1, lower) > 1"),
    ("rsi(close, fast) < 30 or atr(14) > 1", "1 < atr(14) or 30 > rsi(close, 4)"),
    ("stdev(open * close, 5) > slope(low + 1, 5)", "slope(1 + low, 5) < stdev(close * open, 5)"),
    ("not (not close > 1 and not close > 1)", "not not close > 1"),
    ("close > 1 and (close > 1 or 1 < 2)", "close > 1"),
]
DIFFERENT = [
    ("close > open", "close < open"),
    ("close > open", "close >= open"),
    ("close == open", "close != open"),
    ("close - open > 1", "open - close > 1"),
    ("close / open > 1", "open / close > 1"),
    ("close > 1 and open > 1", "close > 1 or open > 1"),
    ("(close + open) + low > 1", "close + (open + low) > 1"),
    ("crossover(close, open)", "crossover(open, close)"),
    ("crossover(close, open)", "crossunder(close, open)"),
    ("ma(close, 3) > 1", "ma(close, 4) > 1"),
    ("ma(close, 3) > 1", "lag(close, 3) > 1"),
    ("ma(close, 3) > 1", "ma(open, 3) > 1"),
    ("close > 1", "not close > 1"),
    ("close > 1", "close > 1.0000000000000002"),
    ("-close > 1", "close > 1"),
    ("lag(close, 0) > 1", "close > 1"),
    ("bbands(close, 20, 2, upper) > 1", "bbands(close, 20, 2, lower) > 1"),
    ("bbands(close, 20, 2, upper) > 1", "bbands(close, 20, 3, upper) > 1"),
    ("bbands(close, 20, 0, upper) > 1", "ma(close, 20) > 1"),
    ("ma(close, 3) > 1", "ema(close, 3) > 1"),
    ("highest(close, 3) > 1", "lowest(close, 3) > 1"),
    ("atr(14) > 1", "atr(15) > 1"),
    ("close - close == 0", "open - open == 0"),
    ("close == close", "open == open"),
    ("close > 1 or (open > 1 and low > 1)", "(close > 1 or open > 1) and low > 1"),
]


def canonical(text) -> Any:
    """Canonical form of a condition: nested lists, or a number if it is constant."""
    return form(simplified(text))


def simplified(text):
    return simplify(check(parse(text, ""), Scope(PARAMS, "")))


def value_of(tree, t, columns):
    """Value of a canonical form on a bar: what ``form`` writes is what the oracle reads."""
    return expressions.value_at(expressions.parse(written(tree)), t, columns, {})


def written(node) -> str:
    """A canonical tree as an expression with all parentheses."""
    parts = [written(arg) for arg in node.args]
    if node.op == "num":
        return f"({number(node.value)})"
    if node.op == "field":
        return node.text
    if node.op == "call":
        window = [] if node.text.startswith("cross") else [number(node.args[-1].value)]
        return f"{node.text}({', '.join(parts[: len(parts) - len(window)] + window)})"
    if node.op in ("neg", "not"):
        return f"({'-' if node.op == 'neg' else 'not '}({parts[0]}))"
    return f"({parts[0]} {node.op} {parts[1]})"


def number(value) -> str:
    return repr(value).removesuffix(".0")


def compiled(text, then="buy", order: Any = None, **changes: Any):
    rules: list[Any] = [{"if": text, "then": then}, LEAVES]
    if order is not None:
        rules[0]["order"] = order
    return compile_strategy(strategy_from({**strategies.document(rules), **changes}))


@pytest.mark.parametrize(("text", "other"), SAME)
def test_two_ways_to_say_it_have_one_hash_and_one_program(text, other):
    one, two = compiled(text), compiled(other)
    assert one.ir_hash == two.ir_hash
    assert one.lowered.columns == two.lowered.columns
    assert one.lowered.code.tolist() == two.lowered.code.tolist()
    assert one.lowered.constants == two.lowered.constants


@pytest.mark.parametrize(("text", "other"), DIFFERENT)
def test_two_meanings_have_two_hashes(text, other):
    assert compiled(text).ir_hash != compiled(other).ir_hash


def test_what_is_not_executed_is_not_in_the_hash():
    wanted = compiled("close > level").ir_hash
    same: list[Any] = [
        {"id": "other"},
        {"name": "Other"},
        {"metadata": {"tags": ["x"], "notes": ["y"]}},
        {"params": {"level": 100.5}},
        {"params": {"level": {"default": 100.5, "min": 1, "max": 200, "step": 0.5}, "unused": 3}},
    ]
    for changes in same:
        assert compiled("close > level", **changes).ir_hash == wanted
    assert compiled("close > level", order={"type": "market"}).ir_hash == wanted


def test_the_order_of_a_rule_that_holds_is_not_in_the_hash():
    plain = compiled("close > level", then="hold")
    for order in ({"type": "limit", "offset_bps": 5}, {"type": "stop"}):
        held = compiled("close > level", then="hold", order=order)
        assert held.ir_hash == plain.ir_hash
        assert held.lowered.rules.tolist() == plain.lowered.rules.tolist()
        assert held.lowered.offsets.tolist() == plain.lowered.offsets.tolist()


def test_everything_that_is_executed_is_in_the_hash():
    percent = {"type": "percent_equity", "percent": 100}
    by_risk = {"sizing": {"type": "risk_bps", "bps": 10}, "stop_loss_bps": 50}
    orders: list[Any] = [{"type": kind} for kind in ("limit", "stop")]
    orders += [{"type": kind, "offset_bps": far} for kind in ("limit", "stop") for far in (5, -5)]
    exits: list[Any] = [{name: 50} for name in (*strategies.EXITS, *strategies.LENGTHS)]
    found = [
        compiled("close > level").ir_hash,
        compiled("close > level", then="sell").ir_hash,
        compiled("close > level", then="hold").ir_hash,
        compiled("close > level", timeframe="5m").ir_hash,
        compiled("close > level", params={"level": 101}).ir_hash,
        compiled("close > level", risk={"sizing": percent | {"percent": 99}}).ir_hash,
        compiled("close > level", risk={"sizing": {"type": "fixed_qty", "qty": 1}}).ir_hash,
        compiled("close > level", risk={"sizing": percent, "allow_short": True}).ir_hash,
        compiled("close > level", risk={"sizing": percent, "max_margin": 1}).ir_hash,
        *(compiled("close > level", order=order).ir_hash for order in orders),
        *(compiled("close > level", risk={"sizing": percent} | ends).ir_hash for ends in exits),
        compiled("close > level", risk=by_risk).ir_hash,
        compiled("close > level", risk=by_risk | {"stop_loss_bps": 51}).ir_hash,
    ]
    assert len(set(found)) == len(found)


def turned(value: Any) -> Any:
    """The same JSON with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(inner) for key, inner in reversed(value.items())}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", valid_files("strategies"), ids=lambda path: path.stem)
def test_the_order_of_keys_is_not_in_the_hash_of_a_fixture_and_that_of_rules_is(path):
    document = read(path)
    other = turned(document)
    assert json.dumps(other) != json.dumps(document)
    program = compile_strategy(strategy_from(document))
    assert compile_strategy(strategy_from(other)).ir_hash == program.ir_hash
    again = compile_strategy(load_strategy(json.dumps(other)))
    assert again.lowered.columns == program.lowered.columns
    if len(document["rules"]) > 1:
        reordered = {**document, "rules": document["rules"][::-1]}
        assert compile_strategy(strategy_from(reordered)).ir_hash != program.ir_hash


@hypothesis_settings(max_examples=60, suppress_health_check=SLOW)
@given(strategies.documents())
def test_the_order_of_keys_is_not_in_the_hash(document):
    try:
        program = compile_strategy(strategy_from(document))
    except ContractError:
        reject()
    assert compile_strategy(strategy_from(turned(document))).ir_hash == program.ir_hash


@hypothesis_settings(max_examples=200, suppress_health_check=SLOW)
@given(strategies.conditions())
def test_what_is_simple_is_not_simplified_further(text):
    once = simplified(text)
    assert form(simplify(once)) == form(once)


@hypothesis_settings(max_examples=150, suppress_health_check=SLOW)
@given(strategies.conditions(), strategies.series(25))
def test_simplifying_changes_no_value(text, columns):
    plain = {name: values.tolist() for name, values in columns.items()}
    tree, canonical_tree = expressions.parse(text), simplified(text)
    memo: dict[Any, Any] = {}
    for t in range(len(plain["close"])):
        wanted = expressions.value_at(tree, t, plain, PARAMS, memo)
        if canonical_tree.op == "num":
            assert wanted in (bool(canonical_tree.value), None)
        else:
            assert value_of(canonical_tree, t, plain) == wanted


@hypothesis_settings(max_examples=60, suppress_health_check=SLOW)
@given(strategies.conditions(1))
def test_a_condition_and_its_double_denial_are_one_program(text):
    ways = [text, f"not not ({text})", f"({text}) and ({text}) and 1 < 2", f"(({text}))"]
    forms = [canonical(way) for way in ways]
    assert all(other == forms[0] for other in forms)
    assume(forms[0] != 0)
    programs = [compiled(way) for way in ways]
    assert len({program.ir_hash for program in programs}) == 1
    assert len({program.lowered.code.tobytes() for program in programs}) == 1


@hypothesis_settings(max_examples=60, suppress_health_check=SLOW)
@given(strategies.conditions())
def test_a_condition_that_folds_to_a_constant_always_had_that_value(text):
    first = canonical(text)
    columns = {k: v.tolist() for k, v in strategies.bars("walk", 25, 3).items()}
    tree = expressions.parse(text)
    values = {expressions.value_at(tree, t, columns, PARAMS) for t in range(25)}
    if isinstance(first, int | float):
        assert values <= {bool(first), None}
    else:
        assert values <= {True, False, None}
