"""Candidates over their datasets: one row of order statistics each, and their order.

An undefined metric is NaN and counts as no value; what a metric means is ``engine.backtest``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class CandidateSummary:
    """What k candidates did on D datasets; every array has the shape (k,).

    Attributes
    ----------
    score : ndarray of float64
        Median of the objective over the datasets that define it, NaN where fewer than half do.
    defined : ndarray of int64
        Datasets that define the objective.
    median_sharpe, median_total_return, p5_total_return, worst_max_drawdown : ndarray of float64
    trades : ndarray of int64
        Closed trades over all datasets.
    share_profitable : ndarray of float64
        Of the datasets, those with a positive return.
    """

    score: Floats
    defined: Ints
    median_sharpe: Floats
    median_total_return: Floats
    p5_total_return: Floats
    worst_max_drawdown: Floats
    trades: Ints
    share_profitable: Floats


def summarise(objective: Floats, metrics: Mapping[str, Floats]) -> CandidateSummary:
    """Summarise candidates.

    Parameters
    ----------
    objective : ndarray, shape (k, D), float64
    metrics : mapping of str to ndarray, shape (k, D), float64
        ``sharpe total_return max_drawdown trades`` by name.
    """
    defined = np.isfinite(objective).sum(axis=1)
    score = percentile_of_defined(objective, 50.0)
    score[2 * defined < objective.shape[1]] = np.nan
    returns = metrics["total_return"]
    return CandidateSummary(
        score=score,
        defined=defined.astype(np.int64),
        median_sharpe=percentile_of_defined(metrics["sharpe"], 50.0),
        median_total_return=percentile_of_defined(returns, 50.0),
        p5_total_return=percentile_of_defined(returns, 5.0),
        worst_max_drawdown=percentile_of_defined(metrics["max_drawdown"], 0.0),
        trades=np.where(np.isfinite(metrics["trades"]), metrics["trades"], 0.0)
        .sum(axis=1)
        .astype(np.int64),
        share_profitable=(returns > 0.0).sum(axis=1) / returns.shape[1],
    )


def percentile_of_defined(values: Floats, percent: float) -> Floats:
    """Percentile of each row, linear between neighbours, over its finite values.

    Returns
    -------
    ndarray, shape (rows,), float64
        NaN for a row without any.
    """
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    place = np.maximum(count - 1, 0) * (percent / 100.0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    rows: Ints = np.arange(values.shape[0], dtype=np.int64)
    low, high = ordered[rows, below], ordered[rows, above]
    return low + (place - below) * (high - low)


def rank(score: Floats, pooled_sharpe: Floats) -> Ints:
    """Order of the candidates, best first: by score, then by pooled Sharpe ratio, then by number.

    Undefined numbers come last.

    Returns
    -------
    ndarray, shape (k,), int64
        Numbers of the candidates.

    Examples
    --------
    >>> rank(np.array([1.0, np.nan, 2.0, 2.0]), np.array([0.0, 9.0, 0.1, 0.2])).tolist()
    [3, 2, 0, 1]
    """
    numbers: Ints = np.arange(score.shape[0], dtype=np.int64)
    keys = [numbers]
    for one in (pooled_sharpe, score):
        # Apart from the number itself: minus infinity is a number, if the worst one.
        undefined = np.isnan(one)
        keys += [np.where(undefined, 0.0, -one), undefined]
    return np.lexsort(keys).astype(np.int64)
