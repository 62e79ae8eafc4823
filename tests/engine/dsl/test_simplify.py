"""Equal meaning gives an equal ir_hash, another meaning another one, and no value changes."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings

from contracts.strategy import strategy_from
from engine.backtest import run
from engine.dsl import compile_strategy
from engine.dsl.check import check
from engine.dsl.simplify import form, simplify
from engine.dsl.tree import parse
from tests.engine.backtest.cases import dataset, digest, evaluation
from tests.oracles import expressions
from tests.properties import strategies

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
]


def canonical(text) -> Any:
    """Canonical form of a condition: nested lists, or a number if it is constant."""
    params = {"fast": 4.0, "level": 100.5}
    return form(simplify(check(parse(text, ""), params, "")))


def compiled(text, then="buy", **changes: Any):
    rules = [{"if": text, "then": then}, LEAVES]
    return compile_strategy(strategy_from({**strategies.document(rules), **changes}))


@pytest.mark.parametrize(("text", "other"), SAME)
def test_two_ways_to_say_it_have_one_hash_and_one_program(text, other):
    one, two = compiled(text), compiled(other)
    assert one.ir_hash == two.ir_hash
    assert one.columns == two.columns
    assert one.code.tolist() == two.code.tolist()
    assert one.constants.tolist() == two.constants.tolist()


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


def test_everything_that_is_executed_is_in_the_hash():
    percent = {"type": "percent_equity", "percent": 100}
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
    ]
    assert len(set(found)) == len(found)


def test_the_order_of_keys_is_not_in_the_hash_and_that_of_rules_is():
    rules = [{"if": "close > 1", "then": "buy"}, {"if": "open > 1", "then": "close"}]
    written = strategies.document(rules)
    turned: Any = dict(reversed(written.items())) | {
        "rules": [dict(reversed(r.items())) for r in rules]
    }
    hashes = [
        compile_strategy(strategy_from(document)).ir_hash
        for document in (written, turned, {**written, "rules": rules[::-1]})
    ]
    assert hashes[0] == hashes[1] != hashes[2]


@hypothesis_settings(max_examples=60, suppress_health_check=SLOW)
@given(strategies.conditions(), strategies.series(40))
def test_a_condition_and_its_double_denial_trade_alike(text, columns):
    ways = [text, f"not not ({text})", f"({text}) and ({text}) and 1 < 2", f"(({text}))"]
    forms = [canonical(way) for way in ways]
    assert all(other == forms[0] for other in forms)
    assume(forms[0] != 0)
    leave = {"if": "volume > 200", "then": "sell"}
    rules = [[{"if": way, "then": "buy"}, leave] for way in ways]
    asked = [evaluation(strategies.document(some)) for some in rules]
    found = [digest(one) for one in run([dataset(columns)], asked)]
    assert len(set(found)) == 1
    assert len({one.program.ir_hash for one in asked}) == 1


@hypothesis_settings(max_examples=60, suppress_health_check=SLOW)
@given(strategies.conditions())
def test_a_condition_that_folds_to_a_constant_always_had_that_value(text):
    first = canonical(text)
    columns = {k: v.tolist() for k, v in strategies.bars("walk", 25, 3).items()}
    tree = expressions.parse(text)
    params = {"fast": 4.0, "level": 100.5}
    values = {expressions.value_at(tree, t, columns, params) for t in range(25)}
    if isinstance(first, int | float):
        assert values <= {bool(first), None}
    else:
        assert values <= {True, False, None}
