"""What a session of looks at equity quotes adds to the sums of a scorecard.

Returns are logarithmic, over whole minutes from the open, of one session at a time; a minute at
whose start or end there was no clean quote is left out. The looks are made by
``kernels_scorecard``; what the sums mean is in ``scorecard_prices``.
"""

from __future__ import annotations

import math

from contracts.tape_bands import BLOCK_MINUTES, EDGE_MINUTES
from contracts.tape_columns import CENT_TICKS
from engine.arrays import Floats, Ints
from engine.jit import inlined, kernel
from engine.mathx import log
from engine.tapes.market import scorecard_layout as at
from engine.tapes.market.kernels_scorecard import log_bin
from engine.tapes.market.scorecard_layout import PriceSums

LOOKS = 6
"""Looks in a minute."""


@inlined
def add_pair(sums: Floats, x: float, y: float) -> None:
    """Add a pair to the sums of a correlation."""
    sums[at.N] += 1.0
    sums[at.X] += x
    sums[at.Y] += y
    sums[at.XX] += x * x
    sums[at.YY] += y * y
    sums[at.XY] += x * y


@inlined
def add_powers(sums: Floats, r: float) -> None:
    """Add the powers 0 to 4 of a value, and its size."""
    power = 1.0
    for k in range(at.SIZE):
        sums[k] += power
        power *= r
    sums[at.SIZE] += abs(r)


@inlined
def total(values: Floats, first: int, count: int) -> float:
    """Sum of some values in a row; NaN if one of them is."""
    found = 0.0
    for k in range(first, first + count):
        found += values[k]
    return found


@kernel
def see_returns(mid2: Ints, returns: Floats, variances: Floats) -> None:
    """Write the return of every minute, and the sum of the squares of its ten-second returns."""
    for m in range(returns.shape[0]):
        first = m * LOOKS
        returns[m] = math.nan
        variances[m] = math.nan
        if mid2[first] > 0 and mid2[first + LOOKS] > 0:
            returns[m] = log(mid2[first + LOOKS] / mid2[first])
        squares = 0.0
        for k in range(first, first + LOOKS):
            if mid2[k] <= 0 or mid2[k + 1] <= 0:
                squares = math.nan
                break
            step = log(mid2[k + 1] / mid2[k])
            squares += step * step
        variances[m] = squares


@kernel
def add_returns(returns: Floats, scale: float, symbol: int, sums: PriceSums) -> None:
    """Add the moments, the tail and the variance ratios of a symbol's returns."""
    minutes = returns.shape[0]
    for m in range(minutes):
        if math.isnan(returns[m]):
            continue
        add_powers(sums.powers[symbol], returns[m])
        place = 0
        if returns[m] != 0.0:
            place = log_bin(abs(returns[m]) / scale, at.RETURN_ONE)
        sums.tails[symbol, place] += 1
    for first in range(0, minutes - at.COARSE_MINUTES + 1, at.COARSE_MINUTES):
        r = total(returns, first, at.COARSE_MINUTES)
        if not math.isnan(r):
            add_powers(sums.coarse[symbol], r)
    for k in range(len(at.RATIO_MINUTES)):
        span = at.RATIO_MINUTES[k]
        for first in range(minutes - span + 1):
            together, apart = 0.0, 0.0
            for m in range(first, first + span):
                together += returns[m]
                apart += returns[m] * returns[m]
            if not math.isnan(together):
                sums.ratios[symbol, k, 0] += together * together
                sums.ratios[symbol, k, 1] += apart


@kernel
def add_lags(returns: Floats, symbol: int, sums: PriceSums) -> None:
    """Add the products of a symbol's returns, and of their sizes, at every lag."""
    minutes = returns.shape[0]
    for lag in range(1, sums.pairs.shape[1] + 1):
        for m in range(minutes - lag):
            r, later = returns[m], returns[m + lag]
            if math.isnan(r) or math.isnan(later):
                continue
            sums.products[symbol, lag - 1] += r * later
            sums.absolute[symbol, lag - 1] += abs(r) * abs(later)
            sums.edges[symbol, lag - 1] += abs(r) + abs(later)
            sums.pairs[symbol, lag - 1] += 1.0


