"""Book signals: a sweep over an hour of bins, and the time of one update, bin by bin.

Parity first: a run of the sweep must have the numbers of the slow whole-series twin of the tests
(``tests.oracles``), and every signal pushed bin by bin the bits of its batch. The ratio is the
twin's time for the same work, one parameter set and one rule.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.timing import median_seconds, table
from contracts.experiment import EvalSettings, ServingSpec
from contracts.mbo import mbo_spec_from
from contracts.pipeline import Capture, PipelineSpec
from engine.signals.api import LiveSignal, stacked
from engine.signals.definition import Definition
from engine.signals.registry import STATISTICAL
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiments import Variant
from islandflow_resources.grid_configs import shipped_config
from islandflow_resources.pipelines import make_dataset
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.signal_data import Floats, SignalData, signal_values
from islandflow_resources.signal_trials import Calibration, SignalChunk, trials_table
from tests.oracles import barrier_trades, state_signals

MINUTES = 60
TAPE = {
    "id": "bench",
    "version": "0.1",
    "symbol": "MNQH6",
    "bars": MINUTES,
    "scenario": {
        "id": "up", "version": "0.1", "timeframe": "1m", "duration_bars": 100, "seed": 0,
        "family": "trend", "volume_model": "const", "params": {"drift": 1, "sigma": 10},
    },
}  # fmt: skip
AXES = {
    "zscore_window_bins": (60, 120, 180, 240, 300),
    "zscore_min_periods": (20, 40, 60),
    "tanh_scale": (1.5, 3.0, 6.0),
    "d2_weight": (0.0, 0.3),
}
SETTINGS = EvalSettings(cooldown_bins=(5, 20, 60), max_hold_bins=1_200, warmup_bins=300)
FIRST_BIN = 7_200
BUDGET_US = 200.0
CAPTURE = Capture(tape=mbo_spec_from(TAPE), seed=1)


def run() -> str:
    """All figures as a section of the results."""
    with tempfile.TemporaryDirectory() as folder:
        data, runtime = _dataset(Path(folder))
        signal = STATISTICAL["derivative"]
        sets = [
            signal.bound(dict(zip(AXES, values, strict=True)))
            for values in itertools.product(*AXES.values())
        ]
        swept = _sweep(data, runtime, signal, sets)
        twin_s = _same_as_the_twin(data, sets, swept)
        seconds = median_seconds(lambda: _sweep(data, runtime, signal, sets), 3)
        rows = _updates(data, runtime)
    runs, evaluated = len(sets) * 3, swept.num_rows
    head = (
        f"## Book signals\n\n{data.bins:,} bins of {2 * data.runtime.grid_radius_ticks + 1} rows. "
        f"A sweep of `derivative`, {len(sets)} parameter sets x 3 cooldowns = {runs} runs x "
        f"{len(signal.thresholds)} thresholds = {evaluated:,} evaluations, from the stored rows to "
        f"all metrics on {runtime.threads} threads: **{seconds:.2f} s**, "
        f"{evaluated / seconds:,.0f} evaluations/s. The whole-series twin takes {twin_s:.1f} s for "
        f"one set and one rule: {twin_s * evaluated / seconds:,.0f} times as long for all.\n\n"
        "One update, timed bin by bin:\n\n"
    )
    return head + table(["signal", "p50 us", "p95 us", "p99 us", "max us"], rows)


def _dataset(folder: Path) -> tuple[SignalData, EngineRuntime]:
    resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(folder)})
    runtime = resources.engine_runtime
    made = make_dataset(
        resources.store, resources.database, runtime, shipped_config(), CAPTURE, folder, "bench"
    )
    assert made.dataset is not None, made.problem
    return SignalData(made.dataset), runtime


def _sweep(
    data: SignalData,
    runtime: EngineRuntime,
    signal: type[Definition],
    sets: list[dict[str, float]],
) -> pa.Table:
    values = signal_values(data, runtime, signal, sets)
    levels = [signal.thresholds] * len(sets)
    return trials_table(_chunk(data, signal, sets), data, runtime, values, levels)


def _chunk(data: SignalData, signal: type[Definition], sets: list[dict[str, float]]) -> SignalChunk:
    pipeline = PipelineSpec(name="bench", version="0.1", capture=CAPTURE)
    serving = ServingSpec(name="bench", version="0.1", pipeline=pipeline)
    variant = Variant(0, pipeline, serving, data.config)
    calibration = Calibration(data.dataset.content_digest, FIRST_BIN)
    return SignalChunk(variant, signal, tuple(sets), SETTINGS, 0, calibration)


def _same_as_the_twin(
    data: SignalData,
    sets: list[dict[str, float]],
    swept: pa.Table,
) -> float:
    """Compare one set and rule with the slow twin; how long that takes."""
    [codes] = [np.concatenate([part["state5_code"] for _, part in data.groups(["state5_code"])])]
    start = time.perf_counter()
    values = state_signals.derivative(
        {"state5_code": codes}, "v2", data.runtime.cell_width_ms, **_as_the_twin_counts(sets[0])
    )
    market, row = data.market, swept.slice(0, 1).to_pylist()[0]
    twin = barrier_trades.Market(
        market.ts_ns.tolist(), market.mid.tolist(), market.tick,
        spread_ticks=market.spread_ticks.tolist(),
    )  # fmt: skip
    rule = barrier_trades.Rule(
        threshold=row["threshold"],
        tp_ticks=row["tp_ticks"],
        sl_ticks=row["sl_ticks"],
        max_hold_bins=SETTINGS.max_hold_bins,
        first_bin=FIRST_BIN,
        cooldown_bins=row["cooldown_bins"],
    )
    found = barrier_trades.figures(barrier_trades.account(values.tolist(), twin, rule), twin)
    seconds = time.perf_counter() - start
    assert found["n_signals"] == row["n_signals"], "another number of trades"
    assert abs(found["mean_pnl_ticks"] - row["mean_pnl_ticks"]) <= 1e-9, "another mean profit"
    return seconds


def _as_the_twin_counts(params: dict[str, float]) -> dict[str, Any]:
    """Parameters that the twin takes, windows as whole numbers."""
    whole = ("zscore_window_bins", "zscore_min_periods")
    names = (*AXES, "d1_weight", "d3_weight")
    return {name: int(params[name]) if name in whole else params[name] for name in names}


def _updates(data: SignalData, runtime: EngineRuntime) -> list[list[str]]:
    rows: list[list[str]] = []
    for name, signal in STATISTICAL.items():
        _pushed(data, signal)  # compiles it
        took_us, values = _pushed(data, signal)
        batch = signal_values(data, runtime, signal, [signal.bound({})])[0]
        assert values.tobytes() == batch.tobytes(), f"{name}: live is not batch"
        shares = [f"{np.percentile(took_us, share):.1f}" for share in (50, 95, 99)]
        rows.append([name, *shares, f"{took_us.max():.0f}"])
        if np.percentile(took_us, 99) > BUDGET_US:
            sys.stderr.write(f"{name}: p99 above {BUDGET_US:g} us\n")
    return rows


def _pushed(data: SignalData, signal: type[Definition]) -> tuple[Floats, Floats]:
    own, market = data.runtime, data.market
    live = LiveSignal(signal.name, {}, own.grid_radius_ticks, own.cell_width_ms, own.tick_size)
    took_us, values = np.empty(data.bins), np.empty(data.bins)
    for place, columns in data.groups(signal.columns):
        fields = stacked(signal, columns)
        for row in range(fields.shape[1]):
            bin_ = place.start + row
            one, at = fields[:, row : row + 1], slice(bin_, bin_ + 1)
            start_ns = time.perf_counter_ns()
            values[bin_] = live.push_stacked(one, market.mid[at], market.ts_ns[at])[0]
            took_us[bin_] = (time.perf_counter_ns() - start_ns) / 1e3
    return took_us, values


if __name__ == "__main__":
    sys.stdout.write(run())
