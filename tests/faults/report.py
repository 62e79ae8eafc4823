"""The tables that the long form prints, as they stand in docs/faults.md."""

from __future__ import annotations

import re
import statistics
import sys
from dataclasses import dataclass, field

_STEP = re.compile(r" - (\w+) - STEP_START")


@dataclass(slots=True)
class Report:
    """Kills of a run that takes `run_s` seconds and leaves `objects` objects undisturbed."""

    run_s: float
    objects: int
    lines: list[str] = field(default_factory=list)

    def add(self, at_s: float, log: str, objects: int, staged: int, recovery_s: float) -> None:
        """Note one kill and the run after it."""
        started = _STEP.findall(log)
        step = f"`{started[-1]}`" if started else "before the first step"
        self.lines.append(
            f"| {len(self.lines) + 1} | {at_s:.2f} | {step} | {objects} | {staged} "
            f"| {recovery_s:.1f} |"
        )

    def print(self) -> None:
        """Write the table to standard output."""
        head = "| kill | after s | during | objects visible | unfinished, unseen | next run s |"
        rule = "|---|---|---|---|---|---|"
        whole = f"An undisturbed run: {self.run_s:.1f} s, {self.objects} objects."
        sys.stdout.write("\n".join(["", whole, "", head, rule, *self.lines, ""]))


@dataclass(slots=True)
class Table:
    """Lines below a head, and how long it took to recover."""

    head: tuple[str, ...]
    lines: list[tuple[str, ...]] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, recovery_s: float, *cells: object) -> None:
        """Note one disturbance by its cells; the last one is how long the recovery took."""
        self.lines.append((*map(str, cells), f"{recovery_s:.1f}"))
        self.recoveries_s.append(recovery_s)

    def print(self) -> None:
        """Write notes, table and summary to standard output."""
        rows = [self.head, ("---",) * len(self.head), *self.lines]
        text = ["| " + " | ".join(row) + " |" for row in rows]
        sys.stdout.write(
            "\n".join(["", *dict.fromkeys(self.notes), "", *text, "", self.summary, ""])
        )

    @property
    def summary(self) -> str:
        """Smallest, middle and largest time to recover."""
        least, most = min(self.recoveries_s, default=0.0), max(self.recoveries_s, default=0.0)
        middle = statistics.median(self.recoveries_s or [0.0])
        return f"Recovery: {least:.1f} s at least, {middle:.1f} s median, {most:.1f} s at most."
