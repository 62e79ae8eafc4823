"""Decisions executed by vectorbt's ``Portfolio.from_signals``: an independent account.

The settings are those that mean what docs/backtest.md says with `bar_delay` 0 and market orders
only. Comparable are: shares of equity up to 100 %, constant slippage and fee, `max_margin` 0, no
lots, no exits inside a bar, no cooldown. The oracle of everything is tests/oracles/backtest.py.
"""

from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class VectorbtFill:
    """One fill; ``side`` is 1 for a buy and -1 for a sale."""

    bar: int
    side: int
    qty: float
    price: float
    fee: float


def portfolio(
    close: Floats,
    entries: Flags,
    exits: Flags,
    short_entries: Flags,
    short_exits: Flags,
    *,
    percent: float,
    fee_bps: float,
    slippage_bps: float,
    initial_cash: float,
    allow_short: bool,
) -> tuple[Floats, list[VectorbtFill]]:
    """Equity after every bar, and the fills in their order.

    ``entries`` are the `buy` decisions and ``short_entries`` the `sell` decisions, which only
    close a long position unless ``allow_short``; ``exits`` closes a long position and
    ``short_exits`` a short one, so that a `close` decision is both.

    vectorbt sizes no reversal by a share of equity and merges its two fills in one order. Every
    bar is therefore given to it twice: what closes is signalled on the first of the two rows, what
    opens on the second, where the position is flat and cash is equity. It takes amounts within
    1e-9 of each other as equal, so that a share of equity as close to 100 % as that is not exact.
    """
    vectorbt = _interpreted()
    decided = (entries, exits, short_entries, short_exits)
    assert all(flags.shape == close.shape for flags in decided)
    assert np.all(np.sum(decided[::2], axis=0) <= 1), "a bar has one decision"
    assert 0 < percent <= 100, "vectorbt spends no more than the cash it has"
    nothing = np.zeros_like(entries)
    # Compiled code says nothing of an undefined number either.
    with np.errstate(all="ignore"):
        made = vectorbt.Portfolio.from_signals(
            np.repeat(close, 2),
            entries=_rows(nothing, entries),
            exits=_rows(exits | short_entries, nothing),
            short_entries=_rows(nothing, short_entries if allow_short else nothing),
            short_exits=_rows(short_exits | entries, nothing),
            size=percent / 100,
            size_type="percent",  # net of the fee, at the price after slippage
            fees=fee_bps * 1e-4,
            slippage=slippage_bps * 1e-4,
            init_cash=initial_cash,
            min_size=0.0,
            accumulate=False,  # no pyramiding
            allow_partial=False,  # what cannot be paid is rejected, not shrunk
            upon_opposite_entry="ignore",  # a rejected close leaves a position: nothing opens on it
            freq="1min",
        )
        orders, equity = made.orders.records, made.value().to_numpy()[1::2]
    bought = vectorbt.portfolio.enums.OrderSide.Buy
    fills = [
        VectorbtFill(
            int(order.idx) // 2,
            1 if order.side == bought else -1,
            float(order.size),
            float(order.price),
            float(order.fees),
        )
        for order in orders.itertuples()
    ]
    return equity, fills


@cache
def _interpreted() -> ModuleType:
    """The package as Python runs it: compiling it takes minutes, hundreds of bars milliseconds.

    Imported where it is used, since even that takes seconds which only its tests should pay.
    """
    before = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = 1
    try:
        import vectorbt
    finally:
        numba.config.DISABLE_JIT = before
    vectorbt.settings["numba"]["check_func_type"] = False
    return vectorbt


def _rows(first: Flags, second: Flags) -> Flags:
    """One column of two rows per bar."""
    return np.column_stack([first, second]).reshape(-1)
