"""Canonical trees → one program: unique columns and postfix code over them.

A program is arrays of integers and floats, so that one compiled kernel executes
any strategy and a new one compiles nothing. Columns are computed in ``columns``;
the machine that runs the code is ``engine.backtest.kernels``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.canonical import Document, Json
from contracts.digest import document_digest
from contracts.errors import ContractError
from contracts.strategy import Range, StrategySpec
from engine.dsl.check import FIELDS, FUNCTIONS, check
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
}
ACTIONS: Final = {"hold": 0, "buy": 1, "sell": 2, "close": 3}
MAX_STACK: Final = 64
_RESERVED: Final = frozenset((*FIELDS, *FUNCTIONS, "and", "or", "not"))


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One indicator column: a function of earlier columns and constants.

    ``function`` is a field name, ``ma``, ``lag``, ``constant`` or an operator;
    ``sources`` index earlier columns, ``value`` is the window or the constant.
    """

    function: str
    sources: tuple[int, ...] = ()
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled strategy.

    Attributes
    ----------
    columns : tuple of ColumnSpec
        Indicator columns in the order in which they can be computed.
    code : ndarray, shape (n, 2), int64
        Opcode and operand: a column, or an index into ``constants``.
    constants : ndarray, float64
    rules : ndarray, shape (rules, 3), int64
        First and past-the-last instruction, and the action, of each rule.
    ir : dict
        Canonical form: what ``ir_hash`` covers.
    """

    columns: tuple[ColumnSpec, ...]
    code: npt.NDArray[np.int64]
    constants: npt.NDArray[np.float64]
    rules: npt.NDArray[np.int64]
    ir: Document

    @property
    def ir_hash(self) -> str:
        """``sha256:…`` of the canonical form."""
        return document_digest(self.ir)


@dataclass(slots=True)
class _Builder:
    columns: dict[ColumnSpec, int] = field(default_factory=dict)
    constants: dict[float, int] = field(default_factory=dict)
    code: list[tuple[int, int]] = field(default_factory=list)
    depth: int = 0

    def column(self, spec: ColumnSpec) -> int:
        return self.columns.setdefault(spec, len(self.columns))

    def materialise(self, node: Node) -> int:
        """Index of the column that holds a numeric tree on every bar."""
        if node.op == "field":
            return self.column(ColumnSpec(node.text))
        if node.op == "num":
            return self.column(ColumnSpec("constant", (), node.value))
        if node.op == "call":
            source = self.materialise(node.args[0])
            return self.column(ColumnSpec(node.text, (source,), node.args[1].value))
        sources = tuple(self.materialise(arg) for arg in node.args)
        return self.column(ColumnSpec(node.op, sources))

    def emit(self, node: Node) -> int:
        """Append postfix code; returns the stack depth it needs."""
        if node.op == "num":
            index = self.constants.setdefault(node.value, len(self.constants))
            self.code.append((PUSH_CONSTANT, index))
            return 1
        if node.op == "call" and node.text in ("crossover", "crossunder"):
            opcode = CROSSOVER if node.text == "crossover" else CROSSUNDER
            left, right = (self.materialise(arg) for arg in node.args)
            self.code.append((opcode, left << 32 | right))
            return 1
        if node.op in ("field", "call"):
            self.code.append((PUSH_COLUMN, self.materialise(node)))
            return 1
        depths = [index + self.emit(arg) for index, arg in enumerate(node.args)]
        self.code.append((_OPCODES[node.op], 0))
        return max(depths)


def compile_strategy(spec: StrategySpec, params: dict[str, float] | None = None) -> Program:
    """Compile a strategy at its default parameters or at given ones.

    Parameters
    ----------
    spec : StrategySpec
        Validated strategy.
    params : dict of str to float, optional
        Values that replace defaults.

    Raises
    ------
    ContractError
        A ``DSL_…`` code with pointer, line and column.
    """
    bound = _bound(spec, params or {})
    conditions = [
        simplify(check(parse(rule.condition, loc), bound, loc))
        for index, rule in enumerate(spec.rules)
        for loc in (f"/rules/{index}/if",)
    ]
    _refuse_static(spec, conditions)
    builder = _Builder()
    rules: list[tuple[int, int, int]] = []
    for index, (rule, node) in enumerate(zip(spec.rules, conditions, strict=True)):
        start = len(builder.code)
        if builder.emit(node) > MAX_STACK:
            raise too_large(f"/rules/{index}/if", f"it holds more than {MAX_STACK} values at once")
        rules.append((start, len(builder.code), ACTIONS[rule.then]))
    return Program(
        tuple(builder.columns),
        np.array(builder.code, dtype=np.int64).reshape(-1, 2),
        np.array(list(builder.constants) or [0.0]),
        np.array(rules, dtype=np.int64).reshape(-1, 3),
        _ir(spec, conditions),
    )


def _bound(spec: StrategySpec, params: dict[str, float]) -> dict[str, float]:
    """Parameters as numbers, the given ones inside their ranges."""
    for name in spec.params:
        if name in _RESERVED:
            message = f"the parameter {name!r} hides a word of the language"
            hint = f"rename it, e.g. {name}_level"
            raise ContractError("DSL_STATIC_FAIL", message, f"/params/{name}", (hint,))
    for name, value in params.items():
        declared = spec.params.get(name)
        if declared is None:
            hint = f"declared are: {', '.join(spec.params) or 'none'}"
            raise _out_of_range(name, f"the parameter {name!r} is not declared", hint)
        if isinstance(declared, Range) and not declared.min <= value <= declared.max:
            rule = f"{declared.min:g} … {declared.max:g}"
            message = f"the parameter {name!r} is {value:g}, outside {rule}"
            raise _out_of_range(name, message, f"choose a value in {rule}")
        if not math.isfinite(value):
            message = f"the parameter {name!r} is {value:g}"
            raise _out_of_range(name, message, "choose a finite number")
    return {**spec.bound_params, **params}


def _out_of_range(name: str, message: str, hint: str) -> ContractError:
    return ContractError("DSL_PARAM_OUT_OF_RANGE", message, f"/params/{name}", (hint,))


def _ir(spec: StrategySpec, conditions: list[Node]) -> Document:
    rules: list[Json] = [
        [form(node), rule.then] for rule, node in zip(spec.rules, conditions, strict=True)
    ]
    return {"rules": rules, "risk": spec.risk.document(), "timeframe": spec.timeframe}


def _refuse_static(spec: StrategySpec, conditions: list[Node]) -> None:
    seen: dict[str, set[str]] = {}
    for index, (rule, node) in enumerate(zip(spec.rules, conditions, strict=True)):
        loc = f"/rules/{index}/if"
        if node.op == "num" and node.value == 0.0:
            hint = "compare something that changes, e.g. close > ma(close, 10)"
            raise ContractError("DSL_STATIC_FAIL", "the rule can never be true", loc, (hint,))
        actions = seen.setdefault(str(form(node)), set())
        actions.add(rule.then)
        if {"buy", "sell"} <= actions:
            message = "the same condition both buys and sells"
            raise ContractError("DSL_STATIC_FAIL", message, loc, ("change one of the two rules",))


__all__ = ["FIELDS", "ColumnSpec", "Program", "compile_strategy"]
