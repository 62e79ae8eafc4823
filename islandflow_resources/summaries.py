"""The summary over seeds as a stored table, and which results it gathers.

Only results of registered scenarios and strategies, of this engine's versions and
of the given settings enter; the numbers come from ``engine.backtest``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from contracts.backtest import BacktestSettings
from contracts.columns import SUMMARY
from contracts.digest import bare, recipe_digest
from contracts.scenario import scenario_from
from engine import backtest, paths
from engine.backtest import SeedResult, summarise_seeds
from islandflow_resources import datasets
from islandflow_resources.database import Database
from islandflow_resources.models import RunResult
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION
from islandflow_resources.tables import StoredTable, store_table

WHAT = "backtest_summary"


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
    digests = {
        (row.scenario_key, row.seed): row.content_digest
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
        and digests.get((row.scenario_key, row.seed)) == row.dataset_digest
    ]


def publish(store: ObjectStore, rows: list[RunResult]) -> StoredSummary:
    """Summarise results and store the table under the digest of what it gathers."""
    keys = sorted(row.cache_key for row in rows)
    recipe = recipe_digest(WHAT, version=f"1.{backtest.VERSION}", specs={"results": [*keys]})
    summary = summarise_seeds(
        [
            SeedResult(row.scenario_key, row.strategy_id, row.strategy_hash, row.seed, row.metrics)
            for row in rows
        ]
    )
    columns = {name: [line[name] for line in summary] for name in SUMMARY.names}
    table = pa.table(columns)
    stored = store_table(store, f"summaries/{bare(recipe)}/summary.parquet", table, SUMMARY)
    return StoredSummary(table, stored, recipe)
