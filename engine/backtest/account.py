"""The account: sizing, fills, and the invariants that hold after every one.

An account and its limits are float64 arrays indexed by the constants below, so
that a fill is one function of arrays. When and at which price to fill is decided
in ``orders`` and ``kernels``.
"""

from __future__ import annotations

import math

from engine.arrays import Floats
from engine.jit import kernel

CASH, QTY, AVERAGE_PRICE, REALISED, FEES, ENTRY_FEE = 0, 1, 2, 3, 4, 5
NOTIONAL, WINS, LOSSES, GAINS, PAINS = 6, 7, 8, 9, 10
ENTRY_BAR, EXTREME, COOLING_UNTIL, FILLS, REJECTED, BALANCED = 11, 12, 13, 14, 15, 16
ACCOUNT_SIZE = 17

INITIAL_CASH, FEE, SIZE_KIND, SIZE, ALLOW_SHORT, MAX_MARGIN, LOT = 0, 1, 2, 3, 4, 5, 6
STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, MAX_HOLDING, COOLDOWN, GAP_OPEN = 7, 8, 9, 10, 11, 12
LIMITS_SIZE = 13
SHARE_OF_EQUITY, FIXED_QTY, SHARE_AT_RISK = 0.0, 1.0, 2.0

BAR, SIDE, FILL_QTY, PRICE, FILL_FEE, SLIPPAGE, PNL, REASON = 0, 1, 2, 3, 4, 5, 6, 7
FILL_SIZE = 8

TOLERANCE = 1e-9


@kernel
def open_account(account: Floats, limits: Floats) -> None:
    """Cash and nothing else."""
    for k in range(ACCOUNT_SIZE):
        account[k] = 0.0
    account[CASH] = limits[INITIAL_CASH]
    account[COOLING_UNTIL] = -1.0
    account[BALANCED] = 1.0


@kernel
def fill(
    account: Floats,
    limits: Floats,
    bar: int,
    side: float,
    qty: float,
    price: float,
    slip: float,
    reason: float,
    fills: Floats,
) -> None:
    """Trade `qty` at a price moved by the slippage, and write it down if there is room.

    A closing fill realises profit against the average price and begins the cooldown;
    an opening one sets the price.
    """
    paid = price * (1.0 + side * slip)
    fee = qty * paid * limits[FEE]
    pnl = 0.0
    account[CASH] -= side * qty * paid + fee
    account[FEES] += fee
    account[NOTIONAL] += qty * paid
    if account[QTY] * side < 0.0:
        pnl = side * qty * (account[AVERAGE_PRICE] - paid)
        account[REALISED] += pnl
        net = pnl - fee - account[ENTRY_FEE]
        account[WINS if net > 0.0 else LOSSES] += 1.0
        account[GAINS if net > 0.0 else PAINS] += abs(net)
        account[QTY] = 0.0
        account[AVERAGE_PRICE] = 0.0
        account[ENTRY_FEE] = 0.0
        if limits[COOLDOWN] > 0.0:
            account[COOLING_UNTIL] = bar + limits[COOLDOWN]
    else:
        account[QTY] = side * qty
        account[AVERAGE_PRICE] = paid
        account[ENTRY_FEE] = fee
        account[ENTRY_BAR] = bar
        account[EXTREME] = paid
    check_balance(account, limits)
    count = int(account[FILLS])
    account[FILLS] = count + 1
    if count >= fills.shape[0]:
        return
    row = fills[count]
    row[BAR], row[SIDE], row[FILL_QTY], row[PRICE] = bar, side, qty, paid
    row[FILL_FEE], row[SLIPPAGE], row[PNL], row[REASON] = fee, qty * price * slip, pnl, reason


@kernel
def check_balance(account: Floats, limits: Floats) -> None:
    """Note whether cash is initial cash plus profit less fees less what the position cost.

    The value of the position is in equity and in the ledger alike, so that what holds
    after a fill holds on every bar until the next one.
    """
    cost = account[QTY] * account[AVERAGE_PRICE]
    ledger = limits[INITIAL_CASH] + account[REALISED] - account[FEES] - cost
    scale = max(max(limits[INITIAL_CASH], abs(cost)), abs(account[CASH]))
    if not abs(account[CASH] - ledger) <= TOLERANCE * scale:
        account[BALANCED] = 0.0


@kernel
def size(account: Floats, limits: Floats, side: float, price: float, slip: float) -> float:
    """Quantity to open when flat, or 0 if the order would break the account's limits.

    A share of equity is sized net of the fee, equity · p / (price (1 + fee)), so
    that all of it is affordable.
    """
    paid = price * (1.0 + side * slip)
    qty = limits[SIZE]
    if limits[SIZE_KIND] == SHARE_OF_EQUITY:
        qty = account[CASH] * limits[SIZE] / (paid * (1.0 + limits[FEE]))
    elif limits[SIZE_KIND] == SHARE_AT_RISK:
        qty = account[CASH] * limits[SIZE] / paid
    if limits[LOT] > 0.0:
        qty = math.floor(qty / limits[LOT]) * limits[LOT]
    if not 0.0 < qty < math.inf or (side < 0.0 and limits[ALLOW_SHORT] == 0.0):
        return 0.0
    return qty if affordable(account, limits, side, qty, price, slip) else 0.0


@kernel
def affordable(
    account: Floats, limits: Floats, side: float, qty: float, price: float, slip: float
) -> bool:
    """Whether a fill has a price above zero and leaves the cash above −max_margin."""
    paid = price * (1.0 + side * slip)
    equity = account[CASH] + account[QTY] * price
    cash = account[CASH] - side * qty * paid - qty * paid * limits[FEE]
    floor = -limits[MAX_MARGIN] - TOLERANCE * max(abs(equity), qty * paid)
    return paid > 0.0 and cash >= floor


@kernel
def close(
    account: Floats, limits: Floats, bar: int, price: float, slip: float, reason: float,
    fills: Floats,
) -> bool:  # fmt: skip
    """Close the whole position; False if that was rejected."""
    held = account[QTY]
    side = -1.0 if held > 0.0 else 1.0
    if not affordable(account, limits, side, abs(held), price, slip):
        account[REJECTED] += 1.0
        return False
    fill(account, limits, bar, side, abs(held), price, slip, reason, fills)
    return True


@kernel
def open_position(
    account: Floats, limits: Floats, bar: int, side: float, price: float, slip: float,
    reason: float, fills: Floats,
) -> None:  # fmt: skip
    """Open a position when flat, unless the account cools down or cannot afford it."""
    if bar <= account[COOLING_UNTIL]:
        return
    qty = size(account, limits, side, price, slip)
    if qty == 0.0:
        account[REJECTED] += 1.0
        return
    fill(account, limits, bar, side, qty, price, slip, reason, fills)
