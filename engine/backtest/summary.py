"""Results over seeds → one row per scenario and strategy, and one per strategy, ranked.

Plain order statistics over few numbers, in a fixed order; the stored tables are
``columns.SUMMARY`` and ``columns.LEADERBOARD``. The results themselves come from ``api``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

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


Row: TypeAlias = "dict[str, str | int | float | None]"


def rank_strategies(results: Sequence[SeedResult]) -> list[Row]:
    """Rows of ``columns.LEADERBOARD``, the best strategy first.

    Ordered by median Sharpe ratio, an undefined one last, then by median return, then
    by the hash. Medians leave out results where the metric is undefined.
    """
    groups: dict[tuple[str, str], list[SeedResult]] = {}
    for result in sorted(results, key=lambda r: (r.strategy_id, r.scenario_key, r.seed)):
        groups.setdefault((result.strategy_id, result.strategy_hash), []).append(result)
    rows = [_standing(key, group) for key, group in groups.items()]
    rows.sort(key=_worst_last)
    return [{"rank": rank, **row} for rank, row in enumerate(rows, start=1)]


def _standing(key: tuple[str, str], results: list[SeedResult]) -> Row:
    returns = _defined(results, "total_return")
    return {
        "strategy_id": key[0],
        "strategy_hash": key[1],
        "results": len(results),
        "scenarios": len({result.scenario_key for result in results}),
        "median_sharpe": _percentile(_defined(results, "sharpe"), 50),
        "median_total_return": _percentile(returns, 50),
        "p5_total_return": _percentile(returns, 5),
        "worst_max_drawdown": min(_defined(results, "max_drawdown"), default=None),
        "mean_trades": sum(_defined(results, "trades")) / len(results),
        "share_profitable": sum(value > 0 for value in returns) / len(results),
    }


def _worst_last(row: Row) -> tuple[float, float, str]:
    sharpe, gain = row["median_sharpe"], row["median_total_return"]
    first = -sharpe if isinstance(sharpe, float) else math.inf
    return first, -gain if isinstance(gain, float) else math.inf, str(row["strategy_hash"])


def summarise_seeds(results: Sequence[SeedResult]) -> list[Row]:
    """Rows of ``columns.SUMMARY``, ordered by scenario and strategy.

    Medians and percentiles (linear interpolation) leave out seeds where the
    metric is undefined; they are None where no seed defines it.
    """
    groups: dict[tuple[str, str, str], list[SeedResult]] = {}
    for result in sorted(results, key=lambda r: (r.scenario_key, r.strategy_id, r.seed)):
        key = (result.scenario_key, result.strategy_id, result.strategy_hash)
        groups.setdefault(key, []).append(result)
    return [_row(key, rows) for key, rows in sorted(groups.items())]


def _row(key: tuple[str, str, str], results: list[SeedResult]) -> Row:
    returns = _defined(results, "total_return")
    drawdowns = _defined(results, "max_drawdown")
    row: Row = {
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
