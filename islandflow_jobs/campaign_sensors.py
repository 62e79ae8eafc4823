"""Sensors that start campaigns and promote their winners, and the schedule that asks again.

They decide, jobs act: nothing is written here. What decides is what stands in the instance, so
that a restart, a tick twice or two daemons come to the same requests under the same keys.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import dagster as dg

from islandflow_assets import keys
from islandflow_assets.campaign_reports import PASSED_TAG
from islandflow_assets.serving import ACTOR, DOSSIER_TAG, dossier_tag
from islandflow_jobs.jobs import campaign, promotion
from islandflow_jobs.sensors import UNFINISHED
from islandflow_resources.campaigns import registered
from islandflow_resources.database import Database
from islandflow_resources.failures import PERMANENT_TAG
from islandflow_resources.registry import Registry
from islandflow_resources.settings import load_settings

MAX_RUNS = 10
MAX_ATTEMPTS = 3
LONGEST = timedelta(days=1)
_PARTITION = "dagster/partition"
_RUN_KEY = "dagster/run_key"
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.sensor(job=campaign, minimum_interval_seconds=30)
def start_campaigns(
    context: dg.SensorEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Run every registered campaign that nobody has run yet.

    One whose run failed is not asked for again here: it would keep its place, and with ten of
    them no other would ever start. `finish_campaigns` does that.
    """
    instance = context.instance
    waiting = [key for key in _waiting(instance) if not _runs(instance, campaign.name, key, [])]
    if not waiting:
        yield dg.SkipReason("every registered campaign has been run, or is running")
    for key in waiting[:MAX_RUNS]:
        yield dg.RunRequest(run_key=f"campaign:{key}", partition_key=key)


@dg.schedule(job=campaign, cron_schedule="0 2 * * *", execution_timezone="UTC")
def finish_campaigns(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask again, once a night, for every campaign that was interrupted or failed for now.

    A run that began a day ago and has not ended was interrupted: a killed process tells nobody.
    """
    now = context.scheduled_execution_time
    day, since = now.date(), now - LONGEST
    waiting = [
        key for key in _waiting(context.instance, since) if not _hopeless(context.instance, key)
    ]
    if not waiting:
        yield dg.SkipReason("no campaign waits")
    for key in waiting[:MAX_RUNS]:
        yield dg.RunRequest(run_key=f"campaign:{key}@{day}", partition_key=key)


@dg.sensor(job=promotion, minimum_interval_seconds=30)
def promote_winners(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Publish the winner of every campaign whose gate has passed and that names an alias.

    A run that failed for now is asked for again, at most twice; one that failed for good is left
    to a person. Under
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


def _waiting(instance: dg.DagsterInstance, since: datetime | None = None) -> Iterator[str]:
    """Campaigns without a dossier that no run, begun after some time, is making."""
    done = instance.get_materialized_partitions(dg.AssetKey(keys.PROMOTION_DOSSIER))
    for key in instance.get_dynamic_partitions("campaign"):
        if key not in done and not _runs(instance, campaign.name, key, UNFINISHED, since):
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
        if published.get(DOSSIER_TAG) == dossier_tag(version):
            continue
        if _is_decided(database, key):
            continue
        if _runs(instance, promotion.name, key, UNFINISHED):
            continue
        asked = f"promote:{key}:{version[:16]}"
        failed = [
            run
            for run in _runs(instance, promotion.name, key, _FAILED)
            if run.tags.get(_RUN_KEY, "").startswith(f"{asked}:")
        ]
        if len(failed) < MAX_ATTEMPTS and not any(PERMANENT_TAG in run.tags for run in failed):
            yield key, f"{asked}:{len(failed)}"


def _is_decided(database: Database, key: str) -> bool:
    """Whether there is nothing to decide: no alias, or a person has served a winner of it.

    Whoever did that may have rolled back since, which must stand.
    """
    spec = registered(database, key).spec
    if spec.promotion is None:
        return True
    registry = Registry(database)
    own = {row.serving_id for row in registry.specs() if row.campaign_hash == spec.campaign_hash}
    return any(
        move.to_serving_id in own and not move.actor.startswith(ACTOR)
        for move in registry.history(spec.promotion.alias)
        if move.action != "rollback"
    )


def _newest_tags(instance: dg.DagsterInstance, asset: str, key: str) -> Mapping[str, str]:
    """Tags of the newest event of a partition; none if there is no event."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key])
    records = instance.fetch_materializations(wanted, limit=1).records
    event = records[0].asset_materialization if records else None
    return (event.tags or {}) if event is not None else {}


def _runs(
    instance: dg.DagsterInstance,
    job: str,
    key: str,
    statuses: list[dg.DagsterRunStatus],
    since: datetime | None = None,
) -> list[dg.DagsterRun]:
    """Runs of a campaign, the newest first; of any status if none is named."""
    wanted = dg.RunsFilter(
        job_name=job, tags={_PARTITION: key}, statuses=statuses, created_after=since
    )
    return list(instance.get_runs(wanted))
