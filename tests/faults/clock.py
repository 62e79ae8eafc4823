"""A wall clock that jumps, in this process, for everything that asks Python for the time.

`jumping` puts a function in the place of ``time.time`` and a class in that of ``datetime``, in all
modules that are loaded. What the servers and the file system call the time stays as it is, as it
does when one machine of several is wrong. The monotonic clock has no part in it: it never jumps.
"""

from __future__ import annotations

import datetime as original
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
_TIME, _TIME_NS = time.time, time.time_ns
_REAL = original.datetime


class Wall:
    """How far ahead the clock is, and when that changes.

    Attributes
    ----------
    ahead_s : float
    readings : int
        How often it was asked.
    jump : tuple of int and float
        At which reading it jumps, and how far ahead it is from then on.
    """

    def __init__(self, ahead_s: float, jump: tuple[int, float]) -> None:
        self.ahead_s, self.jump, self.readings = ahead_s, jump, 0

    def read(self) -> float:
        """How far ahead it is now."""
        self.readings += 1
        if self.readings == self.jump[0]:
            self.ahead_s = self.jump[1]
        return self.ahead_s


_RIGHT = Wall(0.0, (0, 0.0))
_NOW = [_RIGHT]


class _Instance(type(_REAL)):
    def __instancecheck__(cls, one: Any) -> bool:
        return isinstance(one, _REAL)


class Jumped(_REAL, metaclass=_Instance):
    """``datetime`` whose present is that of `Wall`; what it makes is plain."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _REAL.now(tz) + original.timedelta(seconds=_NOW[0].read())

    @classmethod
    def utcnow(cls) -> Any:
        return _REAL.now(original.UTC).replace(tzinfo=None) + original.timedelta(
            seconds=_NOW[0].read()
        )

    def __new__(cls, *given: Any, **named: Any) -> Any:
        return _REAL(*given, **named)


@contextmanager
def jumping(ahead_s: float = 0.0, jump: tuple[int, float] = (0, 0.0)) -> Iterator[Wall]:
    """The clock is ahead by `ahead_s`, and jumps as `Wall` says, until the block ends."""
    wall = _NOW[0] = Wall(ahead_s, jump)
    replaced = {
        id(_TIME): lambda: _TIME() + wall.read(),
        id(_TIME_NS): lambda: _TIME_NS() + int(wall.read() * 1e9),
        id(_REAL): Jumped,
    }
    changed: list[tuple[Any, str, Any]] = []
    for module in list(sys.modules.values()):
        if module is sys.modules[__name__]:
            continue
        for name in ("time", "time_ns", "datetime"):
            there = getattr(module, "__dict__", {}).get(name)
            if id(there) in replaced:
                changed.append((module, name, there))
                setattr(module, name, replaced[id(there)])
    try:
        yield wall
    finally:
        for module, name, there in changed:
            setattr(module, name, there)
        _NOW[0] = _RIGHT
