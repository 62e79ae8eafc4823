"""Wall time beside processor time: on a machine that others use too, the second one holds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

HEADER = ("what", "wall", "processor", "wanted")


@dataclass(frozen=True, slots=True)
class Spent:
    """Medians of repeated runs, in seconds."""

    wall_s: float
    cpu_s: float

    def line(self, what: str, wanted: str) -> list[str]:
        """A line of the table, in seconds."""
        return [what, f"{self.wall_s:,.2f} s", f"{self.cpu_s:,.2f} s", wanted]

    def line_ms(self, what: str, wanted: str) -> list[str]:
        """A line of the table, in milliseconds."""
        return [what, f"{1e3 * self.wall_s:,.0f} ms", f"{1e3 * self.cpu_s:,.0f} ms", wanted]


def spent(action: Callable[[], object], runs: int, warm: int = 1) -> Spent:
    """Time an action after `warm` runs that are not counted."""
    for _ in range(warm):
        action()
    walls: list[float] = []
    cpus: list[float] = []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Spent(statistics.median(walls), statistics.median(cpus))
