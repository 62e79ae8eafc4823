"""Sensors that raise alarms: a run that failed, a campaign that should be done and is not.

Where alerts go is ``islandflow_resources.alerts``. These are the only sensors that act themselves,
since an alert is no artefact; each is told of once.
"""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg

from islandflow_assets import keys
from islandflow_assets.presentation import STALE_HOURS
from islandflow_jobs.run_failures import reasons
from islandflow_resources.alerts import Alert, send, sinks
from islandflow_resources.campaign_index import CampaignIndex
from islandflow_resources.database import Database
from islandflow_resources.settings import load_settings

_NAMED = 300
_MOST_ALERTS = 100
"""Of one tick; the next one goes on."""


@dg.run_failure_sensor(minimum_interval_seconds=30)
def alert_failures(context: dg.RunFailureSensorContext) -> None:
    """Tell of every failed run, with its partition and what it said."""
    run = context.dagster_run
    partition = run.tags.get("dagster/partition", "")
    said = "; ".join(reasons(context.instance, run.run_id)) or context.failure_event.message
    text = " ".join((said or "the run failed").split())[:_NAMED]
    subject = f"{run.job_name} {partition} run {run.run_id}".replace("  ", " ")
    for problem in send(Alert("run_failed", subject, text), sinks(load_settings())):
        context.log.warning(problem)


@dg.sensor(minimum_interval_seconds=600)
def alert_staleness(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.SkipReason:
    """Tell of every campaign that has been registered for a day and has no dossier."""
    done = context.instance.get_materialized_partitions(dg.AssetKey(keys.PROMOTION_DOSSIER))
    before = datetime.now(UTC) - timedelta(hours=STALE_HOURS)
    registered = CampaignIndex(database).registered_before(before)
    stale = {key: at for key, at in registered.items() if key not in done}
    told = {key for key in json.loads(context.cursor or "[]") if key in stale}
    fresh = [key for key in stale if key not in told][:_MOST_ALERTS]
    targets = sinks(load_settings())
    for key in fresh:
        text = f"registered {stale[key]:%Y-%m-%d %H:%M} UTC and still without a dossier"
        for problem in send(Alert("stale", key, text), targets):
            context.log.warning(problem)
    context.update_cursor(json.dumps(sorted(told.union(fresh))))
    return dg.SkipReason(f"{len(stale)} campaigns are stale")
