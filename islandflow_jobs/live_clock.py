"""The clock that a live tape waits on, and the signals that end the wait.

Who waits is ``live_pacer``.
"""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType
from typing import Any, Final, Protocol, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Clock(Protocol):
    """Time of the wall, and whether somebody asked for an end."""

    @property
    def is_stopped(self) -> bool:
        """Whether an end was asked for."""
        ...

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait, or until an end is asked for."""
        ...


class SignalledClock:
    """The machine's clock; SIGINT and SIGTERM ask for an end while the block runs.

    A signal only leaves a byte in a pipe, so that whatever is being done is done to its end.
    """

    def __init__(self) -> None:
        self.is_stopped = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def now_ns(self) -> int:
        """The machine's time."""
        return time.time_ns()

    def wait(self, seconds: float) -> None:
        """Wait for a signal, so long at most."""
        select.select([self._read], [], [], max(seconds, 0.0))

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if not self.is_stopped:
            self.is_stopped = True
            os.write(self._write, b"!")
