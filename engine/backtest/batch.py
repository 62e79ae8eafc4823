"""Many evaluations on one dataset in one compiled call.

Programs lie flat behind each other; every evaluation names its part of them by
numbers. Building the arrays and naming what comes out is ``api`` and ``sweeps``;
one evaluation is ``kernels.simulate``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.backtest import METRICS
from engine import status
from engine.arrays import Floats, Ints, Labels
from engine.backtest import account as acc
from engine.backtest import metrics, orders
from engine.backtest.kernels import simulate
from engine.backtest.machine import BLOCK, decide
from engine.backtest.moments import POWERS, sum_powers
from engine.dsl.program import MAX_STACK
from engine.jit import borrowed, kernel

FIRST_RULE, LAST_RULE, FIRST_CONSTANT, FIRST_SLOT = 0, 1, 2, 3
LAYOUT_SIZE: Final = 4

CONFLICTS, REJECTED, FILLS, RECOVERY_OPEN, STATUS, STATUS_BAR = 0, 1, 2, 3, 4, 5
COUNTS_SIZE: Final = 6
FINAL_EQUITY, FINAL_QTY = 0, 1
FINALS_SIZE: Final = 2


@dataclass(frozen=True, slots=True)
class Programs:
    """Code of several strategies, flat, and where each evaluation finds its own.

    Attributes
    ----------
    code : ndarray, shape (instructions, 2), int64
    rules : ndarray, shape (rules, 4), int64
        See ``engine.dsl.program.Lowered``; instructions count from the first of all.
    offsets : ndarray, shape (rules,), float64
    constants : ndarray, float64
    slots : ndarray, int64
        Columns of the evaluations, as indices among those of the dataset.
    layout : ndarray, shape (evaluations, 4), int64
        First and past-the-last rule, first constant and first slot of each evaluation.
    """

    code: Ints
    rules: Ints
    offsets: Floats
    constants: Floats
    slots: Ints
    layout: Ints


@dataclass(frozen=True, slots=True)
class Results:
    """Arrays that evaluations write their results into, one row each."""

    values: Floats
    reasons: Labels
    counts: Ints
    finals: Floats
    sums: Floats
    squares: Floats
    powers: Floats

    @classmethod
    def empty(cls, size: int, blocks: int = 0) -> Results:
        """Room for the results of so many evaluations, their returns summed in `blocks`."""
        summed = size if blocks else 0
        return cls(
            np.full((size, len(METRICS)), np.nan),
            np.zeros((size, len(METRICS)), dtype=np.int8),
            np.zeros((size, COUNTS_SIZE), dtype=np.int64),
            np.zeros((size, FINALS_SIZE)),
            np.zeros((summed, blocks)),
            np.zeros((summed, blocks)),
            np.zeros((summed, POWERS)),
        )


class Scratch:
    """Buffers of one worker, grown to the longest dataset it has seen."""

    def __init__(self) -> None:
        self.stack = np.empty((MAX_STACK, BLOCK + 1))
        self.marks = np.empty((2, BLOCK), dtype=np.int8)
        self.account = np.empty(acc.ACCOUNT_SIZE)
        self.order = np.empty(orders.ORDER_SIZE)
        self.moments = np.empty(metrics.MOMENTS_SIZE)
        self.fit(0, 0)

    def fit(self, bars: int, days: int) -> None:
        """Make room for so many bars and days."""
        self.equity = np.empty(bars)
        self.words = np.full(-(-bars // 8), -1, dtype=np.int64)
        self.decided = self.words.view(np.int8)[:bars]
        self.returns = np.empty(max(days, metrics.BLOCK))


@kernel
def evaluate(
    first: int,
    last: int,
    layout: Ints,
    code: Ints,
    rules: Ints,
    offsets: Floats,
    constants: Floats,
    slots: Ints,
    rows: Ints,
    table: Floats,
    is_whole: bool,
    bars: Floats,
    slip: Floats,
    day_ends: Ints,
    limits: Floats,
    delay: int,
    year: float,
    stack: Floats,
    marks: Labels,
    decided: Labels,
    words: Ints,
    account: Floats,
    order: Floats,
    moments: Floats,
    returns: Floats,
    equity: Floats,
    cash: Floats,
    qty: Floats,
    fills: Floats,
    own_slots: Ints,
    edges: Ints,
    gap: int,
    values: Floats,
    reasons: Labels,
    counts: Ints,
    finals: Floats,
    sums: Floats,
    squares: Floats,
    powers: Floats,
) -> None:
    """Evaluations ``first … last − 1`` of a batch that share dataset, limits and costs.

    Parameters
    ----------
    rows : ndarray of int64
        Row of ``table`` for every column of the dataset.
    is_whole : bool
        Whether no bar comes before the first: a window has one that its conditions look back at.
    own_slots : ndarray of int64
        Scratch: rows of the columns of one evaluation.
    edges, gap
        Of the sums of returns, see ``moments``; without edges nothing is summed.
    """
    layout, code, rules, slots = borrowed(layout), borrowed(code), borrowed(rules), borrowed(slots)
    offsets, constants, table = borrowed(offsets), borrowed(constants), borrowed(table)
    bars, slip, limits, rows = borrowed(bars), borrowed(slip), borrowed(limits), borrowed(rows)
    day_ends, stack, marks = borrowed(day_ends), borrowed(stack), borrowed(marks)
    decided, words, account = borrowed(decided), borrowed(words), borrowed(account)
    order, moments, returns = borrowed(order), borrowed(moments), borrowed(returns)
    equity, cash, qty, fills = borrowed(equity), borrowed(cash), borrowed(qty), borrowed(fills)
    own_slots, values, reasons = borrowed(own_slots), borrowed(values), borrowed(reasons)
    counts, finals, edges = borrowed(counts), borrowed(finals), borrowed(edges)
    sums, squares, powers = borrowed(sums), borrowed(squares), borrowed(powers)
    for e in range(first, last):
        part = rules[layout[e, FIRST_RULE] : layout[e, LAST_RULE]]
        own = slots[layout[e, FIRST_SLOT] :]
        for k in range(min(own.shape[0], own_slots.shape[0])):
            own_slots[k] = rows[own[k]]
        conflicts = decide(
            code, part, constants[layout[e, FIRST_CONSTANT] :], own_slots, table, stack, marks,
            is_whole, decided,
        )  # fmt: skip
        code_of_end, exposed = simulate(
            bars, slip, decided, words, part, offsets[layout[e, FIRST_RULE] : layout[e, LAST_RULE]],
            limits, delay, account, order, equity, cash, qty, fills,
        )  # fmt: skip
        counts[e, CONFLICTS] = conflicts
        counts[e, REJECTED] = int(account[acc.REJECTED])
        counts[e, FILLS] = int(account[acc.FILLS])
        counts[e, STATUS] = code_of_end
        counts[e, STATUS_BAR] = exposed
        if code_of_end != status.OK:
            continue
        is_open = metrics.measure(
            equity, account, limits[acc.INITIAL_CASH], exposed, day_ends, year, returns, moments,
            values[e], reasons[e],
        )  # fmt: skip
        counts[e, RECOVERY_OPEN] = 1 if is_open else 0
        finals[e, FINAL_EQUITY] = equity[equity.shape[0] - 1]
        finals[e, FINAL_QTY] = account[acc.QTY]
        if edges.shape[0] > 0:
            initial = limits[acc.INITIAL_CASH]
            sum_powers(equity, initial, edges, gap, sums[e], squares[e], powers[e])
