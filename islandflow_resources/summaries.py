"""Summary and leaderboard as stored tables, and which results they gather.

Only results of registered scenarios and strategies, of this engine's versions and
of the given settings enter; the numbers come from ``engine.backtest``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from contracts.backtest import BacktestSettings
from contracts.columns import LEADERBOARD, SUMMARY, TableSchema
from contracts.digest import bare, recipe_digest
from contracts.scenario import scenario_from
from engine import backtest, paths
from engine.backtest import SeedResult, rank_strategies, summarise_seeds
from islandflow_resources import datasets
from islandflow_resources.database import Database
from islandflow_resources.models import RunResult
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION
from islandflow_resources.tables import StoredTable, store_table


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """A summary in the store."""

    table: pa.Table
    stored: StoredTable
    recipe: str


def current_results(database: Database, settings: BacktestSettings) -> list[RunResult]:
    """Results that belong to what is registered now, under these settings."""
    versions = {
        row.scenario_key: paths.version(scenario_from({**row.spec, "seed": "0"}))
        for row in database.scenarios()
    }
    stored = {
        (row.scenario_key, row.seed): (row.content_digest, row.rows)
        for row in database.artefacts(what=datasets.WHAT)
        if row.scenario_key and versions.get(row.scenario_key) == row.version
    }
    strategies = {row.strategy_hash for row in database.strategies()}
    return [
        row
        for row in database.results()
        if row.strategy_hash in strategies
        and row.version == VERSION
        and row.settings_hash == settings.settings_hash
        and _covers(row, settings, *stored.get((row.scenario_key, row.seed), ("", 0)))
    ]


def _covers(row: RunResult, settings: BacktestSettings, digest: str, rows: int) -> bool:
    """Whether a result is of the dataset that stands now, and of the bars asked for."""
    return row.dataset_digest == digest and row.bars == min(settings.max_bars or rows, rows)


def publish_summary(store: ObjectStore, rows: list[RunResult]) -> StoredSummary:
    """Store a row per scenario and strategy under the digest of what it gathers."""
    return _publish(store, "backtest_summary", SUMMARY, rows, summarise_seeds(_results(rows)))


def publish_leaderboard(store: ObjectStore, rows: list[RunResult]) -> StoredSummary:
    """Store a row per strategy, the best first, under the digest of what it gathers."""
    return _publish(store, "leaderboard", LEADERBOARD, rows, rank_strategies(_results(rows)))


def _publish(
    store: ObjectStore,
    what: str,
    layout: TableSchema,
    rows: list[RunResult],
    lines: Sequence[Mapping[str, object]],
) -> StoredSummary:
    keys = sorted(row.cache_key for row in rows)
    recipe = recipe_digest(what, version=f"1.{backtest.VERSION}", specs={"results": [*keys]})
    table = pa.table({name: [line[name] for line in lines] for name in layout.names})
    key = f"summaries/{bare(recipe)}/{layout.name}.parquet"
    return StoredSummary(table, store_table(store, key, table, layout), recipe)


def _results(rows: list[RunResult]) -> list[SeedResult]:
    return [
        SeedResult(row.scenario_key, row.strategy_id, row.strategy_hash, row.seed, row.metrics)
        for row in rows
    ]
