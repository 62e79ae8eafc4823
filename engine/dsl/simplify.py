"""Checked tree → canonical form: equal meaning by these rules, equal hash.

Constant folding, ``not not x``, neutral and absorbing constants, duplicate
operands of ``and``/``or``, and the order of commuting operands. Floats are never
re-associated. Conditions that fold to a constant become ``num`` 1 or 0 nodes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Final

from contracts.canonical import Json, canonical_json
from engine.dsl.tree import Node

_FOLD: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan,
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
}
_COMMUTE: Final = ("+", "*", "==", "!=", "and", "or")
_MIRROR: Final = {">": "<", ">=": "<="}


def simplify(node: Node) -> Node:
    """Canonical form of a checked tree."""
    args = tuple(simplify(arg) for arg in node.args)
    if node.op in ("num", "field", "param"):
        return Node(node.op, text=node.text, value=node.value)
    if node.op == "call":
        return Node("call", args, node.text)
    if node.op == "neg":
        return _constant(-args[0].value) if args[0].op == "num" else Node("neg", args)
    if node.op == "not":
        return _negation(args[0])
    if node.op in ("and", "or"):
        return _junction(node.op, args)
    if node.op in _MIRROR:
        return simplify(Node(_MIRROR[node.op], (args[1], args[0])))
    return _arithmetic(node.op, args)


def form(node: Node) -> Json:
    """Nested lists that stand for the tree in the hash and in ``--explain``."""
    if node.op == "num":
        return node.value
    if node.op in ("field", "param"):
        return node.text
    return [node.text or node.op, *(form(arg) for arg in node.args)]


def _negation(arg: Node) -> Node:
    if arg.op == "num":
        return _constant(1.0 - arg.value)
    return arg.args[0] if arg.op == "not" else Node("not", (arg,))


def _junction(op: str, args: tuple[Node, ...]) -> Node:
    neutral = 1.0 if op == "and" else 0.0
    flat = {_key(leaf): leaf for arg in args for leaf in _leaves(op, arg)}
    if any(leaf.op == "num" and leaf.value != neutral for leaf in flat.values()):
        return _constant(1.0 - neutral)
    kept = [leaf for _, leaf in sorted(flat.items()) if leaf.op != "num"]
    if not kept:
        return _constant(neutral)
    node = kept[0]
    for leaf in kept[1:]:
        node = Node(op, (node, leaf))
    return node


def _leaves(op: str, node: Node) -> list[Node]:
    if node.op != op:
        return [node]
    return [leaf for arg in node.args for leaf in _leaves(op, arg)]


def _arithmetic(op: str, args: tuple[Node, ...]) -> Node:
    left, right = args
    if left.op == right.op == "num" and op in _FOLD:
        value = _FOLD[op](left.value, right.value)
        if math.isfinite(value):
            return _constant(value)
    if op in _COMMUTE and _key(left) > _key(right):
        left, right = right, left
    return Node(op, (left, right))


def _constant(value: float) -> Node:
    return Node("num", value=value + 0.0)


def _key(node: Node) -> bytes:
    return canonical_json(form(node))
