"""Many rules on one series of values: trades and what they are worth, as one batch.

A rule is a threshold, barriers and a cooldown. `Evaluator` settles every possible entry of a
market once and then only looks outcomes up, so that thousands of rules cost little more than one.
Values of signals come from ``series``; which rules are tried is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from contracts.validation import BLOCKS
from engine.arrays import Floats, Ints
from engine.backtest.moments import block_edges
from engine.signals import barriers as at
from engine.signals.barriers import Barriers, Market, Outcomes, Trades, settle_all, trade
from engine.signals.definition import Mode
from engine.signals.measure import (
    COUNTS,
    POWERS,
    TOTALS,
    UNPRICED,
    decided_ns,
    measure,
    window_totals,
)

MODES: Final[dict[Mode, int]] = {
    "signal": at.SIGNAL,
    "probability": at.PROBABILITY,
    "confidence": at.CONFIDENCE,
}
NORMAL_95: Final = 1.959963984540054
"""Quantile 0.975 of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a signal enters, and when a trade ends."""

    threshold: float
    tp_ticks: int
    sl_ticks: int
    cooldown_bins: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What all rules of an evaluation share.

    Attributes
    ----------
    max_hold_bins : int
    first_bin : int
        Where entries are looked for from on.
    single : bool
        One position at a time.
    at_barrier : bool
        Exits at the barrier, invalid mids never priced; False is the predecessor's form.
    extra_ticks : float
        Fees and slippage of a whole trade.
    capital_ticks : float
        What a return is a share of.
    gap_bins : int
        Bins left out at the beginning of every block but the first.
    """

    max_hold_bins: int
    first_bin: int
    single: bool
    at_barrier: bool
    extra_ticks: float = 0.0
    capital_ticks: float = 1.0
    gap_bins: int = 0


@dataclass(frozen=True)
class Evaluated:
    """What k rules gave; every array has k rows.

    Attributes
    ----------
    counts : ndarray, shape (k, 7), int64
        In the order of `COUNTS`.
    totals : ndarray, shape (k, 4), float64
        In the order of `TOTALS`.
    median_ms : ndarray, shape (k,), float64
        Time to take-profit or stop-loss; NaN without either.
    hours : float
        Of the whole market.
    powers, sums, squares : ndarray, shapes (k, 4), (k, 16), (k, 16), float64
    bins : int
        Bins in which entries were looked for.
    """

    counts: Ints
    totals: Floats
    median_ms: Floats
    hours: float
    powers: Floats
    sums: Floats
    squares: Floats
    bins: int

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """Metrics by name, shape (k,); NaN where one is not defined."""
        n = self.counts[:, 0].astype(np.float64)
        some = np.where(n > 0, n, np.nan)
        total = self.totals[:, 0]
        mean = total / some
        spread = np.sqrt(self.totals[:, 1] / np.where(n > 1, n - 1.0, np.nan))
        half = NORMAL_95 * spread / np.sqrt(some)
        return {
            "tp_rate": self.counts[:, 3] / some,
            "sl_rate": self.counts[:, 4] / some,
            "timeout_rate": self.counts[:, 5] / some,
            "events_per_hour": n / self.hours if self.hours > 0 else np.zeros_like(n),
            "median_time_to_outcome_ms": self.median_ms,
            "mean_pnl_ticks": mean,
            "ci_low": mean - half,
            "ci_high": mean + half,
            "total_pnl_ticks": total,
            "mean_cost_ticks": self.totals[:, 2] / some,
            "max_drawdown": self.totals[:, 3],
            "sharpe": self.sharpe,
        }

    @property
    def sharpe(self) -> Floats:
        """Sharpe ratio a bin, shape (k,): mean over deviation (ddof 1) of all bins' returns."""
        mean = self.powers[:, 0] / max(self.bins, 1)
        variance = (self.powers[:, 1] - self.bins * mean * mean) / max(self.bins - 1, 1)
        varies = variance > 0.0
        ratio = np.divide(mean, np.sqrt(np.where(varies, variance, 1.0)))
        return np.where(varies, ratio, np.nan)


