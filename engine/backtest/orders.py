"""Orders and exits inside a bar: what is touched, at which price, and which comes first.

A resting order is a float64 array indexed by the constants below. Market orders
and the course of a bar are ``kernels``, fills are ``account``; the conventions are
told in ``docs/backtest.md``.
"""

from __future__ import annotations

import math

from engine.arrays import Floats
from engine.backtest.account import (
    ALLOW_SHORT,
    AVERAGE_PRICE,
    COOLING_UNTIL,
    ENTRY_BAR,
    EXTREME,
    GAP_OPEN,
    QTY,
    STOP_LOSS,
    TAKE_PROFIT,
    TRAILING_STOP,
    close,
    open_position,
)
from engine.jit import kernel

HOLD, BUY, SELL, CLOSE = 0, 1, 2, 3
MARKET, LIMIT, STOP = 0.0, 1.0, 2.0

KIND, ORDER_ACTION, ORDER_SIDE, LEVEL, RULE = 0, 1, 2, 3, 4
ORDER_SIZE = 5

BY_STOP_LOSS, BY_TAKE_PROFIT, BY_TRAILING_STOP, BY_MAX_HOLDING = -1.0, -2.0, -3.0, -4.0
BY_STOP_ORDER, BY_LIMIT_ORDER = -5.0, -6.0


@kernel
def execute(
    account: Floats, limits: Floats, action: int, bar: int, price: float, slip: float,
    rule: float, fills: Floats,
) -> None:  # fmt: skip
    """Carry out a decision: close what is opposite, then open what is wanted.

    A fill that would break the account's limits is rejected, a closing one too;
    nothing is opened after it.
    """
    held = account[QTY]
    side = 1.0 if action == BUY else -1.0
    if action == CLOSE:
        side = -1.0 if held > 0.0 else 1.0
    if held * side > 0.0 or (action == CLOSE and held == 0.0):
        return
    if held != 0.0 and not close(account, limits, bar, price, slip, rule, fills):
        return
    if action == CLOSE or (action == SELL and limits[ALLOW_SHORT] == 0.0):
        return
    open_position(account, limits, bar, side, price, slip, rule, fills)


@kernel
def rest(
    order: Floats, account: Floats, kind: float, action: int, offset: float, decided_at: float,
    rule: float,
) -> None:  # fmt: skip
    """Let an order rest in the place of any other; a market order only removes it."""
    order[KIND] = 0.0
    side = 1.0 if action == BUY else -1.0
    if action == CLOSE:
        side = -1.0 if account[QTY] > 0.0 else 1.0
        if account[QTY] == 0.0:
            return
    away = -side if kind == LIMIT else side
    order[KIND] = kind
    order[ORDER_ACTION] = action
    order[ORDER_SIDE] = side
    order[LEVEL] = decided_at * (1.0 + away * offset)
    order[RULE] = rule


@kernel
def touched(
    kind: float, side: float, level: float, gaps: float, start: float, high: float, low: float
) -> float:
    """Price before slippage at which a bar fills an order, or NaN if it does not.

    ``start`` is the open of the bar; ``gaps`` says whether a limit is filled by a bar
    that opens beyond it. The price always lies within the bar.
    """
    if kind == STOP:
        if side > 0.0:
            return max(start, level) if high >= level else math.nan
        return min(start, level) if low <= level else math.nan
    if low <= level <= high:
        if gaps == 0.0:
            return level
        return min(start, level) if side > 0.0 else max(start, level)
    beyond = high < level if side > 0.0 else low > level
    return start if gaps != 0.0 and beyond else math.nan


@kernel
def worse(candidate: float, best: float, side: float) -> bool:
    """Whether a price is worse for the trader than the one chosen so far."""
    if math.isnan(candidate):
        return False
    return math.isnan(best) or candidate * side > best * side


