"""Rows that sum up stretches of returns, how two are joined, and paths made of them.

A row says of any number of bars all that a path's statistics need, and joining a row
to the row that follows is exact; so a path is walked in rows, never in bars. Which
rows are made beforehand is ``blocks``; what many paths say together, ``percentiles``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from engine.arrays import Floats, Ints
from engine.jit import bits_from_float, borrowed, kernel
from engine.mathx import log
from engine.rng import fill_uniforms

SAME, SQUARES, GAINS, LOSSES, GROWTH, LOWEST, WORST, BELOW_PEAK = range(8)
"""Columns of a row: the return that all bars have, or `MIXED`; the sum of squares about the
centre; the sums of positive and of absolute negative returns; and, as ratios of the equity before
the first bar, growth and its lowest value (the start included); the lowest ratio of an equity to
one before it, and the ratio of the last to the highest (the start included)."""
ROW_SIZE: Final = 8
"""64 bytes, one line of the cache."""
MIXED: Final = math.nan

SHARPE, MAX_DRAWDOWN, PROFIT_FACTOR, TOTAL_RETURN = range(4)
PATH_SIZE: Final = 4

LONGEST: Final = 64
"""Most bars that a row of a stationary path covers."""
MOST_ROWS: Final = 9
"""Most shorter rows of one block."""
BATCH: Final = 512
"""Most blocks that are drawn at once."""
_SPARE: Final = 8
_PATH_BITS: Final = 32


@kernel
def join_rows(first: Floats, second: Floats, offset: int, out: Floats) -> None:
    """Join the row of every start with the one that begins `offset` bars later, circularly.

    Parameters
    ----------
    first, second, out : ndarray, shape (T, 8), float64
        `out` may be `first`, but not `second`.
    offset : int
        Bars that a row of `first` covers, 0 … T.
    """
    first, second, out = borrowed(first), borrowed(second), borrowed(out)
    bars = first.shape[0]
    for s in range(bars):
        t = s + offset
        t = t - bars if t >= bars else t
        growth, below = first[s, GROWTH], first[s, BELOW_PEAK]
        lowest, fall, end = (
            growth * second[t, LOWEST],
            below * second[t, LOWEST],
            below * second[t, GROWTH],
        )
        fall = fall if fall < first[s, WORST] else first[s, WORST]
        out[s, SAME] = first[s, SAME] if first[s, SAME] == second[t, SAME] else MIXED
        out[s, SQUARES] = first[s, SQUARES] + second[t, SQUARES]
        out[s, GAINS] = first[s, GAINS] + second[t, GAINS]
        out[s, LOSSES] = first[s, LOSSES] + second[t, LOSSES]
        out[s, GROWTH] = growth * second[t, GROWTH]
        out[s, LOWEST] = lowest if lowest < first[s, LOWEST] else first[s, LOWEST]
        out[s, WORST] = fall if fall < second[t, WORST] else second[t, WORST]
        out[s, BELOW_PEAK] = end if end < second[t, BELOW_PEAK] else second[t, BELOW_PEAK]


@kernel
def circular_rows(
    first: Floats, bars: int, block_bars: int, left: int, rows: Ints
) -> tuple[int, int]:
    """Choose the row of every block; the cut one stands in the second part of the table.

    Parameters
    ----------
    first : ndarray, shape (blocks,), float64
        Uniforms, not more than `left` bars need.

    Returns
    -------
    tuple of int
        Number of rows, and bars still to be made.
    """
    blocks = first.shape[0]
    for j in range(blocks):
        rows[j] = int(first[j] * bars)
    left -= blocks * block_bars
    if left < 0:
        rows[blocks - 1] += bars
        left = 0
    return blocks, left


@kernel
def stationary_rows(
    first: Floats, second: Floats, bars: int, log_stay: float, left: int, plan: Ints, rows: Ints
) -> tuple[int, int]:
    """Choose the rows of blocks of geometric length until no bar is left.

    Parameters
    ----------
    first, second : ndarray, shape (blocks,), float64
        Uniforms; `second` is overwritten.
    log_stay : float
        ln(1 − 1/L), −∞ for L = 1.
    plan : ndarray, shape (LONGEST + 1, 1 + MOST_ROWS), int64
        For 0 … 63 bars the number of rows and their places from the start on; in the last line,
        the place of a row of 64 bars.

    Returns
    -------
    tuple of int
        Number of rows, and bars still to be made.
    """
    for j in range(first.shape[0]):
        second[j] = log(second[j]) / log_stay
    count = 0
    for j in range(first.shape[0]):
        start, length = int(first[j] * bars), 1 + int(second[j])
        length = length if length < left else left
        left -= length
        short = length % LONGEST
        # all are written and some are counted: a wrongly guessed branch costs more
        for n in range(MOST_ROWS):
            rows[count + n] = start + plan[short, 1 + n]
        count += plan[short, 0]
        start += short
        for _ in range(length // LONGEST):
            start = start - bars if start >= bars else start
            rows[count] = start + plan[LONGEST, 1]
            count += 1
            start += LONGEST
        if left == 0:
            break
    return count, left


@kernel
def walk(
    first_path: int,
    seed: np.uint64,
    stream: np.uint64,
    bars: int,
    block_bars: int,
    log_stay: float,
    centre: float,
    root: float,
    table: Floats,
    sizes: Ints,
    plan: Ints,
    first: Floats,
    second: Floats,
    rows: Ints,
    paths: Floats,
    marks: Ints,
    fan: Floats,
) -> None:
    """Make the paths ``first_path …`` and take their statistics.

    Parameters
    ----------
    bars, block_bars : int
        T, and the (mean) length of a block.
    log_stay : float
        See `stationary_rows`; 0 for blocks of equal length.
    centre, root : float
        What squares are taken about, and √(bars of a year).
    table : ndarray, shape (levels · starts, 8), float64
        Row of every start, for one length behind the other.
    sizes : ndarray, shape (levels,), int64
        Bars that a row of each level covers.
    plan : ndarray of int64
        See `stationary_rows`.
    first, second : ndarray, shape (BATCH,), float64
    rows : ndarray, shape (MOST_ROWS · BATCH + T // LONGEST + 1,), int64
        Scratch, like the uniforms.
    paths : ndarray, shape (4, paths), float64
        Filled: sharpe, max_drawdown, profit_factor (+∞, or NaN where undefined), total_return.
    marks : ndarray, shape (points + 1,), int64
        Bars at which growth is noted, ascending, and after them one above T.
    fan : ndarray, shape (fan paths, points), float64
        Filled for the first of the paths: growth at the end of the row that reaches the mark.
    """
    table, sizes, rows, marks = borrowed(table), borrowed(sizes), borrowed(rows), borrowed(marks)
    first, second, paths, fan = borrowed(first), borrowed(second), borrowed(paths), borrowed(fan)
    plan = borrowed(plan)
    circular, starts = log_stay == 0.0, table.shape[0] // sizes.shape[0]
    for i in range(paths.shape[1]):
        squares, gains, losses, growth, worst, below = 0.0, 0.0, 0.0, 1.0, 1.0, 1.0
        value, differing = MIXED, np.uint64(0)
        block, left, done, mark = (first_path + i) << _PATH_BITS, bars, 0, 0
        noted = i < fan.shape[0]
        while left > 0:
            drawn = (left + block_bars - 1) // block_bars + (0 if circular else _SPARE)
            drawn = min(drawn, first.shape[0])
            fill_uniforms(seed, stream, block, first[:drawn], second[:drawn])
            block += drawn
            before = left
            if circular:
                count, left = circular_rows(first[:drawn], bars, block_bars, left, rows)
            else:
                count, left = stationary_rows(
                    first[:drawn], second[:drawn], bars, log_stay, left, plan, rows
                )
            if before == bars:
                value = table[rows[0], SAME]
            own = bits_from_float(value)
            for j in range(count):
                # an index that cannot be negative is not looked at twice
                at = np.uint64(rows[j])
                # zeros of both signs differ, but their ratio is 0 in any case
                differing |= bits_from_float(table[at, SAME]) ^ own
                squares += table[at, SQUARES]
                gains += table[at, GAINS]
                losses += table[at, LOSSES]
                fall = below * table[at, LOWEST]
                worst = fall if fall < worst else worst
                worst = table[at, WORST] if table[at, WORST] < worst else worst
                below = below * table[at, GROWTH]
                below = below if below < table[at, BELOW_PEAK] else table[at, BELOW_PEAK]
                growth = growth * table[at, GROWTH]
                if noted:
                    done += sizes[rows[j] // starts]
                    while done >= marks[mark]:
                        fan[i, mark] = growth
                        mark += 1
        total = gains - losses
        rest = total - centre * bars
        variance = (squares - rest * rest / bars) / (bars - 1.0)
        varies = variance > 0.0 and (differing != np.uint64(0) or math.isnan(value))
        paths[SHARPE, i] = total / bars / math.sqrt(variance) * root if varies else 0.0
        paths[MAX_DRAWDOWN, i] = worst - 1.0
        paths[PROFIT_FACTOR, i] = math.inf if gains > 0.0 else math.nan
        if losses > 0.0:
            paths[PROFIT_FACTOR, i] = gains / losses
        paths[TOTAL_RETURN, i] = growth - 1.0
