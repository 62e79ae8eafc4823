"""When a stream began, and therefore where it stands: a small file that outlives the server.

The bins themselves are ``signal_streams``; who waits for them is ``islandflow_jobs.serve``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.digest import bare

FORMAT = "islandflow-stream/1"


@dataclass(frozen=True, slots=True)
class StreamClock:
    """Start of a stream on the clock of the wall, and its pace.

    Attributes
    ----------
    started_at_ns : int
        Since 1970; bin n is due n + 1 widths later.
    speed : float
        Seconds of the stream a second.
    width_ns : int
        Of a bin, in time of the stream.
    """

    started_at_ns: int
    speed: float
    width_ns: int

    def deadline_ns(self, number: int) -> int:
        """When a bin is due."""
        return self.started_at_ns + round((number + 1) * self.width_ns / self.speed)

    def present(self, now_ns: int) -> int:
        """Number of the newest bin that is due; −1 before the first."""
        number = int((now_ns - self.started_at_ns) * self.speed / self.width_ns) - 1
        # Rounded as deadlines are: a bin is due at its deadline, not a hair later.
        return number + 1 if self.deadline_ns(number + 1) <= now_ns else max(number, -1)

    def paced(self, speed: float, now_ns: int) -> StreamClock:
        """The same position at another speed."""
        if speed == self.speed:
            return self
        elapsed_ns = (now_ns - self.started_at_ns) * self.speed
        return StreamClock(now_ns - round(elapsed_ns / speed), speed, self.width_ns)


def clock_path(home: Path, serving_id: str) -> Path:
    """File that keeps the start of a spec's stream."""
    return home / "streams" / f"{bare(serving_id)}.json"


def read_clock(path: Path, width_ns: int) -> StreamClock | None:
    """The clock that was kept; None if there is none, or none that reads."""
    try:
        told: Any = json.loads(path.read_bytes())
        if told["format"] != FORMAT or told["width_ns"] != width_ns:
            return None
        clock = StreamClock(int(told["started_at_ns"]), float(told["speed"]), width_ns)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return clock if clock.speed > 0 else None


def write_clock(path: Path, clock: StreamClock) -> None:
    """Keep a clock, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "format": FORMAT,
        "started_at_ns": str(clock.started_at_ns),
        "speed": clock.speed,
        "width_ns": clock.width_ns,
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    with temporary.open("wb") as file:
        file.write(json.dumps(told).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
