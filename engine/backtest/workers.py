"""Running batches: columns within a memory budget, evaluations spread over threads.

Each evaluation is independent and each worker has its own scratch, so neither the
number of threads nor the order nor the budget can change a result. What is
evaluated is described by ``api`` and ``sweeps``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local
from typing import Final, NamedTuple

import numpy as np

from contracts.backtest import TRADING_DAYS_PER_YEAR, BacktestSettings
from contracts.errors import ComputeError
from contracts.strategy import FixedQty, PercentEquity, Risk
from engine import status
from engine.arrays import Floats, Ints
from engine.backtest import account as acc
from engine.backtest import batch
from engine.backtest.dataset import Prepared
from engine.backtest.moments import block_edges
from engine.dsl.columns import ColumnTable
from engine.dsl.program import ColumnSpec

MEMORY_BYTES: Final = 128 << 20
"""Most that the indicator columns of one dataset take at once."""
_PIECES_PER_THREAD: Final = 8
_NO_CURVE: Final = np.empty(0)
_NO_EDGES: Final = np.empty(0, dtype=np.int64)
_NO_FILLS: Final = np.empty((0, acc.FILL_SIZE))
_FIRST_FILLS: Final = 1024


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves of one evaluation that are kept.

    Attributes
    ----------
    equity, cash, qty : ndarray, shape (bars,), float64
    trades : ndarray, shape (fills, 8), float64
        Columns in the order of ``engine.backtest.account``.
    """

    equity: Floats
    cash: Floats
    qty: Floats
    trades: Floats


@dataclass(frozen=True, slots=True)
class Terms:
    """What evaluations of one call share besides the dataset: limits, costs, delay, blocks."""

    limits: Floats
    slip: Floats
    delay: int
    year: float
    edges: Ints
    gap: int

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        risk: Risk,
        settings: BacktestSettings,
        gap_bars: int | None = None,
    ) -> Terms:
        """Terms of a strategy's risk under some settings; with a gap, returns are summed."""
        slip = prepared.slip(settings.costs.slippage)
        year = TRADING_DAYS_PER_YEAR * prepared.dataset.bars_per_day
        edges = _NO_EDGES if gap_bars is None else block_edges(prepared.dataset.bars)
        limits = limits_of(risk, settings)
        return cls(limits, slip, settings.bar_delay, year, edges, gap_bars or 0)


class Held(NamedTuple):
    """Indicator columns at hand: the table, and the row of every column of the dataset in it."""

    table: Floats
    rows: Ints
    is_whole: bool = True

    def window(self, bars: range) -> Held:
        """The columns over some bars, and what they were on the bar before."""
        table = np.ascontiguousarray(self.table[:, bars.start : bars.stop + 1])
        return Held(table, self.rows, self.is_whole and bars.start == 0)


class Worker:
    """Evaluates parts of a batch on one dataset, in the calling thread's own scratch.

    ``numbers`` are what errors call the evaluations.
    """

    def __init__(
        self,
        prepared: Prepared,
        programs: batch.Programs,
        numbers: Sequence[int],
    ) -> None:
        self._numbers = numbers
        self._prepared = prepared
        self._programs = programs
        self._own = local()
        first = programs.layout[:, batch.FIRST_SLOT]
        widest = int(np.max(np.diff(np.append(first, programs.slots.shape[0])), initial=0))
        self._slots = max(widest, 1)

    def evaluate(self, terms: Terms, held: Held, results: batch.Results, part: range) -> None:
        """Evaluate a range without keeping curves."""
        self._call(terms, held, results, part, _NO_CURVE, _NO_CURVE, _NO_FILLS)

    def evaluate_kept(self, terms: Terms, held: Held, results: batch.Results, index: int) -> Curves:
        """Evaluate one and keep its curves."""
        bars = self._prepared.dataset.bars
        cash, qty = np.empty(bars), np.empty(bars)
        fills = np.empty((_FIRST_FILLS, acc.FILL_SIZE))
        part = range(index, index + 1)
        scratch = self._call(terms, held, results, part, cash, qty, fills)
        count = int(results.counts[index, batch.FILLS])
        if count > fills.shape[0]:
            fills = np.empty((count, acc.FILL_SIZE))
            scratch = self._call(terms, held, results, part, cash, qty, fills)
        return Curves(scratch.equity.copy(), cash, qty, fills[:count].copy())

    def _call(
        self,
        terms: Terms,
        held: Held,
        results: batch.Results,
        part: range,
        cash: Floats,
        qty: Floats,
        fills: Floats,
    ) -> batch.Scratch:
        prepared, programs, own = self._prepared, self._programs, self._scratch()
        batch.evaluate(
            part.start, part.stop, programs.layout, programs.code, programs.rules,
            programs.offsets, programs.constants, programs.slots, held.rows, held.table,
            held.is_whole,
            prepared.bars, terms.slip, prepared.day_ends, terms.limits, terms.delay, terms.year,
            own.stack, own.marks, own.decided, own.words, own.account, own.order, own.moments,
            own.returns,
            own.equity, cash, qty, fills, np.empty(self._slots, dtype=np.int64),
            terms.edges, terms.gap,
            results.values, results.reasons, results.counts, results.finals,
            results.sums, results.squares, results.powers,
        )  # fmt: skip
        _refuse_broken(results, part, self._numbers)
        return own

    def _scratch(self) -> batch.Scratch:
        scratch: batch.Scratch | None = getattr(self._own, "scratch", None)
        if scratch is None:
            scratch = self._own.scratch = batch.Scratch()
            scratch.fit(self._prepared.dataset.bars, int(self._prepared.day_ends.shape[0]))
        return scratch


