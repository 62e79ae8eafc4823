"""The sensor that starts campaigns of datasets. It decides, a job acts: nothing is written here.

What decides is what stands in the instance, as in ``campaign_sensors``.
"""

from collections.abc import Iterator

import dagster as dg

from islandflow_assets import keys
from islandflow_jobs.campaign_sensors import MAX_ATTEMPTS, MAX_RUNS
from islandflow_jobs.jobs import dataset_campaigns
from islandflow_jobs.sensors import UNFINISHED
from islandflow_resources.failures import PERMANENT_TAG


@dg.sensor(job=dataset_campaigns, minimum_interval_seconds=30)
def start_dataset_campaigns(
    context: dg.SensorEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Run every registered campaign of datasets that does not stand yet.

    A run that failed for now is asked for again, at most twice, and goes on where it was; one
    that failed for good is left to a person.
    """
    waiting = list(_waiting(context.instance))
    if not waiting:
        yield dg.SkipReason("every registered campaign of datasets stands, or is being made")
    for key, attempt in waiting[:MAX_RUNS]:
        yield dg.RunRequest(run_key=f"datasets:{key}:{attempt}", partition_key=key)


def _waiting(instance: dg.DagsterInstance) -> Iterator[tuple[str, int]]:
    """Campaigns that are not made and that no run is making, each with its failures so far."""
    done = instance.get_materialized_partitions(dg.AssetKey(keys.DATASET_CAMPAIGN))
    for key in instance.get_dynamic_partitions("dataset_campaign"):
        if key in done:
            continue
        wanted = dg.RunsFilter(job_name=dataset_campaigns.name, tags={"dagster/partition": key})
        runs = list(instance.get_runs(wanted))
        is_hopeless = any(PERMANENT_TAG in run.tags for run in runs)
        is_running = any(run.status in UNFINISHED for run in runs)
        if not is_running and not is_hopeless and len(runs) < MAX_ATTEMPTS:
            yield key, len(runs)
