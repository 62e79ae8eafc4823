"""What was probably meant by a text that is not of the language, and how to write it.

Hints have few forms, so that they can be followed without thinking: ``write X instead
of Y``, ``did you mean X?``, ``add X``, ``remove X``. Here are those of texts that do not
parse, and words of other languages; hints of names, types and bounds stand in ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Final

MAX_QUOTED_CHARS: Final = 120
EXAMPLE: Final = "close > ma(close, 20)"

ALIASES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("sma", "mean", "avg", "average", "moving_average"), "ma"),
    **dict.fromkeys(("max", "hh"), "highest"),
    **dict.fromkeys(("min", "ll"), "lowest"),
    **dict.fromkeys(("shift", "ref", "prev", "previous", "delay"), "lag"),
    **dict.fromkeys(("std", "stddev", "sd", "sigma"), "stdev"),
    **dict.fromkeys(("cross", "crossup", "cross_above", "crosses_above"), "crossover"),
    **dict.fromkeys(("crossdown", "cross_below", "crosses_below"), "crossunder"),
    **dict.fromkeys(("bb", "bollinger"), "bbands"),
    **dict.fromkeys(("price", "last"), "close"),
    "top": "upper",
    "mid": "middle",
    "bottom": "lower",
    "linreg": "slope",
    "vol": "volume",
}
"""Names that other languages give to what this one has."""

_OPERATORS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("=", "==="), "=="),
    **dict.fromkeys(("<>", "><", "=!", "!==", "≠"), "!="),
    **dict.fromkeys(("=>", "≥"), ">="),
    **dict.fromkeys(("=<", "≤"), "<="),
    **dict.fromkeys((">>", "above", "over"), ">"),
    **dict.fromkeys(("<<", "below", "under"), "<"),
    **dict.fromkeys(("is", "equals"), "=="),
    **dict.fromkeys(("&", "&&"), "and"),
    **dict.fromkeys(("|", "||"), "or"),
    **dict.fromkeys(("!", "~"), "not"),
    **dict.fromkeys(("−", "–"), "-"),
    **dict.fromkeys(("×", "·"), "*"),
    **dict.fromkeys(("÷", "//"), "/"),
    **dict.fromkeys(("[", "{"), "("),
    **dict.fromkeys(("]", "}"), ")"),
}
_ROLLING: Final = {"mean": "ma", "std": "stdev", "max": "highest", "min": "lowest"}
_TERM: Final = r"[A-Za-z_]\w*(?:\([^()\[\]]*\))?"


def _product(match: re.Match[str]) -> str:
    return " * ".join([match[1]] * int(match[2]))


_MEANT: Final[tuple[tuple[str, Callable[[re.Match[str]], str]], ...]] = (
    (r"\w+\[(['\"])(\w+)\1\]", lambda m: m[2]),
    (r"(['\"])([^'\"]*)\1", lambda m: m[2]),
    (rf"({_TERM})\[\s*-?(\d+)\s*\]", lambda m: f"lag({m[1]}, {m[2]})"),
    (rf"({_TERM})\.(?:shift|lag|ref)\(\s*(-?\d+)\s*\)", lambda m: f"lag({m[1]}, {m[2]})"),
    (
        rf"({_TERM})\.rolling\((\d+)\)\.(mean|std|max|min)\(\)",
        lambda m: f"{_ROLLING[m[3]]}({m[1]}, {m[2]})",
    ),
    (r"[A-Za-z_]\w*\.([A-Za-z_]\w*)", lambda m: m[1]),
    (r"(?<![\w.])\.\d+", lambda m: f"0{m[0]}"),
    (r"(\d+)\.(?!\d)", lambda m: m[1]),
    (r"\d+(?:_\d+)+", lambda m: m[0].replace("_", "")),
    (r"\d{1,3}(?:,\d{3})+(?!\d)", lambda m: m[0].replace(",", "")),
    (rf"({_TERM}|[0-9.]+)\s*(?:\*\*|\^)\s*([2-4])(?![\w.])", _product),
    (r",\s*\)", lambda m: ")"),
    (r"\w*[A-Z]\w*", lambda m: m[0].lower()),
)
_AROUND: Final = tuple((re.compile(pattern), meant) for pattern, meant in _MEANT)
_SIGNS: Final = re.compile(r"[<>=!&|~≠≥≤−–×·÷/]+|[\[\]{}]|\b(?:above|below|over|under|is|equals)\b")
_CHAIN: Final = re.compile(r"[<>=]\s*([\w.]+(?:\([^()]*\))?)\s*$")
_COMPARISON: Final = re.compile(r"[<>]=?|==|!=")
_DANGLING: Final = re.compile(r"(?:[<>=!]=|[<>+\-*/,(]|\b(?:and|or|not))$")
_WORD: Final = re.compile(r"\w+", re.ASCII)


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that a word most likely stands for, or None."""
    names = list(known)
    if ALIASES.get(word.lower()) in names:
        return ALIASES[word.lower()]
    near = get_close_matches(word.lower(), names, 1, cutoff)
    return near[0] if near else None


