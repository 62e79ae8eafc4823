"""Names, types and static rules: what an expression may say.

Parameters are bound to numbers here, functions are checked for their arguments,
and a look at a later bar is refused. The result is a tree of plain operations
that ``program`` lowers; simplification lives in ``simplify``.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Final, Literal, NoReturn, TypeAlias

from contracts.errors import ContractError
from engine.dsl.tree import Node

Type: TypeAlias = Literal["num", "bool"]

FIELDS: Final = ("open", "high", "low", "close", "volume")
MAX_WINDOW: Final = 100_000


@dataclass(frozen=True, slots=True)
class Function:
    """Signature: types of the arguments (``window`` is a constant) and result."""

    args: tuple[Literal["num", "window"], ...]
    result: Type
    usage: str
    min_window: int = 1


FUNCTIONS: Final[dict[str, Function]] = {
    "ma": Function(("num", "window"), "num", "ma(close, 10)"),
    "lag": Function(("num", "window"), "num", "lag(close, 1)", 0),
    "crossover": Function(("num", "num"), "bool", "crossover(ma(close, 10), ma(close, 30))"),
    "crossunder": Function(("num", "num"), "bool", "crossunder(ma(close, 10), ma(close, 30))"),
}
_RESULT: Final[dict[str, tuple[Type, Type]]] = {
    **dict.fromkeys(("+", "-", "*", "/", "neg"), ("num", "num")),
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), ("num", "bool")),
    **dict.fromkeys(("and", "or", "not"), ("bool", "bool")),
}


def check(node: Node, params: dict[str, float], loc: str) -> Node:
    """Resolve a condition: bind parameters, check types, refuse lookahead.

    Raises
    ------
    ContractError
        ``DSL_UNSUPPORTED_FUN``, ``DSL_TYPE_ERROR``, ``DSL_PARAM_OUT_OF_RANGE`` or
        ``DSL_STATIC_FAIL`` with pointer, line and column.
    """
    return _expect(node, "bool", params, loc)


def _expect(node: Node, wanted: Type, params: dict[str, float], loc: str) -> Node:
    resolved, found = _resolve(node, params, loc)
    if found == wanted:
        return resolved
    words = {"num": "a number", "bool": "a condition"}
    hint = "compare it, e.g. close > 100" if wanted == "bool" else "use a number such as close"
    _refuse("DSL_TYPE_ERROR", f"expected {words[wanted]}, found {words[found]}", node, loc, hint)


def _resolve(node: Node, params: dict[str, float], loc: str) -> tuple[Node, Type]:
    if node.op == "num":
        return _number(node, loc), "num"
    if node.op == "name":
        return _name(node, params, loc), "num"
    if node.op == "call":
        return _call(node, params, loc)
    wanted, result = _RESULT[node.op]
    args = tuple(_expect(arg, wanted, params, loc) for arg in node.args)
    return Node(node.op, args, line=node.line, column=node.column), result


def _number(node: Node, loc: str) -> Node:
    if isfinite(node.value):
        return node
    message = "the number is larger than any double"
    _refuse("DSL_PARAM_OUT_OF_RANGE", message, node, loc, "write a number below 1e308")


def _name(node: Node, params: dict[str, float], loc: str) -> Node:
    if node.text in params:
        return Node("num", value=params[node.text], line=node.line, column=node.column)
    if node.text in FIELDS:
        return Node("field", text=node.text, line=node.line, column=node.column)
    known = (*FIELDS, *params)
    near = get_close_matches(node.text, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known names: {', '.join(known)}"
    _refuse("DSL_TYPE_ERROR", f"the name {node.text!r} is not known", node, loc, hint)


def _call(node: Node, params: dict[str, float], loc: str) -> tuple[Node, Type]:
    function = FUNCTIONS.get(node.text)
    if function is None:
        near = get_close_matches(node.text, FUNCTIONS, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"known functions: {', '.join(FUNCTIONS)}"
        _refuse("DSL_UNSUPPORTED_FUN", f"the function {node.text!r} is not known", node, loc, hint)
    if len(node.args) != len(function.args):
        message = f"{node.text} takes {len(function.args)} arguments, found {len(node.args)}"
        _refuse("DSL_TYPE_ERROR", message, node, loc, f"write {function.usage}")
    args = tuple(
        _window(arg, function, node.text, params, loc)
        if kind == "window"
        else _expect(arg, "num", params, loc)
        for kind, arg in zip(function.args, node.args, strict=True)
    )
    return Node("call", args, node.text, line=node.line, column=node.column), function.result


def _window(node: Node, function: Function, name: str, params: dict[str, float], loc: str) -> Node:
    negative = node.op == "neg"
    constant, _ = _resolve(node.args[0] if negative else node, params, loc)
    if constant.op != "num":
        message = f"the window of {name} must be a number or a parameter"
        _refuse("DSL_TYPE_ERROR", message, node, loc, f"write {function.usage}")
    value = -constant.value if negative else constant.value
    if name == "lag" and value < 0:
        message = f"lag {value:g} looks at a later bar"
        _refuse("DSL_STATIC_FAIL", message, node, loc, "write a lag of 0 or more bars")
    if value != int(value) or not function.min_window <= value <= MAX_WINDOW:
        message = f"the window {value:g} of {name} is not an integer from {function.min_window}"
        _refuse("DSL_PARAM_OUT_OF_RANGE", message, node, loc, f"write {function.usage}")
    return Node("num", value=float(value), line=node.line, column=node.column)


def _refuse(code: str, message: str, node: Node, loc: str, hint: str) -> NoReturn:
    raise ContractError(code, message, f"{loc} line {node.line} column {node.column}", (hint,))
