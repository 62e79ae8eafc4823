"""Columns stay within their budget of memory, and every evaluation is done exactly once.

That neither budget nor threads change a byte of a result is tested in test_sweeps.py.
"""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from contracts.strategy import strategy_from
from engine.backtest import run_sweep
from engine.backtest.dataset import Prepared
from engine.backtest.workers import chunks, column_table, spread
from engine.dsl import compile_sweep
from tests.engine.backtest.cases import PLAIN, dataset, settings
from tests.properties.strategies import bars, document

BARS = 100
COLUMN_BYTES = 8 * (BARS + 1)


def sweep(size, seed=1):
    """Pairs of averages in no order, so that columns leave and come back."""
    rng = np.random.default_rng(seed)
    values = {"fast": rng.integers(2, 60, size), "slow": rng.integers(60, 300, size)}
    rules = [
        {"if": "crossover(ma(close, fast), ma(close, slow))", "then": "buy"},
        {"if": "crossunder(ma(close, fast), ma(close, slow))", "then": "close"},
    ]
    spec = strategy_from(document(rules) | {"params": {"fast": 5, "slow": 90}})
    return compile_sweep(spec, values)


@pytest.mark.parametrize("held", [3, 4, 7, 30, 200])
def test_the_columns_of_every_part_fit_the_budget_together(held):
    asked, prepared = sweep(500), Prepared(dataset(bars("walk", BARS, 1)))
    table = column_table(prepared, asked.columns, held * COLUMN_BYTES)
    assert len(asked.columns) > 250
    parts = list(chunks(table, asked.slots))
    assert [index for part in parts for index in part] == list(range(500))
    for part in parts:
        wanted = {int(column) for index in part for column in asked.slots[index]}
        assert len(set().union(*(table.closure(column) for column in wanted))) <= held
        rows = table.require(wanted)
        places = [int(rows[column]) for column in wanted]
        assert len(set(places)) == len(places)
        assert table.rows.shape[0] <= held


def test_parts_are_as_long_as_the_budget_allows():
    asked, prepared = sweep(500), Prepared(dataset(bars("walk", BARS, 1)))
    counts = [
        len(list(chunks(column_table(prepared, asked.columns, held * COLUMN_BYTES), asked.slots)))
        for held in (0, 3, 30, 200, 1000)
    ]
    assert counts[0] == counts[1] == 500
    assert counts[1] > counts[2] > counts[3] > counts[4] == 1


def test_a_budget_is_what_the_columns_of_a_sweep_take():
    data, few = dataset(bars("walk", 20_000, 2)), sweep(60)
    assert len(few.columns) * 8 * 20_001 > 13 << 20

    def peak(memory_bytes):
        tracemalloc.start()
        try:
            run_sweep(data, few, settings(PLAIN), 1, memory_bytes)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(128 << 20)
    assert peak(128 << 20) - peak(4 << 20) > 8 << 20


@pytest.mark.parametrize("workers", [None, 1, 2, 3, 8])
@pytest.mark.parametrize("part", [range(0), range(1), range(5, 7), range(3, 20), range(1000)])
def test_every_evaluation_of_a_part_is_done_once(workers, part):
    done: list[int] = []
    if workers is None:
        spread(done.extend, part, None)
    else:
        with ThreadPoolExecutor(workers) as pool:
            spread(done.extend, part, pool)
    assert sorted(done) == list(part)
