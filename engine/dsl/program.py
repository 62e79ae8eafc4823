"""Canonical trees → one program: unique columns and postfix code over them.

A program is arrays of integers and floats, so that one compiled kernel executes
any strategy and a new one compiles nothing. Many parameter sets of one strategy
are ``sweep``; columns are computed in ``columns``; the machine that runs the code
is ``engine.backtest.machine``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from contracts.canonical import Document, Json
from contracts.digest import document_digest
from contracts.errors import ContractError
from contracts.strategy import Order, Range, Rule, StrategySpec
from engine.arrays import Floats, Ints
from engine.dsl.check import FIELDS, FUNCTIONS, Scope, check
from engine.dsl.hints import EXAMPLE, MAX_QUOTED_CHARS, nearest
from engine.dsl.simplify import form, simplify
from engine.dsl.tree import Node, parse, too_large

PUSH_CONSTANT: Final = 0
PUSH_COLUMN: Final = 1
ADD, SUB, MUL, DIV, NEG = 2, 3, 4, 5, 6
LESS, LESS_EQUAL, EQUAL, NOT_EQUAL = 7, 8, 9, 10
AND, OR, NOT = 11, 12, 13
CROSSOVER, CROSSUNDER = 14, 15

_OPCODES: Final = {
    "+": ADD,
    "-": SUB,
    "*": MUL,
    "/": DIV,
    "neg": NEG,
    "<": LESS,
    "<=": LESS_EQUAL,
    "==": EQUAL,
    "!=": NOT_EQUAL,
    "and": AND,
    "or": OR,
    "not": NOT,
    "crossover": CROSSOVER,
    "crossunder": CROSSUNDER,
}
ACTIONS: Final = {"hold": 0, "buy": 1, "sell": 2, "close": 3}
ORDERS: Final = {"market": 0, "limit": 1, "stop": 2}
MAX_STACK: Final = 64
_BINARY: Final = ("+", "-", "*", "/")
_BARS: Final = {"atr": ("high", "low", "close")}
_RESERVED: Final = frozenset((*FIELDS, *FUNCTIONS, "and", "or", "not"))


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One indicator column: a function of earlier columns and constants.

    ``function`` is a field name, a rolling function, ``constant`` or an operator;
    ``sources`` index earlier columns, ``value`` is the window or the constant: a
    number, or the name of a parameter that a sweep will bind.
    """

    function: str
    sources: tuple[int, ...] = ()
    value: float | str = 0.0


