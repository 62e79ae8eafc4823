"""The table of kills that the long form prints, as it stands in docs/faults.md."""

from __future__ import annotations

import re
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
