"""Sums of a scorecard: none of them, copies of them, and those of two tapes together.

What they hold is ``scorecard_layout`` and ``scorecard_options_layout``.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from contracts.tape_bands import ACF_MINUTES, SIGN_LAGS
from engine.tapes.market import scorecard_layout as at
from engine.tapes.market import scorecard_options_layout as on
from engine.tapes.market.scorecard_layout import EquitySums, PriceSums
from engine.tapes.market.scorecard_options_layout import OptionSums

_Sums = TypeVar("_Sums", EquitySums, PriceSums, OptionSums)


def no_equity_sums(symbols: int) -> EquitySums:
    """Sums of nothing."""
    return EquitySums(
        np.zeros((symbols, at.COUNTS), dtype=np.int64),
        np.zeros((symbols, 2)),
        np.zeros((symbols, SIGN_LAGS), dtype=np.int64),
        np.zeros((symbols, SIGN_LAGS), dtype=np.int64),
        np.zeros(at.TAIL_BINS, dtype=np.int64),
        np.zeros((symbols, 4, 2), dtype=np.int64),
        np.zeros(3, dtype=np.int64),
    )


def no_price_sums(symbols: int) -> PriceSums:
    """Sums of nothing."""
    lags = (symbols, ACF_MINUTES)
    return PriceSums(
        np.zeros((symbols, at.SIZE + 1)),
        np.zeros((symbols, at.SIZE + 1)),
        np.zeros(lags),
        np.zeros(lags),
        np.zeros(lags),
        np.zeros(lags),
        np.zeros((symbols, len(at.RATIO_MINUTES), 2)),
        np.zeros((ACF_MINUTES, 2)),
        np.zeros((symbols, 6)),
        np.zeros((symbols, 6)),
        np.zeros((symbols, 2, 2)),
        np.zeros((symbols, at.CLOCK_MINUTES + 2)),
        np.zeros((symbols, at.TAIL_BINS), dtype=np.int64),
        np.zeros((symbols, 2), dtype=np.int64),
    )


def no_option_sums(symbols: int) -> OptionSums:
    """Sums of nothing."""
    return OptionSums(
        np.zeros(on.COUNTS, dtype=np.int64),
        np.zeros(on.SMILE_SUMS),
        np.zeros((symbols, 6)),
        np.zeros((symbols, 2, 2)),
        np.zeros((symbols, 6)),
        np.zeros(2, dtype=np.int64),
    )


def copied(sums: _Sums) -> _Sums:
    """The same sums in arrays of their own."""
    return sums._make(array.copy() for array in sums)


def add_to(sums: _Sums, others: _Sums) -> None:
    """Add the sums of another tape."""
    for mine, theirs in zip(sums, others, strict=True):
        np.add(mine, theirs, out=mine)
