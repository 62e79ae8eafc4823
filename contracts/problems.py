"""What pydantic finds, told as problems: a code, a sentence, a pointer and a hint.

Rules of a document that no type expresses raise `broken_rule` and come out the
same way. Which documents there are lives in their own modules; the entrance that
turns problems into a ``ContractError`` is ``document.validate``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from pydantic_core import ErrorDetails, PydanticCustomError

from contracts.canonical import pointer
from contracts.errors import Problem

MAX_PROBLEMS: Final = 32
MAX_SHOWN_CHARS: Final = 60

CODES: Final[tuple[str, ...]] = (
    "FIELD_UNKNOWN",
    "FIELD_MISSING",
    "VERSION_UNSUPPORTED",
    "VALUE_UNKNOWN",
    "VALUE_INVALID",
    "VALUE_OUT_OF_RANGE",
    "RULE_BROKEN",
    "PROBLEMS_OMITTED",
)
"""Every code of a validation problem, without the document's noun in front."""

Path: TypeAlias = "tuple[str | int, ...]"


class _Finding(NamedTuple):
    """One entry of pydantic's list, with its path read against the document."""

    kind: str
    path: Path
    value: object
    context: Mapping[str, Any]
    text: str
    is_key: bool

    @property
    def name(self) -> str:
        """Last key of the path, quoted; an index keeps the key before it."""
        keys = [index for index, part in enumerate(self.path) if isinstance(part, str)]
        if not keys:
            return "the document"
        first, *rest = self.path[keys[-1] :]
        return f'"{_short(str(first))}"' + "".join(f"[{index}]" for index in rest)


_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "float_type": ("a finite number", "write a number, e.g. {number}"),
    "finite_number": ("a finite number", "write a number, e.g. {number}"),
    "int_type": ("an integer", "write an integer in plain digits, e.g. {integer}"),
    "int_parsing_size": ("an integer of a size that is read", "write a smaller integer, e.g. 7"),
    "bool_type": ("true or false", "write {truth}, without quotes"),
    "string_type": ("a string", "write text in double quotes, e.g. {text}"),
    "tuple_type": ("an array", "write a list in square brackets"),
    "dict_type": ("an object", "write an object in braces"),
    "model_type": ("an object", "write an object in braces"),
    "model_attributes_type": ("an object", "write an object in braces"),
    "none_required": ("null", "write null, or leave it out"),
}
_SLUG: Final = "^[a-z0-9_-]{1,64}$"
_NAME: Final = "^[a-z][a-z0-9_]{0,31}$"
_PATTERNS: Final[Mapping[str, str]] = {
    _SLUG: "write 1 to 64 of the characters a-z 0-9 _ -",
    _NAME: "write a letter a-z and up to 31 of a-z 0-9 _",
    "^(sha256|blake3):[0-9a-f]{64}$": "write sha256: or blake3: and 64 lower-case hex digits",
    "^[a-z0-9][a-z0-9_]{0,63}$": "write a letter a-z or a digit and up to 63 of a-z 0-9 _",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "write a day as YYYY-MM-DD",
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": "write a time as HH:MM, from 00:00 to 23:59",
    "^[A-Z][A-Z0-9]{0,5}$": "write a letter A-Z and up to 5 of A-Z 0-9",
    "^[0-9a-f]{16}$": "write 16 lower-case hex digits",
    "^[0-9A-Za-z._+-]{1,32}$": "write 1 to 32 of the characters a-z A-Z 0-9 . _ + -",
    "^(tapes|labels)/[0-9a-f]{16}/[a-z_.]{1,64}$": "write tapes/ or labels/, an id, a file name",
    "^label:[a-z0-9_:-]{1,160}$": "write label: and up to 160 of a-z 0-9 _ : -",
    "^expected:[a-z0-9_:-]{1,160}$": "write expected: and up to 160 of a-z 0-9 _ : -",
    r"^[0-9]+\.[0-9]+$": "write two numbers with a point between them, e.g. 1.0",
    "^cluster:[A-Z][A-Z0-9]{0,5}:[1-9][0-9]{0,18}$": "write cluster:, symbol, : and number",
    "^flowpacket:[A-Z][A-Z0-9]{0,5}:[1-9][0-9]{0,18}$": "write flowpacket:, symbol, : and number",
    r"^\S(.*\S)?$": "write text in one line that neither begins nor ends with a blank",
}
_BOUNDS: Final[Mapping[str, str]] = {
    "ge": "at least",
    "gt": "greater than",
    "le": "at most",
    "lt": "less than",
}
_SIZES: Final = ("too_short", "too_long", "string_too_short", "string_too_long")


