"""Sharpe ratios from sums, and every symmetric split of the blocks, compiled.

Takes arrays and writes into arrays. Sums are always added block by block in the order of the
blocks and never subtracted: what is flat outside a part stays exactly flat, and both parts of a
split are treated alike. Names and errors are in ``moments`` and ``overfitting``.
"""

from __future__ import annotations

import math
from typing import Final

from engine.arrays import Floats, Ints
from engine.jit import kernel

FLAT: Final = 1e-12
"""Variance below which a series is flat, as a share of its mean square."""


@kernel
def ratio(total: float, square: float, bars: float) -> float:
    """Sharpe ratio of so many returns from Σr and Σr², 0 where they are flat or fewer than 2."""
    if bars < 2.0:
        return 0.0
    mean = total / bars
    variance = (square - bars * mean * mean) * (1.0 / (bars - 1.0))
    if variance > 0.0 and variance > square * (FLAT / bars):
        return mean / math.sqrt(variance)
    return 0.0


@kernel
def ratios(totals: Floats, squares: Floats, bars: float, out: Floats) -> None:
    """Sharpe ratio of every candidate over the same bars."""
    for i in range(out.shape[0]):
        out[i] = ratio(totals[i], squares[i], bars)


@kernel
def add(below: Floats, block: Floats, out: Floats) -> None:
    """Sums of one block more."""
    for i in range(out.shape[0]):
        out[i] = below[i] + block[i]


@kernel
def last_ratios(
    totals: Floats, squares: Floats, block_totals: Floats, block_squares: Floats, bars: float,
    out: Floats,
) -> None:  # fmt: skip
    """Sharpe ratios of sums and one block more, which are not written down."""
    for i in range(out.shape[0]):
        out[i] = ratio(totals[i] + block_totals[i], squares[i] + block_squares[i], bars)


@kernel
def part_ratios(
    places: Ints, row: int, counts: Ints, sums: Floats, squares: Floats, stack: Floats,
    out: Floats,
) -> None:  # fmt: skip
    """Sharpe ratios of one part of a split, given what is on the stack of the part before.

    Only the blocks behind the first that differs from the part before are added again.
    """
    last = places.shape[1] - 1
    level = 0
    if row > 0:
        while level < last and places[row, level] == places[row - 1, level]:
            level += 1
    for k in range(level, last):
        block = places[row, k]
        add(stack[0, k], sums[block], stack[0, k + 1])
        add(stack[1, k], squares[block], stack[1, k + 1])
    bars = 0
    for k in range(last + 1):
        bars += counts[places[row, k]]
    block = places[row, last]
    last_ratios(stack[0, last], stack[1, last], sums[block], squares[block], float(bars), out)


@kernel
def best(values: Floats) -> int:
    """Place of the largest value, the first of equals."""
    place, largest = 0, values[0]
    for i in range(1, values.shape[0]):
        if values[i] > largest:
            place, largest = i, values[i]
    return place


@kernel
def doubled_rank(values: Floats, place: int) -> int:
    """Twice: 1 + the number that are lower + half the number of others that are equal."""
    own, doubled = values[place], 1
    for i in range(values.shape[0]):
        doubled += (1 if values[i] < own else 0) + (1 if values[i] <= own else 0)
    return doubled


@kernel
def judge(
    inside: Floats, outside: Floats, split: int, chosen: Ints, ranks: Ints, results: Floats
) -> None:
    """Choose on one part and write down how the choice fares on the other."""
    place = best(inside)
    chosen[split] = place
    ranks[split] = doubled_rank(outside, place)
    results[0, split] = inside[place]
    results[1, split] = outside[place]


@kernel
def judge_splits(
    first: Ints,
    second: Ints,
    counts: Ints,
    sums: Floats,
    squares: Floats,
    stacks: Floats,
    values: Floats,
    chosen: Ints,
    ranks: Ints,
    results: Floats,
) -> None:
    """All splits, two at a time: either part is once in sample and once out of it.

    Parameters
    ----------
    first, second : ndarray, shape (splits / 2, blocks / 2), int64
        Blocks of the part that holds block 0, in lexicographic order, and of the other.
    counts : ndarray, shape (blocks,), int64
    sums, squares : ndarray, shape (blocks, candidates), float64
    stacks : ndarray, shape (2, 2, blocks / 2, candidates), float64
        Scratch of either part: sums and squares of its first k blocks; zeros at k = 0.
    values : ndarray, shape (2, candidates), float64
        Scratch: Sharpe ratios of either part.
    chosen, ranks : ndarray, shape (splits,), int64
        Candidate and its doubled rank out of sample; the mirror image of split k is the k-th
        from the end.
    results : ndarray, shape (2, splits), float64
        Sharpe ratio of the choice in sample and out of it.
    """
    splits = chosen.shape[0]
    for row in range(first.shape[0]):
        part_ratios(first, row, counts, sums, squares, stacks[0], values[0])
        part_ratios(second, row, counts, sums, squares, stacks[1], values[1])
        judge(values[0], values[1], row, chosen, ranks, results)
        judge(values[1], values[0], splits - 1 - row, chosen, ranks, results)
