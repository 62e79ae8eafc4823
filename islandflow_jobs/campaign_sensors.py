"""Sensors that start campaigns and promote their winners, and the schedule that asks again.

They decide, jobs act: nothing is written here. What decides is what stands in the instance, so
that a restart, a tick twice or two daemons come to the same requests under the same keys.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from islandflow_assets import keys
from islandflow_assets.campaign_reports import PASSED_TAG
from islandflow_jobs.jobs import campaign, promotion
from islandflow_jobs.sensors import UNFINISHED
from islandflow_resources.campaigns import registered
from islandflow_resources.database import Database
from islandflow_resources.failures import PERMANENT_TAG
from islandflow_resources.settings import load_settings

MAX_RUNS = 10
MAX_ATTEMPTS = 3
_PARTITION = "dagster/partition"
_MADE_OF = f"dagster/input_data_version/{keys.PROMOTION_DOSSIER}"
"""Tag of a published spec's event: the data version of the dossier that it was made of."""
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.sensor(job=campaign, minimum_interval_seconds=30)
def start_campaigns(
    context: dg.SensorEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Run every registered campaign that has no dossier and is not running."""
    waiting = list(_waiting(context.instance))
    if not waiting:
        yield dg.SkipReason("every registered campaign has a dossier, or is running")
    for key in waiting[:MAX_RUNS]:
        yield dg.RunRequest(run_key=f"campaign:{key}", partition_key=key)


@dg.schedule(job=campaign, cron_schedule="0 2 * * *", execution_timezone="UTC")
def finish_campaigns(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask again, once a night, for every campaign that was interrupted or failed for now."""
    day = context.scheduled_execution_time.date()
    waiting = [key for key in _waiting(context.instance) if not _hopeless(context.instance, key)]
    if not waiting:
        yield dg.SkipReason("no campaign waits")
    for key in waiting[:MAX_RUNS]:
        yield dg.RunRequest(run_key=f"campaign:{key}@{day}", partition_key=key)


@dg.sensor(job=promotion, minimum_interval_seconds=30)
def promote_winners(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Publish the winner of every campaign whose gate has passed and that names an alias.

    A run that failed for now is asked for again, at most twice. Under
    ``ISLANDFLOW_PROMOTION=dry_run`` it only says what it would publish.
    """
    asked = list(_promotions(context.instance, database))
    if not asked:
        yield dg.SkipReason("no dossier has passed that is not published")
    elif load_settings().promotion == "dry_run":
        yield dg.SkipReason(f"dry run: would promote {', '.join(key for key, _ in asked)}")
    else:
        for key, run_key in asked[:MAX_RUNS]:
            yield dg.RunRequest(run_key=run_key, partition_key=key)


def _waiting(instance: dg.DagsterInstance) -> Iterator[str]:
    """Campaigns without a dossier that no run is making."""
    done = instance.get_materialized_partitions(dg.AssetKey(keys.PROMOTION_DOSSIER))
    for key in instance.get_dynamic_partitions("campaign"):
        if key not in done and not _runs(instance, campaign.name, key, UNFINISHED):
            yield key


def _hopeless(instance: dg.DagsterInstance, key: str) -> bool:
    """Whether the newest failure of a campaign was for good."""
    failed = _runs(instance, campaign.name, key, _FAILED)
    return bool(failed) and PERMANENT_TAG in failed[0].tags


def _promotions(instance: dg.DagsterInstance, database: Database) -> Iterator[tuple[str, str]]:
    """Campaigns to promote, each with the key of the run that does it."""
    for key in instance.get_dynamic_partitions("campaign"):
        dossier = _newest_tags(instance, keys.PROMOTION_DOSSIER, key)
        if dossier.get(PASSED_TAG) != "true":
            continue
        version = dossier["dagster/data_version"]
        published = _newest_tags(instance, keys.PUBLISHED_SERVING_SPEC, key)
        if published.get(_MADE_OF) == version:
            continue
        if registered(database, key).spec.promotion is None:
            continue
        if _runs(instance, promotion.name, key, UNFINISHED):
            continue
        failed = len(_runs(instance, promotion.name, key, _FAILED))
        if failed < MAX_ATTEMPTS:
            yield key, f"promote:{key}:{version[:16]}:{failed}"


def _newest_tags(instance: dg.DagsterInstance, asset: str, key: str) -> Mapping[str, str]:
    """Tags of the newest event of a partition; none if there is no event."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key])
    records = instance.fetch_materializations(wanted, limit=1).records
    event = records[0].asset_materialization if records else None
    return (event.tags or {}) if event is not None else {}


def _runs(
    instance: dg.DagsterInstance, job: str, key: str, statuses: list[dg.DagsterRunStatus]
) -> list[dg.DagsterRun]:
    wanted = dg.RunsFilter(job_name=job, tags={_PARTITION: key}, statuses=statuses)
    return list(instance.get_runs(wanted, limit=MAX_ATTEMPTS))
