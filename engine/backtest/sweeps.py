"""Many parameter sets of one strategy on one dataset or parts of it, as arrays.

Nothing is made per evaluation but a row of numbers, so that memory and the cost
of an evaluation do not depend on how many there are. Single strategies with their
curves are ``api``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from contracts.backtest import METRICS, BacktestSettings
from contracts.errors import ContractError
from contracts.validation import BLOCKS
from engine.arrays import Floats, Ints
from engine.backtest import batch
from engine.backtest.dataset import Dataset, Prepared
from engine.backtest.moments import Moments, kept_bars
from engine.backtest.workers import (
    MEMORY_BYTES,
    Held,
    Terms,
    Worker,
    chunks,
    column_table,
    spread,
)
from engine.dsl.sweep import Sweep


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Metrics and counts of every parameter set, in their order.

    Attributes
    ----------
    metrics : ndarray, shape (k, metrics), float64
        Columns in the order of ``contracts.backtest.METRICS``; NaN where undefined.
    fills, rejected_orders, conflicts : ndarray, shape (k,), int64
    final_equity, final_qty : ndarray, shape (k,), float64
    moments : Moments or None
        Sums of returns; None unless asked for.
    """

    metrics: Floats
    fills: Ints
    rejected_orders: Ints
    conflicts: Ints
    final_equity: Floats
    final_qty: Floats
    moments: Moments | None = None

    def metric(self, name: str) -> Floats:
        """One metric of every set.

        Raises
        ------
        ContractError
            ``METRIC_UNKNOWN``.
        """
        if name not in METRICS:
            message = f"there is no metric {name!r}"
            hint = f"the metrics are {', '.join(METRICS)}"
            raise ContractError("METRIC_UNKNOWN", message, name, (hint,))
        return self.metrics[:, METRICS.index(name)]


def run_sweep(
    dataset: Dataset,
    sweep: Sweep,
    settings: BacktestSettings,
    threads: int = 1,
    memory_bytes: int = MEMORY_BYTES,
    gap_bars: int | None = None,
) -> SweepResult:
    """Evaluate every parameter set of a sweep.

    Parameters
    ----------
    dataset : Dataset
    sweep : Sweep
        From ``engine.dsl.compile_sweep``.
    settings : BacktestSettings
    threads, memory_bytes : int
        Workers, and most that indicator columns take at once; no choice of either
        changes a byte.
    gap_bars : int, optional
        Sum the returns too, leaving out so many bars at the beginning of each block.

    Raises
    ------
    ContractError
        ``BACKTEST_DATA_INVALID`` with the row.
    ComputeError
        ``BACKTEST_INVARIANT`` with the bar.
    """
    whole = range(dataset.first(settings.max_bars).bars)
    [found] = run_windows(dataset, sweep, settings, [whole], threads, memory_bytes, gap_bars)
    return found


def run_windows(
    dataset: Dataset,
    sweep: Sweep,
    settings: BacktestSettings,
    windows: Sequence[range],
    threads: int = 1,
    memory_bytes: int = MEMORY_BYTES,
    gap_bars: int | None = None,
) -> list[SweepResult]:
    """Evaluate every parameter set on parts of a dataset, each traded from flat.

    Indicators and slippage remember the bars before a window; the account does not, and
    nothing is decided before its first bar. Parameters and errors are those of `run_sweep`.

    Parameters
    ----------
    windows : sequence of range
        Bars of each part, at least two.

    Returns
    -------
    list of SweepResult
        In the order of the windows.
    """
    prepared = Prepared(dataset.first(settings.max_bars))
    table = column_table(prepared, sweep.columns, memory_bytes)
    parts = [_Part.of(prepared, window, sweep, settings, gap_bars) for window in windows]
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for chunk in chunks(table, sweep.slots):
            rows = table.require(_columns_of(sweep, chunk))
            held = Held(table.rows, rows)
            for part in parts:
                part.evaluate(held, chunk, pool)
    return [part.result(gap_bars) for part in parts]


@dataclass(frozen=True, slots=True)
class _Part:
    """One window on its way."""

    window: range
    is_whole: bool
    worker: Worker
    terms: Terms
    results: batch.Results

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        window: range,
        sweep: Sweep,
        settings: BacktestSettings,
        gap_bars: int | None,
    ) -> _Part:
        is_whole = window == range(prepared.dataset.bars)
        own = prepared if is_whole else prepared.window(window)
        worker = Worker(own, _programs(sweep), range(sweep.size))
        terms = Terms.of(own, sweep.spec.risk, settings, gap_bars)
        results = batch.Results.empty(sweep.size, 0 if gap_bars is None else BLOCKS)
        return cls(window, is_whole, worker, terms, results)

    def evaluate(self, held: Held, chunk: range, pool: ThreadPoolExecutor | None) -> None:
        own = held if self.is_whole else held.window(self.window)
        spread(
            lambda piece: self.worker.evaluate(self.terms, own, self.results, piece), chunk, pool
        )

    def result(self, gap_bars: int | None) -> SweepResult:
        found = self.results
        moments = None
        if gap_bars is not None:
            counts = kept_bars(self.terms.edges, gap_bars)
            moments = Moments(counts, found.sums, found.squares, found.powers)
        return SweepResult(
            found.values,
            found.counts[:, batch.FILLS],
            found.counts[:, batch.REJECTED],
            found.counts[:, batch.CONFLICTS],
            found.finals[:, batch.FINAL_EQUITY],
            found.finals[:, batch.FINAL_QTY],
            moments,
        )


def _programs(sweep: Sweep) -> batch.Programs:
    lowered, size = sweep.lowered, sweep.size
    layout = np.zeros((size, batch.LAYOUT_SIZE), dtype=np.int64)
    layout[:, batch.LAST_RULE] = lowered.rules.shape[0]
    layout[:, batch.FIRST_CONSTANT] = np.arange(size) * sweep.constants.shape[1]
    layout[:, batch.FIRST_SLOT] = np.arange(size) * sweep.slots.shape[1]
    return batch.Programs(
        lowered.code,
        lowered.rules,
        lowered.offsets,
        np.ascontiguousarray(sweep.constants.reshape(-1)),
        np.ascontiguousarray(sweep.slots.reshape(-1)),
        layout,
    )


def _columns_of(sweep: Sweep, part: range) -> Iterator[int]:
    return iter(np.unique(sweep.slots[part.start : part.stop]).tolist())
