"""What a winning signal shows when it is run as if live: no look ahead, parity, latency.

Its events are replayed through the grid machine, bin by bin, and compared with the stored dataset
and with the values that were evaluated. Whether it is enough is the gate's (``dossiers``).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contracts.pipeline import Capture
from contracts.serving import Winner
from engine import validate
from engine.grid.api import Bins, GridMachine
from engine.signals.api import LiveSignal
from engine.signals.registry import signal as signal_of
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiment_stages import Chosen, chosen_of
from islandflow_resources.experiment_trials import datasets_of
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.grid_sessions import session_events
from islandflow_resources.live_checks import Live
from islandflow_resources.mbo_files import read_events
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import find_events
from islandflow_resources.signal_data import Floats, SignalData, signal_values
from islandflow_resources.signal_streams import signal_input
from islandflow_resources.stored_files import fetched


@dataclass(frozen=True, slots=True)
class Replayed:
    """A dataset's events pushed again, as a live stream would take them.

    Attributes
    ----------
    bins : int
        Bins that were compared.
    problem : str
        The first difference; empty if there is none.
    update_us, bin_us : ndarray, shape (bins,), float64
        Time of the signal's update alone, and from the bin's close to its value.
    """

    bins: int
    problem: str
    update_us: Floats
    bin_us: Floats


def live_signal(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    winner: Winner,
) -> Live:
    """Run the winning signal as if live on its first dataset, and verify all of them."""
    row = {
        "params": dict(winner.params),
        "strategy_id": winner.strategy_id,
        "set_id": winner.set_id,
    }
    chosen = chosen_of(experiment, row)
    seen, probes, latency_ms, problem = 0, 0, 0.0, ""
    missing: list[str] = []
    made_all = datasets_of(store, database, runtime, experiment, chosen.variant, "")
    for capture, made in made_all:
        if made.dataset is None:
            missing.append(str(made.problem))
            continue
        seen += 1
        if seen > 1:
            continue
        data = SignalData(made.dataset)
        found = probed(runtime, data, chosen, experiment.spec.robustness.overfitting.probes)
        replay = replayed(store, database, runtime, data, chosen, capture)
        probes, problem = found.probes, found.first_difference or replay.problem
        latency_ms = float(np.percentile(replay.bin_us, 99)) / 1e3
    return Live(probes, problem, latency_ms, seen, "; ".join(missing[:3]))


def probed(
    runtime: EngineRuntime, data: SignalData, chosen: Chosen, probes: int
) -> validate.LookaheadProbe:
    """Whether the signal's values on the beginnings of a dataset are those on the whole."""
    signal = signal_of(chosen.signal)
    return validate.probe_series(
        data.bins,
        2,
        probes,
        lambda bins: signal_values(data, runtime, signal, [chosen.params], bins=bins)[0],
    )


def replayed(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    data: SignalData,
    chosen: Chosen,
    capture: Capture,
) -> Replayed:
    """Push the events of a dataset and its signal bin by bin; compare to the bit."""
    config = chosen.variant.config
    own = config.runtime_config
    expected = signal_values(data, runtime, signal_of(chosen.signal), [chosen.params])[0]
    live = LiveSignal(
        chosen.signal, chosen.params, own.grid_radius_ticks, own.cell_width_ms, own.tick_size
    )
    update_us, bin_us = np.zeros(data.bins), np.zeros(data.bins)
    at, problem = 0, ""
    with tempfile.TemporaryDirectory(prefix="islandflow-replay-") as folder:
        events = find_events(store, database, capture)
        assert events is not None
        path = fetched(store, events.file, Path(folder))
        machine = GridMachine(config, "v2", capture.start_ns)
        start_ns = time.perf_counter_ns()
        for bins, row in _closed(machine, path, own.symbol, capture.end_ns):
            if at >= data.bins:
                return Replayed(at, f"live goes on after bin {at - 1}", update_us, bin_us)
            columns, mid, ts_ns = signal_input(bins)
            here = slice(row, row + 1)
            before_ns = time.perf_counter_ns()
            [value] = live.push(
                {name: column[here] for name, column in columns.items()}, mid[here], ts_ns[here]
            )
            after_ns = time.perf_counter_ns()
            update_us[at] = (after_ns - before_ns) / 1e3
            bin_us[at] = (after_ns - start_ns) / 1e3
            if not problem and not _same(value, expected[at]):
                problem = f"bin {at}: live {value!r}, from the stored dataset {expected[at]!r}"
            at += 1
            start_ns = time.perf_counter_ns()
    if at < data.bins and not problem:
        problem = f"live ends after {at} of {data.bins} bins"
    return Replayed(at, problem, update_us, bin_us)


def _closed(
    machine: GridMachine, path: Path, symbol: str, end_ns: int | None
) -> Iterator[tuple[Bins, int]]:
    """Bins as they close, one at a time."""
    for batch in session_events(read_events(path, symbol=symbol), end_ns):
        for start in range(0, batch.rows, _AT_ONCE):
            for bins in machine.push(batch.part(start, min(start + _AT_ONCE, batch.rows))):
                yield from ((bins, row) for row in range(bins.rows))
    last = machine.finish()
    if last is not None:
        yield from ((last, row) for row in range(last.rows))


_AT_ONCE = 64
"""Events pushed at once: few enough that a bin is seen soon after it closes."""


def _same(live: Any, stored: Any) -> bool:
    return np.float64(live).tobytes() == np.float64(stored).tobytes() or (
        bool(np.isnan(live)) and bool(np.isnan(stored))
    )
