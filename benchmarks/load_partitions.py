"""A hundred thousand partitions: ticks of the sensors and the schedule, and pages of the UI.

As many cells of scenario × seed, campaigns and campaigns of datasets are registered; then nine in
ten of each are made. Materialisations are rows copied from one that Dagster itself wrote: a real
event of each would take an hour. Parity: every tick asks for what the keys say, worked out here.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from sqlalchemy import delete, func, insert, select

from benchmarks import load_pages
from benchmarks.load_timing import Spent, spent
from contracts.campaign import campaign_from
from islandflow_assets import keys
from islandflow_assets.campaign_reports import PASSED_TAG
from islandflow_jobs.alert_sensors import alert_staleness
from islandflow_jobs.campaign_sensors import (
    MAX_RUNS,
    finish_campaigns,
    promote_winners,
    start_campaigns,
)
from islandflow_jobs.control_sensors import follow_control
from islandflow_jobs.dataset_sensors import start_dataset_campaigns
from islandflow_jobs.missing import missing_ranges
from islandflow_jobs.schedules import materialise_missing
from islandflow_jobs.sensors import inbox
from islandflow_resources.database import Database
from islandflow_resources.models import Campaign
from islandflow_resources.object_store import ObjectStore
from tests.graph import open_graph
from tests.islandflow_resources.campaigning import document
from tests.postgres import PostgresServer, run_postgres

SEEDS = 100
LEFT = 10
"""One partition of so many is not made."""
PASSED = 100
"""The gate of one campaign of so many has passed."""
WANTED_TICK_S = 5
_DATA_VERSION = "dagster/data_version"
_SENSORS = (start_campaigns, start_dataset_campaigns, alert_staleness, follow_control, inbox)
_SCHEDULES = (finish_campaigns, materialise_missing)
_FIRST_ASKED = {one.name for one in (start_campaigns, start_dataset_campaigns, finish_campaigns)}


@dataclass(frozen=True)
class Place:
    """Where partitions are known, and how many of each kind."""

    name: str
    instance: dg.DagsterInstance
    database: Database
    store: ObjectStore
    partitions: int

    @property
    def scenarios(self) -> list[str]:
        """Keys of scenarios, in order."""
        return [f"market-{number:06d}" for number in range(max(1, self.partitions // SEEDS))]

    @property
    def seeds(self) -> list[str]:
        """Seeds, in order."""
        return [str(number) for number in range(SEEDS)]

    @property
    def cells(self) -> list[str]:
        """Cells of the grid, in order."""
        return [f"{scenario}|{seed}" for scenario in self.scenarios for seed in self.seeds]

    @property
    def campaigns(self) -> list[str]:
        """Keys of campaigns, in order."""
        return [f"campaign-{number:06d}" for number in range(self.partitions)]


def rows(partitions: int, *, postgres: bool) -> list[list[str]]:
    """Lines of the table: what, seconds, and what was wanted."""
    logging.getLogger("islandflow.alerts").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with open_graph(home) as graph:
            resources = graph.resources
            place = Place("SQLite", graph.instance, resources.database, resources.store, partitions)
            lines = _ticks(place)
            first = {keys.BACKTEST_RESULT: place.scenarios[0]}
            first |= {keys.PROMOTION_DOSSIER: place.campaigns[0]}
            lines += load_pages.rows(place.name, place.partitions, first, Path(folder))
            if postgres:
                with run_postgres() as server:
                    lines += _on_postgres(server, place, Path(folder) / "pg")
    return lines


def _on_postgres(server: PostgresServer, place: Place, home: Path) -> list[list[str]]:
    database = Database(server.url(server.create_database()))
    try:
        with on_postgres(server, home) as instance:
            return _ticks(Place("PostgreSQL", instance, database, place.store, place.partitions))
    finally:
        database.dispose()


def on_postgres(server: PostgresServer, home: Path) -> dg.DagsterInstance:
    """A fresh instance whose storage is on PostgreSQL."""
    home.mkdir()
    url = server.url(server.create_database(), "+psycopg2")
    storage = {"storage": {"postgres": {"postgres_url": url}}, "telemetry": {"enabled": False}}
    (home / "dagster.yaml").write_text(json.dumps(storage), "utf-8")
    return dg.DagsterInstance.from_config(str(home))


def _ticks(place: Place) -> list[list[str]]:
    """Every tick with nothing made, then with nine in ten made."""
    register(place)
    lines = _timed(place, "nothing made", lambda key_list: key_list)
    make_most(place)
    lines += _timed(place, "nine in ten made", lambda key_list: key_list[::LEFT])
    return [*lines, *_promoted(place)]


def register(place: Place) -> None:
    """Add all keys, and the rows of the campaigns."""
    instance = place.instance
    for name, added in (
        ("scenario", place.scenarios),
        ("seed", place.seeds),
        ("campaign", place.campaigns),
        ("dataset_campaign", place.campaigns),
    ):
        instance.add_dynamic_partitions(name, added)
        if len(instance.get_dynamic_partitions(name)) != len(added):
            raise AssertionError(f"not every {name} is a partition")
    spec = campaign_from(document(promotion=None)).document()
    at = datetime.now(UTC) - timedelta(days=2)
    for start in range(0, place.partitions, 10_000):
        place.database.insert(
            "register campaigns",
            Campaign,
            [
                Campaign(
                    campaign_hash=f"sha256:{key}",
                    campaign_key=key,
                    campaign_id="load",
                    spec=spec,
                    registered_at=at,
                )
                for key in place.campaigns[start : start + 10_000]
            ],
        )


def make_most(place: Place) -> None:
    """Materialise all partitions but one in ten."""
    _materialise(place, keys.BACKTEST_RESULT, _most(place.cells), lambda number: {})
    _materialise(place, keys.DATASET_CAMPAIGN, _most(place.campaigns), lambda number: {})
    _materialise(
        place,
        keys.PROMOTION_DOSSIER,
        _most(place.campaigns),
        lambda number: {PASSED_TAG: str(number % PASSED == 0).lower()},
    )


def _most(key_list: list[str]) -> list[str]:
    return [key for number, key in enumerate(key_list) if number % LEFT]


def _timed(place: Place, state: str, open_of: Callable[[list[str]], list[str]]) -> list[list[str]]:
    """Ticks of everything that looks at partitions; each must ask for what is open."""
    instance, database = place.instance, place.database
    resources: dict[str, Any] = {"database": database, "store": place.store}

    from islandflow_jobs.definitions import defs  # which want to know a home

    repository = defs.get_repository_def()

    def sensed(sensor: dg.SensorDefinition) -> Any:
        context = dg.build_sensor_context(
            instance=instance,
            instance_ref=instance.get_ref(),
            resources=resources,
            repository_def=repository,
        )
        return sensor.evaluate_tick(context)

    def scheduled(schedule: dg.ScheduleDefinition) -> Any:
        now = datetime.now(UTC)
        context = dg.build_schedule_context(
            instance=instance,
            instance_ref=instance.get_ref(),
            scheduled_execution_time=now,
            repository_def=repository,
        )
        return schedule.evaluate_tick(context)

    first = open_of(place.campaigns)[:MAX_RUNS]
    missing = set(open_of(place.cells))
    _check_boxes(place, missing)
    ticks: list[tuple[str, Callable[[], Any]]] = [
        *((one.name, lambda one=one: sensed(one)) for one in _SENSORS),
        *((one.name, lambda one=one: scheduled(one)) for one in _SCHEDULES),
    ]
    lines: list[list[str]] = []
    for name, tick in ticks:
        answer = tick()
        if name in _FIRST_ASKED:
            _same([one.partition_key for one in answer.run_requests], first, name)
        if name == alert_staleness.name:
            said = f"{len(open_of(place.campaigns))} campaigns are stale"
            _same(answer.skip_message, said, name)
        what = f"{place.name}: {name}, {state}"
        lines.append(spent(tick, runs=3, warm=0).line(what, f"{WANTED_TICK_S} s"))
    return lines


def _check_boxes(place: Place, missing: set[str]) -> None:
    """Boxes hold as many cells as are missing, and no other: they cover, being disjoint."""
    place_of = {scenario: number for number, scenario in enumerate(place.scenarios)}
    covered: list[str] = []
    for first, last in missing_ranges(place.scenarios, place.seeds, missing):
        top, bottom = place_of[first.scenario_key], place_of[last.scenario_key]
        covered += [
            f"{scenario}|{seed}"
            for scenario in place.scenarios[top : bottom + 1]
            for seed in range(first.seed, last.seed + 1)
        ]
    _same(sorted(covered), sorted(missing), "boxes")


def _promoted(place: Place) -> list[list[str]]:
    """Ticks of the promoting sensor until it has looked at every dossier."""
    passed = [key for n, key in enumerate(_most(place.campaigns)) if n % PASSED == 0]
    cursor: str | None = None
    ticks: list[Spent] = []
    while True:
        context = dg.build_sensor_context(
            instance=place.instance, cursor=cursor, resources={"database": place.database}
        )
        answers: list[Any] = []
        ticks.append(spent(partial(_gather, answers, context), runs=1, warm=0))
        if not all(isinstance(one, dg.SkipReason) for one in answers):
            raise AssertionError("campaigns without an alias are never promoted")
        if context.cursor == cursor:
            break
        cursor = context.cursor
    made = len(_most(place.campaigns))
    said = f"{place.name}: promote_winners, {made:,} dossiers, {len(passed):,} passed"
    longest, wanted = max(ticks, key=lambda tick: tick.wall_s), f"{WANTED_TICK_S} s"
    return [
        longest.line(f"{said}: longest of {len(ticks)} ticks", wanted),
        ticks[-1].line(f"{said}: once all are known", wanted),
    ]


def _gather(answers: list[Any], context: dg.SensorEvaluationContext) -> None:
    answer: Any = promote_winners(context)
    answers.extend(answer)


def _materialise(
    place: Place, asset: str, made: list[str], tags_of: Callable[[int], Mapping[str, str]]
) -> None:
    """Copy the row of one event, of each set of tags, for many partitions."""
    instance, events = place.instance, SqlEventLogStorageTable
    storage: Any = instance.event_log_storage
    patterns: dict[str, dict[str, Any]] = {}
    stamped = dict.fromkeys(json.dumps(tags_of(number)) for number in range(len(made)))
    for number, text in enumerate(stamped):
        mark = f"@partition{number}@"
        tags = {_DATA_VERSION: mark, **json.loads(text)}
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset, partition=mark, tags=tags)
        )
        with storage.index_connection() as connection:
            row = connection.execute(select(events).where(events.c.partition == mark)).one()
            connection.execute(
                delete(AssetEventTagsTable).where(AssetEventTagsTable.c.event_id == row.id)
            )
            connection.execute(delete(events).where(events.c.id == row.id))
        patterns[text] = {**row._mapping, "mark": mark}
    with storage.index_connection() as connection:
        next_id = (connection.execute(select(func.max(events.c.id))).scalar() or 0) + 1_000
        for start in range(0, len(made), 10_000):
            rows_, tags_ = [], []
            for number, key in enumerate(made[start : start + 10_000], start=start):
                pattern = dict(patterns[json.dumps(tags_of(number))])
                mark = pattern.pop("mark")
                event = pattern["event"].replace(mark, key)
                rows_.append({**pattern, "id": next_id, "partition": key, "event": event})
                tags_.append(
                    {
                        "event_id": next_id,
                        "asset_key": pattern["asset_key"],
                        "key": _DATA_VERSION,
                        "value": key,
                        "event_timestamp": pattern["timestamp"],
                    }
                )
                next_id += 1
            connection.execute(insert(events), rows_)
            connection.execute(insert(AssetEventTagsTable), tags_)
    done = instance.get_materialized_partitions(dg.AssetKey(asset))
    _same(sorted(done), sorted(made), f"materialised partitions of {asset}")


def _same(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {str(found)[:300]} is not {str(wanted)[:300]}")
