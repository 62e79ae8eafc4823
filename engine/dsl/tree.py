"""Text of an expression → typed tree, or an error with line and column.

The grammar and the node types. Names and types are resolved in ``check``;
nothing is ever evaluated as Python.
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

from contracts.errors import ContractError

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
    holds the name) or an operator such as ``+``, ``<``, ``and``, ``not``, ``neg``.
    """

    op: str
    args: tuple[Node, ...] = ()
    text: str = ""
    value: float = 0.0
    line: int = 1
    column: int = 1


@v_args(inline=True)
class _Build(Transformer[Token, Node]):
    """Lark's parse → `Node`; operators of equal precedence associate to the left."""

    def start(self, node: Node) -> Node:
        return node

    def number(self, token: Token) -> Node:
        return Node("num", value=float(token), line=_line(token), column=_column(token))

    def name(self, token: Token) -> Node:
        return Node("name", text=str(token), line=_line(token), column=_column(token))

    def call(self, token: Token, *args: Node) -> Node:
        return Node("call", args, str(token), line=_line(token), column=_column(token))

    def sign(self, token: Token, operand: Node) -> Node:
        if token == "+":
            return operand
        return Node("neg", (operand,), line=_line(token), column=_column(token))

    def negate(self, operand: Node) -> Node:
        return Node("not", (operand,), line=operand.line, column=operand.column)

    def either(self, left: Node, right: Node) -> Node:
        return Node("or", (left, right), line=left.line, column=left.column)

    def both(self, left: Node, right: Node) -> Node:
        return Node("and", (left, right), line=left.line, column=left.column)

    def binary(self, left: Node, operator: Token, right: Node) -> Node:
        return Node(str(operator), (left, right), line=left.line, column=left.column)


def _line(token: Token) -> int:
    return token.line or 1


def _column(token: Token) -> int:
    return token.column or 1


_PARSER: Final = Lark(GRAMMAR, parser="lalr", maybe_placeholders=False)


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
        raise ContractError(
            "DSL_PARSE_ERROR",
            f"the expression does not parse near {text[error.pos_in_stream or 0 :][:20]!r}",
            f"{loc} line {line} column {column}",
            ("write a comparison such as: ma(close, 10) > ma(close, 30)",),
        ) from error
    if _depth(tree) > MAX_DEPTH:
        raise too_large(loc, f"it nests more than {MAX_DEPTH} operations")
    return cast(Node, _Build().transform(tree))  # pyright: ignore[reportUnknownMemberType]


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
