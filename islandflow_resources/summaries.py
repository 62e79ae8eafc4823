"""Summary and leaderboard as stored tables, and which results they gather.

Only results of registered scenarios and strategies, of this engine's versions and
of the given settings enter; the numbers come from ``engine.backtest``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import pyarrow as pa
from sqlalchemy import Connection, select

from contracts.backtest import BacktestSettings
from contracts.columns import LEADERBOARD, SUMMARY, TableSchema
from contracts.digest import bare, recipe_digest
from contracts.scenario import scenario_from
from contracts.strategy import strategy_from
from engine import backtest, paths
from engine.backtest import SeedResult, rank_strategies, summarise_seeds
from islandflow_resources import datasets
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact, RunResult
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION
from islandflow_resources.strategies import meaning
from islandflow_resources.tables import StoredTable, store_table

_BATCH_ROWS: Final = 10_000
_Row = tuple[str, dict[str, float | None]]
"""Cache key and metrics of a stored result."""


@dataclass(frozen=True, slots=True)
class CurrentResult:
    """One seed of one scenario under one strategy, and the stored result that says so."""

    cache_key: str
    result: SeedResult


class _Dataset(NamedTuple):
    """A recorded dataset."""

    scenario_key: str
    seed: int
    content_digest: str
    rows: int


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
    specs = [strategy_from(row.spec) for row in database.strategies()]
    # A hash is worked out at every look: once here, not for each of a million results.
    hashes = [spec.strategy_hash for spec in specs]
    meanings = {name: meaning(name, spec) for name, spec in zip(hashes, specs, strict=True)}
    strategies = [(spec.id, name, meanings[name]) for name, spec in zip(hashes, specs, strict=True)]
    stored = _stored_results(database, settings, meanings)
    found: list[CurrentResult] = []
    for dataset in _current_datasets(database):
        bars = min(settings.max_bars or dataset.rows, dataset.rows)
        own = stored.get((dataset.content_digest, bars), {})
        for strategy_id, strategy_hash, meant in strategies if own else ():
            row = own.get(meant)
            if row is None:
                continue
            cache_key, metrics = row
            result = SeedResult(
                dataset.scenario_key, strategy_id, strategy_hash, dataset.seed, metrics
            )
            found.append(CurrentResult(cache_key, result))
    return found


def publish_summary(store: ObjectStore, found: Sequence[CurrentResult]) -> StoredSummary:
    """Store a row per scenario and strategy under the digest of what it gathers."""
    lines = summarise_seeds([one.result for one in found])
    return _publish(store, "backtest_summary", SUMMARY, found, lines)


def publish_leaderboard(store: ObjectStore, found: Sequence[CurrentResult]) -> StoredSummary:
    """Store a row per strategy, the best first, under the digest of what it gathers."""
    lines = rank_strategies([one.result for one in found])
    return _publish(store, "leaderboard", LEADERBOARD, found, lines)


def _stored_results(
    database: Database, settings: BacktestSettings, meanings: Mapping[str, str]
) -> dict[tuple[str, int], dict[str, _Row]]:
    """This engine's results, by dataset and bars, then by what the strategy means.

    Columns instead of rows and their documents: a registry holds the results of years.
    """
    query = (
        select(
            RunResult.cache_key,
            RunResult.dataset_digest,
            RunResult.strategy_hash,
            RunResult.bars,
            RunResult.sharpe,
            RunResult.final_equity,
            RunResult.max_drawdown,
            RunResult.trades,
        )
        .where(RunResult.settings_hash == settings.settings_hash)
        .where(RunResult.version == VERSION)
        .execution_options(yield_per=_BATCH_ROWS)
    )
    initial = settings.initial_cash

    def load(connection: Connection) -> dict[tuple[str, int], dict[str, _Row]]:
        found: dict[tuple[str, int], dict[str, _Row]] = {}
        for key, dataset, strategy, bars, sharpe, final, fall, trades in connection.execute(query):
            if strategy in meanings:
                metrics = {
                    "sharpe": sharpe,
                    "total_return": final / initial - 1.0,  # as ``engine.backtest`` rounds it
                    "max_drawdown": fall,
                    "trades": float(trades),
                }
                found.setdefault((dataset, bars), {})[meanings[strategy]] = key, metrics
        return found

    return database.read("list results of these settings", load)


def _current_datasets(database: Database) -> list[_Dataset]:
    """Recorded datasets of registered scenarios as this engine makes them, by scenario and seed."""
    versions = {
        row.scenario_key: paths.version(scenario_from({**row.spec, "seed": "0"}))
        for row in database.scenarios()
    }
    query = select(
        Artefact.scenario_key,
        Artefact.seed,
        Artefact.version,
        Artefact.content_digest,
        Artefact.rows,
    ).where(Artefact.what == datasets.WHAT)

    def load(connection: Connection) -> list[_Dataset]:
        return [
            _Dataset(key, seed or 0, digest, rows)
            for key, seed, version, digest, rows in connection.execute(query)
            if key and versions.get(key) == version
        ]

    return sorted(database.read("list datasets", load))


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
