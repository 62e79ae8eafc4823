"""Metrics of one equity curve; an undefined one is NaN with the number of its reason.

Ratios follow ``contracts.backtest`` and ``docs/backtest.md``: per-bar returns,
annualised with 252 · bars per day. Returns are taken in blocks whose moments are
merged in order (Chan, Golub and LeVeque 1983), so that a result depends on the
curve alone. The tail of the daily returns is ``daily``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from contracts.backtest import METRICS, MIN_DAYS
from engine.arrays import Floats, Ints, Labels
from engine.backtest.account import GAINS, LOSSES, NOTIONAL, PAINS, WINS
from engine.backtest.daily import tail_of_days
from engine.jit import kernel
from engine.mathx import exp, log

REASONS: Final[tuple[str, ...]] = (
    "",
    "equity fell to zero or below, so returns are not defined",
    "growth overflows",
    "all returns are equal",
    "no losing bar",
    "too few winning or losing bars",
    "no drawdown",
    "the ratio overflows",
    "no closed trade",
    "no losing trade",
    "fewer than 20 days",
)
"""Why a metric is undefined, by the number that kernels write."""
GONE, GROWTH, EQUAL, NO_LOSS, FEW, NO_FALL, OVERFLOW, NO_TRADE, NO_LOSER, SHORT = range(1, 11)

(
    TOTAL_RETURN, ANNUAL_RETURN, VOLATILITY, SHARPE, SORTINO, GAIN_LOSS_SORTINO, MAX_DRAWDOWN,
    CALMAR, WIN_RATE, PROFIT_FACTOR, EXPOSURE, TURNOVER, TRADES, DAILY_P5, WORST, RECOVERY,
) = range(len(METRICS))  # fmt: skip

COUNT, MEAN, SQUARES, DOWN_SQUARES, UPS, UP_SUM = 0, 1, 2, 3, 4, 5
DOWNS, DOWN_MEAN, DOWN_DEVIATIONS, FIRST, DIFFERENT = 6, 7, 8, 9, 10
PEAK, TROUGH, FALL, SINCE, LONGEST, OPEN = 11, 12, 13, 14, 15, 16
MOMENTS_SIZE = 17
BLOCK = 512


@kernel
def block_returns(equity: Floats, last: float, out: Floats) -> int:
    """Returns of a block after an equity of `last`; counts where equity is not positive."""
    gone = 0 if equity[0] > 0.0 else 1
    out[0] = equity[0] / last - 1.0
    for i in range(1, equity.shape[0]):
        gone += 0 if equity[i] > 0.0 else 1
        out[i] = equity[i] / equity[i - 1] - 1.0
    return gone


# A sum of doubles waits for the one before it: four interleaved parts wait a quarter as long, and
# unlike a sum in any order they are always added up the same way.


@kernel
def deviations_from(r: Floats, centre: float) -> tuple[float, float]:
    """Sums of r − centre and of its square."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    aa, bb, cc, dd = 0.0, 0.0, 0.0, 0.0
    whole = r.shape[0] - r.shape[0] % 4
    for i in range(0, whole, 4):
        w, x, y, z = r[i] - centre, r[i + 1] - centre, r[i + 2] - centre, r[i + 3] - centre
        a, b, c, d = a + w, b + x, c + y, d + z
        aa, bb, cc, dd = aa + w * w, bb + x * x, cc + y * y, dd + z * z
    for i in range(whole, r.shape[0]):
        w = r[i] - centre
        a += w
        aa += w * w
    return (a + b) + (c + d), (aa + bb) + (cc + dd)


@kernel
def parts_below(r: Floats, centre: float) -> tuple[float, float]:
    """Sums of r − centre over the negative r, and of its square."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    aa, bb, cc, dd = 0.0, 0.0, 0.0, 0.0
    whole = r.shape[0] - r.shape[0] % 4
    for i in range(0, whole, 4):
        w = r[i] - centre if r[i] < 0.0 else 0.0
        x = r[i + 1] - centre if r[i + 1] < 0.0 else 0.0
        y = r[i + 2] - centre if r[i + 2] < 0.0 else 0.0
        z = r[i + 3] - centre if r[i + 3] < 0.0 else 0.0
        a, b, c, d = a + w, b + x, c + y, d + z
        aa, bb, cc, dd = aa + w * w, bb + x * x, cc + y * y, dd + z * z
    for i in range(whole, r.shape[0]):
        w = r[i] - centre if r[i] < 0.0 else 0.0
        a += w
        aa += w * w
    return (a + b) + (c + d), (aa + bb) + (cc + dd)


@kernel
def sum_above(r: Floats) -> float:
    """Sum of the positive r."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = r.shape[0] - r.shape[0] % 4
    for i in range(0, whole, 4):
        a += r[i] if r[i] > 0.0 else 0.0
        b += r[i + 1] if r[i + 1] > 0.0 else 0.0
        c += r[i + 2] if r[i + 2] > 0.0 else 0.0
        d += r[i + 3] if r[i + 3] > 0.0 else 0.0
    for i in range(whole, r.shape[0]):
        a += r[i] if r[i] > 0.0 else 0.0
    return (a + b) + (c + d)