def broken_rule(
    message: str,
    hint: str,
    *at: str | int,
    code: Literal["RULE_BROKEN", "VALUE_INVALID"] = "RULE_BROKEN",
) -> PydanticCustomError:
    """Error for a validator to raise: what is wrong, what to write, and where below it.

    Examples
    --------
    >>> broken_rule("row 1 sums to 2, not 1", "divide it by its sum", "transition", 1).type
    'rule_broken'
    """
    context = {"text": message, "hint": hint, "at": list(at), "code": code}
    return PydanticCustomError("rule_broken", "{text}", context)


def problems(found: list[ErrorDetails], document: object, noun: str) -> list[Problem]:
    """Tell pydantic's findings as problems, sorted by place, at most `MAX_PROBLEMS`.

    Parameters
    ----------
    found : list of ErrorDetails
        What ``ValidationError.errors`` lists.
    document : object
        The document they were found in.
    noun : str
        Begins the codes, e.g. ``"scenario"`` gives ``SCENARIO_FIELD_MISSING``.
    """
    prefix = noun.upper().replace(" ", "_")
    findings = [_finding(entry, document) for entry in found[:MAX_PROBLEMS]]
    findings = [item for item in findings if not _is_echo(item)]
    missing = {item.path for item in findings if item.kind == "missing"}
    told = sorted((_tell(item, prefix, missing) for item in findings), key=lambda item: item.loc)
    if len(found) > MAX_PROBLEMS:
        omitted = f"{len(found) - MAX_PROBLEMS} more problems are not listed"
        told.append(Problem(f"{prefix}_PROBLEMS_OMITTED", omitted, "", ("mend the listed first",)))
    return told


def _is_echo(item: _Finding) -> bool:
    """Whether pydantic calls a list short only because entries of it are wrong."""
    if item.kind != "too_short":
        return False
    return len(cast("list[object]", item.value)) >= item.context["min_length"]


def _tell(item: _Finding, prefix: str, missing: set[Path]) -> Problem:
    code, message, hint = _words(item, missing)
    return Problem(f"{prefix}_{code}", message, pointer(item.path), (hint,))


def _words(item: _Finding, missing: set[Path]) -> tuple[str, str, str]:
    """Code, sentence and hint of one finding."""
    kind, name, shown = item.kind, item.name, _shown(item.value)
    match kind:
        case "extra_forbidden":
            return "FIELD_UNKNOWN", f"the key {name} is unknown", _rename(item, missing)
        case "missing" | "union_tag_not_found":
            return "FIELD_MISSING", f"the field {name} is missing", f"add the field {name}"
        case "union_tag_invalid" | "literal_error":
            return _unknown(item)
        case "rule_broken":
            return str(item.context["code"]), item.text, str(item.context["hint"])
        case "string_pattern_mismatch":
            pattern = str(item.context["pattern"])
            hint = _PATTERNS.get(pattern, f"write text that matches {pattern}")
            hint += _example(pattern, item)
            written = f"the key {name} is" if item.is_key else f"{name} is {shown},"
            return "VALUE_INVALID", f"{written} not of the required form", hint
        case _:
            return _wrong_size(item) if kind in _SIZES else _wrong_value(item, name, shown)


def _wrong_value(item: _Finding, name: str, shown: str) -> tuple[str, str, str]:
    if item.kind in _TYPES:
        wanted, hint = _TYPES[item.kind]
        return "VALUE_INVALID", f"{name} is {shown}, not {wanted}", _filled(hint, item.value)
    limits = [
        f"{_BOUNDS[key]} {_plain(item.context[key])}" for key in _BOUNDS if key in item.context
    ]
    if not limits:
        return "VALUE_INVALID", f"{name} is {shown}: {_short(item.text)}", "compare the schema"
    rule = " and ".join(limits)
    hint = f"write {name} {rule}, e.g. {_inside(item.context)}"
    return "VALUE_OUT_OF_RANGE", f"{name} is {shown}, it must be {rule}", hint


def _inside(context: Mapping[str, Any]) -> str:
    """The limit that was passed, or a number well inside it where it is excluded."""
    if "gt" in context:
        return _plain(context["gt"] + 0.5)
    if "lt" in context:
        return _plain(context["lt"] / 2)
    return _plain(context["ge" if "ge" in context else "le"])


def _filled(hint: str, value: object) -> str:
    """The hint with what the value would be if it were of the right type."""
    number = _number(value)
    text = json.dumps(_shown(value) if isinstance(value, int | float) else "text")
    return hint.format(
        number=_plain(12.5 if number is None else number),
        integer=7 if number is None else round(number),
        truth="false" if str(value).lower() in ("false", "no", "0", "none") else "true",
        text=text,
    )


