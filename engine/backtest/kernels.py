"""The course of bars: arrivals, what happens inside, the close, and the marks.

Takes arrays and writes into arrays; the account lives in ``account``, orders and
exits in ``orders``, the rules in ``machine``, names and errors in ``api``.
"""

from __future__ import annotations

import math

from engine import status
from engine.arrays import Floats, Ints, Labels
from engine.backtest.account import (
    ALLOW_SHORT,
    BALANCED,
    CASH,
    ENTRY_BAR,
    EXTREME,
    FILLS,
    MAX_HOLDING,
    QTY,
    STOP_LOSS,
    TAKE_PROFIT,
    TRAILING_STOP,
    close,
    open_account,
)
from engine.backtest.machine import ACTION, NONE, ORDER
from engine.backtest.orders import (
    BUY,
    BY_MAX_HOLDING,
    CLOSE,
    KIND,
    MARKET,
    SELL,
    execute,
    inside,
    rest,
)
from engine.jit import kernel
from engine.mathx import log


@kernel
def idle_rules(account: Floats, limits: Floats, rules: Ints) -> int:
    """Bits of the rules that would do nothing to the position that is held."""
    held, bits = account[QTY], 0
    for k in range(rules.shape[0]):
        action = rules[k, ACTION]
        idle = (
            (action == BUY and held > 0.0)
            or (action == SELL and (held < 0.0 or (held == 0.0 and limits[ALLOW_SHORT] == 0.0)))
            or (action == CLOSE and held == 0.0)
        )
        if idle and rules[k, ORDER] == MARKET:
            bits |= 1 << k
    return bits