@kernel
def lowest_of(x: Floats) -> float:
    """Lowest value of a block."""
    a, b, c, d = x[0], x[0], x[0], x[0]
    whole = x.shape[0] - x.shape[0] % 4
    for i in range(0, whole, 4):
        a = x[i] if x[i] < a else a
        b = x[i + 1] if x[i + 1] < b else b
        c = x[i + 2] if x[i + 2] < c else c
        d = x[i + 3] if x[i + 3] < d else d
    for i in range(whole, x.shape[0]):
        a = x[i] if x[i] < a else a
    return min(min(a, b), min(c, d))


@kernel
def add_losses(r: Floats, m: Floats) -> None:
    """Take the gains and losses of a block of returns into the moments."""
    ups, downs = 0, 0
    for i in range(r.shape[0]):
        ups += 1 if r[i] > 0.0 else 0
        downs += 1 if r[i] < 0.0 else 0
    m[UPS] += ups
    m[UP_SUM] += sum_above(r)
    if downs == 0:
        return
    down, squares = parts_below(r, 0.0)
    m[DOWN_SQUARES] += squares
    mean = down / downs
    rest, deviations = parts_below(r, mean)
    deviations = max(deviations - rest * rest / downs, 0.0)
    m[DOWNS], m[DOWN_MEAN], m[DOWN_DEVIATIONS] = merged(
        m[DOWNS], m[DOWN_MEAN], m[DOWN_DEVIATIONS], float(downs), mean, deviations
    )


@kernel
def merged(
    n: float, mean: float, squares: float, more: float, their_mean: float, their_squares: float
) -> tuple[float, float, float]:
    """Count, mean and sum of squared deviations of two parts together."""
    both = n + more
    delta = their_mean - mean
    return (
        both,
        mean + delta * (more / both),
        squares + their_squares + delta * delta * (n * more / both),
    )


@kernel
def add_returns(r: Floats, m: Floats) -> None:
    """Take a block of returns into the moments."""
    different, moving = 0, 0
    for i in range(r.shape[0]):
        different += 1 if r[i] != m[FIRST] else 0
        moving += 1 if r[i] != 0.0 else 0
    m[DIFFERENT] += different
    size = float(r.shape[0])
    mean, squares = 0.0, 0.0
    if moving > 0:
        mean = deviations_from(r, 0.0)[0] / size
        rest, squares = deviations_from(r, mean)
        squares = max(squares - rest * rest / size, 0.0)
        add_losses(r, m)
    m[COUNT], m[MEAN], m[SQUARES] = merged(m[COUNT], m[MEAN], m[SQUARES], size, mean, squares)


@kernel
def add_falls(equity: Floats, m: Floats) -> None:
    """Follow peaks and what lies below them through a block of the curve."""
    peak, trough, since, above = m[PEAK], m[TROUGH], m[SINCE], 0
    for i in range(equity.shape[0]):
        above += 1 if equity[i] >= peak else 0
    if above == 0:
        m[TROUGH] = min(trough, lowest_of(equity))
        m[SINCE] = since + equity.shape[0]
        return
    for i in range(equity.shape[0]):
        if equity[i] < peak:
            trough = min(trough, equity[i])
            since += 1.0
            continue
        if since > 0.0:
            m[FALL] = min(m[FALL], trough / peak - 1.0)
            m[LONGEST] = max(m[LONGEST], since)
        peak, trough, since = equity[i], equity[i], 0.0
    m[PEAK], m[TROUGH], m[SINCE] = peak, trough, since


@kernel
def moments(equity: Floats, initial: float, returns: Floats, m: Floats) -> bool:
    """One pass over the curve; False if equity ever stops being positive."""
    for k in range(MOMENTS_SIZE):
        m[k] = 0.0
    m[PEAK] = m[TROUGH] = initial
    m[FIRST] = equity[0] / initial - 1.0
    last = initial
    for start in range(0, equity.shape[0], BLOCK):
        block = equity[start : min(start + BLOCK, equity.shape[0])]
        r = returns[: block.shape[0]]
        if block_returns(block, last, r) > 0:
            return False
        last = float(block[block.shape[0] - 1])
        add_returns(r, m)
        add_falls(block, m)
    m[FALL] = min(m[FALL], m[TROUGH] / m[PEAK] - 1.0)
    m[OPEN] = 1.0 if 0.0 < m[SINCE] >= m[LONGEST] else 0.0
    m[LONGEST] = max(m[LONGEST], m[SINCE])
    return True


