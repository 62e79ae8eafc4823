"""Canonical JSON (RFC 8785) and the bounded parser that every document enters by.

The parser refuses whole: too large, too deep, duplicate keys, non-finite
numbers, not UTF-8, not JSON. What a document may contain lives in its own module
(``scenario``, ``strategy``, ...); the hash of canonical bytes in ``digest``.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias

import rfc8785

from contracts.errors import ContractError

MAX_DOCUMENT_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NUMBER_CHARS = 64
MAX_KEY_CHARS = 200
MAX_SAFE_INTEGER = 2**53

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Document: TypeAlias = "dict[str, Json]"


class _Repeated(dict[str, Json]):
    """An object that gave one key twice; found again, with its pointer, by the walk."""

    key: str = ""


def pointer(parts: tuple[str | int, ...]) -> str:
    """JSON pointer (RFC 6901) of a path of keys and indices, for a person to read.

    Overlong keys are cut, and half a surrogate pair is shown by its escape.

    Examples
    --------
    >>> pointer(("params", "a/b", 0))
    '/params/a~1b/0'
    """
    names = (str(part) for part in parts)
    cut = (name if len(name) <= MAX_KEY_CHARS else name[:MAX_KEY_CHARS] + "…" for name in names)
    text = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in cut)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def canonical_json(value: Json) -> bytes:
    """Bytes of `value` by RFC 8785: sorted keys, shortest floats, no white space.

    Raises
    ------
    ContractError
        ``NOT_CANONICAL`` for non-finite numbers and for integers outside
        ±(2⁵³ − 1), which documents carry as decimal strings.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    try:
        return rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeEncodeError) as error:
        raise ContractError(
            "NOT_CANONICAL",
            f"cannot write the value as canonical JSON: {error}",
            hints=("write 64-bit integers as decimal strings and use finite numbers only",),
        ) from error


def parse_document(
    data: bytes | str, what: str = "document", max_bytes: int = MAX_DOCUMENT_BYTES
) -> Document:
    """Parse one JSON object and refuse anything ambiguous or unbounded.

    Parameters
    ----------
    data : bytes or str
        UTF-8 JSON text.
    what : str
        Noun used in messages, e.g. ``"scenario"``.
    max_bytes : int
        More are refused unread; documents that programs write may be longer than those
        of people.

    Raises
    ------
    ContractError
        ``DOCUMENT_TOO_LARGE``, ``DOCUMENT_NOT_UTF8``, ``DOCUMENT_TOO_DEEP``,
        ``DOCUMENT_NOT_JSON``, ``DOCUMENT_NOT_OBJECT``, ``DOCUMENT_DUPLICATE_KEY``
        or ``DOCUMENT_NOT_FINITE``, with the pointer or line and column.
    """
    text = _decode(data, what, max_bytes)
    _refuse_depth(text, what)
    try:
        value: Json = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_parse_int,
            parse_float=_parse_float,
            parse_constant=float,
        )
    except json.JSONDecodeError as error:
        raise ContractError(
            "DOCUMENT_NOT_JSON",
            f"the {what} is not JSON: {error.msg}",
            f"line {error.lineno} column {error.colno}",
            ("write one JSON object, e.g. the output of json.dumps",),
        ) from error
    if not isinstance(value, dict):
        raise ContractError(
            "DOCUMENT_NOT_OBJECT",
            f"the {what} is a JSON {_kind(value)}, not an object",
            hints=('start the document with "{"',),
        )
    for path, node in _walk(value, ()):
        _refuse_node(path, node, what)
    return value


def _decode(data: bytes | str, what: str, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise ContractError(
            "DOCUMENT_TOO_LARGE",
            f"the {what} has {len(data)} bytes; at most {max_bytes} are read",
            hints=("one document describes one thing: split it",),
        )
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(
            "DOCUMENT_NOT_UTF8",
            f"the {what} is not UTF-8: {error.reason}",
            f"byte {error.start}",
            ("save the file as UTF-8 without a byte order mark",),
        ) from error


def _refuse_depth(text: str, what: str) -> None:
    """Bound the nesting before the recursive parser sees the text."""
    depth, in_string, escaped = 0, False, False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ContractError(
                    "DOCUMENT_TOO_DEEP",
                    f"the {what} nests deeper than {MAX_DEPTH} levels",
                    hints=("no document of islandflow needs more than a handful of levels",),
                )
        elif char in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    seen = dict(pairs)
    if len(seen) == len(pairs):
        return seen
    repeated = _Repeated(seen)
    counts = Counter(key for key, _ in pairs)
    repeated.key = next(key for key, count in counts.items() if count > 1)
    return repeated


def _parse_int(text: str) -> int | float:
    return int(text) if len(text) <= MAX_NUMBER_CHARS else math.inf


def _parse_float(text: str) -> int | float:
    """Read 1.0 as 1: JSON has one kind of number, and so have documents."""
    value = float(text) if len(text) <= MAX_NUMBER_CHARS else math.inf
    if not value.is_integer():
        return value
    if abs(value) < MAX_SAFE_INTEGER:
        return int(value)
    exact = Decimal(text)  # from 2^53 the double may be a neighbour of the integer written
    whole = exact.adjusted() < MAX_NUMBER_CHARS and exact == exact.to_integral_value()
    return int(exact) if whole else value


def _walk(value: Json, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    yield path, value
    if isinstance(value, dict):
        for key, child in value.items():
            yield (*path, key), key
            yield from _walk(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, (*path, index))


def _refuse_node(path: tuple[str | int, ...], node: Json, what: str) -> None:
    if isinstance(node, _Repeated):
        raise ContractError(
            "DOCUMENT_DUPLICATE_KEY",
            f"the {what} gives the key {node.key[:MAX_KEY_CHARS]!r} twice",
            pointer((*path, node.key)),
            ("keep one of the two",),
        )
    if isinstance(node, float) and not math.isfinite(node):
        raise ContractError(
            "DOCUMENT_NOT_FINITE",
            f"the {what} holds a number that is not finite or longer than "
            f"{MAX_NUMBER_CHARS} characters",
            pointer(path),
            ("write a finite number such as 12.5",),
        )
    if isinstance(node, str) and not node.isascii():
        _refuse_surrogates(path, node, what)


def _refuse_surrogates(path: tuple[str | int, ...], node: str, what: str) -> None:
    try:
        node.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ContractError(
            "DOCUMENT_NOT_UTF8",
            f"the {what} holds half of a surrogate pair, which is no character",
            pointer(path),
            ("write the character itself, or both halves of its escape",),
        ) from error


def _kind(value: Json) -> str:
    names: dict[object, str] = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
