"""The accounting invariants, checked on what was stored rather than on the way.

Cash and position are rebuilt from the trades alone, so that this and the kernel
can only agree if both are right. The kernel's own check is ``account.check_balance``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contracts.errors import ComputeError

Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-9


def audit(
    close: Floats,
    equity: Floats,
    cash: Floats,
    qty: Floats,
    trades: dict[str, Floats],
    initial_cash: float,
    *,
    allow_short: bool,
    max_margin: float,
) -> None:
    """Check one result against its invariants.

    Parameters
    ----------
    close, equity, cash, qty : ndarray, shape (bars,), float64
        Prices of the data, and the stored curves.
    trades : dict of str to ndarray, shape (fills,)
        ``bar side qty price fee``.
    initial_cash, max_margin : float
        Quote currency.
    allow_short : bool
        Whether the position may be negative.

    Raises
    ------
    ComputeError
        ``BACKTEST_INVARIANT`` with the bar.
    """
    bar = trades["bar"].astype(np.int64)
    _refuse_wrong_shape(close.size, (equity, cash, qty), bar)
    _require(np.isfinite(equity + cash + qty), "the curve is not finite")
    signed = trades["side"] * trades["qty"]
    spent = np.zeros(close.size)
    bought = np.zeros(close.size)
    np.add.at(spent, bar, signed * trades["price"] + trades["fee"])
    np.add.at(bought, bar, signed)
    volume = float(np.sum(np.abs(signed * trades["price"])))
    scale = TOLERANCE * (np.maximum(np.abs(equity), initial_cash) + volume * 1e-3)
    held = float(np.max(np.abs(signed), initial=1.0))
    _require(np.abs(initial_cash - np.cumsum(spent) - cash) <= scale, "cash is not the trades' sum")
    _require(np.abs(np.cumsum(bought) - qty) <= TOLERANCE * held, "position is not the trades' sum")
    _require(np.abs(cash + qty * close - equity) <= scale, "cash plus position is not equity")
    _require(np.logical_or(qty >= 0.0, allow_short), "the position is negative")
    _require(cash >= -max_margin - scale, "cash falls below the margin")


def _refuse_wrong_shape(bars: int, curves: tuple[Floats, ...], bar: npt.NDArray[np.int64]) -> None:
    shortest = min(curve.size for curve in curves)
    if shortest != bars or max(curve.size for curve in curves) != bars:
        message = f"the curve has not {bars} bars"
        raise ComputeError("BACKTEST_INVARIANT", message, f"bar {min(shortest, bars)}")
    outside = bar[(bar < 0) | (bar >= bars)]
    if outside.size:
        message = "a trade lies outside the data"
        raise ComputeError("BACKTEST_INVARIANT", message, f"bar {int(outside[0])}")


def _require(holds: npt.NDArray[np.bool_], sentence: str) -> None:
    broken = np.flatnonzero(~holds)
    if broken.size:
        raise ComputeError("BACKTEST_INVARIANT", sentence, f"bar {int(broken[0])}")
