"""The loop over bars: pending order, rules, marks, one evaluation at a time.

Takes arrays and writes into arrays; the account lives in ``account``, the
condition machine in ``machine``, names and errors in ``api``.
"""

from __future__ import annotations

import math

import numpy as np

from engine import status
from engine.arrays import Floats, Ints
from engine.backtest.account import (
    ALLOW_SHORT,
    CASH,
    EXIT_RULE,
    INITIAL_CASH,
    QTY,
    affordable,
    conserved,
    fill,
    size,
)
from engine.backtest.machine import condition
from engine.jit import kernel
from engine.mathx import log

HOLD, BUY, SELL, CLOSE = 0, 1, 2, 3
FILLS, REJECTED, CONFLICTS = 0, 1, 2


@kernel
def decide(
    code: Ints,
    constants: Floats,
    columns: Floats,
    rules: Ints,
    bar: int,
    stack: Floats,
    counts: Ints,
) -> int:
    """Index of the first rule that is true on this bar, or −1; counts conflicts."""
    decided = -1
    for k in range(rules.shape[0]):
        value = condition(code, constants, columns, rules[k, 0], rules[k, 1], bar, stack)
        if value != 1.0:
            continue
        if decided < 0:
            decided = k
        elif rules[k, 2] != rules[decided, 2]:
            counts[CONFLICTS] += 1
            break
    return decided


@kernel
def execute(
    account: Floats,
    limits: Floats,
    action: int,
    rule: float,
    bar: int,
    close: float,
    slip: float,
    fills: Floats,
    counts: Ints,
) -> None:
    """Carry out one decision: close what is opposite, then open what is wanted.

    A fill that would break the account's limits is rejected, a closing one too;
    nothing is opened after it.
    """
    held = account[QTY]
    side = 1.0 if action == BUY else -1.0
    if action == CLOSE:
        side = -1.0 if held > 0.0 else 1.0
    if held * side > 0.0 or (action == CLOSE and held == 0.0):
        return
    if held != 0.0:
        if not affordable(account, limits, side, abs(held), close, slip):
            counts[REJECTED] += 1
            return
        counts[FILLS] = fill(
            account, limits, bar, side, abs(held), close, slip, rule, fills, counts[FILLS]
        )
    if action == CLOSE or (action == SELL and limits[ALLOW_SHORT] == 0.0):
        return
    qty = size(account, limits, side, close, slip)
    if qty == 0.0:
        counts[REJECTED] += 1
        return
    counts[FILLS] = fill(account, limits, bar, side, qty, close, slip, rule, fills, counts[FILLS])


@kernel
def simulate(
    close: Floats,
    slip: Floats,
    code: Ints,
    constants: Floats,
    columns: Floats,
    rules: Ints,
    limits: Floats,
    delay: int,
    account: Floats,
    stack: Floats,
    equity: Floats,
    cash: Floats,
    qty: Floats,
    fills: Floats,
    counts: Ints,
) -> tuple[int, int]:
    """Run one evaluation over all bars.

    Returns
    -------
    (int, int)
        Status and bar; ``equity``, ``cash``, ``qty`` (bars,), ``fills`` (2·bars, 8)
        and ``counts`` (fills, rejected orders, conflicts) are filled.
    """
    waiting, due, waiting_rule = HOLD, -1, EXIT_RULE
    account[CASH] = limits[INITIAL_CASH]
    for bar in range(close.shape[0]):
        price = close[bar]
        if waiting != HOLD and bar >= due:
            execute(account, limits, waiting, waiting_rule, bar, price, slip[bar], fills, counts)
            waiting = HOLD
        rule = decide(code, constants, columns, rules, bar, stack, counts)
        action = rules[rule, 2] if rule >= 0 else HOLD
        if action != HOLD and delay == 0:
            execute(account, limits, action, rule, bar, price, slip[bar], fills, counts)
        elif action not in (HOLD, waiting):
            waiting, due, waiting_rule = action, bar + delay, float(rule)
        cash[bar] = account[CASH]
        qty[bar] = account[QTY]
        equity[bar] = account[CASH] + account[QTY] * price
        if not conserved(account, limits, price):
            return status.NOT_CONSERVED, bar
    return status.OK, -1


@kernel
def slippage(close: Floats, base: float, k_vol: float, window: int, out: Floats) -> None:
    """Slippage per bar as a fraction: base + k · population deviation of log returns.

    The deviation covers the last ``window`` returns up to this bar, fewer at the
    start; it is 0 before the second return.
    """
    for bar in range(close.shape[0]):
        n = min(bar, window)
        mean = 0.0
        for j in range(bar - n + 1, bar + 1):
            mean += log(close[j] / close[j - 1])
        mean = mean / n if n > 0 else 0.0
        square = 0.0
        for j in range(bar - n + 1, bar + 1):
            deviation = log(close[j] / close[j - 1]) - mean
            square += deviation * deviation
        out[bar] = base + (k_vol * math.sqrt(square / n) if n > 1 else 0.0)


@kernel
def first_undefined(close: Floats) -> int:
    """Index of the first close that is not a positive finite number, or −1."""
    for bar in range(close.shape[0]):
        if not (close[bar] > 0.0 and np.isfinite(close[bar])):
            return bar
    return -1
