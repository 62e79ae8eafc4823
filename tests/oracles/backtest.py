"""A strategy executed bar by bar in plain Python: the oracle of ``engine.backtest``.

Written from the description of the engine alone, with its own ledger. `run` gives the curve, the
fills and the counts, `measure` the metrics. Conditions are evaluated by
tests/oracles/expressions.py.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.oracles import expressions

DAY_NS = 86_400_000_000_000
MIN_DAYS = 20
YEAR_DAYS = 252


@dataclass
class Fill:
    """One fill; ``rule`` decided it."""

    bar: int
    side: int
    qty: float
    price: float
    fee: float
    slippage: float
    realised_pnl: float
    rule: int


@dataclass
class Run:
    """Everything a run leaves behind: columns per bar, fills and counts."""

    equity: list[float] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    qty: list[float] = field(default_factory=list)
    decisions: list[int] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    rejected: int = 0
    conflicts: int = 0


@dataclass
class Ledger:
    """Cash, the signed quantity held, and what one unit of it cost on average."""

    cash: float
    qty: float = 0.0
    average: float = 0.0


@dataclass
class Order:
    """A decision that waits for its bar."""

    action: str
    rule: int
    due: int


def run(document: dict, columns: expressions.Columns, settings: dict) -> Run:
    """Execute a strategy document on float columns.

    ``settings`` holds initial_cash, bar_delay, fee_bps, base_bps, k_vol, window_bars.
    """
    params = _bound(document.get("params", {}))
    conditions = [expressions.parse(rule["if"]) for rule in document["rules"]]
    actions = [rule["then"] for rule in document["rules"]]
    ledger, waiting, result = Ledger(settings["initial_cash"]), None, Run()
    for t, close in enumerate(columns["close"]):
        if waiting is not None and waiting.due == t:
            _execute(waiting, t, document["risk"], columns["close"], settings, ledger, result)
            waiting = None
        true = [
            rule
            for rule, condition in enumerate(conditions)
            if expressions.value_at(condition, t, columns, params) is True
        ]
        result.decisions.append(true[0] if true else -1)
        if len({actions[rule] for rule in true}) > 1:
            result.conflicts += 1
        if true and actions[true[0]] != "hold":
            waiting = _next_order(waiting, actions[true[0]], true[0], t + settings["bar_delay"])
        if waiting is not None and settings["bar_delay"] == 0:
            _execute(waiting, t, document["risk"], columns["close"], settings, ledger, result)
            waiting = None
        result.equity.append(ledger.cash + ledger.qty * close)
        result.cash.append(ledger.cash)
        result.qty.append(ledger.qty)
    return result


def _bound(params: dict) -> dict[str, float]:
    return {
        name: float(value["default"] if isinstance(value, dict) else value)
        for name, value in params.items()
    }


def _next_order(waiting: Order | None, action: str, rule: int, due: int) -> Order:
    """The order that waits after a decision: an equal one stays, so that it is ever filled."""
    if waiting is not None and waiting.action == action:
        return waiting
    return Order(action, rule, due)


def _execute(
    order: Order,
    t: int,
    risk: dict,
    closes: Sequence[float],
    settings: dict,
    ledger: Ledger,
    result: Run,
) -> None:
    """Turn an order into its fills: the closing one first, then the opening one."""
    target = {"buy": 1, "sell": -1, "close": 0}[order.action]
    if target == -1 and not risk.get("allow_short", False):
        target = 0
    held = (ledger.qty > 0) - (ledger.qty < 0)
    if held == target:
        return
    slip = slippage_bps(closes, t, settings) / 1e4
    fee = settings["fee_bps"] / 1e4
    floor = -risk.get("max_margin", 0.0)
    if held != 0:
        side = -held
        price = closes[t] * (1 + side * slip)
        if not _fill(order, t, side, abs(ledger.qty), price, closes[t], fee, floor, ledger, result):
            return
    if target != 0:
        price = closes[t] * (1 + target * slip)
        qty = _size(risk["sizing"], ledger.cash, price, fee)
        _fill(order, t, target, qty, price, closes[t], fee, floor, ledger, result)


def _size(sizing: dict, equity: float, price: float, fee: float) -> float:
    if sizing["type"] == "fixed_qty":
        return sizing["qty"]
    return equity * sizing["percent"] / 100 / (price * (1 + fee)) if price > 0 else 0.0


def _fill(
    order: Order,
    t: int,
    side: int,
    qty: float,
    price: float,
    close: float,
    fee_rate: float,
    floor: float,
    ledger: Ledger,
    result: Run,
) -> bool:
    fee = qty * price * fee_rate
    cash = ledger.cash - side * qty * price - fee
    rounding = 1e-9 * (abs(ledger.cash) + abs(qty * price))
    if qty <= 0 or price <= 0 or cash < floor - rounding:
        result.rejected += 1
        return False
    closing = ledger.qty != 0
    realised = ledger.qty * (price - ledger.average) if closing else 0.0
    ledger.cash = cash
    ledger.qty = 0.0 if closing else side * qty
    ledger.average = 0.0 if closing else price
    slip = qty * abs(price - close)
    result.fills.append(Fill(t, side, qty, price, fee, slip, realised, order.rule))
    return True


def slippage_bps(closes: Sequence[float], t: int, settings: dict) -> float:
    """Slippage of a fill on bar ``t``: a base and a share of the recent deviation."""
    first = max(1, t - settings["window_bars"] + 1)
    returns = [1e4 * math.log(closes[u] / closes[u - 1]) for u in range(first, t + 1)]
    deviation = statistics.pstdev(returns) if len(returns) >= 2 else 0.0
    return settings["base_bps"] + settings["k_vol"] * deviation


def measure(
    result: Run, ts_ns: Sequence[int], initial_cash: float, bars_per_day: float
) -> dict[str, float | None]:
    """Every metric; None where it is undefined, all but four if equity is ever lost."""
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
        | _of_returns(returns, YEAR_DAYS * bars_per_day)
        | {
            "exposure": sum(qty != 0 for qty in result.qty) / len(returns),
            "recovery_bars": _longest_recovery(curve),
            **_of_days(_daily_returns(curve, ts_ns)),
        }
    )


def _of_returns(returns: list[float], year: float) -> dict[str, float | None]:
    """Ratios over bars; a curve that never moves has Sharpe and Sortino ratios of 0."""
    mean, deviation = statistics.fmean(returns), statistics.stdev(returns)
    below = math.sqrt(sum(min(r, 0.0) ** 2 for r in returns) / len(returns))
    wealth = [1.0]
    for r in returns:
        wealth.append(wealth[-1] * (1 + r))
    peaks = itertools.accumulate(wealth, max)
    drawdown = min(value / peak - 1 for value, peak in zip(wealth, peaks, strict=True))
    growth = math.log(wealth[-1]) * year / len(returns)
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
    worst = sorted(days)[: int((len(days) - 1) * 0.01) + 1]
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


def _longest_recovery(curve: list[float]) -> int:
    """Most bars from a peak until equity is back at it; one still open counts to the end."""
    longest, peak = 0, 0
    for t, value in enumerate(curve):
        if value >= curve[peak]:
            peak = t
        longest = max(longest, t - peak)
    return longest
