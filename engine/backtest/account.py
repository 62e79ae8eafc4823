"""The account: sizing, fills, and the invariants that hold after every one.

An account is a float64 array indexed by the constants below, so that a fill is
one function of arrays. When to fill is decided in ``kernels``.
"""

from __future__ import annotations

from engine.arrays import Floats
from engine.jit import kernel

CASH, QTY, AVERAGE_PRICE, REALISED, FEES, ENTRY_FEE = 0, 1, 2, 3, 4, 5
NOTIONAL, WINS, LOSSES, GAINS, PAINS = 6, 7, 8, 9, 10
ACCOUNT_SIZE = 11

INITIAL_CASH, FEE, SIZE_KIND, SIZE, ALLOW_SHORT, MAX_MARGIN = 0, 1, 2, 3, 4, 5
RULES_SIZE = 6
PERCENT_EQUITY, FIXED_QTY = 0.0, 1.0

BAR, SIDE, FILL_QTY, PRICE, FILL_FEE, SLIPPAGE, PNL, REASON = 0, 1, 2, 3, 4, 5, 6, 7
FILL_SIZE = 8

TOLERANCE = 1e-9
EXIT_RULE = -1.0


@kernel
def fill(
    account: Floats,
    rules: Floats,
    bar: int,
    side: float,
    qty: float,
    close: float,
    slip: float,
    reason: float,
    fills: Floats,
    count: int,
) -> int:
    """Trade `qty` at the close moved by the slippage; returns the number of fills.

    Closing fills realise profit against the average price; opening fills set it.
    """
    price = close * (1.0 + side * slip)
    fee = qty * price * rules[FEE]
    held = account[QTY]
    pnl = 0.0
    account[CASH] -= side * qty * price + fee
    account[FEES] += fee
    account[NOTIONAL] += qty * price
    if held * side < 0.0:
        pnl = side * qty * (account[AVERAGE_PRICE] - price)
        account[REALISED] += pnl
        net = pnl - fee - account[ENTRY_FEE]
        account[WINS if net > 0.0 else LOSSES] += 1.0
        account[GAINS if net > 0.0 else PAINS] += abs(net)
        account[QTY] = 0.0
        account[AVERAGE_PRICE] = 0.0
        account[ENTRY_FEE] = 0.0
    else:
        account[QTY] = side * qty
        account[AVERAGE_PRICE] = price
        account[ENTRY_FEE] = fee
    row = fills[count]
    row[BAR], row[SIDE], row[FILL_QTY], row[PRICE] = bar, side, qty, price
    row[FILL_FEE], row[SLIPPAGE], row[PNL], row[REASON] = fee, qty * close * slip, pnl, reason
    return count + 1


@kernel
def size(account: Floats, rules: Floats, side: float, close: float, slip: float) -> float:
    """Quantity to open, or 0 if the order would break the account's limits.

    A share of equity is sized net of the fee, equity · p / (price (1 + fee)), so
    that all of it is affordable.
    """
    qty = rules[SIZE]
    if rules[SIZE_KIND] == PERCENT_EQUITY:
        equity = account[CASH] + account[QTY] * close
        qty = equity * rules[SIZE] / (close * (1.0 + side * slip) * (1.0 + rules[FEE]))
    if not qty > 0.0 or (side < 0.0 and rules[ALLOW_SHORT] == 0.0):
        return 0.0
    return qty if affordable(account, rules, side, qty, close, slip) else 0.0


@kernel
def affordable(
    account: Floats, rules: Floats, side: float, qty: float, close: float, slip: float
) -> bool:
    """Whether a fill has a price above zero and leaves the cash above −max_margin."""
    price = close * (1.0 + side * slip)
    equity = account[CASH] + account[QTY] * close
    cash = account[CASH] - side * qty * price - qty * price * rules[FEE]
    floor = -rules[MAX_MARGIN] - TOLERANCE * max(abs(equity), qty * price)
    return price > 0.0 and cash >= floor


@kernel
def conserved(account: Floats, rules: Floats, close: float) -> bool:
    """Whether cash plus position equals initial cash plus profit less fees."""
    value = account[CASH] + account[QTY] * close
    unrealised = account[QTY] * (close - account[AVERAGE_PRICE])
    ledger = rules[INITIAL_CASH] + account[REALISED] + unrealised - account[FEES]
    scale = max(max(abs(value), rules[INITIAL_CASH]), abs(account[QTY] * close))
    return abs(value - ledger) <= TOLERANCE * scale
