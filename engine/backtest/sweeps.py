"""Many parameter sets of one strategy on one dataset, as arrays.

Nothing is made per evaluation but a row of numbers, so that memory and the cost
of an evaluation do not depend on how many there are. Single strategies with their
curves are ``api``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from contracts.backtest import METRICS, BacktestSettings
from contracts.errors import ContractError
from engine.arrays import Floats, Ints
from engine.backtest import batch
from engine.backtest.dataset import Dataset, Prepared
from engine.backtest.workers import MEMORY_BYTES, Terms, Worker, chunks, column_table, spread
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
    """

    metrics: Floats
    fills: Ints
    rejected_orders: Ints
    conflicts: Ints
    final_equity: Floats
    final_qty: Floats

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

    Raises
    ------
    ContractError
        ``BACKTEST_DATA_INVALID`` with the row.
    ComputeError
        ``BACKTEST_INVARIANT`` with the bar.
    """
    prepared = Prepared(dataset.first(settings.max_bars))
    table = column_table(prepared, sweep.columns, memory_bytes)
    worker = Worker(prepared, _programs(sweep), table, range(sweep.size))
    results = batch.Results.empty(sweep.size)
    terms = Terms.of(prepared, sweep.spec.risk, settings)
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for part in chunks(table, sweep.slots):
            rows = table.require(_columns_of(sweep, part))

            def evaluate(piece: range, rows: Ints = rows) -> None:
                worker.evaluate(terms, rows, results, piece)

            spread(evaluate, part, pool)
    return SweepResult(
        results.values,
        results.counts[:, batch.FILLS],
        results.counts[:, batch.REJECTED],
        results.counts[:, batch.CONFLICTS],
        results.finals[:, batch.FINAL_EQUITY],
        results.finals[:, batch.FINAL_QTY],
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
