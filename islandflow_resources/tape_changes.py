"""Where two JSON documents differ, by pointers.

For the parameters of tapes; what that does to their events is ``tape_diff``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final, NamedTuple

from contracts.canonical import Json, canonical_json, pointer

MAX_SHOWN: Final = 60


class Change(NamedTuple):
    """A place where two documents differ.

    Attributes
    ----------
    pointer : str
        JSON pointer; empty for the whole.
    before, after : str
        Values as JSON, cut to a length that a line can carry; ``nothing`` where there is none.
    """

    pointer: str
    before: str
    after: str


class _Nothing:
    """Stands for a value that is not there."""


_NOTHING: Final = _Nothing()


def changes(before: Json, after: Json) -> list[Change]:
    """Every innermost place where two documents differ, in order of `before`.

    Entries of lists are compared by their places.

    Examples
    --------
    >>> changes({"a": [1, 2]}, {"a": [1, 3]})
    [Change(pointer='/a/1', before='2', after='3')]
    """
    return list(_changes(before, after, ()))


def _changes(
    before: Json | _Nothing, after: Json | _Nothing, path: tuple[str | int, ...]
) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            yield from _changes(before.get(key, _NOTHING), after.get(key, _NOTHING), (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        pairs = zip_longest(before, after, fillvalue=_NOTHING)
        for index, (mine, theirs) in enumerate(pairs):
            yield from _changes(mine, theirs, (*path, index))
    elif _text(before) != _text(after):
        yield Change(pointer(path), _shown(before), _shown(after))


def _text(value: Json | _Nothing) -> str:
    return "nothing" if isinstance(value, _Nothing) else canonical_json(value).decode()


def _shown(value: Json | _Nothing) -> str:
    text = _text(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
