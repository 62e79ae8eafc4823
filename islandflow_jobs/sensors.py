"""The sensor of the inbox. Sensors decide, jobs act: nothing is written here.

It needs no cursor, since the job that it starts leaves the inbox empty. What starts and promotes
campaigns is ``campaign_sensors``, what raises alarms ``alert_sensors``.
"""

import dagster as dg

from islandflow_jobs.jobs import INBOXES, register_inbox, waiting
from islandflow_resources.object_store import ObjectStore

UNFINISHED = [
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
    documents = [key for place in INBOXES for key in waiting(store, place)]
    if not documents:
        return dg.SkipReason(f"nothing lies under {', '.join(INBOXES)}")
    busy = dg.RunsFilter(job_name=register_inbox.name, statuses=UNFINISHED)
    if context.instance.get_runs_count(busy):
        return dg.SkipReason(f"{len(documents)} documents wait for the running registration")
    return dg.RunRequest(tags={"islandflow/documents": str(len(documents))})
