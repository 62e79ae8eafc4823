"""Probability of backtest overfitting: whether what was best in sample stays good out of it.

Combinatorially symmetric cross-validation on sums over blocks, all symmetric splits of them;
the loop is in ``kernels``, the sums in ``moments``. How likely the best Sharpe ratio itself is
luck, is ``deflated``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Final

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Floats, Ints
from engine.mathx import log
from engine.validate import kernels
from engine.validate.moments import BlockMoments

ONE_CANDIDATE: Final = "one candidate: nothing was chosen"
EQUAL_IN_SAMPLE: Final = "all in-sample values are equal"


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What choosing among candidates is worth.

    Attributes
    ----------
    pbo : float or None
        Share of splits whose choice ranks below the middle out of sample, plus half of those
        that are in the middle.
    logits : ndarray, shape (splits,), float64
        ln(ω / (1 − ω)) of the choice's relative rank ω out of sample.
    chosen : ndarray, shape (splits,), int64
        Candidate that was best in sample.
    in_sample, out_of_sample : ndarray, shape (splits,), float64
        Sharpe ratio per bar of the choice.
    degradation_slope, degradation_intercept : float or None
        Least-squares line of out-of-sample on in-sample Sharpe ratio.
    probability_of_loss : float
        Share of splits whose choice has a negative Sharpe ratio out of sample.
    splits, candidates : int
    reasons : dict of str to str
        Why a number is null, by its name.
    """

    pbo: float | None
    logits: Floats
    chosen: Ints
    in_sample: Floats
    out_of_sample: Floats
    degradation_slope: float | None
    degradation_intercept: float | None
    probability_of_loss: float
    splits: int
    candidates: int
    reasons: dict[str, str] = field(default_factory=dict[str, str])


def overfitting(moments: BlockMoments, blocks: int) -> Overfitting:
    """Probability of backtest overfitting.

    Bailey, D. H., Borwein, J. M., López de Prado, M. and Zhu, Q. J. (2017), *The probability of
    backtest overfitting*. Splits are in lexicographic order of the blocks in sample.

    Parameters
    ----------
    moments : BlockMoments
    blocks : int
        Even number of blocks that those of the moments are merged into.

    Raises
    ------
    ContractError
        ``BLOCKS_INDIVISIBLE`` if the blocks are odd or do not follow from those there are.
    """
    if blocks % 2:
        hint = ("choose 2, 4, 8 or 16",)
        message = f"{blocks} blocks cannot be split into two equal parts"
        raise ContractError("BLOCKS_INDIVISIBLE", message, hints=hint)
    merged = moments.merged(blocks)
    first, second = _halves(blocks)
    count, candidates = 2 * first.shape[0], merged.candidates
    chosen, ranks = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    results = np.empty((2, count))
    kernels.judge_splits(
        first, second, merged.counts,
        np.ascontiguousarray(merged.sums.T), np.ascontiguousarray(merged.squares.T),
        np.zeros((2, 2, blocks // 2, candidates)), np.empty((2, candidates)),
        chosen, ranks, results,
    )  # fmt: skip
    return _described(candidates, chosen, ranks, results[0], results[1])


@lru_cache(maxsize=8)
def _halves(blocks: int) -> tuple[Ints, Ints]:
    """Parts that hold block 0, in lexicographic order, and the parts that they leave."""
    half = blocks // 2
    chosen = list(combinations(range(blocks), half))
    count = len(chosen) // 2
    # The complement of the k-th part is the k-th from the end.
    return (
        np.array(chosen[:count], dtype=np.int64).reshape(count, half),
        np.array(chosen[: count - 1 : -1], dtype=np.int64).reshape(count, half),
    )


def _described(
    candidates: int, chosen: Ints, ranks: Ints, inside: Floats, outside: Floats
) -> Overfitting:
    splits = int(chosen.shape[0])
    middle = candidates + 1
    below = int((ranks < middle).sum())
    level = int((ranks == middle).sum())
    slope, intercept = _line(inside, outside)
    reasons: dict[str, str] = {}
    if candidates == 1:
        reasons["pbo"] = ONE_CANDIDATE
    if slope is None:
        reasons |= dict.fromkeys(("degradation_slope", "degradation_intercept"), EQUAL_IN_SAMPLE)
    return Overfitting(
        pbo=None if candidates == 1 else (below + 0.5 * level) / splits,
        logits=_logits(ranks, candidates),
        chosen=chosen,
        in_sample=inside,
        out_of_sample=outside,
        degradation_slope=slope,
        degradation_intercept=intercept,
        probability_of_loss=int((outside < 0.0).sum()) / splits,
        splits=splits,
        candidates=candidates,
        reasons=reasons,
    )


def _logits(ranks: Ints, candidates: int) -> Floats:
    """ω / (1 − ω) = rank / (N + 1 − rank), which is 1 exactly in the middle."""
    distinct, places = np.unique(ranks, return_inverse=True)
    whole = 2 * (candidates + 1)
    values = np.array([log(int(rank) / (whole - int(rank))) for rank in distinct])
    return values[places]


def _line(x: Floats, y: Floats) -> tuple[float | None, float | None]:
    """Slope and intercept; sums are rounded once, so that their order cannot matter."""
    if bool((x == x[0]).all()):
        return None, None
    count = x.shape[0]
    mean_x, mean_y = math.fsum(x.tolist()) / count, math.fsum(y.tolist()) / count
    deviations = x - mean_x
    square = math.fsum((deviations * deviations).tolist())
    slope = math.fsum((deviations * (y - mean_y)).tolist()) / square
    return slope, mean_y - slope * mean_x
