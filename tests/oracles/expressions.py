"""Strategy expressions evaluated the slow, obvious way: one recursion per bar, None is undefined.

Written from docs/backtest.md alone: its own recursive-descent parser makes nested tuples, and
`value_at` looks every earlier bar up again; averages that go on from bar to bar are computed from
bar 0 on. Refusals are tested in tests/engine/dsl, a few values by hand in test_expressions.py; how
decisions become trades is told in tests/oracles/backtest.py.
"""

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence

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


def value_at(
    tree: Tree, t: int, columns: Columns, params: Mapping[str, float], memo: dict | None = None
) -> Value:
    """The value of a tree on bar ``t``; None where it is undefined.

    ``memo`` keeps the values of functions, for whoever asks on many bars of the same columns and
    parameters.
    """
    if t < 0:
        return None
    memo = {} if memo is None else memo
    kind, *parts = tree
    if kind == "number":
        return parts[0]
    if kind == "name":
        return params[parts[0]] if parts[0] in params else float(columns[parts[0]][t])
    if kind in _FUNCTIONS:
        if (tree, t) not in memo:
            memo[tree, t] = _call(tree, t, columns, params, memo)
        return memo[tree, t]
    now = [value_at(part, t, columns, params, memo) for part in parts]
    if kind in ("crossover", "crossunder"):
        before = [value_at(part, t - 1, columns, params, memo) for part in parts]
        after, until = (">", "<=") if kind == "crossover" else ("<", ">=")
        return _and(_compare(after, now), _compare(until, before))
    return _operation(kind, now)


def _call(tree: Tree, t: int, columns: Columns, params: Mapping[str, float], memo: dict) -> Value:
    kind, *parts = tree

    def source(u: int) -> Value:
        return value_at(parts[0], u, columns, params, memo)

    if kind == "atr":
        return _kept(tree, lambda: _true_range_mean(columns, int(source(t))), memo)[t]  # type: ignore
    n = int(value_at(parts[1], t, columns, params, memo))  # type: ignore
    if kind == "lag":
        return source(t - n)
    if kind in _RECURSIVE:
        bars = range(len(columns["close"]))
        return _kept(tree, lambda: _RECURSIVE[kind]([source(u) for u in bars], n), memo)[t]
    window = [source(u) for u in range(t - n + 1, t + 1)]
    if any(value is None for value in window):
        return None
    if kind == "bbands":
        return _band(window, value_at(parts[2], t, columns, params, memo), parts[3][1])  # type: ignore
    return _WINDOWED[kind](window)  # type: ignore


def _kept(tree: Tree, column: Callable[[], list], memo: dict) -> list:
    if tree not in memo:
        memo[tree] = column()
    return memo[tree]


def _mean(values: Sequence[float]) -> float | None:
    total = _total(values)
    return None if total is None else total / len(values)


def _total(values: Sequence[float]) -> float | None:
    try:
        return _number(math.fsum(values))
    except (OverflowError, ValueError):  # a partial sum overflows, or infinities cancel
        return None


def _deviation(values: Sequence[float]) -> float | None:
    mean = _mean(values)
    if mean is None:
        return None
    if min(values) == max(values):
        return 0.0
    variance = _mean([(value - mean) * (value - mean) for value in values])
    return None if variance is None else math.sqrt(variance)


def _slope(values: Sequence[float]) -> float | None:
    mean = _mean(values)
    if mean is None:
        return None
    if min(values) == max(values):
        return 0.0
    middle = (len(values) - 1) / 2
    above = _total([(i - middle) * (value - mean) for i, value in enumerate(values)])
    below = sum((i - middle) * (i - middle) for i in range(len(values)))
    return None if above is None else above / below


def _band(values: Sequence[float], k: float, band: str) -> float | None:
    middle, deviation = _mean(values), _deviation(values)
    if band == "middle" or middle is None or deviation is None:
        return middle if band == "middle" else None
    return _number(middle + k * deviation if band == "upper" else middle - k * deviation)


def _recursive_mean(values: Sequence, n: int, step: Callable) -> list[float | None]:
    """On every bar ``step(mean before, value)``, from the mean of n values in a row on."""
    means, seed, mean = [], [], None
    for value in values:
        if value is None:
            seed, mean = [], None
        elif len(seed) < n:
            seed.append(value)
            mean = _mean(seed) if len(seed) == n else None
        elif mean is not None:
            mean = _number(step(mean, value))
        means.append(mean)
    return means


def _exponential_mean(values: Sequence, n: int) -> list[float | None]:
    return _recursive_mean(values, n, lambda e, x: e + 2 / (n + 1) * (x - e))


def _wilders_mean(values: Sequence, n: int) -> list[float | None]:
    return _recursive_mean(values, n, lambda w, x: (w * (n - 1) + x) / n)


def _strength(values: Sequence, n: int) -> list[float | None]:
    changes = [None] + [
        None if x is None or before is None else _number(x - before)
        for before, x in itertools.pairwise(values)
    ]
    rises = _wilders_mean([None if c is None else max(c, 0.0) for c in changes], n)
    falls = _wilders_mean([None if c is None else max(-c, 0.0) for c in changes], n)
    return [
        None if None in (up, down) else _arithmetic("/", [_number(100 * up), _number(up + down)])
        for up, down in zip(rises, falls, strict=True)
    ]


def _true_range_mean(columns: Columns, n: int) -> list[float | None]:
    high, low, close = columns["high"], columns["low"], columns["close"]
    ranges = [
        _number(max(high[t], close[t - 1]) - min(low[t], close[t - 1]))
        for t in range(1, len(close))
    ]
    return _wilders_mean([None, *ranges], n)


_WINDOWED = {"ma": _mean, "stdev": _deviation, "slope": _slope, "highest": max, "lowest": min}
_RECURSIVE = {"ema": _exponential_mean, "rsi": _strength}
_FUNCTIONS = {*_WINDOWED, *_RECURSIVE, "atr", "bbands", "lag"}


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
