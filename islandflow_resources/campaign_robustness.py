"""Monte Carlo and walk-forward of a campaign's best trials.

Which trials those are is decided here; resampling and folds are ``robustness``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from contracts.canonical import Document
from contracts.columns import MONTE_CARLO, TRIAL_CHUNKS, WALK_FORWARD
from contracts.errors import IntegrityError
from contracts.strategy import StrategySpec
from engine import montecarlo
from islandflow_resources import robustness
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaign_reports import campaign_recipe, newest
from islandflow_resources.campaign_tables import (
    CHUNK_TABLE,
    MONTE_CARLO_TABLE,
    WALK_FORWARD_TABLE,
    Robust,
)
from islandflow_resources.campaigns import AnyCampaign, ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.datasets import DatasetRef
from islandflow_resources.derived import DerivedTable, made_table, read_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiment_robustness import drawn_signal, make_signal_robust
from islandflow_resources.experiment_trades import make_trades
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION as BACKTEST_VERSION
from islandflow_resources.robustness import Cell, Row, table_of
from islandflow_resources.trials import MAX_SETS, ParameterSets


def make_robust(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    board: DerivedTable,
    run_id: str,
) -> Robust:
    """Resample the best trials, and walk their strategies forward on the same datasets."""
    if isinstance(campaign, ReadyExperiment):
        make_trades(store, database, runtime, campaign, board, run_id)
        return make_signal_robust(store, database, runtime, campaign, board, run_id)
    how, spec = campaign.spec.robustness, campaign.spec
    inputs = {"leaderboard": board.content_digest}
    specs: Document = {"best": how.best, "settings": spec.settings.document()}
    resampled = walked = None
    if (resampling := how.monte_carlo) is not None:
        own: Document = {**specs, "monte_carlo": resampling.document()}
        version = f"{BACKTEST_VERSION}.{robustness.MONTE_CARLO_VERSION}"
        recipe = campaign_recipe(campaign, MONTE_CARLO_TABLE, version, inputs, own)

        def resample() -> pa.Table:
            rows: list[Row] = []
            for cell, sets in best_by_cell(store, database, runtime, campaign, board):
                found = robustness.monte_carlo(runtime, cell, sets, spec.settings, resampling)
                rows += found.rows
            return table_of(rows, MONTE_CARLO)

        resampled = made_table(store, database, recipe, MONTE_CARLO, resample, run_id)
    if (folding := how.walk_forward) is not None:
        own = {**specs, "walk_forward": folding.document(), "objective": spec.objective}
        version = f"{BACKTEST_VERSION}.{robustness.WALK_FORWARD_VERSION}"
        recipe = campaign_recipe(campaign, WALK_FORWARD_TABLE, version, inputs, own)
        everything = all_sets(campaign, board.table)

        def walk() -> pa.Table:
            rows: list[Row] = []
            for cell, sets in best_by_cell(store, database, runtime, campaign, board):
                for name in dict.fromkeys(one.strategy.strategy_hash for one in sets):
                    rows += robustness.walk_forward(
                        runtime, cell, everything[name], spec.settings, folding, spec.objective
                    )
            return table_of(rows, WALK_FORWARD)

        walked = made_table(store, database, recipe, WALK_FORWARD, walk, run_id)
    return Robust(resampled, walked)


def drawn(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    board: DerivedTable,
) -> tuple[str, montecarlo.MonteCarloOutcome] | None:
    """The winner resampled on its first dataset, to be drawn, and the name of that dataset."""
    if isinstance(campaign, ReadyExperiment):
        return drawn_signal(store, database, runtime, campaign, board)
    how = campaign.spec.robustness.monte_carlo
    if how is None:
        return None
    for cell, sets in best_by_cell(store, database, runtime, campaign, board):
        found = robustness.monte_carlo(runtime, cell, sets[:1], campaign.spec.settings, how)
        return f"{cell.scenario_key}|{cell.seed}", found.outcomes[0]
    return None


def best_by_cell(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyCampaign,
    board: DerivedTable,
) -> Iterator[tuple[Cell, list[ParameterSets]]]:
    """Yield the datasets of the best trials, each with the sets that are looked at on it.

    The best trials are those of the best candidate, dataset by dataset, then of the next. A dataset
    that was refused has none.

    Raises
    ------
    IntegrityError
        ``CAMPAIGN_DATASET_LOST`` if one that has trials does not verify any more: a report
        without it would be kept as if it were whole.
    """
    cells = campaign.cells
    best = campaign.spec.robustness.best
    ranks = range(min(-(-best // len(cells)), board.table.num_rows))
    strategies = strategies_of(campaign)
    rows = board.table.slice(0, len(ranks)).to_pylist()
    chosen = [sets_of(strategies[row["strategy_hash"]], [row["params"]]) for row in rows]
    refs = [dataset_ref(scenario, seed) for scenario, seed in cells[:best]]
    places = {ref.recipe: index for index, ref in enumerate(refs)}
    traded = _traded(store, database, campaign)
    left = {ref.recipe: ref for ref in refs if (ref.spec.partition_key, ref.seed) in traded}
    for dataset in find_datasets(store, database, runtime, list(left.values())):
        del left[dataset.ref.recipe]
        index = places[dataset.ref.recipe]
        own = [one for rank, one in enumerate(chosen) if rank * len(cells) + index < best]
        spec = dataset.ref.spec
        data = BacktestData.of_dataset(dataset.table, spec, dataset.manifest.content_digest)
        yield Cell(spec.partition_key, dataset.ref.seed, data.bars), own
    if left:
        raise _lost(store, list(left.values()))


def strategies_of(campaign: ReadyCampaign) -> dict[str, StrategySpec]:
    """Strategies of a campaign by hash."""
    return {spec.strategy_hash: spec for spec, _ in campaign.entrants}


def sets_of(spec: StrategySpec, texts: Sequence[str]) -> ParameterSets:
    """Parameter sets of a strategy from their canonical texts."""
    names = tuple(spec.params)
    rows = [[json.loads(text)[name] for name in names] for text in texts]
    values = np.array(rows, dtype=np.float64).reshape(len(texts), len(names))
    return ParameterSets(spec, names, values)


def all_sets(campaign: ReadyCampaign, board: pa.Table) -> dict[str, list[ParameterSets]]:
    """All sets that were tried of every strategy, in chunks, in the order of the candidates."""
    ordered = board.sort_by("candidate")
    found: dict[str, list[ParameterSets]] = {}
    for digest, spec in strategies_of(campaign).items():
        own = ordered.filter(
            pa.array([one == digest for one in ordered["strategy_hash"].to_pylist()])
        )
        texts = list(dict.fromkeys(own["params"].to_pylist()))
        found[digest] = [
            sets_of(spec, texts[start : start + MAX_SETS])
            for start in range(0, len(texts), MAX_SETS)
        ]
    return found


def _traded(
    store: ObjectStore, database: Database, campaign: ReadyCampaign
) -> set[tuple[str, int]]:
    """Scenario and seed of every dataset that has trials."""
    chunks = read_table(store, newest(database, campaign, CHUNK_TABLE), TRIAL_CHUNKS)
    return set(zip(chunks["scenario_key"].to_pylist(), chunks["seed"].to_pylist(), strict=True))


def _lost(store: ObjectStore, refs: Sequence[DatasetRef]) -> IntegrityError:
    named = ", ".join(f"{ref.spec.partition_key}|{ref.seed}" for ref in refs[:3])
    return IntegrityError(
        "CAMPAIGN_DATASET_LOST",
        f"cannot go on with trials whose {len(refs)} datasets do not verify: {named}",
        refs[0].dataset_key,
        (
            f"keep them aside with: islandflow repair {store.uri(refs[0].dataset_key)}",
            "then resume the campaign",
        ),
    )