@kernel
def measure(
    equity: Floats,
    account: Floats,
    initial: float,
    exposed: int,
    day_ends: Ints,
    year: float,
    scratch: Floats,
    m: Floats,
    values: Floats,
    reasons: Labels,
) -> bool:
    """Compute every metric of `contracts.backtest.METRICS`.

    Parameters
    ----------
    equity : ndarray, shape (bars,), float64
    account : ndarray, float64
        Final account, see ``account``.
    day_ends : ndarray, shape (days,), int64
        Last bar of every UTC day.
    year : float
        Bars of a year, 252 · bars per day.
    scratch : ndarray, shape (max(days, BLOCK),), float64
    values, reasons : ndarray, shape (metrics,)
        Filled; an undefined value is NaN.

    Returns
    -------
    bool
        Whether the longest recovery is still open.
    """
    for which in range(values.shape[0]):
        values[which], reasons[which] = 0.0, 0
    bars = equity.shape[0]
    growth = float(equity[bars - 1] / initial)
    values[TOTAL_RETURN] = growth - 1.0
    values[TURNOVER] = account[NOTIONAL] / initial
    values[EXPOSURE] = exposed / bars
    trade_ratios(account, values, reasons)
    if not moments(equity, initial, scratch, m):
        for which in range(values.shape[0]):
            if which not in (TOTAL_RETURN, TURNOVER, TRADES, WIN_RATE, PROFIT_FACTOR):
                reasons[which] = GONE
        settle(values, reasons)
        return False
    values[MAX_DRAWDOWN], values[RECOVERY] = m[FALL], m[LONGEST]
    exponent = log(growth) * year / bars
    grows = exponent < 700.0
    values[ANNUAL_RETURN] = exp(min(exponent, 700.0)) - 1.0
    reasons[ANNUAL_RETURN] = 0 if grows else GROWTH
    fell = m[FALL] < 0.0
    values[CALMAR] = values[ANNUAL_RETURN] / abs(m[FALL]) if fell else 0.0
    reasons[CALMAR] = NO_FALL if not fell else (0 if grows else GROWTH)
    ratios(m, math.sqrt(year), values, reasons)
    values[DAILY_P5], values[WORST] = tail_of_days(equity, initial, day_ends, scratch)
    few = 0 if day_ends.shape[0] >= MIN_DAYS else SHORT
    reasons[DAILY_P5], reasons[WORST] = few, few
    settle(values, reasons)
    return m[OPEN] != 0.0


@kernel
def settle(values: Floats, reasons: Labels) -> None:
    """Leave no number that has a reason against it, and none without one that is not finite."""
    for which in range(values.shape[0]):
        if reasons[which] == 0 and not math.isfinite(values[which]):
            reasons[which] = OVERFLOW
        if reasons[which] != 0:
            values[which] = math.nan


@kernel
def trade_ratios(account: Floats, values: Floats, reasons: Labels) -> None:
    """What is counted by closed trades."""
    closed, pains = account[WINS] + account[LOSSES], account[PAINS]
    values[TRADES] = closed
    values[WIN_RATE] = account[WINS] / max(closed, 1.0)
    reasons[WIN_RATE] = 0 if closed > 0.0 else NO_TRADE
    values[PROFIT_FACTOR] = account[GAINS] / pains if pains > 0.0 else 0.0
    reasons[PROFIT_FACTOR] = 0 if pains > 0.0 else NO_LOSER


@kernel
def ratios(m: Floats, root: float, values: Floats, reasons: Labels) -> None:
    """Volatility and the ratios of mean and deviation; those of a constant curve are 0."""
    n, mean = m[COUNT], m[MEAN]
    equal = m[DIFFERENT] == 0.0
    if equal and m[FIRST] == 0.0:
        return
    deviation = 0.0 if equal else math.sqrt(m[SQUARES] / (n - 1.0))
    down = math.sqrt(m[DOWN_SQUARES] / n)
    values[VOLATILITY] = deviation * root
    values[SHARPE] = mean / deviation * root if deviation > 0.0 else 0.0
    reasons[SHARPE] = 0 if deviation > 0.0 else EQUAL
    values[SORTINO] = mean / down * root if down > 0.0 else 0.0
    reasons[SORTINO] = 0 if down > 0.0 else NO_LOSS
    spread = math.sqrt(m[DOWN_DEVIATIONS] / (m[DOWNS] - 1.0)) if m[DOWNS] > 1.0 else 0.0
    usable = m[UPS] > 0.0 and spread > 0.0
    values[GAIN_LOSS_SORTINO] = m[UP_SUM] / m[UPS] / spread * root if usable else 0.0
    reasons[GAIN_LOSS_SORTINO] = 0 if usable else FEW


@dataclass(frozen=True, slots=True)
class Report:
    """Metrics by name, and for every null its reason."""

    values: dict[str, float | None]
    reasons: dict[str, str]


def report(values: Floats, reasons: Labels) -> Report:
    """Read what `measure` wrote.

    Parameters
    ----------
    values : ndarray, shape (metrics,), float64
    reasons : ndarray, shape (metrics,), int8
    """
    told = dict(zip(METRICS, reasons.tolist(), strict=True))
    found = dict(zip(METRICS, values.tolist(), strict=True))
    return Report(
        {name: None if told[name] else value for name, value in found.items()},
        {name: REASONS[code] for name, code in told.items() if code},
    )
