"""Timing that two noisy cores allow: medians of repeated runs, and ratios of medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def median_seconds(action: Callable[[], object], runs: int = 7) -> float:
    """Median wall time of `action` after one run that is not counted."""
    action()
    return statistics.median(_once(action) for _ in range(runs))


def alternating(actions: Sequence[Callable[[], object]], runs: int = 7) -> list[float]:
    """Medians of several actions timed in turn, so that drift hits all of them."""
    for action in actions:
        action()
    rounds = [[_once(action) for action in actions] for _ in range(runs)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _once(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