def column_table(
    prepared: Prepared, columns: Sequence[ColumnSpec], memory_bytes: int
) -> ColumnTable:
    """Table of a dataset's columns within a budget."""
    capacity = memory_bytes // (8 * (prepared.dataset.bars + 1))
    return ColumnTable(columns, prepared.dataset.fields, capacity)


def chunks(columns: ColumnTable, wanted: Sequence[Sequence[int]] | Ints) -> Iterator[range]:
    """Ranges of evaluations whose columns fit the table together.

    Parameters
    ----------
    wanted : sequence of sequences of int, or ndarray, shape (evaluations, slots)
        Columns of every evaluation.
    """
    if columns.holds_all:
        yield range(len(wanted))
        return
    start, held = 0, set[int]()
    for index, own in enumerate(wanted):
        both = held.union(*(columns.closure(int(column)) for column in own))
        if len(both) > columns.capacity and index > start:
            yield range(start, index)
            start = index
            both = set[int]().union(*(columns.closure(int(column)) for column in own))
        held = both
    yield range(start, len(wanted))


def spread(work: Callable[[range], None], part: range, pool: ThreadPoolExecutor | None) -> None:
    """Do a range of work in pieces on the workers of a pool, or at once."""
    if pool is None or len(part) < 2:
        work(part)
        return
    workers: int = pool._max_workers  # pyright: ignore[reportPrivateUsage]
    size = -(-len(part) // (workers * _PIECES_PER_THREAD))
    pieces = [part[start : start + size] for start in range(0, len(part), size)]
    for _ in pool.map(work, pieces):
        pass


def limits_of(risk: Risk, settings: BacktestSettings) -> Floats:
    """Limits of an account as the kernels take them."""
    limits, sizing = np.zeros(acc.LIMITS_SIZE), risk.sizing
    limits[acc.INITIAL_CASH] = settings.initial_cash
    limits[acc.FEE] = settings.costs.fee_bps * 1e-4
    if isinstance(sizing, FixedQty):
        limits[acc.SIZE_KIND], limits[acc.SIZE] = acc.FIXED_QTY, sizing.qty
    elif isinstance(sizing, PercentEquity):
        limits[acc.SIZE_KIND], limits[acc.SIZE] = acc.SHARE_OF_EQUITY, sizing.percent / 100.0
    else:
        limits[acc.SIZE_KIND] = acc.SHARE_AT_RISK
        limits[acc.SIZE] = sizing.bps / (risk.stop_bps or math.inf)
    limits[acc.ALLOW_SHORT] = float(risk.allow_short)
    limits[acc.MAX_MARGIN] = risk.max_margin
    limits[acc.LOT] = settings.lot_size or 0.0
    limits[acc.STOP_LOSS] = (risk.stop_loss_bps or 0.0) * 1e-4
    limits[acc.TAKE_PROFIT] = (risk.take_profit_bps or 0.0) * 1e-4
    limits[acc.TRAILING_STOP] = (risk.trailing_stop_bps or 0.0) * 1e-4
    limits[acc.MAX_HOLDING] = risk.max_holding_bars or 0
    limits[acc.COOLDOWN] = risk.cooldown_bars or 0
    limits[acc.GAP_OPEN] = float(settings.gap_policy == "open")
    return limits


def _refuse_broken(results: batch.Results, part: range, numbers: Sequence[int]) -> None:
    codes = results.counts[part.start : part.stop, batch.STATUS]
    broken = np.flatnonzero(codes != status.OK)
    if not broken.size:
        return
    index = part.start + int(broken[0])
    bar = int(results.counts[index, batch.STATUS_BAR])
    reason = status.REASONS[int(results.counts[index, batch.STATUS])]
    raise ComputeError("BACKTEST_INVARIANT", reason, f"bar {bar} of evaluation {numbers[index]}")
