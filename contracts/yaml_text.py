"""YAML as documents: the JSON data model in a form that people like to write.

Only what JSON can say: mappings with text keys, lists, text, numbers, true, false, null.
Anchors, aliases, tags and repeated keys are refused; dates stay text; every other rule of a
document is judged by ``canonical.parse_document``, which the text goes through as JSON.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml  # PyYAML carries no types: what it gives is checked by parse_document

from contracts.canonical import MAX_DOCUMENT_BYTES, Document, parse_document
from contracts.errors import ContractError

_JSON_FLOAT = re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$")
_JSON_INT = re.compile(r"^-?(?:0|[1-9][0-9]*)$")
_TAGS: Final = {
    "tag:yaml.org,2002:bool": re.compile(r"^(?:true|false)$"),
    "tag:yaml.org,2002:null": re.compile(r"^(?:null|~|)$"),
    "tag:yaml.org,2002:int": _JSON_INT,
    "tag:yaml.org,2002:float": _JSON_FLOAT,
}


class _Loader(yaml.SafeLoader):
    """Safe loader whose plain scalars are what JSON would read in them."""

    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 - PyYAML's own way of saying it

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors and aliases are not read", event, "write the value out")
        if getattr(event, "tag", None):
            raise _refused(f"the tag {event.tag} is not read", event, "remove the tag")
        return super().compose_node(parent, index)  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key_node.tag != "tag:yaml.org,2002:str":
                raise _refused(f"the key {key!r} is not text", key_node, "put it in quotes")
            if key in seen:
                raise _refused(f"the key {key!r} is given twice", key_node, "remove one of them")
            seen.add(key)
        return super().construct_mapping(node, deep)


for _tag, _pattern in _TAGS.items():
    _Loader.add_implicit_resolver(_tag, _pattern, None)


def parse_text(data: bytes | str, what: str = "document") -> Document:
    r"""Parse a document that is written in YAML or in JSON.

    Raises
    ------
    ContractError
        ``{WHAT}_NOT_YAML`` with line and column, or as `contracts.canonical.parse_document`.

    Examples
    --------
    >>> parse_text("seeds: 1-5\ncosts: {fee_bps: 1e-1}\nstart: 2024-01-01")
    {'seeds': '1-5', 'costs': {'fee_bps': 0.1}, 'start': '2024-01-01'}
    """
    if len(data) > MAX_DOCUMENT_BYTES or data.lstrip()[:1] in (b"{", "{"):
        return parse_document(data, what)
    try:
        # The loader is a safe one: it makes plain values only.
        value = yaml.load(data, Loader=_Loader)
    except ContractError as error:
        raise ContractError(
            f"{what.upper()}_NOT_YAML", error.message, error.loc, error.hints
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ContractError(
            f"{what.upper()}_NOT_YAML",
            f"cannot read the {what}: {_reason(error)}",
            _place(getattr(error, "problem_mark", None)),
            ("write mappings, lists, text and numbers, indented by spaces",),
        ) from None
    return parse_document(json.dumps(value), what)


def _refused(message: str, node: Any, hint: str) -> ContractError:
    return ContractError("NOT_YAML", message, _place(node.start_mark), (hint,))


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return " ".join(str(getattr(error, "problem", None) or error).split())[:200]