@kernel
def add_volatility(
    returns: Floats, variances: Floats, spread: Ints, symbol: int, sums: PriceSums
) -> None:
    """Add what goes with volatility: the return before it, and the spread beside it."""
    minutes, block = returns.shape[0], BLOCK_MINUTES
    for first in range(minutes - 2 * block + 1):
        r, square = total(returns, first, block), total(variances, first + block, block)
        if not math.isnan(r) and not math.isnan(square):
            add_pair(sums.leverage[symbol], r, math.sqrt(square))
    for first in range(0, minutes - block + 1, block):
        square, width = total(variances, first, block), 0.0
        for k in range(first * LOOKS + 1, (first + block) * LOOKS + 1):
            width += spread[k]
        if not math.isnan(square):
            add_pair(sums.spreads[symbol], width / (block * LOOKS), math.sqrt(square))


@kernel
def add_shape(returns: Floats, symbol: int, sums: PriceSums) -> None:
    """Add the size of the returns at the open and at midday."""
    minutes = returns.shape[0]
    for m in range(minutes):
        if math.isnan(returns[m]):
            continue
        if m < EDGE_MINUTES:
            sums.shape[symbol, 0, 0] += 1.0
            sums.shape[symbol, 0, 1] += abs(returns[m])
        if 3 * minutes <= 8 * m < 5 * minutes:
            sums.shape[symbol, 1, 0] += 1.0
            sums.shape[symbol, 1, 1] += abs(returns[m])


@kernel
def add_clock(returns: Floats, symbol: int, sums: PriceSums) -> None:
    """Add the sizes of a session's returns minute by minute, if none is missing."""
    minutes, clock = returns.shape[0], sums.clock[symbol]
    if minutes != at.CLOCK_MINUTES or math.isnan(total(returns, 0, minutes)):
        return
    for m in range(minutes):
        clock[m] += abs(returns[m])
        if m + at.CLOCK_LAG < minutes:
            clock[minutes] += abs(returns[m]) * abs(returns[m + at.CLOCK_LAG])
    clock[minutes + 1] += 1.0


@kernel
def add_joint(returns: Floats, scale: Floats, sums: PriceSums) -> None:
    """Add the products at every lag, summed over the symbols minute by minute.

    Symbols share factors, so that their products of one minute are not independent; minutes
    are.
    """
    symbols, minutes = returns.shape
    for lag in range(1, sums.joint.shape[0] + 1):
        for m in range(minutes - lag):
            product = 0.0
            for s in range(symbols):
                both = returns[s, m] * returns[s, m + lag] / (scale[s] * scale[s])
                product += 0.0 if math.isnan(both) else both
            sums.joint[lag - 1, 0] += product
            sums.joint[lag - 1, 1] += product * product


@kernel
def fold_session(
    mid2: Ints,
    spread: Ints,
    scale: Floats,
    is_whole: bool,
    returns: Floats,
    variances: Floats,
    sums: PriceSums,
) -> None:
    """Add a session to the sums.

    Parameters
    ----------
    mid2, spread : ndarray, shape (symbols, looks), int64
    scale : ndarray, shape (symbols,), float64
        Deviation of a minute's return, of the profile.
    is_whole : bool
        Whether the looks reach from the open to the close.
    returns, variances : ndarray, shape (symbols, minutes), float64
        Overwritten.
    """
    for s in range(mid2.shape[0]):
        see_returns(mid2[s], returns[s], variances[s])
        add_returns(returns[s], scale[s], s, sums)
        add_lags(returns[s], s, sums)
        add_volatility(returns[s], variances[s], spread[s], s, sums)
        add_clock(returns[s], s, sums)
        if is_whole:
            add_shape(returns[s], s, sums)
        for k in range(mid2.shape[1]):
            if mid2[s, k] > 0:
                sums.tight[s, 0] += 1 if spread[s, k] == CENT_TICKS else 0
                sums.tight[s, 1] += 1
    add_joint(returns, scale, sums)
