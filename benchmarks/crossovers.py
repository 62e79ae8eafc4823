"""Moving-average crossovers on one random walk, ours and the peers', one action each.

Every action takes only plain arguments and builds what it needs, so that a fresh process can run
it by name. The peers' own code is ``benchmarks.peers``; what is timed, ``benchmarks.backtest``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import peers
from benchmarks.peers import Finished, Floats
from contracts.backtest import BacktestSettings
from contracts.strategy import StrategySpec, strategy_from
from engine.backtest import Dataset, Evaluation, SweepResult, run, run_sweep
from engine.backtest.batch import Scratch
from engine.backtest.machine import decide
from engine.dsl import ColumnTable, compile_strategy, compile_sweep

BARS = 50_000
FAST, SLOW = 20, 100
WINDOWS = np.arange(10, 101, 2)
PAIRS = np.array(list(itertools.combinations(WINDOWS.tolist(), 2)))
CHUNK = 115
_START_NS = 1_704_067_200_000_000_000
_STEP_NS = 60_000_000_000
# Fills at the deciding close are what the peers can do as well.
SETTINGS = BacktestSettings.model_validate(
    {
        "initial_cash": peers.CASH,
        "bar_delay": 0,
        "costs": {
            "fee_bps": peers.FEE * 1e4,
            "slippage": {"base_bps": peers.SLIPPAGE * 1e4, "k_vol": 0.0, "window_bars": 20},
        },
    }
)


def strategy(conditions: dict[str, str], params: dict[str, Any]) -> StrategySpec:
    """A long-or-flat strategy with all of the equity: conditions by action."""
    return strategy_from(
        {
            "id": "bench",
            "name": "Benchmark",
            "version": "0.1",
            "timeframe": "1m",
            "rules": [{"if": text, "then": action} for action, text in conditions.items()],
            "params": params,
            "risk": {"sizing": {"type": "percent_equity", "percent": 100}},
        }
    )


CROSSOVER = strategy(
    {
        "buy": "crossover(ma(close, fast), ma(close, slow))",
        "sell": "crossunder(ma(close, fast), ma(close, slow))",
    },
    {"fast": FAST, "slow": SLOW},
)


@cache
def market(bars: int = BARS) -> Dataset:
    """Bars of a driftless walk; not in ticks, so that two means are never equal by rounding."""
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(2e-4 * rng.standard_normal(bars)))
    first = np.concatenate([[100.0], close[:-1]])
    fields = {
        "open": first,
        "high": np.maximum(first, close) * (1 + 1e-4),
        "low": np.minimum(first, close) * (1 - 1e-4),
        "close": close,
        "volume": np.exp(rng.standard_normal(bars)),
    }
    return Dataset(_START_NS + _STEP_NS * np.arange(bars), fields, "1m")


@cache
def frame(bars: int = BARS) -> pd.DataFrame:
    """The same bars for the peers."""
    data = market(bars)
    return peers.bars_frame(data.ts_ns, data.fields)


def ours_single() -> Finished:
    """The crossover compiled, run and measured."""
    program = compile_strategy(CROSSOVER)
    [found] = run([market()], [Evaluation(program, CROSSOVER.risk, SETTINGS)])
    return Finished(found.final_equity, found.fills // 2)


def ours_sweep(threads: int, bars: int = BARS) -> SweepResult:
    """All pairs, every metric of each."""
    sweep = compile_sweep(CROSSOVER, {"fast": PAIRS[:, 0], "slow": PAIRS[:, 1]})
    return run_sweep(market(bars), sweep, SETTINGS, threads)


def vectorbt_at_once(bars: int = BARS) -> Floats:
    """Total returns of all pairs, as in vectorbt's documentation."""
    return peers.vectorbt_sweep(frame(bars), WINDOWS)


def vectorbt_in_chunks(depth: peers.Depth, bars: int = BARS) -> Floats:
    """The same by `CHUNK` pairs, as its users do where memory does not suffice."""
    data = frame(bars)
    parts = [PAIRS[first : first + CHUNK] for first in range(0, len(PAIRS), CHUNK)]
    return np.concatenate([peers.vectorbt_pairs(data, part, depth) for part in parts])


EIGHT_OPERATIONS = strategy(
    {
        "buy": "close - ma(close, 20) > width * stdev(close, 20) and rsi(close, 14) < level",
        "close": "close < ma(close, 20)",
    },
    {"width": 1.5, "level": 80},
)


def ours_eight_operations(evaluations: int) -> SweepResult:
    """So many parameter sets of one program on one core."""
    levels = np.linspace(50, 90, evaluations)
    sweep = compile_sweep(EIGHT_OPERATIONS, {"level": levels})
    return run_sweep(market(), sweep, SETTINGS, 1)


def eight_operations_alone() -> Callable[[], object]:
    """The rules of the same program run over columns that are there already, and nothing else."""
    program = compile_sweep(EIGHT_OPERATIONS, {"level": [80.0]})
    table = ColumnTable(program.columns, market().fields, len(program.columns))
    rows = table.require(range(len(program.columns)))[program.slots[0]]
    scratch = Scratch()
    scratch.fit(BARS, 1)
    return partial(
        decide, program.lowered.code, program.lowered.rules, program.constants[0], rows,
        table.rows, scratch.stack, scratch.marks, True, scratch.decided,
    )  # fmt: skip


FILTERED = strategy(
    {
        "buy": "crossover(ma(close, fast), ma(close, slow)) and volume > least",
        "sell": "crossunder(ma(close, fast), ma(close, slow))",
    },
    {"fast": FAST, "slow": SLOW, "least": 0.5},
)


def parameter_sets(evaluations: int) -> dict[str, npt.NDArray[np.float64]]:
    """Distinct sets over the same windows, however many there are."""
    rows = PAIRS[np.arange(evaluations) % len(PAIRS)].astype(np.float64)
    least = np.linspace(0.1, 2.0, evaluations)
    return {"fast": rows[:, 0], "slow": rows[:, 1], "least": least}


def ours_many(evaluations: int, bars: int = 1_000) -> SweepResult:
    """So many evaluations of few bars."""
    return run_sweep(
        market(bars), compile_sweep(FILTERED, parameter_sets(evaluations)), SETTINGS, 2
    )