@kernel
def next_event(decided: Labels, words: Ints, start: int, idle: int) -> int:
    """First bar from `start` on that decides something of consequence, or the number of bars."""
    count, bar = decided.shape[0], start
    while bar < count:
        # Eight bars that decide nothing are a word of ones.
        if bar % 8 == 0 and words[bar // 8] == NONE:
            bar += 8
            continue
        rule = int(decided[bar])
        if rule != NONE and not (idle >> rule) & 1:
            return bar
        bar += 1
    return int(count)


@kernel
def watches(account: Floats, limits: Floats, order: Floats) -> bool:
    """Whether the inside of the next bar matters: an order rests or exits wait."""
    if order[KIND] != 0.0:
        return True
    has_exit = limits[STOP_LOSS] > 0.0 or limits[TAKE_PROFIT] > 0.0 or limits[TRAILING_STOP] > 0.0
    return account[QTY] != 0.0 and has_exit


@kernel
def mark(
    money: float, held: float, price: Floats, start: int, stop: int, equity: Floats,
    cash: Floats, qty: Floats,
) -> int:  # fmt: skip
    """Write equity, and the curves that are kept, of bars without a fill between them.

    Returns how many of the bars end with a position.
    """
    for bar in range(start, stop):
        equity[bar] = money + held * price[bar]
    if cash.shape[0] > 0:
        for bar in range(start, stop):
            cash[bar], qty[bar] = money, held
    return stop - start if held != 0.0 else 0


@kernel
def simulate(
    bars: Floats,
    slip: Floats,
    decided: Labels,
    words: Ints,
    rules: Ints,
    offsets: Floats,
    limits: Floats,
    delay: int,
    account: Floats,
    order: Floats,
    equity: Floats,
    cash: Floats,
    qty: Floats,
    fills: Floats,
) -> tuple[int, int]:
    """Run one evaluation over all bars.

    Parameters
    ----------
    bars : ndarray, shape (4, bars), float64
        Open, high, low, close.
    decided : ndarray, shape (bars,), int8
        Rule that acts on each bar, −1 for none.
    words : ndarray of int64
        The same bytes, eight bars at a time; those after the last bar are −1.
    cash, qty : ndarray, shape (bars,) or (0,), float64
        Filled where they are kept.
    fills : ndarray, shape (rows, 8), float64
        Filled as far as it reaches; ``account[FILLS]`` counts all.

    Returns
    -------
    (int, int)
        OK and the number of bars that end with a position, or a status and its bar.
    """
    opens, highs, lows, closes = bars[0], bars[1], bars[2], bars[3]
    count = closes.shape[0]
    open_account(account, limits)
    order[KIND] = 0.0
    marked, exposed, bar = 0, 0, 0
    while bar < count:
        if not watches(account, limits, order):
            idle = idle_rules(account, limits, rules)
            due = next_event(decided, words, max(bar - delay, 0), idle) + delay
            if account[QTY] != 0.0 and limits[MAX_HOLDING] > 0.0:
                due = min(due, int(account[ENTRY_BAR] + limits[MAX_HOLDING]))
            bar = max(bar, due)
            if bar >= count:
                break
        before, held, money = account[FILLS], account[QTY], account[CASH]
        arrived = int(decided[bar - delay]) if bar >= delay else NONE
        if arrived != NONE and delay > 0:
            rest(
                order, account, rules[arrived, ORDER], rules[arrived, ACTION],
                float(offsets[arrived]),
                closes[bar - delay], float(arrived),
            )  # fmt: skip
        if bar > 0 and watches(account, limits, order):
            inside(
                account, limits, order, bar, opens[bar], highs[bar], lows[bar], slip[bar - 1], fills
            )
        if arrived != NONE and rules[arrived, ORDER] == MARKET:
            execute(
                account, limits, rules[arrived, ACTION], bar, closes[bar], slip[bar],
                float(arrived), fills,
            )  # fmt: skip
        if expires(account, limits, bar):
            close(account, limits, bar, closes[bar], slip[bar], BY_MAX_HOLDING, fills)
        if arrived != NONE and delay == 0:
            rest(
                order, account, rules[arrived, ORDER], rules[arrived, ACTION],
                float(offsets[arrived]),
                closes[bar], float(arrived),
            )  # fmt: skip
        widen(account, bar, highs[bar], lows[bar])
        if account[FILLS] != before:
            exposed += mark(money, held, closes, marked, bar, equity, cash, qty)
            marked = bar
            if account[BALANCED] == 0.0:
                return status.NOT_CONSERVED, bar
        bar += 1
    exposed += mark(account[CASH], account[QTY], closes, marked, count, equity, cash, qty)
    return status.OK, exposed


@kernel
def expires(account: Floats, limits: Floats, bar: int) -> bool:
    """Whether the position has been held for as long as it may."""
    if account[QTY] == 0.0 or limits[MAX_HOLDING] == 0.0:
        return False
    return bar - account[ENTRY_BAR] >= limits[MAX_HOLDING]


@kernel
def widen(account: Floats, bar: int, high: float, low: float) -> None:
    """Let the extreme that a trailing stop follows take in a bar after the fill."""
    if bar <= account[ENTRY_BAR]:
        return
    if account[QTY] > 0.0:
        account[EXTREME] = max(account[EXTREME], high)
    elif account[QTY] < 0.0:
        account[EXTREME] = min(account[EXTREME], low)


@kernel
def log_returns(close: Floats, out: Floats) -> None:
    """Log return of every bar but the first, one entry fewer than closes."""
    for bar in range(out.shape[0]):
        out[bar] = log(close[bar + 1] / close[bar])


@kernel
def slippage(returns: Floats, rolling: Floats, base: float, k_vol: float, out: Floats) -> None:
    """Slippage per bar as a fraction: base + k · population deviation of log returns.

    Where the ``rolling`` deviation of the window is not defined yet, that of all returns
    so far stands in for it, 0 before the second (Welford 1962).
    """
    out[0] = base
    mean, square = 0.0, 0.0
    for i in range(returns.shape[0]):
        deviation = rolling[i]
        if math.isnan(deviation):
            delta = returns[i] - mean
            mean += delta / (i + 1)
            square += delta * (returns[i] - mean)
            deviation = math.sqrt(square / (i + 1)) if i > 0 else 0.0
        out[i + 1] = base + k_vol * deviation
