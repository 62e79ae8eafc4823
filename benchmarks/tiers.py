"""The tiers through the graph, and the cache: what a user waits for.

T0 and T1 are timed from the start of the step to its first output: the asset's body
without the storing of Dagster's own events. The cache is a batch of a thousand
strategies on one dataset,
asked for again, and again with a tenth of new ones. Parity: the second time must give
the digests of the first.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.timing import table
from contracts.backtest import BacktestSettings
from contracts.scenario import ScenarioSpec, load_scenario
from contracts.strategy import StrategySpec, load_strategy, strategy_from
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    import dagster as dg

    from islandflow_resources.evaluations import MadeResults

FIXTURES = Path(__file__).parent.parent / "contracts" / "fixtures"
BARS = 50_000
STRATEGIES = 1_000
SEEDS = range(1, 12)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a step, and the memory that the process grew by at its peak."""

    seconds: float
    grown_mb: float


def run() -> str:
    """Time tiers and cache on a fresh embedded home, and return the section."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ISLANDFLOW_HOME"] = folder
        resources = ResourceSet.from_environment()
        resources.engine_runtime.prepare()
        return f"{_tiers(resources)}\n{_cache(resources)}"


def _tiers(resources: ResourceSet) -> str:
    from islandflow_jobs.instance import open_instance
    from islandflow_jobs.registration import add_seeds, register_scenarios, register_strategy

    small, large = _scenario(1_000), _scenario(BARS)
    with open_instance(resources.settings) as instance:
        register_scenarios(resources.database, instance, [small, large])
        add_seeds(instance, SEEDS)
        register_strategy(resources.database, _crossover())
        costs = {
            "T0, 1,000 bars": _steps(instance, "t0_screen", "screening_result", small),
            "T1, 50,000 bars": _steps(instance, "t1_full", "backtest_result", large),
        }
    rows = [
        [name, f"{cost.seconds * 1e3:.0f}", f"{cost.grown_mb:.0f}"] for name, cost in costs.items()
    ]
    head = ["tier", "ms", "added peak MB"]
    text = "## One strategy through the asset's body, warm, nothing cached\n\n"
    text += f"Medians of {len(SEEDS) - 1} partitions: read and verify the bars, evaluate, store "
    return f"{text}equity, trades and\nmetrics, draw the plots, record.\n\n{table(head, rows)}"


def _steps(instance: dg.DagsterInstance, job: str, asset: str, spec: ScenarioSpec) -> Cost:
    """Median duration of an asset's step over partitions that have no result yet."""
    from islandflow_assets.partitions import Partition, range_tags
    from islandflow_jobs.definitions import defs

    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    durations: list[float] = []
    peak = 0
    for seed in SEEDS:
        cell = Partition(spec.partition_key, seed)
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance, tags=range_tags(cell, cell), run_config=quiet
        )
        if not result.success:
            raise AssertionError(f"the job {job} failed on {cell}")
        durations.append(_body(instance, result.run_id, asset))
        peak = peak or _peak_kb()
    return Cost(statistics.median(durations[1:]), (_peak_kb() - peak) / 1024)


def _body(instance: dg.DagsterInstance, run_id: str, asset: str) -> float:
    """Seconds from the start of a step to its first output: what the asset's own body takes."""
    import dagster as dg

    kinds = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_OUTPUT}
    entries = [one for one in instance.all_logs(run_id, of_type=kinds) if one.step_key == asset]
    times = sorted(one.timestamp for one in entries)
    return times[1] - times[0]


def _cache(resources: ResourceSet) -> str:
    from islandflow_resources import materialise
    from islandflow_resources.evaluations import make_results
    from islandflow_resources.strategies import StrategyList

    runtime, store, database = resources.engine_runtime, resources.store, resources.database
    ref = materialise.dataset_ref(_scenario(BARS), 99)
    [made] = materialise.make_datasets(store, database, runtime, [ref], "bench")
    dataset = made.dataset
    assert dataset is not None
    some = [_variant(k) for k in range(STRATEGIES)]
    more = [
        *some[STRATEGIES // 10 :],
        *(_variant(k) for k in range(STRATEGIES, STRATEGIES * 11 // 10)),
    ]

    def timed(strategies: list[StrategySpec]) -> tuple[float, MadeResults]:
        listed = StrategyList.of(strategies)
        start = time.perf_counter()
        [results] = make_results(
            store, database, runtime, [dataset], listed, BacktestSettings(), "bench"
        )
        return time.perf_counter() - start, results

    first, computed = timed(some)
    before = _peak_kb()
    again = [timed(some) for _ in range(3)]
    grown, extended = (_peak_kb() - before) / 1024, timed(more)
    if any(
        [one.digest for one in results.results] != [one.digest for one in computed.results]
        for _, results in again
    ):
        raise AssertionError("the cache gives other results than were computed")
    repeated = statistics.median(seconds for seconds, _ in again)
    rows = [
        ["first time", f"{first:.1f}", _hits(computed), ""],
        ["again (median of 3)", f"{repeated:.1f}", _hits(again[0][1]), f"{repeated / first:.0%}"],
        ["a tenth are new", f"{extended[0]:.1f}", _hits(extended[1]), f"{extended[0] / first:.0%}"],
    ]
    text = (
        f"## {STRATEGIES:,} strategies on one dataset of {BARS:,} bars, stored and found again\n\n"
    )
    text += f"Added peak memory of the repeats {grown:.0f} MB.\n\n"
    return text + table(["", "s", "hit rate", "of the first"], rows)


def _hits(made: MadeResults) -> str:
    found = sum(one.used_cache for one in made.results)
    return f"{found / len(made.results):.0%}"


def _scenario(bars: int) -> ScenarioSpec:
    text = (FIXTURES / "scenarios" / "scenario_vol_cluster_high.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return load_scenario(json.dumps({**document, "id": f"tier_{bars}", "duration_bars": bars}))


def _crossover() -> StrategySpec:
    return load_strategy((FIXTURES / "strategies" / "strategy_ma_crossover.json").read_bytes())


def _variant(k: int) -> StrategySpec:
    """The k-th of many crossovers, no two of which mean the same."""
    document = _crossover().document()
    document["id"] = f"crossover_{k}"
    document["params"] = {"fast": 5 + k % 40, "slow": 60 + k // 40 * 5}
    return strategy_from(document)


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