def instead(new: str, old: str) -> str:
    """Hint that replaces a piece of the text, which is left out if it is long."""
    if len(old) + len(new) > MAX_QUOTED_CHARS:
        return f"write it as in {EXAMPLE}"
    return f"write {new} instead of {old}"


def spelling(text: str, at: int) -> str:
    """Hint for a text that does not parse.

    Parameters
    ----------
    text : str
        Source of the expression.
    at : int
        Where the parser gave up; the length of the text, if it ended too early.
    """
    if not text.strip():
        return f"write {EXAMPLE}"
    if at >= len(text.rstrip()):
        return _unfinished(text.rstrip())
    return _replaced(text, at) or _misplaced(text, at) or f"write a condition, e.g. {EXAMPLE}"


def _unfinished(text: str) -> str:
    dangling = _DANGLING.search(text)
    if dangling:
        return f"remove {dangling[0]} at the end"
    return "add ) at the end" if text.count("(") > text.count(")") else f"write {EXAMPLE}"


def _replaced(text: str, at: int) -> str | None:
    """Another way to write what stands around a place."""
    for pattern, meant in _AROUND:
        match = _covering(pattern, text, at)
        if match:
            return instead(meant(match), match[0])
    signs = _covering(_SIGNS, text, at)
    if signs is None or signs[0] not in _OPERATORS:
        return None
    new = _OPERATORS[signs[0]]
    if not new.isalpha():
        return instead(new, signs[0])
    before, after = _touching(text, signs)
    spaced = f"{before} {new} {after}".strip()
    return instead(spaced, f"{before}{signs[0]}{after}")


def _misplaced(text: str, at: int) -> str | None:
    """What to do about something that is of the language, but not here."""
    if text[at] == "#":
        return f"remove {text[at:].splitlines()[0]}"
    word = _WORD.match(text, at)
    comparison = _COMPARISON.match(text, at)
    chained = _CHAIN.search(text[max(at - MAX_QUOTED_CHARS, 0) : at])
    if comparison and chained:
        return instead(f"and {chained[1]} {comparison[0]}", comparison[0])
    if word and text[:at].count("(") > text[:at].count(")"):
        return instead(f", {word[0]}", word[0])
    if word:
        return instead(f"and {word[0]}", word[0])
    return f"remove {text[at]}" if text[at].isprintable() else None


def _covering(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    return next((m for m in pattern.finditer(text) if m.start() <= at < m.end()), None)


def _touching(text: str, match: re.Match[str]) -> tuple[str, str]:
    """Words that stand right before and right after a match, without a space."""
    before = re.search(r"\w*$", text[: match.start()])
    after = _WORD.match(text, match.end())
    return before[0] if before else "", after[0] if after else ""


__all__ = ["ALIASES", "EXAMPLE", "instead", "nearest", "spelling"]
