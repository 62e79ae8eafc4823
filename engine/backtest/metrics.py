"""Metrics of one equity curve; undefined ones are None with a reason.

Ratios follow ``contracts.backtest``: per-bar returns, annualised with 252 · bars
per day, population about zero for the downside (Sortino and Price 1994), ddof 1
for the Sharpe ratio (Sharpe 1994). The first return is measured against the
initial cash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.backtest import METRICS, MIN_DAYS, TRADING_DAYS_PER_YEAR
from engine.arrays import Floats
from engine.backtest.account import GAINS, LOSSES, NOTIONAL, PAINS, WINS
from engine.jit import kernel
from engine.mathx import exp, log

DAY_NS: Final = 86_400_000_000_000
MEAN, STD, DOWNSIDE, UP_MEAN, DOWN_STD, DRAWDOWN, EXPOSURE, RECOVERY, POSITIVE, DOWN_N = range(10)
SUMMARY_SIZE = 10


@kernel
def summarise(equity: Floats, qty: Floats, initial: float, out: Floats) -> None:
    """One pass over the curve: moments of returns, drawdown, exposure, recovery.

    Welford's updates (1962) keep the variances exact for constant curves.
    ``out[POSITIVE]`` is 0 if equity ever stops being positive.
    """
    n = equity.shape[0]
    last, peak, since, mean, square = initial, initial, 0, 0.0, 0.0
    downside, up, ups, down_mean, down_square, downs = 0.0, 0.0, 0, 0.0, 0.0, 0
    exposed, worst, longest = 0, 0.0, 0
    for i in range(n):
        if not last > 0.0:
            out[POSITIVE] = 0.0
            return
        r = equity[i] / last - 1.0
        last = equity[i]
        delta = r - mean
        mean += delta / (i + 1)
        square += delta * (r - mean)
        if r > 0.0:
            up += r
            ups += 1
        elif r < 0.0:
            downside += r * r
            downs += 1
            delta = r - down_mean
            down_mean += delta / downs
            down_square += delta * (r - down_mean)
        exposed += 1 if qty[i] != 0.0 else 0
        since = 0 if last >= peak else since + 1
        peak = max(peak, last)
        worst = min(worst, last / peak - 1.0)
        longest = max(longest, since)
    out[MEAN] = mean
    out[STD] = math.sqrt(square / (n - 1))
    out[DOWNSIDE] = math.sqrt(downside / n)
    out[UP_MEAN] = up / ups if ups > 0 else math.nan
    out[DOWN_STD] = math.sqrt(down_square / (downs - 1)) if downs > 1 else math.nan
    out[DRAWDOWN] = worst
    out[EXPOSURE] = exposed / n
    out[RECOVERY] = longest
    out[POSITIVE] = 1.0 if last > 0.0 else 0.0
    out[DOWN_N] = downs


@dataclass(frozen=True, slots=True)
class Report:
    """Metrics by name, and for every null its reason."""

    values: dict[str, float | None]
    reasons: dict[str, str]


def report(
    ts_ns: npt.NDArray[np.int64],
    equity: Floats,
    qty: Floats,
    account: Floats,
    initial_cash: float,
    bars_per_day: float,
    fills: int,
) -> Report:
    """Compute every metric of `contracts.backtest.METRICS`.

    Parameters
    ----------
    ts_ns, equity, qty : ndarray, shape (bars,)
        Time, equity and signed quantity after each bar.
    account : ndarray, float64
        Final account, see ``engine.backtest.account``.
    initial_cash, bars_per_day : float
        Base of the first return, and of the annualisation.
    fills : int
        Number of fills.
    """
    s = np.zeros(SUMMARY_SIZE)
    summarise(equity, qty, initial_cash, s)
    values: dict[str, float | None] = dict.fromkeys(METRICS)
    values["trades"] = float(account[WINS] + account[LOSSES])
    values["turnover"] = float(account[NOTIONAL] / initial_cash)
    values["total_return"] = float(equity[-1] / initial_cash - 1.0)
    reasons: dict[str, str] = {}
    _ratios(values, reasons, account)
    if s[POSITIVE] == 0.0:
        gone = "equity fell to zero or below, so returns are not defined"
        reasons |= {name: gone for name in METRICS if values[name] is None and name not in reasons}
        return Report(values, reasons)
    year = TRADING_DAYS_PER_YEAR * bars_per_day
    values["exposure"] = float(s[EXPOSURE])
    values["max_drawdown"] = float(s[DRAWDOWN])
    values["recovery_bars"] = float(s[RECOVERY])
    values["volatility"] = float(s[STD]) * math.sqrt(year)
    growth = log(float(equity[-1] / initial_cash)) * year / equity.shape[0]
    _set(values, reasons, "annual_return", growth < 700, exp(growth) - 1.0, "growth overflows")
    flat = bool(s[STD] == 0.0 and s[MEAN] == 0.0)
    root = math.sqrt(year)
    _set(
        values, reasons, "sharpe", flat or s[STD] > 0,
        0.0 if flat else float(s[MEAN] / (s[STD] or 1.0)) * root, "all returns are equal",
    )  # fmt: skip
    _set(
        values, reasons, "sortino", flat or s[DOWNSIDE] > 0,
        0.0 if flat else float(np.divide(s[MEAN], s[DOWNSIDE] or 1.0)) * root, "no losing bar",
    )  # fmt: skip
    usable = not math.isnan(s[UP_MEAN]) and s[DOWN_STD] > 0
    _set(
        values, reasons, "gain_loss_sortino", flat or usable,
        0.0 if flat else float(s[UP_MEAN] / s[DOWN_STD]) * root if usable else 0.0,
        "too few winning or losing bars",
    )  # fmt: skip
    fell = s[DRAWDOWN] < 0
    annual = values["annual_return"]
    _set(
        values, reasons, "calmar", fell and annual is not None,
        (annual or 0.0) / abs(float(s[DRAWDOWN]) or 1.0),
        "growth overflows" if fell else "no drawdown",
    )  # fmt: skip
    _daily(values, reasons, ts_ns, equity, initial_cash)
    return Report(values, reasons)


def _set(
    values: dict[str, float | None],
    reasons: dict[str, str],
    name: str,
    defined: bool,
    value: float,
    reason: str,
) -> None:
    if not defined:
        reasons[name] = reason
    elif not math.isfinite(value):
        reasons[name] = "the ratio overflows"
    else:
        values[name] = value


def _ratios(values: dict[str, float | None], reasons: dict[str, str], account: Floats) -> None:
    closed = float(account[WINS] + account[LOSSES])
    _set(
        values, reasons, "win_rate", closed > 0,
        float(account[WINS]) / (closed or 1.0), "no closed trade",
    )  # fmt: skip
    pains = float(account[PAINS])
    _set(
        values, reasons, "profit_factor", pains > 0,
        float(account[GAINS]) / (pains or 1.0), "no losing trade",
    )  # fmt: skip


def _daily(
    values: dict[str, float | None],
    reasons: dict[str, str],
    ts_ns: npt.NDArray[np.int64],
    equity: Floats,
    initial_cash: float,
) -> None:
    """Tail of the daily returns, compounded per UTC day; null below 20 days."""
    day = ts_ns // DAY_NS
    closes = equity[np.flatnonzero(np.append(np.diff(day) != 0, True))]
    returns = closes / np.append(initial_cash, closes[:-1]) - 1.0
    if returns.size < MIN_DAYS:
        short = f"{returns.size} days; at least {MIN_DAYS} are needed"
        reasons |= {"daily_return_p5": short, "worst_1pct_mean": short}
        return
    ordered = np.sort(returns)
    worst = ordered[: int((ordered.size - 1) * 0.01) + 1]
    values["daily_return_p5"] = float(np.percentile(ordered, 5))
    values["worst_1pct_mean"] = float(sum(worst.tolist()) / worst.size)
