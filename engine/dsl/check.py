"""Names, types and static rules: what an expression may say.

Parameters are bound to numbers here, functions are checked for their arguments,
and a look at a later bar is refused. The result is a tree of plain operations
that ``program`` lowers; simplification lives in ``simplify``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, NoReturn, TypeAlias

from contracts.errors import ContractError
from engine.dsl.hints import EXAMPLE, instead, nearest
from engine.dsl.tree import Node

Type: TypeAlias = Literal["num", "bool"]
Kind: TypeAlias = Literal["num", "window", "factor", "band"]

FIELDS: Final = ("open", "high", "low", "close", "volume")
BANDS: Final = ("upper", "middle", "lower")
MAX_WINDOW: Final = 100_000


@dataclass(frozen=True, slots=True)
class Function:
    """Signature: kinds of the arguments, type of the result, and arguments as an example.

    A ``window`` is a whole constant, a ``factor`` a constant from 0, a ``band`` a word.
    """

    args: tuple[Kind, ...]
    result: Type
    example: tuple[str, ...]
    min_window: int = 1


_ROLLING: Final[tuple[Kind, ...]] = ("num", "window")
_AVERAGES: Final = ("ma(close, 10)", "ma(close, 30)")
FUNCTIONS: Final[dict[str, Function]] = {
    "ma": Function(_ROLLING, "num", ("close", "10")),
    "ema": Function(_ROLLING, "num", ("close", "10")),
    "rsi": Function(_ROLLING, "num", ("close", "14")),
    "atr": Function(("window",), "num", ("14",)),
    "bbands": Function(("num", "window", "factor", "band"), "num", ("close", "20", "2", "upper")),
    "slope": Function(_ROLLING, "num", ("close", "20"), 2),
    "highest": Function(_ROLLING, "num", ("high", "20")),
    "lowest": Function(_ROLLING, "num", ("low", "20")),
    "stdev": Function(_ROLLING, "num", ("close", "20")),
    "lag": Function(_ROLLING, "num", ("close", "1"), 0),
    "crossover": Function(("num", "num"), "bool", _AVERAGES),
    "crossunder": Function(("num", "num"), "bool", _AVERAGES),
}
_RESULT: Final[dict[str, tuple[Type, Type]]] = {
    **dict.fromkeys(("+", "-", "*", "/", "neg"), ("num", "num")),
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), ("num", "bool")),
    **dict.fromkeys(("and", "or", "not"), ("bool", "bool")),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands and what it may name.

    Attributes
    ----------
    params : mapping of str to float or None
        Numbers by parameter name; None keeps a parameter open, for a sweep to bind.
    loc : str
        JSON pointer of the expression, for errors.
    bars : int, optional
        Length of the data, where it is known: no window may be longer.
    """

    params: Mapping[str, float | None]
    loc: str
    bars: int | None = None


def check(node: Node, scope: Scope) -> Node:
    """Resolve a condition: bind parameters, check types, refuse lookahead.

    Bands become the arithmetic that they stand for, so that they share its columns.

    Raises
    ------
    ContractError
        ``DSL_UNSUPPORTED_FUN``, ``DSL_TYPE_ERROR``, ``DSL_PARAM_OUT_OF_RANGE`` or
        ``DSL_STATIC_FAIL`` with pointer, line and column.
    """
    return _expect(node, "bool", scope)


def window_problem(name: str, value: float, bars: int | None = None) -> tuple[str, str, int] | None:
    """Code and sentence of what is wrong with a window, and the nearest one that is right."""
    function = FUNCTIONS[name]
    longest = MAX_WINDOW if bars is None else max(min(bars, MAX_WINDOW), function.min_window)
    right = int(min(max(round(abs(value)), function.min_window), longest))
    if name == "lag" and value < 0:
        return "DSL_STATIC_FAIL", f"lag {value:g} looks at a later bar", max(right, 1)
    if value != int(value) or not function.min_window <= value <= MAX_WINDOW:
        rule = f"an integer in {function.min_window} … {MAX_WINDOW}"
        message = f"the window {value:g} of {name} is not {rule}"
        return "DSL_PARAM_OUT_OF_RANGE", message, right
    if bars is not None and value > bars:
        message = f"the window {value:g} of {name} is longer than the data, {bars} bars"
        return "DSL_STATIC_FAIL", message, right
    return None