def _number(value: object) -> float | None:
    """The number that a value means, quoted or not, if it is of a usual size."""
    try:
        number = float(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None


def _example(pattern: str, item: _Finding) -> str:
    """The same name in the characters that the pattern allows, if it has any."""
    written = item.path[-1] if item.is_key else item.value
    if pattern not in (_SLUG, _NAME) or not isinstance(written, str):
        return ""
    name = re.sub("[^a-z0-9_]+", "_", written[:30].lower()).strip("_")
    if pattern == _NAME:
        name = name.lstrip("0123456789_")
    return f', e.g. "{name}"' if name else ""


def _unknown(item: _Finding) -> tuple[str, str, str]:
    """A word outside a closed list: name it, and the nearest of those that exist."""
    listed = str(item.context.get("expected_tags") or item.context["expected"])
    known = [part.strip(" '") for part in listed.replace(" or ", ", ").split(",")]
    if item.name.endswith('version"'):
        message = f"{item.path[-1]} {_shown(item.value)} is not supported"
        return "VERSION_UNSUPPORTED", message, f'write "{known[-1]}"'
    near = get_close_matches(str(item.value)[:MAX_SHOWN_CHARS].lower(), known, 1)
    options = ", ".join(f'"{word}"' for word in known)
    hint = f'did you mean "{near[0]}"? Known: {options}' if near else f"write one of {options}"
    message = f"{item.name} is {_shown(item.value)}, not a known word"
    if isinstance(item.value, str):
        message = f"{item.path[-1]} {_shown(item.value)} is unknown"
    return "VALUE_UNKNOWN", message, hint


def _wrong_size(item: _Finding) -> tuple[str, str, str]:
    size = len(cast("list[object]", item.value))
    noun = "characters" if item.kind.startswith("string") else "entries"
    short = item.kind.endswith("too_short")
    limit = item.context["min_length" if short else "max_length"]
    rule = f"{'at least' if short else 'at most'} {limit}"
    message = f"the number of {noun} of {item.name} is {size}, it must be {rule}"
    return "VALUE_OUT_OF_RANGE", message, f"let the number of {noun} be {rule}"


def _rename(item: _Finding, missing: set[Path]) -> str:
    """Suggest the missing field of the same object that an unknown key most resembles."""
    path = item.path
    siblings = [str(other[-1]) for other in missing if other[:-1] == path[:-1]]
    return renamed(str(path[-1]), siblings)


def renamed(key: str, known: Iterable[str]) -> str:
    """Hint for an unknown key: the one of `known` that it resembles, or to remove it."""
    near = get_close_matches(key[:MAX_SHOWN_CHARS], sorted(known), 1)
    return f'did you mean "{near[0]}"?' if near else f'remove "{_short(key)}"'


def _finding(entry: ErrorDetails, document: object) -> _Finding:
    kind, context = entry["type"], entry.get("ctx") or {}
    loc: Path = entry["loc"]
    last: Path = ()
    if kind == "missing":
        loc, last = loc[:-1], loc[-1:]
    path = (*_path(loc, document, entry["input"]), *last)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, str(context["discriminator"]).strip("'"))
    path = (*path, *context.get("at", ()))
    is_key = entry["loc"][-1:] == ("[key]",)
    return _Finding(kind, path, _at(document, path), context, entry["msg"], is_key)


def _path(loc: Path, document: object, target: object) -> Path:
    """Drop the union tags that pydantic puts between the real keys of a path.

    A key may be named like a tag. Of all readings the one that ends at the very
    object pydantic complains about is right, then the longest.
    """
    readings = list(_readings(loc, document))
    path, _ = max(readings, key=lambda reading: (reading[1] is target, len(reading[0])))
    return path


def _readings(loc: Path, node: object) -> Iterator[tuple[Path, object]]:
    if not loc:
        yield (), node
        return
    yield from _readings(loc[1:], node)
    if _holds(node, loc[0]):
        child = cast(Any, node)[loc[0]]
        for path, end in _readings(loc[1:], child):
            yield (loc[0], *path), end


def _holds(node: object, part: str | int) -> bool:
    if isinstance(node, dict):
        return part in node
    return isinstance(node, list) and isinstance(part, int) and part < len(cast(Any, node))


def _at(document: object, path: Path) -> object:
    node = document
    for part in path:
        if not _holds(node, part):
            return None
        node = cast(Any, node)[part]
    return node


def _shown(value: object) -> str:
    """The value as JSON, cut to a length that a sentence can carry."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    if isinstance(value, str):
        return json.dumps(_short(value), ensure_ascii=False)
    return _short(json.dumps(value, default=str))


def _plain(limit: float) -> str:
    return str(int(limit)) if int(limit) == limit else str(limit)


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…"
