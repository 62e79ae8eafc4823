"""Results over seeds → one row per scenario and strategy.

Plain order statistics over few numbers, in a fixed order; the stored table is
``columns.SUMMARY``. The results themselves come from ``api``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.columns import SUMMARY


@dataclass(frozen=True, slots=True)
class SeedResult:
    """Metrics of one seed of one scenario under one strategy."""

    scenario_key: str
    strategy_id: str
    strategy_hash: str
    seed: int
    metrics: dict[str, float | None]


def summarise_seeds(results: Sequence[SeedResult]) -> list[dict[str, str | int | float | None]]:
    """Rows of ``columns.SUMMARY``, ordered by scenario and strategy.

    Medians and percentiles (linear interpolation) leave out seeds where the
    metric is undefined; they are None where no seed defines it.
    """
    groups: dict[tuple[str, str, str], list[SeedResult]] = {}
    for result in sorted(results, key=lambda r: (r.scenario_key, r.strategy_id, r.seed)):
        key = (result.scenario_key, result.strategy_id, result.strategy_hash)
        groups.setdefault(key, []).append(result)
    return [_row(key, rows) for key, rows in sorted(groups.items())]


def _row(
    key: tuple[str, str, str], results: list[SeedResult]
) -> dict[str, str | int | float | None]:
    returns = _defined(results, "total_return")
    drawdowns = _defined(results, "max_drawdown")
    row: dict[str, str | int | float | None] = {
        "scenario_key": key[0],
        "strategy_id": key[1],
        "strategy_hash": key[2],
        "seeds": len(results),
        "median_sharpe": _percentile(_defined(results, "sharpe"), 50),
        "median_total_return": _percentile(returns, 50),
        "p5_total_return": _percentile(returns, 5),
        "p95_total_return": _percentile(returns, 95),
        "median_max_drawdown": _percentile(drawdowns, 50),
        "worst_max_drawdown": min(drawdowns, default=None),
        "mean_trades": sum(_defined(results, "trades")) / len(results),
        "share_profitable": sum(value > 0 for value in returns) / len(results),
    }
    assert tuple(row) == SUMMARY.names
    return row


def _defined(results: list[SeedResult], name: str) -> list[float]:
    values = [result.metrics.get(name) for result in results]
    return [value for value in values if value is not None]


def _percentile(values: list[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
