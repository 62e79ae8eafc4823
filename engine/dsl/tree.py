"""Text of an expression → typed tree, or an error with line and column.

The grammar and the node types. Names and types are resolved in ``check``;
nothing is ever evaluated as Python. What may have been meant by a text that does not
parse is guessed in ``hints``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from lark import (
    Lark,
    Token,
    Transformer,
    Tree,
    UnexpectedInput,
    v_args,  # pyright: ignore[reportUnknownVariableType]
)
from lark.tree import Meta

from contracts.errors import ContractError
from engine.dsl.hints import spelling

MAX_DEPTH: Final = 128
MAX_PARENTHESES: Final = 32

GRAMMAR: Final = r"""
start: disjunction
?disjunction: conjunction
            | disjunction _OR conjunction -> either
?conjunction: negation
            | conjunction _AND negation   -> both
?negation: _NOT negation                  -> negate
         | comparison
?comparison: sum
           | sum COMPARE sum              -> binary
?sum: product
    | sum SIGN product                    -> binary
?product: unary
        | product SCALE unary             -> binary
?unary: SIGN unary                        -> sign
      | atom
?atom: NUMBER                             -> number
     | NAME "(" (disjunction ("," disjunction)*)? ")" -> call
     | NAME                               -> name
     | "(" disjunction ")"
_OR.2: /or(?![a-z0-9_])/
_AND.2: /and(?![a-z0-9_])/
_NOT.2: /not(?![a-z0-9_])/
COMPARE: "<=" | ">=" | "==" | "!=" | "<" | ">"
SIGN: "+" | "-"
SCALE: "*" | "/"
NUMBER: /[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?/
NAME: /[a-z][a-z0-9_]{0,31}/
%ignore /[ \t\r\n]+/
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: its name, its operands, and where it stands in the text.

    ``op`` is ``num`` (``value`` holds the number), ``name``, ``call`` (``text``
    holds the name) or an operator such as ``+``, ``<``, ``and``, ``not``, ``neg``;
    ``source`` is the piece of the text that it was read from.
    """

    op: str
    args: tuple[Node, ...] = ()
    text: str = ""
    value: float = 0.0
    line: int = 1
    column: int = 1
    source: str = ""


@v_args(inline=True, meta=True)
class _Build(Transformer[Token, Node]):
    """Lark's parse → `Node`; operators of equal precedence associate to the left."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def start(self, _meta: Meta, node: Node) -> Node:
        return node

    def number(self, meta: Meta, token: Token) -> Node:
        return self._node("num", meta, meta, value=float(token))

    def name(self, meta: Meta, token: Token) -> Node:
        return self._node("name", meta, meta, text=str(token))

    def call(self, meta: Meta, token: Token, *args: Node) -> Node:
        return self._node("call", meta, meta, args, str(token))

    def sign(self, meta: Meta, token: Token, operand: Node) -> Node:
        return operand if token == "+" else self._node("neg", meta, meta, (operand,))

    def negate(self, meta: Meta, operand: Node) -> Node:
        return self._node("not", meta, operand, (operand,))

    def either(self, meta: Meta, left: Node, right: Node) -> Node:
        return self._node("or", meta, left, (left, right))

    def both(self, meta: Meta, left: Node, right: Node) -> Node:
        return self._node("and", meta, left, (left, right))

    def binary(self, meta: Meta, left: Node, operator: Token, right: Node) -> Node:
        return self._node(str(operator), meta, left, (left, right))

    def _node(
        self,
        op: str,
        meta: Meta,
        place: Meta | Node,
        args: tuple[Node, ...] = (),
        text: str = "",
        value: float = 0.0,
    ) -> Node:
        source = self._text[meta.start_pos : meta.end_pos]
        return Node(op, args, text, value, place.line, place.column, source)


_PARSER: Final = Lark(GRAMMAR, parser="lalr", maybe_placeholders=False, propagate_positions=True)


def parse(text: str, loc: str) -> Node:
    """Parse one expression.

    Parameters
    ----------
    text : str
        Source of the expression.
    loc : str
        JSON pointer of the expression, for errors.

    Raises
    ------
    ContractError
        ``DSL_PARSE_ERROR`` with line and column.
    """
    if text.count("(") > MAX_PARENTHESES:
        raise too_large(loc, f"it has more than {MAX_PARENTHESES} parentheses")
    try:
        tree = _PARSER.parse(text)  # pyright: ignore[reportUnknownMemberType]
    except UnexpectedInput as error:
        line, column = max(error.line, 1), max(error.column, 1)
        at = error.pos_in_stream or 0
        ends = getattr(getattr(error, "token", None), "type", "") == "$END"
        raise ContractError(
            "DSL_PARSE_ERROR",
            f"the expression does not parse near {text[at:][:20]!r}",
            f"{loc} line {line} column {column}",
            (spelling(text, len(text.rstrip()) if ends else at),),
        ) from error
    if _depth(tree) > MAX_DEPTH:
        raise too_large(loc, f"it nests more than {MAX_DEPTH} operations")
    return cast(Node, _Build(text).transform(tree))  # pyright: ignore[reportUnknownMemberType]


def too_large(loc: str, why: str) -> ContractError:
    """Refusal of an expression beyond the bounds of this compiler."""
    message = f"the expression is too large: {why}"
    hint = "split the condition over several rules"
    return ContractError("DSL_PARSE_ERROR", message, f"{loc} line 1 column 1", (hint,))


def _depth(tree: Tree[Token]) -> int:
    """Levels of a parse tree, counted without recursion: the tree may be too deep for it."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in node.children if isinstance(child, Tree)]
    return deepest
