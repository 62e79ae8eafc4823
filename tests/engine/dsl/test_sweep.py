"""A sweep is its parameter sets compiled one by one, and refuses a wrong value with its row."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.strategy import load_strategy, strategy_from
from engine.dsl import compile_strategy, compile_sweep
from engine.dsl import program as code
from engine.dsl.simplify import form, simplify
from engine.dsl.tree import Node
from tests.contracts.fixture_files import valid_files
from tests.properties import strategies

RULES: list[Any] = [
    {"if": "ma(close, fast) > level * 2 and lag(close, fast) > ma(close, 7)", "then": "buy"},
    {"if": "close < bbands(close, fast, level, lower)", "then": "close"},
]
SPEC = strategy_from(strategies.document(RULES))
OPERATORS = (
    *("+", "-", "*", "/", "neg", "<", "<=", "==", "!="),
    *("and", "or", "not", "crossover", "crossunder"),
)
CODES = (
    *(code.ADD, code.SUB, code.MUL, code.DIV, code.NEG),
    *(code.LESS, code.LESS_EQUAL, code.EQUAL, code.NOT_EQUAL),
    *(code.AND, code.OR, code.NOT, code.CROSSOVER, code.CROSSUNDER),
)
NAMES = dict(zip(CODES, OPERATORS, strict=True))
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


def column_tree(index, columns) -> Node:
    """The tree that a column stands for."""
    spec = columns[index]
    args = tuple(column_tree(source, columns) for source in spec.sources)
    if spec.function in code.FIELDS:
        return Node("field", text=spec.function)
    if spec.function == "constant":
        return Node("num", value=float(spec.value))
    if spec.function in ("+", "-", "*", "/", "neg"):
        return Node(spec.function, args)
    sources = () if spec.function == "atr" else args
    return Node("call", (*sources, Node("num", value=float(spec.value))), spec.function)


def rule_forms(lowered, columns, slots, constants) -> list:
    """Canonical form of every rule, read back from its code."""
    forms = []
    for start, stop, *_ in lowered.rules.tolist():
        stack: list[Node] = []
        for operation, operand in lowered.code[start:stop].tolist():
            if operation == code.PUSH_CONSTANT:
                stack.append(Node("num", value=float(constants[operand])))
            elif operation == code.PUSH_COLUMN:
                stack.append(column_tree(slots[operand], columns))
            else:
                name = NAMES[operation]
                count = 1 if name in ("neg", "not") else 2
                args = tuple(stack[-count:])
                is_call = name.startswith("cross")
                op, text = ("call", name) if is_call else (name, "")
                stack[-count:] = [Node(op, args, text)]
        [node] = stack
        forms.append(form(simplify(node)))
    return forms


def assert_one_by_one(sweep, spec) -> None:
    for index in range(sweep.size):
        alone = compile_strategy(spec, sweep.params(index))
        numbers = [float(value) for value in alone.lowered.constants]
        own = range(len(alone.lowered.columns))
        wanted = rule_forms(alone.lowered, alone.lowered.columns, own, numbers)
        assert wanted == [rule[0] for rule in alone.ir["rules"]]  # type: ignore[index]
        slots, constants = sweep.slots[index], sweep.constants[index]
        assert rule_forms(sweep.lowered, sweep.columns, slots, constants) == wanted
        assert sweep.lowered.rules[:, 2:].tolist() == alone.lowered.rules[:, 2:].tolist()
        assert sweep.lowered.offsets.tolist() == alone.lowered.offsets.tolist()
        assert sweep.program(index).ir_hash == alone.ir_hash


def refusal(params: Any, spec=SPEC, bars=None):
    with pytest.raises(ContractError) as caught:
        compile_sweep(spec, params, bars)
    assert caught.value.hints[0]
    return caught.value


def test_a_sweep_of_every_pair_holds_each_column_once():
    fast, level = (values.ravel() for values in np.meshgrid(range(1, 10), [0.0, 1.5, 100.0]))
    sweep = compile_sweep(SPEC, {"fast": fast, "level": level})
    assert sweep.size == 27
    assert len(set(sweep.columns)) == len(sweep.columns) == 1 + 3 * 9
    assert sweep.slots.dtype == np.int64
    assert_one_by_one(sweep, SPEC)


def test_sources_come_before_the_columns_that_need_them():
    text = "ma(lag(close + level, fast), fast) > lag(atr(fast), 1)"
    spec = strategy_from(strategies.document([{"if": text, "then": "close"}]))
    sweep = compile_sweep(spec, {"fast": [9, 1, 5], "level": [3, 2, 3]})
    for index, column in enumerate(sweep.columns):
        assert all(source < index for source in column.sources)
    assert_one_by_one(sweep, spec)


def test_parameters_that_are_not_given_keep_their_default():
    sweep = compile_sweep(SPEC, {"fast": [3, 8]})
    assert sweep.params(1) == {"fast": 8.0, "level": 100.5}
    assert compile_sweep(SPEC, {}).params(0) == SPEC.bound_params
    assert compile_sweep(SPEC, {"level": 7}).params(0) == {"fast": 4.0, "level": 7.0}


def test_equal_sets_share_everything_and_no_set_is_no_set():
    sweep = compile_sweep(SPEC, {"fast": [5, 3, 5]})
    assert sweep.slots[0].tolist() == sweep.slots[2].tolist() != sweep.slots[1].tolist()
    assert compile_sweep(SPEC, {"fast": []}).size == 0


def test_a_strategy_without_parameters_is_a_sweep_of_one():
    spec = strategy_from(
        {**strategies.document([{"if": "close > 1", "then": "close"}]), "params": {}}
    )
    sweep = compile_sweep(spec, {})
    assert (sweep.size, sweep.values) == (1, {})
    assert_one_by_one(sweep, spec)


@pytest.mark.parametrize("path", valid_files("strategies"), ids=lambda path: path.stem)
def test_a_fixture_swept_over_its_ranges_is_its_sets_one_by_one(path):
    spec = load_strategy(path.read_bytes())
    rng = np.random.default_rng(5)
    params = {}
    for name, value in spec.document()["params"].items():  # type: ignore[union-attr]
        steps = np.arange(value["min"], value["max"], value["step"])
        params[name] = rng.choice(steps, 6)
    assert_one_by_one(compile_sweep(spec, params), spec)


@hypothesis_settings(max_examples=120, suppress_health_check=SLOW)
@given(
    strategies.documents(),
    st.lists(st.tuples(st.integers(2, 9), st.floats(-1e6, 1e6)), min_size=1, max_size=5),
)
def test_a_sweep_of_any_strategy_is_its_sets_one_by_one(written, sets):
    spec = strategy_from(written)
    fast, level = zip(*sets, strict=True)
    try:
        for one in sets:
            compile_strategy(spec, dict(zip(("fast", "level"), one, strict=True)))
    except ContractError:
        reject()
    assert_one_by_one(compile_sweep(spec, {"fast": fast, "level": level}), spec)


@pytest.mark.parametrize(
    ("params", "code", "loc"),
    [
        ({"fast": [3, 10, 4]}, "DSL_PARAM_OUT_OF_RANGE", "/params/fast row 1"),
        ({"fast": [3, 4, 2.5]}, "DSL_PARAM_OUT_OF_RANGE", "/params/fast row 2"),
        ({"fast": [3, np.nan]}, "DSL_PARAM_OUT_OF_RANGE", "/params/fast row 1"),
        ({"level": [1, 2, np.inf]}, "DSL_PARAM_OUT_OF_RANGE", "/params/level row 2"),
        ({"level": [1, -0.5]}, "DSL_PARAM_OUT_OF_RANGE", "/params/level row 1"),
        ({"slow": [1, 2]}, "DSL_PARAM_OUT_OF_RANGE", "/params/slow row 0"),
        ({"fast": [1, 2], "level": [1]}, "DSL_PARAM_OUT_OF_RANGE", "/params"),
        ({"fast": [[1, 2], [3, 4]]}, "DSL_PARAM_OUT_OF_RANGE", "/params"),
    ],
)
def test_a_wrong_value_is_refused_with_its_parameter_and_row(params, code, loc):
    error = refusal(params)
    assert (error.code, error.loc) == (code, loc)


def ranged(text, **params):
    rules = [{"if": text, "then": "close"}]
    return strategy_from({**strategies.document(rules), "params": params})


def test_a_lookahead_in_one_row_is_refused_with_its_row():
    spec = ranged("lag(close, n) > 1", n={"default": 1, "min": -5, "max": 5})
    error = refusal({"n": [3, 0, -2, -1]}, spec)
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", "/params/n row 2")
    assert error.hints == ("give 2",)


@pytest.mark.parametrize("text", ["lag(close, -n) > 1", "ma(close, -n) > 1"])
def test_a_negated_window_is_refused_alike_alone_and_in_a_sweep(text):
    spec = ranged(text, n={"default": -1, "min": -5, "max": -1})
    with pytest.raises(ContractError) as alone:
        compile_strategy(spec)
    error = refusal({"n": [-3, -2]}, spec)
    assert (error.code, error.loc) == (alone.value.code, alone.value.loc)
    assert error.hints == ("write n instead of -n",)


def test_a_window_longer_than_the_data_is_refused_with_its_row():
    spec = ranged("ma(close, n) > 1", n=5)
    error = refusal({"n": [3, 50, 51]}, spec, bars=50)
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", "/params/n row 2")
    assert compile_sweep(spec, {"n": [3, 50]}, bars=50).size == 2
    fixed = refusal({}, ranged("ma(close, 60) > 1", n=5), bars=50)
    assert fixed.loc == "/rules/0/if line 1 column 11"


def test_rules_that_no_parameter_can_mend_are_refused():
    never = ranged("1 > 2", n=5)
    assert refusal({"n": [1, 2]}, never).loc == "/rules/0/if"
    rules = [{"if": "close > ma(close, fast)", "then": then} for then in ("buy", "sell")]
    both = refusal({"fast": [1, 2]}, strategy_from(strategies.document(rules)))
    assert (both.code, both.loc) == ("DSL_STATIC_FAIL", "/rules/1/if")


def test_a_set_that_makes_two_rules_equal_or_one_never_true_is_left_to_run():
    rules = [
        {"if": "close > ma(close, fast)", "then": "buy"},
        {"if": "close > ma(close, slow) and slow > 3", "then": "sell"},
    ]
    spec = strategy_from({**strategies.document(rules), "params": {"fast": 5, "slow": 9}})
    sweep = compile_sweep(spec, {"fast": [5, 9, 3], "slow": [9, 9, 3]})
    assert sweep.slots[1].tolist()[1] == sweep.slots[1].tolist()[2]
    with pytest.raises(ContractError, match="never"):
        sweep.program(2)