@kernel
def exit_price(
    account: Floats, limits: Floats, reason: float, start: float, high: float, low: float
) -> float:
    """Price before slippage of one exit of the position on this bar, or NaN."""
    long = 1.0 if account[QTY] > 0.0 else -1.0
    if reason == BY_STOP_LOSS and limits[STOP_LOSS] > 0.0:
        level = account[AVERAGE_PRICE] * (1.0 - long * limits[STOP_LOSS])
        return touched(STOP, -long, level, 0.0, start, high, low)
    if reason == BY_TRAILING_STOP and limits[TRAILING_STOP] > 0.0:
        level = account[EXTREME] * (1.0 - long * limits[TRAILING_STOP])
        return touched(STOP, -long, level, 0.0, start, high, low)
    if reason == BY_TAKE_PROFIT and limits[TAKE_PROFIT] > 0.0:
        level = account[AVERAGE_PRICE] * (1.0 + long * limits[TAKE_PROFIT])
        return touched(LIMIT, -long, level, limits[GAP_OPEN], start, high, low)
    return math.nan


@kernel
def does_something(order: Floats, account: Floats, limits: Floats) -> bool:
    """Whether filling the resting order would change the position."""
    held = account[QTY]
    if held * order[ORDER_SIDE] > 0.0:
        return False
    if held != 0.0:
        return True
    sells_short = order[ORDER_ACTION] == SELL and limits[ALLOW_SHORT] != 0.0
    return order[ORDER_ACTION] == BUY or sells_short


@kernel
def choose(
    account: Floats, limits: Floats, order: Floats, bar: int, start: float, high: float, low: float
) -> tuple[float, float]:
    """What happens inside a bar: an exit, the order (1) or nothing (0), and its price.

    Stops are looked at before limits, exits before the order, and only a worse price
    takes the place of an earlier one.
    """
    chosen, price = 0.0, math.nan
    side = -1.0 if account[QTY] > 0.0 else 1.0
    leaves = account[QTY] != 0.0 and bar > account[ENTRY_BAR]
    resting = resting_price(account, limits, order, bar, start, high, low)
    for reason in (BY_STOP_LOSS, BY_TRAILING_STOP, BY_STOP_ORDER, BY_TAKE_PROFIT, BY_LIMIT_ORDER):
        found = math.nan
        if reason in (BY_STOP_ORDER, BY_LIMIT_ORDER):
            if order[KIND] == (STOP if reason == BY_STOP_ORDER else LIMIT):
                found = resting
        elif leaves:
            found = exit_price(account, limits, reason, start, high, low)
        if worse(found, price, side):
            chosen, price = reason, found
    return chosen, price


@kernel
def inside(
    account: Floats, limits: Floats, order: Floats, bar: int, start: float, high: float,
    low: float, slip: float, fills: Floats,
) -> None:  # fmt: skip
    """Let at most one exit or the resting order be filled inside a bar: the worst one."""
    chosen, price = choose(account, limits, order, bar, start, high, low)
    if chosen in (BY_STOP_ORDER, BY_LIMIT_ORDER):
        cost = slip if chosen == BY_STOP_ORDER else 0.0
        order[KIND] = 0.0
        action = int(order[ORDER_ACTION])
        execute(account, limits, action, bar, price, cost, order[RULE], fills)
    elif chosen != 0.0:
        cost = 0.0 if chosen == BY_TAKE_PROFIT else slip
        close(account, limits, bar, price, cost, chosen, fills)
    elif vanishes(account, limits, order, start, high, low):
        order[KIND] = 0.0


@kernel
def resting_price(
    account: Floats, limits: Floats, order: Floats, bar: int, start: float, high: float, low: float
) -> float:
    """Price at which the resting order is filled, or NaN."""
    if order[KIND] == 0.0 or not does_something(order, account, limits):
        return math.nan
    if account[QTY] == 0.0 and bar <= account[COOLING_UNTIL]:
        return math.nan
    return touched(order[KIND], order[ORDER_SIDE], order[LEVEL], limits[GAP_OPEN], start, high, low)


@kernel
def vanishes(
    account: Floats, limits: Floats, order: Floats, start: float, high: float, low: float
) -> bool:
    """Whether the resting order is touched although it would do nothing."""
    if order[KIND] == 0.0 or does_something(order, account, limits):
        return False
    found = touched(
        order[KIND], order[ORDER_SIDE], order[LEVEL], limits[GAP_OPEN], start, high, low
    )
    return not math.isnan(found)
