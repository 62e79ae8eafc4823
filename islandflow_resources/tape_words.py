"""What must never stand on a market event: the words of the truth, in any spelling.

Every column name and every string value of a tape is looked at. Values that a market has
anyway, its symbols, venues and conditions, are no leak whatever they are called; which those
are is said by who asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, get_args

from contracts.control import DEMO_SCENARIOS, FAMILIES, PRESETS
from contracts.flow import ACTORS, EXPECTED_CLASS, SUBTYPE_NAMES
from contracts.labels import ScenarioFamily
from contracts.regime import REGIMES
from contracts.tape import TapeSpec

_KEYS: Final = (
    "expected_output",
    "hidden_label",
    "label",
    "scenario",
    "source_kind",
    "subtype",
    "family",
    "actor",
    "burst",
    "decoy",
    "inject",
    "hedge",
    "regime",
    "preset",
    "truth",
    "synthetic",
)
_DIRECTIONS: Final = ("bullish", "bearish")
_SHORTEST: Final = 4
"""Shorter words stand in other words by chance."""


def _spelled(text: str) -> str:
    """Letters and digits of a text alone, so that no case or sign hides a word."""
    return re.sub("[^a-z0-9]+", "", text.lower())


_FIXED: Final = frozenset(
    _spelled(word)
    for word in (
        *_KEYS,
        *_DIRECTIONS,
        *ACTORS,
        *SUBTYPE_NAMES,
        *FAMILIES,
        *EXPECTED_CLASS.values(),
        *get_args(ScenarioFamily),
        *(name for names in DEMO_SCENARIOS.values() for name in names),
        *PRESETS,
        *REGIMES,
    )
)


class ForbiddenWords:
    """Words that tell the truth about a tape.

    Parameters
    ----------
    own : iterable of str
        Names of this very tape, such as those of its injections.
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        named = {_spelled(word) for word in own}
        self._words = _FIXED | {word for word in named if len(word) >= _SHORTEST}

    def found_in(self, text: str) -> str | None:
        """The longest forbidden word in a text, None if there is none.

        Examples
        --------
        >>> ForbiddenWords().found_in("x-Hidden Label:7")
        'hiddenlabel'
        """
        spelled = _spelled(text)
        return max((word for word in self._words if word in spelled), key=len, default=None)


def words_of(spec: TapeSpec, *names: str | None) -> ForbiddenWords:
    """Words of a tape: the usual ones, its injections, and the names of its run."""
    injected = (injection.id for injection in spec.injections)
    return ForbiddenWords((*injected, *(name for name in names if name)))