def factor_names(node: Node) -> set[str]:
    """Names that stand where a factor belongs."""
    kinds = FUNCTIONS[node.text].args if node.op == "call" else ()
    found = {arg.text for kind, arg in zip(kinds, node.args, strict=False) if kind == "factor"}
    return found.union(*(factor_names(arg) for arg in node.args))


def _expect(node: Node, wanted: Type, scope: Scope) -> Node:
    resolved, found = _resolve(node, scope)
    if found == wanted:
        return resolved
    if wanted == "bool":
        hint = instead(f"{node.source} > 0", node.source)
        _refuse("DSL_TYPE_ERROR", "expected a condition, found a number", node, scope, hint)
    hint = instead(_number_in(node).source, node.source)
    _refuse("DSL_TYPE_ERROR", "expected a number, found a condition", node, scope, hint)


def _number_in(node: Node) -> Node:
    """First number that a condition speaks of."""
    is_condition = _RESULT[node.op][1] == "bool" if node.op in _RESULT else False
    is_crossing = node.op == "call" and FUNCTIONS[node.text].result == "bool"
    return _number_in(node.args[0]) if is_condition or is_crossing else node


def _resolve(node: Node, scope: Scope) -> tuple[Node, Type]:
    if node.op == "num":
        return _number(node, scope), "num"
    if node.op == "name":
        return _name(node, scope), "num"
    if node.op == "call":
        return _call(node, scope)
    wanted, result = _RESULT[node.op]
    args = tuple(_expect(arg, wanted, scope) for arg in node.args)
    return Node(node.op, args), result


def _number(node: Node, scope: Scope) -> Node:
    if isfinite(node.value):
        return node
    message = "the number is larger than any double"
    _refuse("DSL_PARAM_OUT_OF_RANGE", message, node, scope, instead("1e308", node.source))


def _name(node: Node, scope: Scope) -> Node:
    name = node.text
    if name in scope.params:
        value = scope.params[name]
        return Node("param", text=name) if value is None else Node("num", value=value)
    if name in FIELDS:
        return Node("field", text=name)
    _unknown(node, (*FIELDS, *scope.params), scope)


def _unknown(node: Node, known: Iterable[str], scope: Scope) -> NoReturn:
    name = node.text
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f'add "{name}": 20 to "params"'
    if name in FUNCTIONS:
        hint = instead(_filled(node), name)
    if name in ("true", "false"):
        hint = instead(EXAMPLE, name)
    _refuse("DSL_TYPE_ERROR", f"the name {name!r} is not known", node, scope, hint)


def _call(node: Node, scope: Scope) -> tuple[Node, Type]:
    name = node.text
    function = FUNCTIONS.get(name)
    if function is None:
        near = nearest(name, FUNCTIONS, 0.4)
        hint = f"did you mean {near}?" if near else f"write one of {', '.join(FUNCTIONS)}"
        message = f"the function {name!r} is not known"
        _refuse("DSL_UNSUPPORTED_FUN", message, node, scope, hint)
    if len(node.args) != len(function.args):
        wanted = f"{len(function.args)} argument{'s' * (len(function.args) > 1)}"
        message = f"{name} takes {wanted}, found {len(node.args)}"
        _refuse("DSL_TYPE_ERROR", message, node, scope, instead(_filled(node), node.source))
    args = tuple(_argument(index, node, scope) for index in range(len(node.args)))
    if name == "bbands":
        return _bands(args), "num"
    return Node("call", args, name), function.result


