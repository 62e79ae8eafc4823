"""Entries of a signal, where its trades end, and their figures, slow and plain.

Written from sections 5 to 7 of docs/signals.md: a loop over the bins for the entries, one over the
bins ahead for each outcome. The signals are in book_signals.py, thresholds in signal_thresholds.py.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

NORMAL_QUANTILE = 1.959963984540054
MS_NS = 1e6
HOUR_NS = 3.6e12


@dataclass
class Market:
    """Bins that trades are priced on; ``spread_ticks`` is NaN where the quote is not valid."""

    ts_ns: Sequence[int]
    mid: Sequence[float]
    tick: float
    book_valid: Sequence[bool] | None = None
    spread_ticks: Sequence[float] | None = None

    def priced(self, i: int) -> bool:
        """Whether there is a mid that one can trade at."""
        return self.mid[i] > 0 and (self.book_valid is None or bool(self.book_valid[i]))

    def half_spread(self, i: int) -> float:
        """Half the quoted spread in ticks, the last valid one; 0 before the first."""
        assert self.spread_ticks is not None
        while i >= 0:
            if not math.isnan(self.spread_ticks[i]):
                return self.spread_ticks[i] / 2.0
            i -= 1
        return 0.0


@dataclass
class Rule:
    """When to enter and where to leave; ``spread`` is a number of ticks or "quoted"."""

    threshold: float
    tp_ticks: int
    sl_ticks: int
    max_hold_bins: int
    first_bin: int
    cooldown_bins: int
    mode: str = "signal"
    compat: str = "v2"
    positions: str = "single"
    spread: str | float = "quoted"
    fee_ticks: float = 0.0
    slippage_ticks: float = 0.0


@dataclass
class Trade:
    """One evaluated trade."""

    bin_idx: int
    direction: int
    entry_price: float
    outcome: str
    exit_bin: int
    outcome_price: float
    time_to_outcome_ms: float
    cost_ticks: float
    pnl_ticks: float


@dataclass
class Account:
    """Trades in the order of their entries, and what was dropped for want of a price."""

    trades: list[Trade] = field(default_factory=list)
    unpriced: int = 0


def state(value: float, threshold: float) -> int:
    """Up, down or flat."""
    return (value >= threshold) - (value <= -threshold)


def level(mode: str, prediction: float | None, threshold: float) -> int:
    """Direction that a prediction has by itself."""
    if prediction is None or math.isnan(prediction):
        return 0
    if mode == "probability":
        if prediction >= threshold:
            return 1
        return -1 if prediction <= 1.0 - threshold else 0
    if abs(prediction) < threshold:
        return 0
    return 1 if prediction > 0 else -1


def wanted(values: Sequence[float | None], rule: Rule) -> Iterator[tuple[int, int]]:
    """Bins and directions in which an entry is wanted, were there no cooldown and no position."""
    before = 0
    for i in range(rule.first_bin, len(values)):
        if rule.mode != "signal":
            direction = level(rule.mode, values[i], rule.threshold)
        else:
            now = state(values[i], rule.threshold)
            direction = now if now != before else 0
            before = now
        if direction:
            yield i, direction


def hit(entry: float, mid: float, direction: int, rule: Rule, tick: float) -> str | None:
    """Barrier that a mid has reached."""
    up, down = (rule.tp_ticks, rule.sl_ticks) if direction > 0 else (rule.sl_ticks, rule.tp_ticks)
    if mid >= entry + up * tick:
        return "tp" if direction > 0 else "sl"
    if mid <= entry - down * tick:
        return "sl" if direction > 0 else "tp"
    return None


def outcome(market: Market, i: int, direction: int, rule: Rule) -> tuple[str, int, float] | None:
    """How a trade ends, in which bin and at which price; none if it has no price to end at."""
    entry = market.mid[i]
    end = min(i + rule.max_hold_bins, len(market.mid))
    last = None
    for j in range(i + 1, end):
        if not market.priced(j):
            continue
        last = j
        barrier = hit(entry, market.mid[j], direction, rule, market.tick)
        if barrier is None:
            continue
        if rule.compat == "v1":
            return barrier, j, market.mid[j]
        ticks = rule.tp_ticks if barrier == "tp" else -rule.sl_ticks
        return barrier, j, entry + direction * ticks * market.tick
    if rule.compat == "v1":
        return "timeout", end - 1, market.mid[end - 1]
    return None if last is None else ("timeout", last, market.mid[last])


def cost(market: Market, i: int, j: int, rule: Rule) -> float:
    """Spread, fees and slippage of a trade in ticks; v1 knows none."""
    if rule.compat == "v1":
        return 0.0
    spread = rule.spread
    if spread == "quoted":
        spread = market.half_spread(i) + market.half_spread(j)
    return float(spread) + 2.0 * rule.fee_ticks + 2.0 * rule.slippage_ticks


def account(values: Sequence[float | None], market: Market, rule: Rule) -> Account:
    """Enter and leave over the whole series."""
    found = Account()
    if rule.compat == "v1":
        market = replace(market, book_valid=None)
    last, free_from = -rule.cooldown_bins, 0
    for i, direction in wanted(values, rule):
        if i - last < rule.cooldown_bins or i < free_from:
            continue
        last = i
        if not market.priced(i):
            continue
        ended = outcome(market, i, direction, rule)
        if ended is None:
            found.unpriced += 1
            continue
        how, j, price = ended
        if rule.compat == "v2" and rule.positions == "single":
            free_from = j
        cost_ticks = cost(market, i, j, rule)
        pnl_ticks = (price - market.mid[i]) / market.tick * direction - cost_ticks
        time_ms = (market.ts_ns[j] - market.ts_ns[i]) / MS_NS
        found.trades.append(
            Trade(i, direction, market.mid[i], how, j, price, time_ms, cost_ticks, pnl_ticks)
        )
    return found


def figures(found: Account, market: Market, compat: str = "v2") -> dict:
    """Figures of the trades; not a number, or none, where there is nothing to take them from."""
    trades, n = found.trades, len(found.trades)
    hours = (market.ts_ns[-1] - market.ts_ns[0]) / HOUR_NS
    said = {"n_signals": n, "n_up": None, "n_down": None, "events_per_hour": 0.0}
    said |= dict.fromkeys(("tp_rate", "sl_rate", "timeout_rate", "mean_pnl_ticks"), math.nan)
    times_ms = [each.time_to_outcome_ms for each in trades if each.outcome != "timeout"]
    said["median_time_to_outcome_ms"] = statistics.median(times_ms) if times_ms else math.nan
    pnl = [each.pnl_ticks for each in trades]
    if n:
        ups = sum(each.direction > 0 for each in trades)
        said |= {"n_up": ups, "n_down": n - ups, "events_per_hour": n / hours}
        for name in ("tp", "sl", "timeout"):
            said[f"{name}_rate"] = sum(each.outcome == name for each in trades) / n
        said["mean_pnl_ticks"] = sum(pnl) / n
    if compat == "v1":
        return said
    said |= {"total_pnl_ticks": sum(pnl), "unpriced": found.unpriced}
    said["mean_cost_ticks"] = sum(each.cost_ticks for each in trades) / n if n else math.nan
    return said | interval(pnl)


def interval(pnl: Sequence[float]) -> dict[str, float | None]:
    """Normal interval of the mean; none below two trades."""
    if len(pnl) < 2:
        return {"ci_low": None, "ci_high": None}
    middle = sum(pnl) / len(pnl)
    reach = NORMAL_QUANTILE * float(np.std(pnl, ddof=1)) / math.sqrt(len(pnl))
    return {"ci_low": middle - reach, "ci_high": middle + reach}
