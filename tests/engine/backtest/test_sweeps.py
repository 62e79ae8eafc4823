"""A sweep gives what its sets give one by one, in any order, budget and number of threads.

What one evaluation gives is tested in test_agreement.py, what compiles in tests/engine/dsl.
"""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from contracts.backtest import METRICS
from contracts.errors import ContractError
from contracts.strategy import StrategySpec, strategy_from
from engine.backtest import Evaluation, SweepResult, run, run_sweep
from engine.backtest.dataset import Prepared
from engine.backtest.workers import column_table
from engine.dsl import compile_sweep
from engine.dsl.sweep import Sweep
from tests.engine.backtest.cases import LONG_SHORT, PLAIN, dataset, digest, evaluation, settings
from tests.properties.strategies import bars, busy, document

COSTS = PLAIN | {"fee_bps": 2.0, "base_bps": 1.0, "k_vol": 0.4}
BARS = 700
EXITS = {
    "sizing": {"type": "risk_bps", "bps": 20},
    "stop_loss_bps": 90,
    "take_profit_bps": 120,
    "cooldown_bars": 2,
    "allow_short": True,
    "max_margin": 50_000,
}
RNG = np.random.default_rng(7)
SWEEPS: dict[str, tuple[list, dict, dict, dict]] = {
    "windows": (
        [
            {"if": "crossover(ma(close, fast), ma(close, slow))", "then": "buy"},
            {"if": "crossunder(ma(close, fast), ma(close, slow))", "then": "sell"},
        ],
        {"fast": 5, "slow": 20},
        {"fast": RNG.integers(1, 15, 60), "slow": RNG.integers(5, 60, 60)},
        LONG_SHORT,
    ),
    "constants": (
        [
            {"if": "volume > level", "then": "buy", "order": {"type": "limit", "offset_bps": 10}},
            {"if": "rsi(close, 5) < floor", "then": "close"},
            {"if": "volume + 100 < level", "then": "sell"},
        ],
        {"level": 150, "floor": {"default": 40, "min": 0, "max": 100}},
        {"level": RNG.uniform(0, 300, 60), "floor": RNG.uniform(20, 70, 60)},
        EXITS,
    ),
    "both, and one name as either": (
        [
            {"if": "close > bbands(close, n, k, upper) and volume > 20 * n", "then": "sell"},
            {"if": "close < highest(ma(lag(low, n), m), n) - k * atr(m)", "then": "buy"},
            {"if": "slope(close * scale, m) < 0", "then": "close"},
        ],
        {"n": 6, "m": 3, "k": 1.5, "scale": 2},
        {
            "n": RNG.integers(2, 12, 60),
            "m": RNG.integers(2, 9, 60),
            "k": RNG.choice([0.0, 0.5, 1.0, 2.25], 60),
            "scale": RNG.choice([-1.0, 0.5, 3.0], 60),
        },
        EXITS,
    ),
    "one parameter of two": (
        [
            {"if": "close > ema(close, n) * level", "then": "buy"},
            {"if": "close < ema(close, n)", "then": "close"},
        ],
        {"n": 9, "level": 1.0005},
        {"n": np.arange(1, 61)},
        LONG_SHORT,
    ),
}
"""Rules, their parameters with defaults, the values of 60 sets, and the risk."""


def swept(name: str) -> Sweep:
    rules, params, values, risk = SWEEPS[name]
    return compile_sweep(strategy_from(document(rules, risk) | {"params": params}), values)


def data(count: int = BARS):
    return dataset(bars("gaps", count, 3))


def everything(found: SweepResult) -> list[bytes]:
    """Every byte of a result."""
    names = ("fills", "rejected_orders", "conflicts", "final_equity", "final_qty")
    return [found.metrics.tobytes(), *(getattr(found, name).tobytes() for name in names)]


def one_by_one(sweep: Sweep, flat: dict[str, Any], **changes: Any) -> SweepResult:
    """Every set compiled and run by itself."""
    chosen = settings(flat).model_copy(update=changes)
    found = [
        run([data()], [Evaluation(sweep.program(index), sweep.spec.risk, chosen)])[0]
        for index in range(sweep.size)
    ]
    names = ("fills", "rejected_orders", "conflicts", "final_equity", "final_qty")
    columns = [np.array([getattr(one, name) for one in found]) for name in names]
    return SweepResult(np.stack([one.values for one in found]), *columns)


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_gives_what_its_sets_give_one_by_one(name):
    sweep = swept(name)
    found = run_sweep(data(), sweep, settings(COSTS))
    assert everything(found) == everything(one_by_one(sweep, COSTS))
    assert np.median(found.fills) > 5
    assert len(np.unique(found.final_equity)) > 15


@pytest.mark.parametrize("name", SWEEPS)
@pytest.mark.parametrize("held", [0, 1, 2, 5, 9, 17])
def test_no_budget_of_memory_changes_a_byte(name, held):
    """A budget for a few columns makes others leave; one of none holds what one set needs."""
    sweep = swept(name)
    whole = run_sweep(data(), sweep, settings(COSTS))
    few = held * 8 * (BARS + 1)
    assert column_table(Prepared(data()), sweep.columns, few).capacity == held
    assert len(sweep.columns) > 17 or name == "constants"
    for threads in (1, 2):
        found = run_sweep(data(), sweep, settings(COSTS), threads, few)
        assert everything(found) == everything(whole)


@pytest.mark.parametrize("name", SWEEPS)
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_byte_of_a_sweep(name, threads):
    sweep = swept(name)
    whole = everything(run_sweep(data(), sweep, settings(COSTS)))
    for _ in range(3):
        assert everything(run_sweep(data(), sweep, settings(COSTS), threads)) == whole


