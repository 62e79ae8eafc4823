"""YAML as documents: the JSON data model in a form that people like to write.

Only what JSON can say: mappings with text keys, lists, text, numbers, true, false, null.
Anchors, aliases, tags and repeated keys are refused; dates stay text. What is left is written
down as JSON, and every other rule of a document is judged by ``canonical.parse_document``.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml  # PyYAML carries no types: what it gives is checked by parse_document

from contracts.canonical import MAX_DEPTH, MAX_DOCUMENT_BYTES, Document, parse_document
from contracts.errors import ContractError

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Final = {"": "null", "~": "null", "null": "null", "true": "true", "false": "false"}
_MAX_SHOWN_CHARS: Final = 60


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
        text = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError:
        return parse_document(data, what)
    return parse_document(_as_json(text, what), what)


def _as_json(text: str, what: str) -> str:
    """The same document in JSON, numbers as they are written."""
    code = f"{what.upper()}_NOT_YAML"
    try:
        # Events only: nothing is built, and nothing recurses, however deep the text nests.
        return "".join(_pieces(yaml.parse(text, Loader=yaml.CSafeLoader))) or "null"
    except ContractError as error:
        raise ContractError(code, error.message, error.loc, error.hints) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ContractError(
            code,
            f"cannot read the {what}: {_reason(error)}",
            _place(getattr(error, "problem_mark", None)),
            ("write mappings, lists, text and numbers, indented by spaces",),
        ) from None


@dataclass(slots=True)
class _Level:
    """A list or mapping that is open: how many nodes it has, and the keys of a mapping."""

    end: str = ""
    nodes: int = 0
    keys: set[str] = field(default_factory=set[str])

    @property
    def awaits_key(self) -> bool:
        return self.end == "}" and self.nodes % 2 == 0

    def before_next(self) -> str:
        """What stands in JSON between the last node and the next, which is counted."""
        between = "," if self.end == "]" or self.awaits_key else ":"
        self.nodes += 1
        return between if self.nodes > 1 else ""


def _pieces(events: Iterable[Any]) -> Iterator[str]:
    levels = [_Level()]
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused("a second document begins here", event, "write one document")
        elif isinstance(event, yaml.CollectionEndEvent):
            yield levels.pop().end
        elif isinstance(event, yaml.NodeEvent):
            _require_plain_tree(event)
            level = levels[-1]
            if level.awaits_key:
                _require_new_key(event, level)
            yield level.before_next()
            if isinstance(event, yaml.ScalarEvent):
                yield _scalar(event)
            elif isinstance(event, yaml.MappingStartEvent):
                levels.append(_Level("}"))
                yield "{"
            else:
                levels.append(_Level("]"))
                yield "["
        if len(levels) > MAX_DEPTH + 1:
            return  # deeper than any document: what is written already says so


def _scalar(event: Any) -> str:
    """A scalar in JSON: what is not quoted may be a number, true, false or null."""
    text: str = event.value
    if event.implicit[0]:
        if text in _WORDS:
            return _WORDS[text]
        if _NUMBER.fullmatch(text):
            return text
    return json.dumps(text, ensure_ascii=False)


def _require_plain_tree(event: Any) -> None:
    if event.anchor:
        raise _refused("anchors and aliases are not read", event, "write the value out")
    if event.tag:
        raise _refused(f"the tag {_short(event.tag)} is not read", event, "remove the tag")


def _require_new_key(event: Any, level: _Level) -> None:
    if not isinstance(event, yaml.ScalarEvent):
        raise _refused("a key is a list or a mapping, not text", event, "write text before the :")
    key: str = event.value
    if not _scalar(event).startswith('"'):
        raise _refused(f"the key {_short(key)!r} is not text", event, "put it in quotes")
    if key in level.keys:
        raise _refused(f"the key {_short(key)!r} is given twice", event, "remove one of them")
    level.keys.add(key)


def _refused(message: str, event: Any, hint: str) -> ContractError:
    return ContractError("NOT_YAML", message, _place(event.start_mark), (hint,))


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "problem", None) or error).split())[:200]


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"
