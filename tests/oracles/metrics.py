"""The metrics of docs/backtest.md in plain Python: the oracle of those of ``engine.backtest``.

How a run comes about is told in tests/oracles/backtest.py; what empyrical says of the same numbers
is in tests/engine/backtest/test_metrics.py.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.oracles.backtest import Fill, Run

DAY_NS = 86_400_000_000_000
MIN_DAYS = 20
YEAR_DAYS = 252


def measure(
    result: Run, ts_ns: Sequence[int], initial_cash: float, bars_per_day: float
) -> dict[str, float | None]:
    """Every metric; None where it is undefined, all but five if equity is ever lost.

    ``recovery_open`` is a bool: whether the recovery that ``recovery_bars`` counts is still open.
    """
    curve = [initial_cash, *result.equity]
    nets = _closed_trades(result.fills)
    metrics: dict[str, float | None] = {
        "total_return": curve[-1] / initial_cash - 1,
        "turnover": sum(fill.qty * fill.price for fill in result.fills) / initial_cash,
        "trades": len(nets),
        "win_rate": sum(net > 0 for net in nets) / len(nets) if nets else None,
        "profit_factor": _ratio(
            sum(net for net in nets if net > 0), -sum(net for net in nets if net <= 0), 1.0
        ),
    }
    if min(curve) <= 0:
        return metrics
    returns = [after / before - 1 for before, after in itertools.pairwise(curve)]
    return (
        metrics
        | _of_returns(returns, curve[-1] / initial_cash, YEAR_DAYS * bars_per_day)
        | {
            "exposure": sum(qty != 0 for qty in result.qty) / len(returns),
            "recovery_bars": _longest_recovery(curve)[0],
            "recovery_open": _longest_recovery(curve)[1],
            **_of_days(_daily_returns(curve, ts_ns)),
        }
    )


def _of_returns(returns: list[float], gain: float, year: float) -> dict[str, float | None]:
    """Ratios over bars; a curve that never moves has Sharpe and Sortino ratios of 0.

    ``gain`` is the last equity over the first: over few bars, a year makes much of its last bit.
    """
    mean, deviation = statistics.fmean(returns), statistics.stdev(returns)
    below = math.sqrt(sum(min(r, 0.0) ** 2 for r in returns) / len(returns))
    wealth = [1.0]
    for r in returns:
        wealth.append(wealth[-1] * (1 + r))
    peaks = itertools.accumulate(wealth, max)
    drawdown = min(value / peak - 1 for value, peak in zip(wealth, peaks, strict=True))
    growth = math.log(gain) * year / len(returns)
    annual = math.expm1(growth) if growth < 700 else None
    still = 0.0 if all(r == 0 for r in returns) else None
    return {
        "annual_return": annual,
        "volatility": deviation * math.sqrt(year),
        "sharpe": _ratio(mean, deviation, math.sqrt(year), still),
        "sortino": _ratio(mean, below, math.sqrt(year), still),
        "gain_loss_sortino": _gain_loss(returns, math.sqrt(year), still),
        "max_drawdown": drawdown,
        "calmar": None if annual is None else _ratio(annual, -drawdown, 1.0),
    }


def _of_days(days: list[float]) -> dict[str, float | None]:
    if len(days) < MIN_DAYS:
        return {"daily_return_p5": None, "worst_1pct_mean": None}
    worst = sorted(days)[: (len(days) - 1) // 100 + 1]
    return {"daily_return_p5": _percentile(days, 0.05), "worst_1pct_mean": statistics.fmean(worst)}


def _closed_trades(fills: list[Fill]) -> list[float]:
    """Profit of every closed position, net of the fees of both its fills."""
    nets, entry_fee, is_open = [], 0.0, False
    for fill in fills:
        if is_open:
            nets.append(fill.realised_pnl - fill.fee - entry_fee)
        entry_fee, is_open = fill.fee, not is_open
    return nets


def _ratio(
    numerator: float, denominator: float, factor: float, undefined: float | None = None
) -> float | None:
    if denominator == 0:
        return undefined
    value = numerator / denominator * factor
    return value if math.isfinite(value) else None


def _gain_loss(returns: list[float], factor: float, undefined: float | None) -> float | None:
    gains, losses = [r for r in returns if r > 0], [r for r in returns if r < 0]
    if not gains or len(losses) < 2:
        return undefined
    return _ratio(statistics.fmean(gains), statistics.stdev(losses), factor)


def _daily_returns(curve: list[float], ts_ns: Sequence[int]) -> list[float]:
    """Return of every UTC day, from the last equity before it to its last."""
    last: dict[int, float] = {}
    for ts, value in zip(ts_ns, curve[1:], strict=True):
        last[ts // DAY_NS] = value
    ends = [curve[0], *last.values()]
    return [after / before - 1 for before, after in itertools.pairwise(ends)]


def _percentile(values: list[float], share: float) -> float:
    """Linear between the two nearest order statistics."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (place - low) * (ranked[high] - ranked[low])


def _longest_recovery(curve: list[float]) -> tuple[int, bool]:
    """Most bars in a row that end below the peak before them, and whether the last is still so."""
    longest, peak = 0, 0
    for t, value in enumerate(curve):
        if value >= curve[peak]:
            peak = t
        longest = max(longest, t - peak)
    below_at_the_end = len(curve) - 1 - peak
    return longest, 0 < below_at_the_end == longest
