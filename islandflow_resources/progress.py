"""Progress of long work: said in a log now and then, and to whoever listens in this process.

What the work is lives with its callers; the bar in a terminal is ``islandflow_jobs.progress_bar``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

Listener = Callable[[str, int, int], None]
"""Told the noun, how many are done, and of how many."""

_listeners: list[Listener] = []
_LEAST_S: Final = 5.0
_MOST_LINES: Final = 20


class Progress:
    """Tells how far something is, with rate and time left.

    Parameters
    ----------
    noun : str
        What is counted.
    say : callable
        Takes a line for a log: at most 20 in all, and none sooner than 5 s after the last.
    """

    def __init__(self, noun: str, say: Callable[[str], None]) -> None:
        self._noun, self._say = noun, say
        self._start = self._said = time.monotonic()
        self._share = 0.0
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Take how many are done."""
        for listener in _listeners:
            listener(self._noun, done, total)
        if self._first is None:
            self._first = done
        now = time.monotonic()
        share = done / total if total else 1.0
        if now - self._said < _LEAST_S or share - self._share < 1.0 / _MOST_LINES:
            return
        self._said, self._share = now, share
        self._say(self._line(done, total, now - self._start))

    def _line(self, done: int, total: int, seconds: float) -> str:
        rate = (done - (self._first or 0)) / seconds
        left = f"{(total - done) / rate:,.0f} s left" if rate > 0.0 else "time left unknown"
        share = done / total if total else 1.0
        return f"{share:.0%}: {done:,} of {total:,} {self._noun}, {rate:,.0f}/s, {left}"


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let somebody listen to all progress of this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
