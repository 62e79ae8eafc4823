"""What the graph costs: 200 partitions of one asset in one run.

Ours (make, store, verify, record, publish with plot and preview) beside the same
work without the graph, and Dagster's bookkeeping beside that of a run over the
same partitions that yields a plain ``Output`` and nothing else. Parity: every
partition is materialised once, and the second time nothing is computed.
"""

import os
import tempfile
import time
from pathlib import Path

import dagster as dg

from benchmarks import paths as bench_paths
from benchmarks.timing import table
from contracts.scenario import scenario_from
from islandflow_resources.resource_set import ResourceSet

PARTITIONS = 200
BARS = 10_000


def run() -> str:
    """Time the runs on a fresh embedded home each, and return the section."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ISLANDFLOW_HOME"] = folder
        resources = ResourceSet.from_environment()
        return _measure(resources, Path(folder))


def _measure(resources: ResourceSet, folder: Path) -> str:
    from islandflow_assets.partitions import GRID, Partition, range_tags
    from islandflow_assets.scenarios import scenario_dataset, scenario_spec
    from islandflow_jobs.instance import open_instance
    from islandflow_jobs.registration import add_seeds, register_scenarios
    from islandflow_resources import materialise
    from islandflow_resources.dagster_resources import dagster_resources

    spec = scenario_from(
        {**bench_paths.scenario("trend").market, "seed": "0", "duration_bars": BARS}
    )

    @dg.asset(
        name="plain",
        partitions_def=GRID,
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    )
    def plain(context: dg.AssetExecutionContext):  # noqa: ANN202
        yield dg.Output(None)

    defs = dg.Definitions(
        assets=[scenario_spec, scenario_dataset, plain],
        jobs=[
            dg.define_asset_job("ours", selection=[scenario_dataset]),
            dg.define_asset_job("theirs", selection=[plain]),
        ],
        resources=dagster_resources(),
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with open_instance(resources.settings) as instance:
        register_scenarios(resources.database, instance, [spec])
        add_seeds(instance, range(PARTITIONS))
        tags = range_tags(Partition(spec.partition_key, 0), Partition(spec.partition_key, 199))

        def seconds(job: str) -> float:
            start = time.perf_counter()
            result = defs.resolve_job_def(job).execute_in_process(
                instance=instance, tags=tags, run_config=quiet
            )
            if not result.success:
                raise AssertionError(f"the job {job} failed")
            return time.perf_counter() - start

        seconds("theirs")
        theirs = min(seconds("theirs") for _ in range(3))
        ours = seconds("ours")
        again = [seconds("ours") for _ in range(3)]
        done = instance.get_materialized_partitions(dg.AssetKey("scenario_dataset"))
        if len(done) != PARTITIONS:
            raise AssertionError(f"{len(done)} of {PARTITIONS} partitions are materialised")
    refs = [materialise.dataset_ref(spec, seed) for seed in range(1000, 1000 + PARTITIONS)]
    runtime, store, database = resources.engine_runtime, resources.store, resources.database
    start = time.perf_counter()
    made = list(materialise.make_datasets(store, database, runtime, refs, "bench"))
    work = time.perf_counter() - start
    start = time.perf_counter()
    found = list(materialise.make_datasets(store, database, runtime, refs, "bench"))
    lookups = time.perf_counter() - start
    if not all(one.used_cache for one in found) or any(one.used_cache for one in made):
        raise AssertionError("the second time must find what the first made")
    return _report(theirs, ours, min(again), work, lookups)


def _report(theirs: float, ours: float, again: float, work: float, lookups: float) -> str:
    per = 1e3 / PARTITIONS
    bookkeeping = ours - work
    rows = [
        ["Dagster, `Output` only", f"{theirs:.2f}", f"{theirs * per:.1f}", "1.00"],
        ["the work without the graph", f"{work:.2f}", f"{work * per:.1f}", ""],
        ["our run", f"{ours:.2f}", f"{ours * per:.1f}", f"{ours / theirs:.2f}"],
        [
            "our run less the work: bookkeeping",
            f"{bookkeeping:.2f}",
            f"{bookkeeping * per:.1f}",
            f"{bookkeeping / theirs:.2f}",
        ],
        ["the lookups without the graph", f"{lookups:.2f}", f"{lookups * per:.1f}", ""],
        ["second run, nothing computed", f"{again:.2f}", f"{again * per:.1f}", ""],
        [
            "ours on top of the work and of Dagster's `Output`",
            f"{bookkeeping - theirs:.2f}",
            f"{(bookkeeping - theirs) * per:.1f}",
            "",
        ],
    ]
    text = f"## {PARTITIONS} partitions of {BARS:,} bars in one run, two cores\n\n"
    text += (
        "Our first run and the work are timed once, `Output` only and the second run are the best "
        "of\nthree: a first time cannot be repeated, and the comparison is against us.\n\n"
    )
    return text + table(["run", "s", "ms per partition", "ratio to `Output` only"], rows)