def _filled(node: Node) -> str:
    """The call with those of its arguments that fit, and examples for the others."""
    function = FUNCTIONS[node.text]
    given, parts = list(node.args), list[str]()
    for kind, example in zip(function.args, function.example, strict=True):
        fitting = [arg for arg in given if _fits(arg, kind)]
        given = [arg for arg in given if not fitting or arg is not fitting[0]]
        parts.append(fitting[0].source if fitting else example)
    return f"{node.text}({', '.join(parts)})"


def _fits(arg: Node, kind: Kind) -> bool:
    is_word = arg.op == "name" and arg.text in BANDS
    if kind == "band":
        return is_word
    if kind != "num":
        return arg.op == "num" or (arg.op == "name" and not is_word and arg.text not in FIELDS)
    is_literal = arg.op == "num" or (arg.op == "neg" and arg.args[0].op == "num")
    return not is_word and not is_literal


def _argument(index: int, call: Node, scope: Scope) -> Node:
    kind, node = FUNCTIONS[call.text].args[index], call.args[index]
    if kind == "num":
        return _expect(node, "num", scope)
    if kind == "band":
        return _band(node, scope)
    constant = _constant(kind, node, call, scope)
    if constant.op == "param":
        return constant
    if kind == "factor":
        return _factor(constant, node, call.text, scope)
    problem = window_problem(call.text, constant.value, scope.bars)
    if problem is not None:
        code, message, right = problem
        _refuse(code, message, node, scope, instead(str(right), node.source))
    return constant


def _constant(kind: Kind, node: Node, call: Node, scope: Scope) -> Node:
    """A number, perhaps negated, or a parameter."""
    negative = node.op == "neg"
    inner = node.args[0] if negative else node
    if negative and inner.op == "name" and inner.text in scope.params:
        code, message = "DSL_PARAM_OUT_OF_RANGE", f"the {kind} of {call.text} is below 0"
        if call.text == "lag":
            code, message = "DSL_STATIC_FAIL", f"lag -{inner.text} looks at a later bar"
        _refuse(code, message, node, scope, instead(inner.source, node.source))
    if inner.op != "num" and (inner.op != "name" or inner.text in FIELDS):
        message = f"the {kind} of {call.text} must be a number or a parameter"
        _refuse("DSL_TYPE_ERROR", message, node, scope, instead(_filled(call), call.source))
    if inner.op == "name" and inner.text not in scope.params:
        _unknown(inner, scope.params, scope)
    constant, _ = _resolve(inner, scope)
    return Node("num", value=-constant.value) if negative else constant


def _factor(constant: Node, node: Node, name: str, scope: Scope) -> Node:
    if constant.value >= 0.0:
        return constant
    message = f"the factor {constant.value:g} of {name} is negative"
    hint = instead(f"{-constant.value:g}", node.source)
    _refuse("DSL_PARAM_OUT_OF_RANGE", message, node, scope, hint)


def _band(node: Node, scope: Scope) -> Node:
    if node.op == "name" and node.text in BANDS:
        return node
    near = nearest(node.text, BANDS) if node.op == "name" else None
    hint = f"did you mean {near}?" if near else instead("upper", node.source)
    _refuse("DSL_TYPE_ERROR", "the band is not one of upper, middle, lower", node, scope, hint)


def _bands(args: tuple[Node, ...]) -> Node:
    x, window, factor, band = args
    middle = Node("call", (x, window), "ma")
    if band.text == "middle":
        return middle
    width = Node("*", (factor, Node("call", (x, window), "stdev")))
    return Node("+" if band.text == "upper" else "-", (middle, width))


def _refuse(code: str, message: str, node: Node, scope: Scope, hint: str) -> NoReturn:
    raise ContractError(
        code, message, f"{scope.loc} line {node.line} column {node.column}", (hint,)
    )