@dataclass(frozen=True, slots=True)
class Lowered:
    """Code of a strategy, its parameters bound or open.

    Attributes
    ----------
    columns : tuple of ColumnSpec
        Indicator columns in the order in which they can be computed.
    constants : tuple of float or str
    code : ndarray, shape (n, 2), int64
        Opcode and operand: a column, or an index into ``constants``.
    rules : ndarray, shape (rules, 4), int64
        First and past-the-last instruction, action and kind of order of each rule.
    offsets : ndarray, shape (rules,), float64
        Distance of each rule's order from the deciding close, as a fraction.
    """

    columns: tuple[ColumnSpec, ...]
    constants: tuple[float | str, ...]
    code: Ints
    rules: Ints
    offsets: Floats


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled strategy: code without open parameters, and its canonical form.

    Attributes
    ----------
    lowered : Lowered
    ir : dict
        Canonical form: what ``ir_hash`` covers.
    """

    lowered: Lowered
    ir: Document

    @property
    def ir_hash(self) -> str:
        """``sha256:…`` of the canonical form."""
        return document_digest(self.ir)

    @property
    def longest_window(self) -> int:
        """Most bars that one column looks back on."""
        windows = [_window(spec) for spec in self.lowered.columns]
        return max(windows, default=0)

    def described_columns(self) -> list[str]:
        """Columns as expressions of the language, in the order in which they are computed."""
        columns, texts = self.lowered.columns, list[str]()
        for spec in columns:
            operands = [columns[source].function in _BINARY for source in spec.sources]
            parts = [texts[source] for source in spec.sources]
            texts.append(_described(spec, parts, operands))
        return texts


def compile_strategy(
    spec: StrategySpec, params: Mapping[str, float] | None = None, bars: int | None = None
) -> Program:
    """Compile a strategy at its default parameters or at given ones.

    Parameters
    ----------
    spec : StrategySpec
        Validated strategy.
    params : mapping of str to float, optional
        Values that replace defaults.
    bars : int, optional
        Length of the data, where it is known: a longer window is refused.

    Raises
    ------
    ContractError
        A ``DSL_…`` code with pointer, line and column.
    """
    conditions = resolve(spec, bound_params(spec, params or {}), bars)
    refuse_static(spec.rules, conditions)
    return Program(lower(spec.rules, conditions), _ir(spec, conditions))


def resolve(
    spec: StrategySpec, params: Mapping[str, float | None], bars: int | None = None
) -> list[Node]:
    """Canonical condition of every rule.

    Raises
    ------
    ContractError
        A ``DSL_…`` code with pointer, line and column.
    """
    scopes = [Scope(params, f"/rules/{index}/if", bars) for index in range(len(spec.rules))]
    return [
        simplify(check(parse(rule.condition, scope.loc), scope))
        for rule, scope in zip(spec.rules, scopes, strict=True)
    ]


def lower(rules: Sequence[Rule], conditions: Sequence[Node]) -> Lowered:
    """Lower canonical conditions to columns and postfix code.

    Raises
    ------
    ContractError
        ``DSL_PARSE_ERROR`` if a condition holds more than `MAX_STACK` values at once.
    """
    builder = _Builder()
    table: list[tuple[int, int, int, int]] = []
    for index, (rule, node) in enumerate(zip(rules, conditions, strict=True)):
        start = len(builder.code)
        if builder.emit(node) > MAX_STACK:
            raise too_large(f"/rules/{index}/if", f"it holds more than {MAX_STACK} values at once")
        kind = ORDERS[_order(rule).type]
        table.append((start, len(builder.code), ACTIONS[rule.then], kind))
    return Lowered(
        tuple(builder.columns),
        tuple(builder.constants),
        np.array(builder.code, dtype=np.int64).reshape(-1, 2),
        np.array(table, dtype=np.int64).reshape(-1, 4),
        np.array([_order(rule).offset_bps * 1e-4 for rule in rules], dtype=np.float64),
    )


def bound_params(spec: StrategySpec, params: Mapping[str, float]) -> dict[str, float]:
    """Parameters as numbers, the given ones inside their ranges.

    Raises
    ------
    ContractError
        ``DSL_TYPE_ERROR`` or ``DSL_PARAM_OUT_OF_RANGE`` with the parameter.
    """
    for name in spec.params:
        if name in _RESERVED:
            message = f"the parameter {name!r} has the name of a field, a function or an operator"
            hint = f'did you mean "my_{name}"?'
            raise ContractError("DSL_TYPE_ERROR", message, f"/params/{name}", (hint,))
    for name, value in params.items():
        refuse_value(spec, name, value)
    return {**spec.bound_params, **params}


def refuse_value(spec: StrategySpec, name: str, value: float) -> None:
    """Refuse a value that a parameter cannot take.

    Raises
    ------
    ContractError
        ``DSL_PARAM_OUT_OF_RANGE``.
    """
    declared = spec.params.get(name)
    if declared is None:
        near = nearest(name, spec.params)
        declared_are = f"declared are: {', '.join(spec.params) or 'none'}"
        hint = f"did you mean {near}? {declared_are}" if near else declared_are
        raise _out_of_range(name, f"the parameter {name!r} is not declared", hint)
    if isinstance(declared, Range) and not declared.min <= value <= declared.max:
        rule = f"{declared.min:g} … {declared.max:g}"
        message = f"the parameter {name!r} is {value:g}, outside {rule}"
        raise _out_of_range(name, message, f"give a value in {rule}")
    if not math.isfinite(value):
        message = f"the parameter {name!r} is {value:g}"
        raise _out_of_range(name, message, "give a finite number")


@dataclass(slots=True)
class _Builder:
    columns: dict[ColumnSpec, int] = field(default_factory=dict[ColumnSpec, int])
    constants: dict[float | str, int] = field(default_factory=dict["float | str", int])
    code: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def column(self, function: str, sources: tuple[int, ...] = (), value: float | str = 0.0) -> int:
        return self.columns.setdefault(ColumnSpec(function, sources, value), len(self.columns))

    def materialise(self, node: Node) -> int:
        """Index of the column that holds a numeric tree on every bar."""
        if node.op == "field":
            return self.column(node.text)
        if node.op in ("num", "param"):
            return self.column("constant", (), _value(node))
        if node.op == "call":
            sources = [self.materialise(arg) for arg in node.args[:-1]]
            sources += [self.column(name) for name in _BARS.get(node.text, ())]
            return self.column(node.text, tuple(sources), _value(node.args[-1]))
        return self.column(node.op, tuple(self.materialise(arg) for arg in node.args))

    def emit(self, node: Node) -> int:
        """Append postfix code; returns the stack depth it needs."""
        if node.op in ("num", "param"):
            index = self.constants.setdefault(_value(node), len(self.constants))
            self.code.append((PUSH_CONSTANT, index))
            return 1
        name = node.text if node.op == "call" else node.op
        if name not in _OPCODES:
            self.code.append((PUSH_COLUMN, self.materialise(node)))
            return 1
        depths = [index + self.emit(arg) for index, arg in enumerate(node.args)]
        self.code.append((_OPCODES[name], 0))
        return max(depths)


def _order(rule: Rule) -> Order:
    """The order of a rule; to hold places none, whatever is written."""
    return Order() if rule.then == "hold" else rule.order


def _value(node: Node) -> float | str:
    return node.text if node.op == "param" else node.value


def _window(spec: ColumnSpec) -> int:
    is_rolling = spec.function in FUNCTIONS and not isinstance(spec.value, str)
    return int(spec.value) if is_rolling else 0


def _described(spec: ColumnSpec, parts: Sequence[str], are_binary: Sequence[bool]) -> str:
    if spec.function in FIELDS:
        return spec.function
    value = _number_text(spec.value)
    if spec.function == "constant":
        return value
    if spec.function in FUNCTIONS:
        shown = () if spec.function in _BARS else parts
        return f"{spec.function}({', '.join((*shown, value))})"
    wrapped = [
        f"({part})" if binary else part for part, binary in zip(parts, are_binary, strict=True)
    ]
    return f"-{wrapped[0]}" if spec.function == "neg" else f" {spec.function} ".join(wrapped)


def _number_text(value: float | str) -> str:
    """Shortest text that reads back as the same number."""
    return value if isinstance(value, str) else repr(float(value)).removesuffix(".0")


def _out_of_range(name: str, message: str, hint: str) -> ContractError:
    return ContractError("DSL_PARAM_OUT_OF_RANGE", message, f"/params/{name}", (hint,))


def _ir(spec: StrategySpec, conditions: list[Node]) -> Document:
    rules: list[Json] = []
    for rule, node in zip(spec.rules, conditions, strict=True):
        order = _order(rule)
        placed: list[Json] = [] if order.type == "market" else [order.document()]
        rules.append([form(node), rule.then, *placed])
    return {"rules": rules, "risk": spec.risk.document(), "timeframe": spec.timeframe}


def refuse_static(rules: Sequence[Rule], conditions: Sequence[Node]) -> None:
    """Refuse a rule that can never be true, and one condition that both buys and sells.

    Raises
    ------
    ContractError
        ``DSL_STATIC_FAIL`` with the pointer of the rule.
    """
    seen: dict[str, set[str]] = {}
    for index, (rule, node) in enumerate(zip(rules, conditions, strict=True)):
        loc = f"/rules/{index}/if"
        if node.op == "num" and node.value == 0.0:
            message, hint = "the rule can never be true", f'write "{EXAMPLE}"'
            raise ContractError("DSL_STATIC_FAIL", message, loc, (hint,))
        actions = seen.setdefault(str(form(node)), set())
        actions.add(rule.then)
        if {"buy", "sell"} <= actions:
            message, text = "the same condition both buys and sells", rule.condition.strip()
            hint = f'write "not ({text})"' if len(text) <= MAX_QUOTED_CHARS else "change one rule"
            raise ContractError("DSL_STATIC_FAIL", message, loc, (hint,))


__all__ = ["FIELDS", "ColumnSpec", "Lowered", "Program", "compile_strategy"]
