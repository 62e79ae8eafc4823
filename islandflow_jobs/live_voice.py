"""Where the lines of a live tape go, and how it says a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.control import SECOND_NS


@dataclass(frozen=True, slots=True)
class Voice:
    """Takes lines: what happens, and what somebody should look at."""

    say: Callable[[str], None]
    warn: Callable[[str], None]


def instant(ns: int) -> str:
    """A time as text, to the second."""
    return f"{datetime.fromtimestamp(ns // SECOND_NS, UTC):%Y-%m-%dT%H:%M:%SZ}"
