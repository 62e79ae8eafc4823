"""All trials of a campaign: searches asked, chunks made by an executor, gathered, stored.

What is made of them lives in ``campaign_reports``; one chunk in ``trials``; where chunks are
made, in ``executors``. Whoever runs a campaign again finds what is recorded and makes the rest, in
the same order, so that the result does not depend on who was interrupted when.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from contracts.canonical import Document
from contracts.columns import CANDIDATES, TRIAL_CHUNKS, TableSchema
from contracts.digest import recipe_digest
from contracts.errors import ContractError
from contracts.strategy import StrategySpec
from engine.search import Batch
from islandflow_resources.campaign_tables import (
    CANDIDATE_TABLE,
    CHUNK_TABLE,
    VERSION,
    CampaignTrials,
    RefusedDataset,
)
from islandflow_resources.campaigns import ReadyCampaign
from islandflow_resources.candidates import Board, CandidateRows, candidates_table
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable, Recipe, made_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.executors import ChunkExecutor
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.optuna_search import make_search
from islandflow_resources.table_schemas import array_of, from_arrays, strings_of
from islandflow_resources.trials import MAX_SETS, MadeChunk, ParameterSets, TrialChunk, read_chunk

_AT_ONCE = 8

Progress = Callable[[int, int], None]
"""Told how many trials are done, of how many."""


@dataclass(slots=True)
class _Gathered:
    """What has come together so far."""

    total: int
    done: int = 0
    made: int = 0
    rows: list[CandidateRows] = field(default_factory=list)
    chunks: list[MadeChunk] = field(default_factory=list)
    refused: dict[str, MadeChunk] = field(default_factory=dict)


def run_trials(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyCampaign,
    executor: ChunkExecutor,
    run_id: str,
    progress: Progress,
) -> CampaignTrials:
    """Make all trials of a campaign that are not recorded yet, and gather all of them."""
    start = time.perf_counter()
    gathered = _Gathered(campaign.trials)
    progress(0, gathered.total)
    for strategy, entrant in campaign.entrants:
        search = make_search(strategy, entrant.search)
        while (batch := search.ask()) is not None:
            rows: list[CandidateRows] = []
            for sets in slices(strategy, batch):
                chunks = chunks_of(campaign, sets, _count(gathered.rows))
                made = executor.make(chunks, run_id)
                _gather(store, database, runtime, campaign, made, run_id, gathered, progress)
                rows.append(gathered.rows[-1])
            search.tell(np.concatenate([one.summary.score for one in rows]))
    if not gathered.chunks:
        raise _nothing_made(gathered)
    tables = _stored(store, database, campaign, gathered, run_id)
    refused = tuple(_refused(one) for one in gathered.refused.values())
    return CampaignTrials(
        *tables, gathered.done, gathered.made, refused, time.perf_counter() - start
    )


def listed_chunks(campaign: ReadyCampaign) -> Iterator[TrialChunk]:
    """Chunks that are known before any score is: those of grids and random searches."""
    first = 0
    for strategy, entrant in campaign.entrants:
        search = make_search(strategy, entrant.search)
        if entrant.search.method == "optuna":
            first += search.size
            continue
        while (batch := search.ask()) is not None:
            for sets in slices(strategy, batch):
                yield from chunks_of(campaign, sets, first)
                first += sets.size
            search.tell(np.full(batch.size, np.nan))


def slices(strategy: StrategySpec, batch: Batch) -> Iterator[ParameterSets]:
    """The sets of a batch with all parameters of the strategy, in chunks of `MAX_SETS`."""
    names = tuple(strategy.params)
    defaults = strategy.bound_params
    columns = [batch.values.get(name, np.full(batch.size, defaults[name])) for name in names]
    values = np.stack(columns, axis=1) if columns else np.empty((batch.size, 0))
    for start in range(0, batch.size, MAX_SETS):
        yield ParameterSets(strategy, names, values[start : start + MAX_SETS])


def chunks_of(campaign: ReadyCampaign, sets: ParameterSets, first: int) -> list[TrialChunk]:
    """Chunks of some sets, one for each dataset of the campaign."""
    spec = campaign.spec
    gap_bars = spec.robustness.overfitting.gap_bars
    return [
        TrialChunk(scenario, seed, sets, spec.settings, gap_bars, first)
        for scenario, seed in campaign.cells
    ]


def _gather(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyCampaign,
    made: Iterator[MadeChunk],
    run_id: str,
    gathered: _Gathered,
    progress: Progress,
) -> None:
    """Read the chunks of some sets, all verified, into candidates."""
    bars = [campaign.bars(scenario) for scenario, _ in campaign.cells]
    board: Board | None = None
    dataset = 0
    for part in _parts(made):
        tables = store.concurrently(
            lambda one: (
                None if one.row is None else read_chunk(store, database, runtime, one, run_id)
            ),
            part,
        )
        for one, table in zip(part, tables, strict=True):
            sets = one.chunk.sets
            board = board or Board(sets, campaign.spec.objective, bars, one.chunk.gap_bars)
            if table is None:
                gathered.refused.setdefault(str(one.chunk.dataset.recipe), one)
            else:
                board.add(dataset, table)
                gathered.chunks.append(one)
                gathered.made += 0 if one.used_cache else sets.size
            gathered.done += sets.size
            dataset += 1
        progress(gathered.done, gathered.total)
    assert board is not None
    gathered.rows.append(board.rows)


def _parts(made: Iterator[MadeChunk]) -> Iterator[list[MadeChunk]]:
    part: list[MadeChunk] = []
    for one in made:
        part.append(one)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _stored(
    store: ObjectStore,
    database: Database,
    campaign: ReadyCampaign,
    gathered: _Gathered,
    run_id: str,
) -> tuple[DerivedTable, DerivedTable]:
    """Store what was gathered under the digest of the chunks that it was gathered from."""
    index = _chunk_table(gathered.chunks)
    content = [*index["content_digest"].to_pylist()]
    specs: Document = {"campaign": campaign.spec.campaign_hash, "chunks": content}

    def store_as(what: str, schema: TableSchema, table: pa.Table) -> DerivedTable:
        digest = recipe_digest(what, version=VERSION, specs=specs)
        recipe = Recipe(what, digest, f"{campaign.folder}/{what}", VERSION, campaign.key)
        return made_table(store, database, recipe, schema, lambda: table, run_id)

    candidates = candidates_table(gathered.rows)
    return (
        store_as(CANDIDATE_TABLE, CANDIDATES, candidates),
        store_as(CHUNK_TABLE, TRIAL_CHUNKS, index),
    )


def _chunk_table(chunks: Sequence[MadeChunk]) -> pa.Table:
    rows = [one.row for one in chunks if one.row is not None]
    columns = {
        "scenario_key": strings_of([one.chunk.scenario.partition_key for one in chunks]),
        "seed": array_of(np.array([one.chunk.seed for one in chunks], dtype=np.int64)),
        "strategy_id": strings_of([one.chunk.sets.strategy.id for one in chunks]),
        "first_candidate": array_of(np.array([one.chunk.first for one in chunks], dtype=np.int64)),
        "trials": array_of(np.array([one.chunk.sets.size for one in chunks], dtype=np.int64)),
        "dataset_digest": strings_of([one.dataset_digest for one in chunks]),
        "recipe_digest": strings_of([row.recipe_digest for row in rows]),
        "content_digest": strings_of([row.content_digest for row in rows]),
        "object_key": strings_of([row.object_key for row in rows]),
    }
    return from_arrays(TRIAL_CHUNKS, columns)


def _count(rows: Sequence[CandidateRows]) -> int:
    return sum(one.sets.size for one in rows)


def _refused(one: MadeChunk) -> RefusedDataset:
    assert one.problem is not None
    return RefusedDataset(f"{one.chunk.scenario.partition_key}|{one.chunk.seed}", one.problem)


def _nothing_made(gathered: _Gathered) -> ContractError:
    first = next(iter(gathered.refused.values()))
    problem = first.problem
    assert problem is not None
    return ContractError(problem.code, problem.message, problem.loc, problem.hints)
