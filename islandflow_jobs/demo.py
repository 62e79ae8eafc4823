"""The demo: the six scenario fixtures × 5 seeds through the main job, and a table.

It is the README's first command and uses nothing that a user could not: it
registers, runs ``research`` over a range, and reads the summary back from the
store. Run again it computes nothing, and says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from contracts.scenario import ScenarioSpec, load_scenario
from contracts.strategy import load_strategy
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    import dagster as dg

FIXTURES = Path(__file__).resolve().parent.parent / "contracts" / "fixtures"
SCENARIOS = (
    "scenario_trend_up_mid",
    "scenario_trend_down_high",
    "scenario_mean_revert",
    "scenario_vol_cluster_low",
    "scenario_vol_cluster_high",
    "scenario_shocky",
)
STRATEGY = "strategy_ma_crossover"
SEEDS = (1, 2, 3, 4, 5)
_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


def run(resources: ResourceSet) -> int:
    """Run the demo in the profile of the environment; returns the exit code."""
    resources.engine_runtime.prepare()
    specs = [
        load_scenario((FIXTURES / "scenarios" / f"{name}.json").read_bytes()) for name in SCENARIOS
    ]
    _print(f"islandflow demo in the {resources.settings.profile} profile")
    return _materialise(resources, specs)


def _materialise(resources: ResourceSet, specs: list[ScenarioSpec]) -> int:
    from islandflow_jobs.instance import prepare_home
    from islandflow_jobs.registration import add_seeds, register_scenarios, register_strategy

    prepare_home(resources.settings)
    import dagster as dg

    from islandflow_jobs.definitions import defs

    strategy = load_strategy((FIXTURES / "strategies" / f"{STRATEGY}.json").read_bytes())
    with dg.DagsterInstance.get() as instance:
        register_strategy(resources.database, strategy)
        registered = register_scenarios(resources.database, instance, specs)
        add_seeds(instance, SEEDS)
        _print(f"running the job research over {len(registered)} scenarios × {len(SEEDS)} seeds")
        result = defs.resolve_job_def("research").execute_in_process(
            instance=instance,
            tags=_box(instance, [one.key for one in registered]),
            run_config=_QUIET,
            raise_on_error=False,
        )
    if not result.success:
        _print("research failed: run `islandflow ui` and look at the failed check")
        return 1
    _report(resources, result)
    return 0


def _box(instance: dg.DagsterInstance, scenario_keys: list[str]) -> dict[str, str]:
    """Tags of the smallest range that holds the demo's partitions."""
    from islandflow_assets.partitions import Partition, range_tags

    scenarios = list(instance.get_dynamic_partitions("scenario"))
    seeds = list(instance.get_dynamic_partitions("seed"))
    rows = sorted(scenarios.index(key) for key in scenario_keys)
    columns = sorted(seeds.index(str(seed)) for seed in SEEDS)
    return range_tags(
        Partition(scenarios[rows[0]], int(seeds[columns[0]])),
        Partition(scenarios[rows[-1]], int(seeds[columns[-1]])),
    )


def _report(resources: ResourceSet, result: dg.ExecuteInProcessResult) -> None:
    events = {
        name: [
            event.step_materialization_data.materialization.metadata
            for event in result.get_asset_materialization_events()
            if event.asset_key and event.asset_key.to_user_string() == name
        ]
        for name in ("scenario_dataset", "backtest_result", "backtest_summary")
    }
    for name in ("scenario_dataset", "backtest_result"):
        found = sum(bool(metadata["used_cache"].value) for metadata in events[name])
        computed = len(events[name]) - found
        said = f"{computed} computed, {found} found" if computed else "nothing recomputed"
        _print(f"{name}: {len(events[name])} partitions, {said}")
    uri = str(events["backtest_summary"][-1]["uri"].value)
    table = pq.read_table(pa.BufferReader(resources.store.get(resources.store.parse_uri(uri))))
    _show(table.to_pylist())
    _print(f"objects  {resources.store.root_uri}")
    _print(f"summary  {uri}")


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("scenario", "strategy", "seeds", "median return", "median Sharpe", "worst fall")
    for row in rows:
        sharpe = row["median_sharpe"]
        table.add_row(
            row["scenario_key"],
            row["strategy_id"],
            str(row["seeds"]),
            f"{row['median_total_return']:+.2%}",
            "-" if sharpe is None else f"{sharpe:+.2f}",
            f"{row['worst_max_drawdown'] or 0.0:.2%}",
        )
    Console(width=130).print(table)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
