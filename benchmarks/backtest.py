"""Backtests beside vectorbt, backtesting.py and backtrader; memory and cost of large batches.

Parity first: the peers must end with our equity and our trades before any clock is started. The
actions are ``benchmarks.crossovers``, the peers' code ``benchmarks.peers``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import crossovers as cross
from benchmarks import memory, peers
from benchmarks.timing import alternating, median_seconds, table

CORES = 2
SWEEP_BARS = len(cross.PAIRS) * cross.BARS
SMALL_BARS = 1_000
EVALUATIONS = (100, 1_000, 10_000, 100_000)
PROGRAM_SETS = 200
# vectorbt takes amounts within 1e-9 of each other as equal; of the others' costs, the spread of
# backtesting.py and the whole units of both differ from ours.
SAME, NEAR = 1e-9, 1e-4


def run() -> str:
    """Check parity, time everything, and return the section of the report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers, about positions still open at the end
        parts = [_single(), _sweep(), _program(), _scale()]
    return "\n".join(parts)


def _single() -> str:
    data = cross.frame()
    slow: list[tuple[str, Callable[[], peers.Finished], int, float]] = [
        (
            "backtesting.py",
            partial(peers.backtesting_single, data, cross.FAST, cross.SLOW),
            3,
            NEAR,
        ),
        ("backtrader", partial(peers.backtrader_single, data, cross.FAST, cross.SLOW), 1, NEAR),
    ]
    vectorbt = partial(peers.vectorbt_single, data, cross.FAST, cross.SLOW)
    _same_end("vectorbt", vectorbt(), SAME)
    for name, action, _, tolerance in slow:
        _same_end(name, action(), tolerance)
    ours, fastest = alternating([cross.ours_single, vectorbt], runs=15)
    rows = [["islandflow", _ms(ours), "1"], ["vectorbt", _ms(fastest), f"{fastest / ours:.0f}"]]
    for name, action, runs, _ in slow:
        seconds = float(np.median([_once(action) for _ in range(runs)]))
        rows.append([name, _ms(seconds), f"{seconds / ours:.0f}"])
    text = f"## One crossover over {cross.BARS:,} bars with all metrics, one core\n\n"
    text += (
        "Medians of 15; backtesting.py of 3, backtrader once. Compiling the strategy is included "
        "in ours.\n\n"
    )
    return text + table(["engine", "ms", "ratio to ours"], rows)


def _same_end(name: str, theirs: peers.Finished, tolerance: float) -> None:
    ours = cross.ours_single()
    if theirs.closed_trades != ours.closed_trades:
        raise AssertionError(f"{name} closes {theirs.closed_trades} trades: ours {ours}")
    if abs(theirs.equity / ours.equity - 1) > tolerance:
        raise AssertionError(f"{name} ends with {theirs}, ours with {ours}")


def _sweep() -> str:
    chunked = partial(cross.vectorbt_in_chunks, "total return")
    np.testing.assert_allclose(
        chunked(), cross.ours_sweep(CORES).metric("total_return"), rtol=0, atol=SAME
    )
    one, two, returns = alternating(
        [partial(cross.ours_sweep, 1), partial(cross.ours_sweep, CORES), chunked], runs=3
    )
    five = _once(partial(cross.vectorbt_in_chunks, "five metrics"))
    stats = _once(partial(cross.vectorbt_in_chunks, "stats"))
    tiny = partial(cross.vectorbt_at_once, SMALL_BARS)
    at_once = memory.growth_mb(tiny, cross.vectorbt_at_once)
    in_chunks = memory.growth_mb(tiny, chunked)
    ours = memory.growth_mb(
        partial(cross.ours_sweep, CORES, SMALL_BARS), partial(cross.ours_sweep, CORES)
    )
    rows = [
        _sweep_row("islandflow, all metrics, two cores", two, two, ours),
        _sweep_row("islandflow, all metrics, one core", one, two, None),
        _sweep_row("vectorbt, total return only", returns, two, in_chunks),
        _sweep_row("vectorbt, five metrics", five, two, None),
        _sweep_row("vectorbt, `stats` of every pair", stats, two, None),
    ]
    text = f"## {len(cross.PAIRS):,} crossovers over {cross.BARS:,} bars\n\n"
    text += (
        f"All pairs of {cross.WINDOWS.size} windows. vectorbt by chunks of {cross.CHUNK} pairs, "
        f"which is its faster way; at once, as in\nits documentation, it adds "
        f"{at_once:,.0f} MB. Medians of 3; vectorbt's last two once. Memory is what a\nprocess "
        "adds at its peak to what it held after a warm-up.\n\n"
    )
    header = ["engine", "s", "million bars/s", "ratio to ours, two cores", "MB"]
    return text + table(header, rows)


def _sweep_row(name: str, seconds: float, ours: float, megabytes: float | None) -> list[str]:
    speed = f"{SWEEP_BARS / seconds / 1e6:.1f}"
    held = "" if megabytes is None else f"{megabytes:,.0f}"
    return [name, f"{seconds:.2f}", speed, f"{seconds / ours:.0f}", held]


def _program() -> str:
    alone = median_seconds(partial(cross.ours_eight_operations, 1), runs=15)
    together = median_seconds(partial(cross.ours_eight_operations, PROGRAM_SETS), runs=5)
    rules = median_seconds(cross.eight_operations_alone(), runs=15)
    rows = [
        ["the rules alone, columns at hand", f"{rules / cross.BARS * 1e9:.1f}"],
        [f"one of {PROGRAM_SETS} sets", f"{together / (PROGRAM_SETS * cross.BARS) * 1e9:.1f}"],
        ["one set by itself", f"{alone / cross.BARS * 1e9:.1f}"],
    ]
    text = f"## A rule of eight operations over {cross.BARS:,} bars, one core\n\n"
    text += f"`{cross.EIGHT_OPERATIONS.rules[0].condition}`; the last two with "
    text += "compilation, columns, fills\nand all metrics.\n\n"
    return text + table(["", "ns per bar"], rows)


def _scale() -> str:
    rows: list[list[str]] = []
    warm = partial(cross.ours_many, 10)
    for evaluations in EVALUATIONS:
        action = partial(cross.ours_many, evaluations)
        seconds = median_seconds(action, runs=3 if evaluations == EVALUATIONS[-1] else 7)
        per = f"{seconds / evaluations * 1e6:.1f}"
        result = action()
        held = sum(values.nbytes for values in (result.metrics, result.final_equity)) / 2**20
        grown = memory.growth_mb(warm, action)
        rows.append([f"{evaluations:,}", per, f"{grown:.1f}", f"{held:.1f}"])
    text = f"## Cost of an evaluation of {SMALL_BARS:,} bars, two cores\n\n"
    return text + table(["evaluations", "µs per evaluation", "MB", "of which metrics"], rows)


def _once(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}"
