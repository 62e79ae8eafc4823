"""The sensor that starts campaigns of datasets. It decides, a job acts: nothing is written here.

What decides is what stands in the instance, as in ``campaign_sensors``.
"""

from collections.abc import Iterator
from itertools import islice

import dagster as dg

from islandflow_assets import keys
from islandflow_jobs.campaign_sensors import MAX_ATTEMPTS, MAX_RUNS
from islandflow_jobs.jobs import dataset_campaigns
from islandflow_jobs.partition_runs import chunks, runs_by_partition
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
    waiting = list(islice(_waiting(context.instance), MAX_RUNS))
    if not waiting:
        yield dg.SkipReason("every registered campaign of datasets stands, or is being made")
    for key, attempt in waiting:
        yield dg.RunRequest(run_key=f"datasets:{key}:{attempt}", partition_key=key)


def _waiting(instance: dg.DagsterInstance) -> Iterator[tuple[str, int]]:
    """Campaigns that are not made and that no run is making, each with its failures so far."""
    done = instance.get_materialized_partitions(dg.AssetKey(keys.DATASET_CAMPAIGN))
    known = instance.get_dynamic_partitions("dataset_campaign")
    for some in chunks(key for key in known if key not in done):
        made = runs_by_partition(instance, dataset_campaigns.name, some)
        for key in some:
            runs = made.get(key, [])
            is_hopeless = any(PERMANENT_TAG in run.tags for run in runs)
            is_running = any(run.status in UNFINISHED for run in runs)
            if not is_running and not is_hopeless and len(runs) < MAX_ATTEMPTS:
                yield key, len(runs)
