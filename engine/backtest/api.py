"""Strategies on datasets: validate, share columns, evaluate, name what comes out.

The interface is a batch: many programs on many datasets in one call. Many
parameter sets of one strategy are ``sweeps``; threads and memory, ``workers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.backtest import BacktestSettings
from contracts.strategy import Risk
from engine.arrays import Floats, Ints, Labels
from engine.backtest import batch
from engine.backtest.dataset import Dataset, Prepared
from engine.backtest.metrics import Report, report
from engine.backtest.workers import (
    MEMORY_BYTES,
    Curves,
    Held,
    Terms,
    Worker,
    chunks,
    column_table,
    spread,
)
from engine.dsl.program import ColumnSpec, Program

VERSION: Final = "2"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One program with its risk and settings on one dataset of the batch."""

    program: Program
    risk: Risk
    settings: BacktestSettings
    dataset: int = 0
    keep_curves: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one evaluation gave.

    Attributes
    ----------
    values : ndarray, shape (metrics,), float64
        In the order of ``contracts.backtest.METRICS``; NaN where undefined.
    reasons : ndarray, shape (metrics,), int8
    fills, rejected_orders, conflicts : int
        Counts.
    recovery_open : bool
        Whether the longest recovery has not ended.
    final_equity, final_qty : float
        Mark and signed quantity after the last bar.
    curves : Curves or None
        Equity, cash, quantity and trades; None unless kept.
    """

    values: Floats
    reasons: Labels
    fills: int
    rejected_orders: int
    conflicts: int
    recovery_open: bool
    final_equity: float
    final_qty: float
    curves: Curves | None = None

    @property
    def report(self) -> Report:
        """Metrics by name, and why those that are null are."""
        return report(self.values, self.reasons)


def run(
    datasets: Sequence[Dataset],
    evaluations: Sequence[Evaluation],
    threads: int = 1,
    memory_bytes: int = MEMORY_BYTES,
) -> list[Outcome]:
    """Evaluate a batch.

    Parameters
    ----------
    datasets : sequence of Dataset
        Shared by the evaluations.
    evaluations : sequence of Evaluation
        In the order of the result.
    threads : int
        Workers; any number gives the same bytes.
    memory_bytes : int
        Most that indicator columns take at once; any number gives the same bytes.

    Raises
    ------
    ContractError
        ``BACKTEST_DATA_INVALID`` with the row, for what is no bar.
    ComputeError
        ``BACKTEST_INVARIANT`` with the bar, if the account does not balance.
    """
    groups: dict[tuple[int, int | None], list[int]] = {}
    for index, one in enumerate(evaluations):
        groups.setdefault((one.dataset, one.settings.max_bars), []).append(index)
    outcomes: dict[int, Outcome] = {}
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for (dataset, max_bars), members in groups.items():
            prepared = Prepared(datasets[dataset].first(max_bars))
            chosen = [evaluations[index] for index in members]
            found = _run_on(prepared, chosen, members, pool, memory_bytes)
            outcomes.update(zip(members, found, strict=True))
    return [outcomes[index] for index in range(len(evaluations))]


def _run_on(
    prepared: Prepared,
    evaluations: Sequence[Evaluation],
    numbers: Sequence[int],
    pool: ThreadPoolExecutor | None,
    memory_bytes: int,
) -> list[Outcome]:
    """Evaluate those of one dataset; ``numbers`` are their places in the batch."""
    programs, columns, wanted = _flattened([one.program for one in evaluations])
    table = column_table(prepared, columns, memory_bytes)
    worker = Worker(prepared, programs, numbers)
    results = batch.Results.empty(len(evaluations))
    kept: dict[int, Curves] = {}
    terms = [Terms.of(prepared, one.risk, one.settings) for one in evaluations]
    for part in chunks(table, wanted):
        rows = table.require(column for index in part for column in wanted[index])

        def evaluate(piece: range, held: Held = Held(table.rows, rows)) -> None:  # noqa: B008
            for index in piece:
                if evaluations[index].keep_curves:
                    kept[index] = worker.evaluate_kept(terms[index], held, results, index)
                else:
                    one = range(index, index + 1)
                    worker.evaluate(terms[index], held, results, one)

        spread(evaluate, part, pool)
    return [_outcome(results, index, kept.get(index)) for index in range(len(evaluations))]


def _flattened(
    programs: Sequence[Program],
) -> tuple[batch.Programs, tuple[ColumnSpec, ...], list[list[int]]]:
    """Programs behind each other, their unique columns, and which of them each one uses."""
    columns: dict[ColumnSpec, int] = {}
    code: list[Ints] = []
    rules: list[Ints] = []
    offsets: list[Floats] = []
    constants: list[float] = []
    wanted: list[list[int]] = []
    layout = np.zeros((len(programs), batch.LAYOUT_SIZE), dtype=np.int64)
    instructions = slots = done = 0
    for index, program in enumerate(programs):
        lowered = program.lowered
        layout[index] = done, done + lowered.rules.shape[0], len(constants), slots
        own: list[int] = []
        for spec in lowered.columns:
            sources = tuple(own[source] for source in spec.sources)
            shared = ColumnSpec(spec.function, sources, spec.value)
            own.append(columns.setdefault(shared, len(columns)))
        shifted = lowered.rules.copy()
        shifted[:, :2] += instructions
        code.append(lowered.code)
        rules.append(shifted)
        offsets.append(lowered.offsets)
        constants.extend(float(value) for value in lowered.constants)
        wanted.append(own)
        instructions += lowered.code.shape[0]
        done += lowered.rules.shape[0]
        slots += len(own)
    flat = batch.Programs(
        np.concatenate(code or [np.empty((0, 2), dtype=np.int64)]),
        np.concatenate(rules or [np.empty((0, 4), dtype=np.int64)]),
        np.concatenate(offsets or [np.empty(0)]),
        np.array(constants, dtype=np.float64),
        np.array([column for own in wanted for column in own], dtype=np.int64),
        layout,
    )
    return flat, tuple(columns), wanted


def _outcome(results: batch.Results, index: int, curves: Curves | None) -> Outcome:
    counts, finals = results.counts[index], results.finals[index]
    return Outcome(
        results.values[index],
        results.reasons[index],
        fills=int(counts[batch.FILLS]),
        rejected_orders=int(counts[batch.REJECTED]),
        conflicts=int(counts[batch.CONFLICTS]),
        recovery_open=bool(counts[batch.RECOVERY_OPEN]),
        final_equity=float(finals[batch.FINAL_EQUITY]),
        final_qty=float(finals[batch.FINAL_QTY]),
        curves=curves,
    )
