"""Strategy expressions evaluated the slow, obvious way: one recursion per bar, None is undefined.

Written from the description of the language alone: its own recursive-descent parser makes
nested tuples, and `value_at` looks every earlier bar up again. Refusals are tested in
tests/engine/dsl; how decisions become trades is told in tests/oracles/backtest.py.
"""

import math
import re
from collections.abc import Mapping, Sequence

Tree = tuple
Value = float | bool | None
Columns = Mapping[str, Sequence[float]]

FIELDS = ("open", "high", "low", "close", "volume")
_COMPARISONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_TOKEN = re.compile(
    r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\w+|[<>=!]=|[-+*/<>(),])"
)


def parse(text: str) -> Tree:
    """The tree of an expression that is known to be valid."""
    tokens = _TOKEN.findall(text)
    assert "".join(tokens) == re.sub(r"\s", "", text), f"unread characters in {text!r}"
    tree, rest = _either(tokens)
    assert not rest, f"unread tokens {rest} in {text!r}"
    return tree


def _either(tokens: list[str]) -> tuple[Tree, list[str]]:
    return _chain(tokens, ("or",), _both)


def _both(tokens: list[str]) -> tuple[Tree, list[str]]:
    return _chain(tokens, ("and",), _negation)


def _negation(tokens: list[str]) -> tuple[Tree, list[str]]:
    if tokens[:1] != ["not"]:
        return _comparison(tokens)
    tree, rest = _negation(tokens[1:])
    return ("not", tree), rest


def _comparison(tokens: list[str]) -> tuple[Tree, list[str]]:
    left, rest = _sum(tokens)
    if rest[:1] == [] or rest[0] not in _COMPARISONS:
        return left, rest
    right, after = _sum(rest[1:])
    return (rest[0], left, right), after


def _sum(tokens: list[str]) -> tuple[Tree, list[str]]:
    return _chain(tokens, ("+", "-"), _product)


def _product(tokens: list[str]) -> tuple[Tree, list[str]]:
    return _chain(tokens, ("*", "/"), _signed)


def _signed(tokens: list[str]) -> tuple[Tree, list[str]]:
    if tokens[:1] != ["-"]:
        return _atom(tokens)
    tree, rest = _signed(tokens[1:])
    return ("negative", tree), rest


def _atom(tokens: list[str]) -> tuple[Tree, list[str]]:
    first, rest = tokens[0], tokens[1:]
    if first == "(":
        tree, rest = _either(rest)
        assert rest[0] == ")"
        return tree, rest[1:]
    if first[0].isdigit() or first[0] == ".":
        return ("number", float(first)), rest
    if rest[:1] != ["("]:
        return ("name", first), rest
    arguments: list[Tree] = []
    while rest[0] != ")":
        tree, rest = _either(rest[1:])
        arguments.append(tree)
    return (first, *arguments), rest[1:]


def _chain(tokens: list[str], operators: tuple[str, ...], part) -> tuple[Tree, list[str]]:
    tree, rest = part(tokens)
    while rest and rest[0] in operators:
        operator = rest[0]
        right, rest = part(rest[1:])
        tree = (operator, tree, right)
    return tree, rest


def value_at(tree: Tree, t: int, columns: Columns, params: Mapping[str, float]) -> Value:
    """The value of a tree on bar ``t``; None where it is undefined."""
    if t < 0:
        return None
    kind, *parts = tree
    if kind == "number":
        return parts[0]
    if kind == "name":
        return params[parts[0]] if parts[0] in params else float(columns[parts[0]][t])
    if kind in ("ma", "lag"):
        window = value_at(parts[1], t, columns, params)
        return _windowed(kind, parts[0], int(window), t, columns, params)  # type: ignore
    now = [value_at(part, t, columns, params) for part in parts]
    if kind in ("crossover", "crossunder"):
        before = [value_at(part, t - 1, columns, params) for part in parts]
        after, until = (">", "<=") if kind == "crossover" else ("<", ">=")
        return _and(_compare(after, now), _compare(until, before))
    return _operation(kind, now)


def _windowed(kind: str, source: Tree, n: int, t: int, columns: Columns, params) -> Value:
    if kind == "lag":
        return value_at(source, t - n, columns, params)
    window = [value_at(source, u, columns, params) for u in range(t - n + 1, t + 1)]
    if any(value is None for value in window):
        return None
    try:
        return _number(math.fsum(window) / n)  # type: ignore
    except OverflowError:
        return None


def _operation(kind: str, values: list) -> Value:
    if kind == "not":
        return None if values[0] is None else not values[0]
    if kind == "and":
        return _and(*values)
    if kind == "or":
        denied = [None if value is None else not value for value in values]
        neither = _and(*denied)
        return None if neither is None else not neither
    if kind in _COMPARISONS:
        return _compare(kind, values)
    return _arithmetic(kind, values)


def _and(left: Value, right: Value) -> Value:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _compare(operator: str, values: list) -> Value:
    left, right = values
    if left is None or right is None:
        return None
    return _COMPARISONS[operator](left, right)


def _arithmetic(kind: str, values: list) -> Value:
    if any(value is None for value in values):
        return None
    if kind == "negative":
        return -values[0]
    left, right = values
    if kind == "/":
        return None if right == 0 else _number(left / right)
    return _number({"+": left + right, "-": left - right, "*": left * right}[kind])


def _number(value: float) -> float | None:
    """A result that no double holds is undefined, as a division by zero is."""
    return value if math.isfinite(value) else None
