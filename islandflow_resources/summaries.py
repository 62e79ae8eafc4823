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
from contracts.strategy import StrategySpec, strategy_from
from engine import backtest, paths
from engine.backtest import SeedResult, rank_strategies, summarise_seeds
from islandflow_resources import datasets
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact, RunResult
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION
from islandflow_resources.strategies import compiled
from islandflow_resources.tables import StoredTable, store_table


@dataclass(frozen=True, slots=True)
class CurrentResult:
    """One seed of one scenario under one strategy, and the stored result that says so."""

    cache_key: str
    result: SeedResult


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """A summary in the store."""

    table: pa.Table
    stored: StoredTable
    recipe: str


def current_results(database: Database, settings: BacktestSettings) -> list[CurrentResult]:
    """Results that belong to what is registered now, under these settings.

    The index holds a result once, under the first names that asked for it. Which
    scenarios and strategies it answers follows from content: from the digest of the
    dataset that stands now, and from what the strategy means.
    """
    strategies = [strategy_from(row.spec) for row in database.strategies()]
    meanings = {spec.strategy_hash: compiled(spec).ir_hash for spec in strategies}
    rows = {
        (row.dataset_digest, meanings.get(row.strategy_hash), row.bars): row
        for row in database.results()
        if row.version == VERSION and row.settings_hash == settings.settings_hash
    }
    found: list[CurrentResult] = []
    for dataset in _current_datasets(database):
        bars = min(settings.max_bars or dataset.rows, dataset.rows)
        for spec in strategies:
            meaning = meanings[spec.strategy_hash]
            row = rows.get((dataset.content_digest, meaning, bars))
            if row is not None:
                found.append(CurrentResult(row.cache_key, _seed_result(dataset, spec, row)))
    return found


def publish_summary(store: ObjectStore, found: Sequence[CurrentResult]) -> StoredSummary:
    """Store a row per scenario and strategy under the digest of what it gathers."""
    lines = summarise_seeds([one.result for one in found])
    return _publish(store, "backtest_summary", SUMMARY, found, lines)


def publish_leaderboard(store: ObjectStore, found: Sequence[CurrentResult]) -> StoredSummary:
    """Store a row per strategy, the best first, under the digest of what it gathers."""
    lines = rank_strategies([one.result for one in found])
    return _publish(store, "leaderboard", LEADERBOARD, found, lines)


def _current_datasets(database: Database) -> list[Artefact]:
    """Recorded datasets of registered scenarios, as this engine makes them."""
    versions = {
        row.scenario_key: paths.version(scenario_from({**row.spec, "seed": "0"}))
        for row in database.scenarios()
    }
    return [
        row
        for row in database.artefacts(what=datasets.WHAT)
        if row.scenario_key and versions.get(row.scenario_key) == row.version
    ]


def _seed_result(dataset: Artefact, spec: StrategySpec, row: RunResult) -> SeedResult:
    scenario_key, seed = dataset.scenario_key or "", dataset.seed or 0
    return SeedResult(scenario_key, spec.id, spec.strategy_hash, seed, row.metrics)


def _publish(
    store: ObjectStore,
    what: str,
    layout: TableSchema,
    found: Sequence[CurrentResult],
    lines: Sequence[Mapping[str, object]],
) -> StoredSummary:
    gathered = sorted(
        f"{one.cache_key} {one.result.scenario_key}|{one.result.seed} {one.result.strategy_hash}"
        for one in found
    )
    recipe = recipe_digest(what, version=f"2.{backtest.VERSION}", specs={"results": [*gathered]})
    table = pa.table({name: [line[name] for line in lines] for name in layout.names})
    key = f"summaries/{bare(recipe)}/{layout.name}.parquet"
    return StoredSummary(table, store_table(store, key, table, layout), recipe)
