"""The schedule that materialises what is missing.

A cell is missing if ``backtest_result`` was never materialised for it. A box is
asked for once a day: one that was refused for good would only fail again sooner.
"""

from collections.abc import Iterator

import dagster as dg

from islandflow_assets import keys
from islandflow_assets.partitions import range_tags
from islandflow_jobs.jobs import research
from islandflow_jobs.missing import missing_ranges

MAX_RUNS = 20


@dg.schedule(job=research, cron_schedule="*/10 * * * *", execution_timezone="UTC")
def materialise_missing(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Run ``research`` over every box of scenarios × seeds that has no results yet."""
    instance = context.instance
    done = instance.get_materialized_partitions(dg.AssetKey(keys.BACKTEST_RESULT))
    scenarios = list(instance.get_dynamic_partitions("scenario"))
    seeds = list(instance.get_dynamic_partitions("seed"))
    wanted = {f"{scenario}|{seed}" for scenario in scenarios for seed in seeds}
    boxes = missing_ranges(scenarios, seeds, wanted - set(done))
    if not boxes:
        yield dg.SkipReason("every registered scenario × seed has results")
    day = context.scheduled_execution_time.date()
    for first, last in boxes[:MAX_RUNS]:
        yield dg.RunRequest(run_key=f"{first}...{last}@{day}", tags=range_tags(first, last))
