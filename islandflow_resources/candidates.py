"""Candidates of a campaign: their trials gathered into one row each.

A board takes the chunks of some parameter sets over all datasets and keeps what ranking and
overfitting control need, so that memory grows with the candidates and not with the trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.backtest import METRICS
from contracts.columns import CANDIDATES
from contracts.validation import BLOCKS
from engine import campaign
from engine.backtest.moments import block_edges, kept_bars
from islandflow_resources.table_schemas import (
    array_of,
    doubles_of,
    from_arrays,
    nullable_of,
    strings_of,
)
from islandflow_resources.trials import ParameterSets

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_KEPT = ("sharpe", "total_return", "max_drawdown", "trades")
POWERS = tuple(f"return_power_{k}" for k in range(1, 5))
SUMS = tuple(f"block_sum_{b:02}" for b in range(BLOCKS))
SQUARES = tuple(f"block_squares_{b:02}" for b in range(BLOCKS))
COUNTS = tuple(f"block_bars_{b:02}" for b in range(BLOCKS))


@dataclass(frozen=True)
class SignalSets:
    """Candidates of one book signal in one configuration, see `ParameterSets`."""

    owner_id: str
    owner_hash: str
    set_ids: Sequence[str]
    texts: Sequence[str]

    @property
    def size(self) -> int:
        """Number of candidates."""
        return len(self.set_ids)

    def text(self, index: int) -> str:
        """Parameters of one as canonical JSON."""
        return self.texts[index]


Sets: TypeAlias = ParameterSets | SignalSets


@dataclass(frozen=True, slots=True)
class CandidateRows:
    """Some candidates of one strategy, as arrays."""

    sets: Sets
    summary: campaign.CandidateSummary
    datasets: int
    bars: int
    counts: Ints
    powers: Floats
    sums: Floats
    squares: Floats

    @property
    def pooled_sharpe(self) -> Floats:
        """Sharpe ratio per bar of all returns, shape (k,); NaN for what has no returns."""
        return pooled_sharpe(self.powers, self.bars)


class Board:
    """Trials of some parameter sets on D datasets, filled in dataset by dataset.

    Parameters
    ----------
    sets : Sets
    objective : str
        Metric.
    bars : sequence of int
        Bars of each dataset that are traded; known at the latest when its trials are added.
    gap_bars : int
        Bars left out of the sums of blocks.
    datasets : int, optional
        How many there will be; by default those of `bars`.
    """

    def __init__(
        self,
        sets: Sets,
        objective: str,
        bars: Sequence[int],
        gap_bars: int,
        datasets: int | None = None,
    ) -> None:
        shape = (sets.size, len(bars) if datasets is None else datasets)
        self._sets, self._bars, self._gap_bars = sets, bars, gap_bars
        self._objective = objective
        self._metrics = {name: np.full(shape, np.nan) for name in {*_KEPT, objective}}
        self._powers = np.zeros((sets.size, len(POWERS)))
        self._sums = np.zeros((sets.size, BLOCKS))
        self._squares = np.zeros((sets.size, BLOCKS))
        self._counts = np.zeros(BLOCKS, dtype=np.int64)
        self._seen = 0
        self._total = 0

    def add(self, dataset: int, trials: pa.Table) -> None:
        """Take the trials on one dataset, a row for each set.

        Always in the order of the datasets, so that sums do not depend on who was first.
        """
        for name, values in self._metrics.items():
            values[:, dataset] = doubles_of(trials[name])
        self._powers += _stacked(trials, POWERS)
        self._sums += _stacked(trials, SUMS)
        self._squares += _stacked(trials, SQUARES)
        self._counts += kept_bars(block_edges(self._bars[dataset]), self._gap_bars)
        self._total += self._bars[dataset]
        self._seen += 1

    @property
    def rows(self) -> CandidateRows:
        """What has been gathered."""
        summary = campaign.summarise(self._metrics[self._objective], self._metrics)
        return CandidateRows(
            self._sets,
            summary,
            self._seen,
            self._total,
            self._counts,
            self._powers,
            self._sums,
            self._squares,
        )


def pooled_sharpe(powers: Floats, bars: int) -> Floats:
    """Sharpe ratio per bar from sums of powers, shape (k,); see docs/validation.md."""
    mean, square = powers[:, 0] / bars, powers[:, 1] / bars
    variance = (powers[:, 1] - bars * mean * mean) / max(bars - 1, 1)
    varies = variance > 1e-12 * square
    ratio = np.divide(mean, np.sqrt(np.where(varies, variance, 1.0)))
    return np.where(np.isnan(square), np.nan, np.where(varies, ratio, 0.0))


def candidates_table(rows: Sequence[CandidateRows]) -> pa.Table:
    """Table of all candidates of a campaign, numbered in their order."""
    firsts = np.cumsum([0, *(one.sets.size for one in rows)]).tolist()
    parts = [_table(one, first) for one, first in zip(rows, firsts, strict=False)]
    return pa.concat_tables(parts).combine_chunks()


def _table(rows: CandidateRows, first: int) -> pa.Table:
    sets, summary, size = rows.sets, rows.summary, rows.sets.size
    columns = {
        "candidate": array_of(np.arange(first, first + size, dtype=np.int64)),
        "strategy_id": strings_of([sets.owner_id] * size),
        "strategy_hash": strings_of([sets.owner_hash] * size),
        "set_id": strings_of(sets.set_ids),
        "params": strings_of([sets.text(index) for index in range(size)]),
        "score": nullable_of(summary.score),
        "datasets": array_of(np.full(size, rows.datasets, dtype=np.int64)),
        "defined": array_of(summary.defined),
        "pooled_sharpe": nullable_of(rows.pooled_sharpe),
        "median_sharpe": nullable_of(summary.median_sharpe),
        "median_total_return": nullable_of(summary.median_total_return),
        "p5_total_return": nullable_of(summary.p5_total_return),
        "worst_max_drawdown": nullable_of(summary.worst_max_drawdown),
        "trades": array_of(summary.trades),
        "share_profitable": array_of(summary.share_profitable),
        "bars": array_of(np.full(size, rows.bars, dtype=np.int64)),
        **_named(POWERS, rows.powers),
        **{
            name: array_of(np.full(size, rows.counts[b], dtype=np.int64))
            for b, name in enumerate(COUNTS)
        },
        **_named(SUMS, rows.sums),
        **_named(SQUARES, rows.squares),
    }
    return from_arrays(CANDIDATES, columns)


def _named(names: Sequence[str], values: Floats) -> dict[str, pa.Array]:
    return {name: nullable_of(values[:, k]) for k, name in enumerate(names)}


def _stacked(table: pa.Table, names: Sequence[str]) -> Floats:
    return np.stack([doubles_of(table[name]) for name in names], axis=1)


assert set(_KEPT) <= set(METRICS)