class Evaluator:
    """Rules on the values of signals over one market.

    Parameters
    ----------
    market : Market
    terms : Terms
    pairs : sequence of tuple of int
        Take-profits and stop-losses that will be asked for.

    Notes
    -----
    Several threads may use one evaluator at once.
    """

    def __init__(self, market: Market, terms: Terms, pairs: Sequence[tuple[int, int]]) -> None:
        self.market = market
        self.terms = terms
        self._settled = {pair: self._settle(pair) for pair in dict.fromkeys(pairs)}

    @property
    def bins(self) -> int:
        """Bins in which entries are looked for."""
        return max(self.market.mid.shape[0] - self.terms.first_bin, 0)

    @property
    def edges(self) -> Ints:
        """Bins at which blocks begin, the end last."""
        return block_edges(self.bins) + self.terms.first_bin

    def run(self, values: Floats, rules: Sequence[Rule], mode: Mode = "signal") -> Evaluated:
        """Evaluate rules on values, shape (bins,)."""
        k = len(rules)
        counts = np.zeros((k, len(COUNTS)), dtype=np.int64)
        totals, powers = np.zeros((k, len(TOTALS))), np.zeros((k, POWERS))
        sums, squares = np.zeros((k, BLOCKS)), np.zeros((k, BLOCKS))
        median_ms = np.full(k, math.nan)
        room, times = self._room(), np.empty(self.bins, dtype=np.int64)
        edges, terms = self.edges, self.terms
        for row, rule in enumerate(rules):
            rows, unpriced = self._trade(values, rule, mode, room)
            measure(
                room,
                rows,
                terms.capital_ticks,
                edges,
                terms.gap_bins,
                counts[row],
                totals[row],
                powers[row],
                sums[row],
                squares[row],
            )
            counts[row, UNPRICED] = unpriced
            decided = decided_ns(room, rows, self.market, times)
            if decided:
                median_ms[row] = float(np.median(times[:decided] / 1e6))
        ts = self.market.ts_ns
        hours = float(ts[-1] - ts[0]) / 3.6e12 if ts.size else 0.0
        return Evaluated(counts, totals, median_ms, hours, powers, sums, squares, self.bins)

    def windows(
        self, values: Floats, rules: Sequence[Rule], windows: Ints, mode: Mode = "signal"
    ) -> Floats:
        """Trades, Σ profit, Σ profit², take-profits by window, shape (k, w, 4)."""
        out = np.zeros((len(rules), windows.shape[0], 4))
        room = self._room()
        for row, rule in enumerate(rules):
            rows, _ = self._trade(values, rule, mode, room)
            window_totals(room, rows, windows, out[row])
        return out

    def trades(self, values: Floats, rule: Rule, mode: Mode = "signal") -> dict[str, object]:
        """Trades of one rule by column.

        Returns
        -------
        dict
            ``bin_idx direction entry_price outcome outcome_price time_to_outcome_ms pnl_ticks
            cost_ticks``; arrays, texts as lists.
        """
        room = self._room()
        rows, _ = self._trade(values, rule, mode, room)
        entered, way, kind, left = room.places[:rows].T
        settled = self._settled[rule.tp_ticks, rule.sl_ticks]
        ts = self.market.ts_ns
        return {
            "bin_idx": entered.copy(),
            "direction": ["up" if one == 0 else "down" for one in way.tolist()],
            "entry_price": self.market.mid[entered],
            "outcome": [at.OUTCOMES[one] for one in kind.tolist()],
            "outcome_price": settled.exit_price[entered, way],
            "time_to_outcome_ms": (ts[left] - ts[entered]) / 1e6,
            "pnl_ticks": room.pnl_ticks[:rows].copy(),
            "cost_ticks": room.cost_ticks[:rows].copy(),
        }

    def _trade(self, values: Floats, rule: Rule, mode: Mode, room: Trades) -> tuple[int, int]:
        return trade(
            values,
            rule.threshold,
            MODES[mode],
            self.terms.first_bin,
            rule.cooldown_bins,
            self.terms.single,
            self.market,
            self.terms.extra_ticks,
            self._settled[rule.tp_ticks, rule.sl_ticks],
            room,
        )

    def _settle(self, pair: tuple[int, int]) -> Outcomes:
        shape = (self.market.mid.shape[0], 2)
        outcomes = Outcomes(
            np.zeros(shape, dtype=np.int8), np.zeros(shape, dtype=np.int64), np.zeros(shape)
        )
        terms = self.terms
        barriers = Barriers(*pair, terms.max_hold_bins, terms.at_barrier)
        settle_all(self.market, barriers, terms.first_bin, outcomes)
        return outcomes

    def _room(self) -> Trades:
        return Trades(
            np.empty((self.bins, 4), dtype=np.int64), np.empty(self.bins), np.empty(self.bins)
        )
