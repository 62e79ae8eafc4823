"""Probability of backtest overfitting over all 12,870 splits, one core, beside plain numpy.

Parity first: both must choose the same candidates and find the same Sharpe ratios and PBO. The
numpy version adds up the blocks of each split and judges all candidates at once, which is how the
published method is usually written; at 10,000 candidates it is timed once.
"""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np

from benchmarks.timing import alternating, median_seconds, table
from engine.arrays import Floats
from engine.validate import BlockMoments, combinatorial, overfitting

BLOCKS = 16
BARS = 1000
SIZES = (100, 1_000, 10_000)
PARITY = 57


def moments(candidates: int) -> BlockMoments:
    """Sums of as many candidates of noise and a little skill."""
    rng = np.random.default_rng(1)
    shape = (candidates, BLOCKS)
    # Σr and Σr² of normal returns have these laws, so that no return need be drawn.
    sums = rng.normal(0.002 * BARS * rng.random((candidates, 1)), np.sqrt(BARS), shape) * 1e-3
    squares = rng.chisquare(BARS - 1, shape) * 1e-6 + sums * sums / BARS
    return BlockMoments(np.full(BLOCKS, BARS, dtype=np.int64), sums, squares)


def run() -> str:
    """Check parity, time both, and return the section of the report."""
    check_parity()
    rows = [_row(size) for size in SIZES]
    header = [
        "candidates",
        "PBO, s",
        "ns per candidate and split",
        "numpy, s",
        "numpy's time / ours",
    ]
    return f"## Probability of backtest overfitting, {BLOCKS} blocks, one core\n\n" + table(
        [*header, "CPCV, s"], rows
    )


def check_parity() -> None:
    """Refuse to time two computations that disagree."""
    given = moments(PARITY)
    ours = overfitting(given, BLOCKS)
    pbo, chosen, inside, outside = _plain(given)
    if ours.pbo != pbo or (ours.chosen != chosen).any():
        raise AssertionError(f"PBO {ours.pbo} and numpy's {pbo}, or the choices, differ")
    for name, own, other in (
        ("in sample", ours.in_sample, inside),
        ("out of sample", ours.out_of_sample, outside),
    ):
        if not np.allclose(own, other, rtol=1e-9, atol=1e-12):
            raise AssertionError(f"Sharpe ratios {name} differ from numpy's")


def _row(size: int) -> list[str]:
    given = moments(size)
    if size < max(SIZES):
        ours, plain = alternating([lambda: overfitting(given, BLOCKS), lambda: _plain(given)], 3)
    else:
        ours = median_seconds(lambda: overfitting(given, BLOCKS), 3)
        start = time.perf_counter()
        _plain(given)
        plain = time.perf_counter() - start
    paths = median_seconds(lambda: combinatorial(given, BLOCKS), 3)
    splits = overfitting(given, BLOCKS).splits
    each = f"{ours / splits / size * 1e9:.1f}"
    return [
        f"{size:,}",
        f"{ours:.3f}",
        each,
        f"{plain:.2f}",
        f"{plain / ours:.0f}×",
        f"{paths:.3f}",
    ]


def _plain(given: BlockMoments) -> tuple[float, np.ndarray, Floats, Floats]:
    """PBO, choices, and their Sharpe ratios in and out of sample, split by split."""
    sums, squares = np.ascontiguousarray(given.sums.T), np.ascontiguousarray(given.squares.T)
    everything = np.arange(BLOCKS)
    found: list[tuple[float, int, float, float]] = []
    for part in combinations(range(BLOCKS), BLOCKS // 2):
        inside = _ratios(given.counts, sums, squares, np.array(part))
        rest = np.setdiff1d(everything, part, assume_unique=True)
        outside = _ratios(given.counts, sums, squares, rest)
        best = int(inside.argmax())
        own = outside[best]
        rank = 1 + (outside < own).sum() + ((outside == own).sum() - 1) / 2
        found.append((float(rank), best, float(inside[best]), float(own)))
    ranks, chosen, inside, outside = (np.array(column) for column in zip(*found, strict=True))
    middle = (given.candidates + 1) / 2
    pbo = ((ranks < middle).sum() + 0.5 * (ranks == middle).sum()) / len(found)
    return float(pbo), chosen, inside, outside


def _ratios(counts: np.ndarray, sums: Floats, squares: Floats, part: np.ndarray) -> Floats:
    bars = int(counts[part].sum())
    mean = sums[part].sum(axis=0) / bars
    square = squares[part].sum(axis=0)
    variance = (square - bars * mean * mean) / (bars - 1)
    return mean / np.sqrt(variance)
