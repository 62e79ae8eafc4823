"""Sensors decide, jobs act: nothing is written here.

The inbox needs no cursor, since the job that it starts leaves it empty.
"""

import dagster as dg

from islandflow_jobs.jobs import SCENARIO_INBOX, STRATEGY_INBOX, register_inbox
from islandflow_resources.object_store import ObjectStore

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(job=register_inbox, minimum_interval_seconds=30)
def inbox(
    context: dg.SensorEvaluationContext, store: dg.ResourceParam[ObjectStore]
) -> dg.RunRequest | dg.SkipReason:
    """Start a registration while documents wait under ``inbox/``."""
    waiting = [*store.keys(SCENARIO_INBOX), *store.keys(STRATEGY_INBOX)]
    if not waiting:
        return dg.SkipReason(f"nothing lies under {SCENARIO_INBOX} or {STRATEGY_INBOX}")
    busy = dg.RunsFilter(job_name=register_inbox.name, statuses=_UNFINISHED)
    if context.instance.get_runs_count(busy):
        return dg.SkipReason(f"{len(waiting)} documents wait for the running registration")
    return dg.RunRequest(tags={"islandflow/documents": str(len(waiting))})
