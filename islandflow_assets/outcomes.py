"""What became of the cells of a batch: published or not, and which checks each passed.

Events are ``lineage``; here outcomes become the verdicts that it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import Problem
from islandflow_assets.lineage import Published, Verdict
from islandflow_assets.partitions import Cell


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell of a batch.

    Attributes
    ----------
    cell : Cell
    checks : mapping of str to Problem or None
        What each check that was reached found; None if it holds.
    shown : Published, optional
        What is published if all of them hold.
    figures : list of dict
        Numbers that a check is about.
    """

    cell: Cell
    checks: Mapping[str, Problem | None]
    shown: Published | None = None
    figures: Sequence[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    @property
    def published(self) -> Published | None:
        """What now stands in the store, and may be read downstream."""
        return None if any(self.checks.values()) else self.shown


def published_of(outcomes: Sequence[Outcome]) -> list[Published]:
    """What stands of a batch."""
    return [one.published for one in outcomes if one.published is not None]


def verdict_of(
    name: str, outcomes: Sequence[Outcome], metadata: Mapping[str, Any] | None = None
) -> Verdict:
    """Outcome of one check over the cells that reached it."""
    reached = [(one.cell, one.checks[name]) for one in outcomes if name in one.checks]
    failed = [(cell, problem) for cell, problem in reached if problem is not None]
    return Verdict(name, len(reached) - len(failed), failed, dict(metadata or {}))
