"""Validate, share columns, run evaluations in threads, name what comes out.

The interface is a batch: many programs on many datasets in one call. Each
evaluation is independent and each worker has its own scratch, so neither the
number of threads nor the order can change a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from threading import local
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.backtest import BacktestSettings, bars_per_day
from contracts.errors import ComputeError, ContractError
from contracts.scenario import Timeframe
from contracts.strategy import PercentEquity, Risk
from engine import status
from engine.backtest import account as acc
from engine.backtest import kernels
from engine.backtest.metrics import Report, report
from engine.dsl.columns import fill_columns
from engine.dsl.program import MAX_STACK, Program

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Bars as floats, in price units and lots.

    Attributes
    ----------
    ts_ns : ndarray, shape (bars,), int64
    fields : dict of str to ndarray, shape (bars,), float64
        ``open high low close volume``.
    timeframe : str
        Sets the annualisation.
    """

    ts_ns: Ints
    fields: dict[str, Floats]
    timeframe: Timeframe

    @property
    def bars(self) -> int:
        """Number of bars."""
        return int(self.ts_ns.shape[0])


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
    report : Report
        Metrics and reasons.
    fills, rejected_orders, conflicts : int
        Counts.
    final_equity, final_qty : float
        Mark and signed quantity after the last bar.
    equity, cash, qty : ndarray, shape (bars,), float64, or None
    trades : ndarray, shape (fills, 8), float64, or None
        Columns in the order of ``engine.backtest.account``; None unless kept.
    """

    report: Report
    fills: int
    rejected_orders: int
    conflicts: int
    final_equity: float
    final_qty: float
    equity: Floats | None = None
    cash: Floats | None = None
    qty: Floats | None = None
    trades: Floats | None = None


class _Scratch(local):
    """Buffers of one worker thread, grown to the longest dataset it has seen."""

    def __init__(self) -> None:
        self.stack = np.empty(MAX_STACK)
        self.resize(0)

    def resize(self, bars: int) -> None:
        self.bars = bars
        self.curves = np.empty((3, bars))
        self.fills = np.empty((2 * bars, acc.FILL_SIZE))


def run(
    datasets: Sequence[Dataset], evaluations: Sequence[Evaluation], threads: int = 1
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

    Raises
    ------
    ContractError
        ``BACKTEST_DATA_INVALID`` with the row, for a close that is no price.
    ComputeError
        ``BACKTEST_INVARIANT`` with the bar, if the account does not balance.
    """
    for dataset in datasets:
        _refuse_bad_prices(dataset)
    scratch = _Scratch()
    if threads == 1 or len(evaluations) == 1:
        return [_evaluate(datasets[e.dataset], e, scratch) for e in evaluations]
    with ThreadPoolExecutor(threads) as pool:
        chosen = [datasets[evaluation.dataset] for evaluation in evaluations]
        return list(pool.map(_evaluate, chosen, evaluations, repeat(scratch)))


def _refuse_bad_prices(dataset: Dataset) -> None:
    if dataset.bars < 2:
        raise ContractError("BACKTEST_DATA_INVALID", f"{dataset.bars} bars cannot be traded")
    row = kernels.first_undefined(dataset.fields["close"])
    if row >= 0:
        message = "close is not a positive finite price"
        raise ContractError("BACKTEST_DATA_INVALID", message, f"row {row}")


def _limits(evaluation: Evaluation) -> Floats:
    risk, settings = evaluation.risk, evaluation.settings
    limits = np.zeros(acc.RULES_SIZE)
    limits[acc.INITIAL_CASH] = settings.initial_cash
    limits[acc.FEE] = settings.costs.fee_bps * 1e-4
    if isinstance(risk.sizing, PercentEquity):
        limits[acc.SIZE_KIND] = acc.PERCENT_EQUITY
        limits[acc.SIZE] = risk.sizing.percent / 100.0
    else:
        limits[acc.SIZE_KIND] = acc.FIXED_QTY
        limits[acc.SIZE] = risk.sizing.qty
    limits[acc.ALLOW_SHORT] = float(risk.allow_short)
    limits[acc.MAX_MARGIN] = risk.max_margin
    return limits


def _slippage(dataset: Dataset, settings: BacktestSettings) -> Floats:
    model = settings.costs.slippage
    out = np.full(dataset.bars, model.base_bps * 1e-4)
    if model.k_vol > 0.0:
        kernels.slippage(
            dataset.fields["close"], model.base_bps * 1e-4, model.k_vol, model.window_bars, out
        )
    return out


def _evaluate(dataset: Dataset, evaluation: Evaluation, scratch: _Scratch) -> Outcome:
    program, settings, n = evaluation.program, evaluation.settings, dataset.bars
    if n > scratch.bars:
        scratch.resize(n)
    equity, cash, qty = scratch.curves[:, :n]
    account, counts = np.zeros(acc.ACCOUNT_SIZE), np.zeros(3, dtype=np.int64)
    code, bar = kernels.simulate(
        dataset.fields["close"],
        _slippage(dataset, settings),
        program.code,
        program.constants,
        fill_columns(program.columns, dataset.fields),
        program.rules,
        _limits(evaluation),
        settings.bar_delay,
        account,
        scratch.stack,
        equity,
        cash,
        qty,
        scratch.fills,
        counts,
    )
    if code != status.OK:
        raise ComputeError("BACKTEST_INVARIANT", status.REASONS[code], f"bar {bar}")
    fills, rejected, conflicts = (int(count) for count in counts)
    found = report(
        dataset.ts_ns, equity, qty, account, settings.initial_cash,
        bars_per_day(dataset.timeframe), fills,
    )  # fmt: skip
    curves: dict[str, Floats] = {}
    if evaluation.keep_curves:
        trades = scratch.fills[:fills].copy()
        curves = {"equity": equity.copy(), "cash": cash.copy(), "qty": qty.copy(), "trades": trades}
    return Outcome(found, fills, rejected, conflicts, float(equity[-1]), float(qty[-1]), **curves)
