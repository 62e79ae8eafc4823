"""Someone who mends a strategy by doing what the first hint says, without thinking.

The hints have few forms: ``did you mean X?``, ``write X``, ``write X instead of Y``,
``add "key": value``, ``add the rule {…}``, ``add X at the end``, ``remove X``. Of several ways the
first is taken, of a value that is described the one after ``e.g.``.
"""

import copy
import json
import re
from typing import Any

from contracts.errors import ContractError, Problem
from contracts.strategy import load_strategy
from engine.dsl import compile_strategy

_PLACE = re.compile(r"(?P<pointer>/rules/\d+/if) line (?P<line>\d+) column (?P<column>\d+)")


def refused(written: dict[str, Any], bars: int | None = None) -> Problem | None:
    """The first problem of a strategy, or None if it compiles."""
    try:
        compile_strategy(load_strategy(json.dumps(written)), bars=bars)
    except ContractError as error:
        return error.problems[0]
    return None


def followed(written: dict[str, Any], problem: Problem) -> dict[str, Any]:
    """The strategy after the first hint was followed."""
    changed = copy.deepcopy(written)
    hint, place = problem.hints[0], _PLACE.fullmatch(problem.loc)
    if place and not re.match(r'add "\w+":', hint):
        rule = _at(changed, place["pointer"].split("/")[1:-1])
        lines = rule["if"].split("\n")
        before = sum(len(line) + 1 for line in lines[: int(place["line"]) - 1])
        rule["if"] = _in_text(rule["if"], before + int(place["column"]) - 1, hint)
        return changed
    _in_document(changed, problem, hint)
    return changed


def _in_text(text: str, at: int, hint: str) -> str:
    """The expression with the hint followed at a place in it."""
    if match := re.fullmatch(r"(?:add|remove) (.+) at the end", hint):
        bare = text.rstrip()
        return bare + match[1] if hint.startswith("add") else bare.removesuffix(match[1])
    if match := re.match(r"did you mean (\w+)\?", hint):
        word = re.compile(r"\w+").match(text, at)
        assert word, (text, at)
        return text[: word.start()] + match[1] + text[word.end() :]
    if match := re.fullmatch(r"write (.+) instead of (.+)", hint, re.DOTALL):
        return _replaced(text, at, match[2], match[1])
    if match := re.fullmatch(r"remove (.+)", hint):
        return _replaced(text, at, match[1], "")
    match = re.fullmatch(r"write (?:.*e\.g\. )?(.+)", hint)
    return match[1] if match else text


def _replaced(text: str, at: int, old: str, new: str) -> str:
    """The text with the piece that the place lies in, or that starts there, replaced."""
    start = text.rfind(old, 0, at + len(old))
    assert start >= 0, (text, at, old)
    return text[:start] + new + text[start + len(old) :]


def _in_document(changed: dict[str, Any], problem: Problem, hint: str) -> None:
    """Follow the hint at the pointer of the problem."""
    *parents, key = problem.loc.split("/")[1:]
    parent = _at(changed, parents)
    value = _value(hint)
    if match := re.match(r'did you mean "(\w+)"\?', hint):
        is_key = problem.message.startswith(("the key", "the parameter"))
        _rename(parent, key, match[1]) if is_key else _put(parent, key, match[1])
    elif hint.startswith("add the rule"):
        changed["rules"].append(value)
    elif match := re.match(r'add "(\w+)": .* to "(\w+)"$', hint):
        changed.setdefault(match[2], {})[match[1]] = value
    elif match := re.match(r'add "(\w+)": ', hint):
        parent[match[1]] = value
    elif hint.startswith("remove"):
        del parent[key]
    elif match := re.match(r'write "(\w+)": ', hint):
        _at(parent, [key])[match[1]] = value
    elif problem.message.startswith("the key"):
        _rename(parent, key, value)
    else:
        _put(parent, key, value)


def _value(hint: str) -> Any:
    """The JSON value that a hint speaks of; None if there is none."""
    _, _, after = hint.partition("e.g. ")
    text = after or re.sub(r'^(?:write one of|write|add the rule|add)\s+(?:"\w+": )?', "", hint)
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None


def _at(node: Any, parts: list[str]) -> Any:
    for part in parts:
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


def _put(parent: Any, key: str, value: Any) -> None:
    parent[int(key) if isinstance(parent, list) else key] = value


def _rename(parent: dict[str, Any], old: str, new: str) -> None:
    parent[new] = parent.pop(old)
