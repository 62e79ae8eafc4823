"""Sensors that start campaigns and promote their winners, and the schedule that asks again.

They decide, jobs act: nothing is written here. What decides is what stands in the instance, so
that a restart, a tick twice or two daemons come to the same requests under the same keys.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import dagster as dg

from islandflow_assets import keys
from islandflow_assets.campaign_reports import PASSED_TAG
from islandflow_assets.serving import ACTOR, DOSSIER_TAG, dossier_tag
from islandflow_jobs.jobs import campaign, promotion
from islandflow_jobs.partition_runs import chunks, runs_by_partition
from islandflow_jobs.sensors import UNFINISHED
from islandflow_resources.campaigns import registered
from islandflow_resources.database import Database
from islandflow_resources.failures import PERMANENT_TAG
from islandflow_resources.registry import Registry
from islandflow_resources.settings import load_settings

MAX_RUNS = 10
MAX_ATTEMPTS = 3
LONGEST = timedelta(days=1)
MAX_DOSSIERS = 1_000
"""New dossiers that one tick looks at."""
LATE, MAX_LATE = timedelta(minutes=10), 100
"""How old a dossier before the cursor may be to be looked at again, and how many there are."""
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
    waiting = list(islice(_never_run(context.instance), MAX_RUNS))
    if not waiting:
        yield dg.SkipReason("every registered campaign has been run, or is running")
    for key in waiting:
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
    waiting = list(islice(_hopeful(context.instance, since), MAX_RUNS))
    if not waiting:
        yield dg.SkipReason("no campaign waits")
    for key in waiting:
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
    after, waiting = _settled(context.cursor)
    after, fresh = _fresh(context.instance, after)
    asked, waiting = _promotions(context.instance, database, dict.fromkeys([*waiting, *fresh]))
    context.update_cursor(json.dumps({"after": after, "waiting": waiting}))
    if not asked:
        yield dg.SkipReason("no dossier has passed that is not published")
    elif load_settings().promotion == "dry_run":
        yield dg.SkipReason(f"dry run: would promote {', '.join(key for key, _ in asked)}")
    else:
        for key, run_key in asked:
            yield dg.RunRequest(run_key=run_key, partition_key=key)


def _never_run(instance: dg.DagsterInstance) -> Iterator[str]:
    """Campaigns without a dossier and without any run."""
    for some in chunks(_waiting(instance)):
        runs = runs_by_partition(instance, campaign.name, some)
        yield from (key for key in some if key not in runs)


def _hopeful(instance: dg.DagsterInstance, since: datetime) -> Iterator[str]:
    """Campaigns without a dossier whose newest failure, if there is one, was not for good."""
    for some in chunks(_waiting(instance, since)):
        failed = runs_by_partition(instance, campaign.name, some, _FAILED)
        for key in some:
            if key not in failed or PERMANENT_TAG not in failed[key][0].tags:
                yield key


def _waiting(instance: dg.DagsterInstance, since: datetime | None = None) -> Iterator[str]:
    """Campaigns without a dossier that no run, begun after some time, is making."""
    done = instance.get_materialized_partitions(dg.AssetKey(keys.PROMOTION_DOSSIER))
    busy = runs_by_partition(instance, campaign.name, None, UNFINISHED, since)
    for key in instance.get_dynamic_partitions("campaign"):
        if key not in done and key not in busy:
            yield key


def _settled(cursor: str | None) -> tuple[int | None, list[str]]:
    """Up to which event dossiers have been looked at, and which of them still wait.

    Without a cursor everything is looked at again, and comes to the same.
    """
    if cursor is None:
        return None, []
    known = json.loads(cursor)
    return known["after"], known["waiting"]


def _fresh(instance: dg.DagsterInstance, after: int | None) -> tuple[int | None, list[str]]:
    """Registered campaigns of the next dossiers after an event, and the last of these events.

    A campaign whose newest dossier is older than the cursor has been decided, or waits by name.
    But of two writers the one whose event has the lower number may be the later to commit, so
    that the `MAX_LATE` dossiers before the cursor are looked at again for a while: as many as can
    commit between such two.
    """
    asset = dg.AssetKey(keys.PROMOTION_DOSSIER)
    wanted = dg.AssetRecordsFilter(asset, after_storage_id=after)
    new = instance.fetch_materializations(wanted, MAX_DOSSIERS, ascending=True).records
    late: Sequence[dg.EventLogRecord] = ()
    if after is not None:
        seen = dg.AssetRecordsFilter(asset, before_storage_id=after + 1)
        late = instance.fetch_materializations(seen, MAX_LATE).records
    since = (datetime.now(UTC) - LATE).timestamp()
    passed = dict.fromkeys(
        str(record.partition_key)
        for record in [*(one for one in late if one.timestamp >= since), *new]
        if record.asset_materialization is not None
        and (record.asset_materialization.tags or {}).get(PASSED_TAG) == "true"
    )
    registered_keys = set(instance.get_dynamic_partitions("campaign")) if passed else set()
    last = new[-1].storage_id if new else after
    return last, [key for key in passed if key in registered_keys]


def _promotions(
    instance: dg.DagsterInstance, database: Database, open_keys: Iterable[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Campaigns to promote, each with the key of its run, and all that are not settled."""
    asked: list[tuple[str, str]] = []
    waiting: list[str] = []
    for key in open_keys:
        if len(asked) == MAX_RUNS:
            waiting.append(key)
            continue
        run_key = _promotion(instance, database, key)
        if run_key is None:
            continue
        waiting.append(key)
        if run_key:
            asked.append((key, run_key))
    return asked, waiting


def _promotion(instance: dg.DagsterInstance, database: Database, key: str) -> str | None:
    """Key of the run that promotes a campaign; empty while one does, None if it is settled."""
    dossier = _newest_tags(instance, keys.PROMOTION_DOSSIER, key)
    if dossier.get(PASSED_TAG) != "true":
        return None
    version = dossier["dagster/data_version"]
    published = _newest_tags(instance, keys.PUBLISHED_SERVING_SPEC, key)
    if published.get(DOSSIER_TAG) == dossier_tag(version) or _is_decided(database, key):
        return None
    runs = runs_by_partition(instance, promotion.name, [key]).get(key, [])
    if any(run.status in UNFINISHED for run in runs):
        return ""
    asked = f"promote:{key}:{version[:16]}"
    failed = [
        run
        for run in runs
        if run.status in _FAILED and run.tags.get(_RUN_KEY, "").startswith(f"{asked}:")
    ]
    if len(failed) < MAX_ATTEMPTS and not any(PERMANENT_TAG in run.tags for run in failed):
        return f"{asked}:{len(failed)}"
    return None


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
