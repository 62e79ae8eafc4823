"""Strategies and bars as the tests of the backtest engine run them, and digests of what comes out.

Bars and strategies at random are in tests/properties/strategies.py, what they should give in
tests/oracles/backtest.py. ``python -m tests.engine.backtest.cases`` prints the digests of all
`CASES`.
"""

import hashlib
import json
import sys
from typing import Any

import numpy as np

from contracts.backtest import BacktestSettings
from contracts.scenario import ScenarioSpec, load_scenario
from contracts.strategy import StrategySpec, load_strategy, strategy_from
from engine.backtest import Dataset, Evaluation, Outcome, kernels, run
from engine.dsl import compile_strategy
from engine.paths import simulate
from islandflow_resources import results
from tests.contracts.fixture_files import FOLDER
from tests.properties.strategies import STEP_NS, Columns, bars, document

Document = dict[str, Any]

CROSSOVER = FOLDER / "strategies" / "strategy_ma_crossover.json"
PLAIN = {
    "initial_cash": 100_000.0,
    "bar_delay": 1,
    "fee_bps": 0.0,
    "base_bps": 0.0,
    "k_vol": 0.0,
    "window_bars": 20,
}
LONG_SHORT = {"sizing": {"type": "percent_equity", "percent": 100}, "allow_short": True}
CASES: dict[str, tuple[Document, Columns, Document]] = {
    "crossover on a walk": (
        document(
            [
                {"if": "crossover(ma(close, 3), ma(close, 8))", "then": "buy"},
                {"if": "crossunder(ma(close, 3), ma(close, 8))", "then": "sell"},
            ],
            LONG_SHORT,
        ),
        bars("walk", 300, 1),
        PLAIN | {"fee_bps": 2.0, "base_bps": 1.0, "k_vol": 0.4},
    ),
    "arithmetic and logic on jumps": (
        document(
            [
                {"if": "not (close / lag(close, 2) < 1) and volume > 50", "then": "buy"},
                {"if": "close * 2 - high < low or 1 / (close - open) > 0", "then": "close"},
                {"if": "-close < -level", "then": "hold"},
            ],
            {"sizing": {"type": "fixed_qty", "qty": 300}, "max_margin": 1000},
        ),
        bars("jumps", 200, 2),
        PLAIN | {"bar_delay": 2, "fee_bps": 10.0},
    ),
    "orders and exits on gaps": (
        document(
            [
                {
                    "if": "rsi(close, 5) < 45",
                    "then": "buy",
                    "order": {"type": "limit", "offset_bps": 20},
                },
                {
                    "if": "close > highest(lag(high, 1), 9)",
                    "then": "sell",
                    "order": {"type": "stop", "offset_bps": 5},
                },
                {"if": "slope(close, 6) > 0 and stdev(close, 6) > atr(6)", "then": "close"},
                {"if": "ema(close, 4) > bbands(close, 8, 1.5, upper)", "then": "buy"},
            ],
            {
                "sizing": {"type": "risk_bps", "bps": 20},
                "stop_loss_bps": 80,
                "take_profit_bps": 150,
                "trailing_stop_bps": 120,
                "max_holding_bars": 12,
                "cooldown_bars": 2,
                "allow_short": True,
                "max_margin": 50_000,
            },
        ),
        bars("gaps", 300, 5),
        PLAIN | {"fee_bps": 3.0, "base_bps": 1.0, "gap_policy": "open", "lot_size": 0.5},
    ),
    "days": (
        document(
            [
                {"if": "close > ma(close, 20)", "then": "buy"},
                {"if": "close < ma(close, 20)", "then": "sell"},
            ]
        ),
        bars("walk", 25 * 1440, 3),
        PLAIN | {"fee_bps": 0.05},
    ),
}


def times(count: int, step_ns: int = STEP_NS) -> np.ndarray:
    """Starts of bars from the first of 2024 on."""
    return 1_704_067_200_000_000_000 + step_ns * np.arange(count, dtype=np.int64)


def dataset(columns: Columns, timeframe: Any = "1m") -> Dataset:
    return Dataset(times(len(columns["close"])), columns, timeframe)


def priced(*closes: float) -> Columns:
    """Bars that never move inside, at the closes given."""
    close = np.array(closes, dtype=np.float64)
    return dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": np.ones(close.size)}


def settings(flat: Document) -> BacktestSettings:
    slippage = {name: flat[name] for name in ("base_bps", "k_vol", "window_bars")}
    costs = {"fee_bps": flat["fee_bps"], "slippage": slippage}
    names = ("initial_cash", "bar_delay", "gap_policy", "lot_size")
    named = {name: flat[name] for name in names if name in flat}
    return BacktestSettings.model_validate({**named, "costs": costs})


def evaluation(
    strategy: Document | StrategySpec, flat: Document | None = None, data: int = 0
) -> Evaluation:
    spec = strategy if isinstance(strategy, StrategySpec) else strategy_from(strategy)
    chosen = settings(PLAIN | (flat or {}))
    return Evaluation(compile_strategy(spec), spec.risk, chosen, data, keep_curves=True)


def outcome(
    strategy: Document | StrategySpec, columns: Columns, flat: Document | None = None
) -> Outcome:
    """Run one strategy on one series, curves kept."""
    [found] = run([dataset(columns)], [evaluation(strategy, flat)])
    return found


def curves(found: Outcome) -> dict[str, np.ndarray]:
    """The arrays of an outcome, none of which may be missing."""
    assert found.curves is not None
    return {name: getattr(found.curves, name) for name in ("equity", "cash", "qty", "trades")}


def reason(code: float) -> str:
    """What a trade's number says, as it is stored."""
    return results.reason_name(code)


def digest(found: Outcome) -> str:
    """Hash of every byte of an outcome."""
    total = hashlib.sha256()
    for name, values in sorted(curves(found).items()):
        total.update(f"{name} {values.shape} {values.dtype}".encode())
        total.update(np.ascontiguousarray(values).tobytes())
    counts = [found.fills, found.rejected_orders, found.conflicts, found.recovery_open]
    report = [found.report.values, found.report.reasons, found.final_equity, found.final_qty]
    total.update(json.dumps([*counts, *report]).encode())
    return total.hexdigest()


def digests() -> dict[str, str]:
    return {name: digest(outcome(*case)) for name, case in CASES.items()}


def crossover() -> StrategySpec:
    return load_strategy(CROSSOVER.read_bytes())


def scenario(name: str, **changes: Any) -> ScenarioSpec:
    written = json.loads((FOLDER / "scenarios" / f"{name}.json").read_text("utf-8"))
    return load_scenario(json.dumps(written | changes))


def market(spec: ScenarioSpec, seed: int) -> Dataset:
    """Bars of a scenario in price units and lots."""
    made = simulate(spec, seed)
    names = ("open", "high", "low", "close")
    fields = {name: getattr(made, f"{name}_ticks") * spec.tick_size for name in names}
    return Dataset(
        made.ts_ns, {**fields, "volume": made.volume_lots.astype(np.float64)}, spec.timeframe
    )


if __name__ == "__main__":
    compiled = hasattr(kernels.simulate, "py_func")
    sys.stdout.write(json.dumps({"compiled": compiled, "digests": digests()}))
