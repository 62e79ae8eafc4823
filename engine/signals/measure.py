"""What trades are worth together: counts, profits, and sums by block for overfitting control.

Definitions: ``docs/signals.md``. The trades come from ``barriers``.
"""

from __future__ import annotations

from typing import Final

from engine.arrays import Floats, Ints
from engine.jit import kernel
from engine.signals.barriers import Market, Trades

COUNTS: Final = ("n_signals", "n_up", "n_down", "n_tp", "n_sl", "n_timeout", "unpriced")
UNPRICED: Final = COUNTS.index("unpriced")
TOTALS: Final = (
    "total_pnl_ticks",
    "squared_deviations",
    "total_cost_ticks",
    "max_drawdown",
)
POWERS: Final = 4


@kernel
def measure(
    trades: Trades,
    rows: int,
    capital_ticks: float,
    edges: Ints,
    gap: int,
    counts: Ints,
    totals: Floats,
    powers: Floats,
    sums: Floats,
    squares: Floats,
) -> None:
    """Write counts and totals of some trades, and the sums of their returns.

    A return is profit over capital, of the bin of its entry; other bins have none. The first
    `gap` bins of every block but the first count for no block.

    Parameters
    ----------
    edges : ndarray, shape (blocks + 1,), int64
        Bins at which blocks begin, the end last.
    counts, totals : ndarray
        In the order of `COUNTS` and `TOTALS`; zeros before. Drawdown is that of the sum of
        returns from its highest so far, at most 0.
    powers, sums, squares : ndarray, float64
        Zeros before.
    """
    block, equity, peak = 0, 0.0, 0.0
    counts[0] = rows
    for row in range(rows):
        bin_, pnl = trades.places[row, 0], trades.pnl_ticks[row]
        counts[1 + trades.places[row, 1]] += 1
        counts[3 + trades.places[row, 2]] += 1
        totals[0] += pnl
        totals[2] += trades.cost_ticks[row]
        r = pnl / capital_ticks
        equity += r
        peak = max(peak, equity)
        totals[3] = min(totals[3], equity - peak)
        square = r * r
        powers[0] += r
        powers[1] += square
        powers[2] += square * r
        powers[3] += square * square
        while block + 1 < edges.shape[0] - 1 and bin_ >= edges[block + 1]:
            block += 1
        if block == 0 or bin_ >= edges[block] + gap:
            sums[block] += r
            squares[block] += square
    if rows == 0:
        return
    mean = totals[0] / rows
    for row in range(rows):
        away = trades.pnl_ticks[row] - mean
        totals[1] += away * away


@kernel
def decided_ns(trades: Trades, rows: int, market: Market, out: Ints) -> int:
    """Times from entry to exit of the trades that met a barrier; how many they are."""
    written = 0
    for row in range(rows):
        if trades.places[row, 2] <= 1:
            left, entered = trades.places[row, 3], trades.places[row, 0]
            out[written] = market.ts_ns[left] - market.ts_ns[entered]
            written += 1
    return written


@kernel
def window_totals(trades: Trades, rows: int, windows: Ints, out: Floats) -> None:
    """Trades, profits, squared profits and take-profits of the entries within windows of bins.

    Parameters
    ----------
    windows : ndarray, shape (w, 2), int64
        First bin, and the one behind the last.
    out : ndarray, shape (w, 4), float64
        Zeros before.
    """
    for row in range(rows):
        bin_, pnl = trades.places[row, 0], trades.pnl_ticks[row]
        for w in range(windows.shape[0]):
            if windows[w, 0] <= bin_ < windows[w, 1]:
                out[w, 0] += 1.0
                out[w, 1] += pnl
                out[w, 2] += pnl * pnl
                out[w, 3] += 1.0 if trades.places[row, 2] == 0 else 0.0