@pytest.mark.parametrize("name", SWEEPS)
def test_the_order_of_the_sets_is_that_of_the_rows_and_changes_nothing_else(name):
    sweep = swept(name)
    order = np.random.default_rng(1).permutation(sweep.size)
    shuffled = {key: values[order] for key, values in sweep.values.items()}
    whole = run_sweep(data(), sweep, settings(COSTS))
    for budget in (1 << 20, 0):
        found = run_sweep(data(), compile_sweep(sweep.spec, shuffled), settings(COSTS), 1, budget)
        assert found.metrics.tobytes() == whole.metrics[order].tobytes()
        assert found.fills.tolist() == whole.fills[order].tolist()
        assert found.final_qty.tobytes() == whole.final_qty[order].tobytes()


def test_max_bars_cuts_the_data_of_a_sweep():
    sweep, short = swept("windows"), settings(COSTS).model_copy(update={"max_bars": 300})
    found = run_sweep(data(), sweep, short)
    assert everything(found) == everything(run_sweep(data().first(300), sweep, settings(COSTS)))
    assert everything(found) == everything(one_by_one(sweep, COSTS, max_bars=300))
    assert everything(found) != everything(run_sweep(data(), sweep, settings(COSTS)))


def spec_without_params() -> StrategySpec:
    rules = [
        {"if": "close > ma(close, 5)", "then": "buy"},
        {"if": "close < ma(close, 5)", "then": "close"},
    ]
    return strategy_from(document(rules) | {"params": {}})


def test_a_strategy_without_parameters_is_a_sweep_of_one():
    found = run_sweep(data(), compile_sweep(spec_without_params(), {}), settings(COSTS))
    [alone] = run([data()], [evaluation(spec_without_params(), COSTS)])
    assert found.metrics.tobytes() == alone.values.tobytes()
    assert found.fills.tolist() == [alone.fills]
    assert alone.fills > 20


def test_without_values_a_sweep_runs_the_defaults():
    spec = swept("windows").spec
    found = run_sweep(data(), compile_sweep(spec, {}), settings(COSTS))
    [alone] = run([data()], [evaluation(spec, COSTS)])
    assert found.metrics.tobytes() == alone.values.tobytes()


def test_a_metric_is_asked_for_by_its_name():
    found = run_sweep(data(), swept("windows"), settings(COSTS))
    for index, name in enumerate(METRICS):
        assert found.metric(name).tobytes() == found.metrics[:, index].tobytes()
    assert found.metric("trades").tolist() == (found.fills // 2).tolist()
    with pytest.raises(ContractError, match="METRIC_UNKNOWN"):
        found.metric("sharp")


def test_a_bad_bar_is_refused_with_its_row():
    broken = bars("walk", 50, 1)
    broken["high"][7] = 1.0
    with pytest.raises(ContractError) as refusal:
        run_sweep(dataset(broken), swept("windows"), settings(COSTS))
    assert (refusal.value.code, refusal.value.loc) == ("BACKTEST_DATA_INVALID", "row 7")


def peak_bytes(size: int, memory_bytes: int) -> int:
    """Most that a sweep of so many sets over 200 bars holds at once, the result included."""
    rng = np.random.default_rng(size)
    values = {"fast": rng.integers(1, 40, size), "slow": rng.integers(2, 120, size)}
    sweep, small = compile_sweep(swept("windows").spec, values), data(200)
    tracemalloc.start()
    try:
        run_sweep(small, sweep, settings(COSTS), 2, memory_bytes)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("memory_bytes", [128 << 20, 100 * 8 * 201])
def test_ten_thousand_evaluations_hold_no_more_than_their_rows_of_numbers(memory_bytes):
    peak_bytes(100, memory_bytes)
    few, many = peak_bytes(1000, memory_bytes), peak_bytes(10_000, memory_bytes)
    assert many < 4 << 20
    assert (many - few) / 9000 < 300


def batch_of_busy(count: int):
    """Datasets and evaluations of strategies with orders and exits, two on each dataset."""
    drawn = [busy(seed, 600) for seed in range(count)]
    asked = [
        evaluation(drawn[(index + step) % count][0], drawn[index][2], index)
        for index in range(count)
        for step in (0, 1)
    ]
    return [dataset(columns) for _, columns, _ in drawn], asked


def test_a_busy_batch_is_its_evaluations_one_by_one_on_any_threads_and_budget():
    datasets, asked = batch_of_busy(20)
    alone = [digest(run(datasets, [one])[0]) for one in asked]
    assert len(set(alone)) > 30
    for threads, memory_bytes in (
        (1, 128 << 20),
        (2, 128 << 20),
        (3, 128 << 20),
        (1, 0),
        (2, 9999),
    ):
        found = run(datasets, asked, threads, memory_bytes)
        assert [digest(one) for one in found] == alone


@pytest.mark.parametrize("memory_bytes", [0, 3 * 8 * 601, 7 * 8 * 601, 128 << 20])
@pytest.mark.parametrize("threads", [1, 2])
def test_many_strategies_on_one_dataset_share_columns_without_mixing_them_up(threads, memory_bytes):
    _, columns, flat = busy(3, 600)
    asked = [evaluation(busy(seed, 600)[0], flat) for seed in range(40)]
    small = dataset(columns)
    alone = [digest(run([small], [one])[0]) for one in asked]
    found = run([small], asked, threads, memory_bytes)
    assert [digest(one) for one in found] == alone
    assert len(set(alone)) > 30
