"""Trials in chunks: many parameter sets of one strategy on one dataset, made once and stored.

A chunk is the unit of distribution and of resumption: whoever makes it stores it under its recipe
and records it, and nobody makes it again. Which chunks a campaign needs is ``campaign_trials``;
who makes them where, ``executors``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.backtest import METRICS, BacktestSettings
from contracts.canonical import Document, canonical_json
from contracts.columns import TRIALS
from contracts.digest import document_digest, recipe_digest
from contracts.errors import IntegrityError, IslandflowError, NotFoundError, Problem
from contracts.scenario import ScenarioSpec
from contracts.strategy import StrategySpec
from engine import backtest, dsl
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.database import Database
from islandflow_resources.datasets import Dataset, DatasetRef
from islandflow_resources.derived import Recipe, read_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.materialise import MadeDataset, dataset_ref, make_datasets
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION
from islandflow_resources.table_schemas import array_of, from_arrays, nullable_of, strings_of
from islandflow_resources.tables import store_table

WHAT = "trial_chunk"
MAX_SETS = 1_000
"""Most parameter sets of a chunk."""
SLAB = 64
"""Chunks that are looked up, made and recorded together."""
_BYTES_PER_BAR = 400
_ID_CHARS = 32

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ParameterSets:
    """Parameter sets of one strategy, in their order.

    Attributes
    ----------
    strategy : StrategySpec
    names : tuple of str
        All parameters of the strategy, in the order of the document.
    values : ndarray, shape (k, parameters), float64
    """

    strategy: StrategySpec
    names: tuple[str, ...]
    values: Floats

    @property
    def owner_id(self) -> str:
        """Name of the strategy."""
        return self.strategy.id

    @property
    def owner_hash(self) -> str:
        """Digest of the strategy."""
        return self.strategy.strategy_hash

    @property
    def size(self) -> int:
        """Number of sets."""
        return int(self.values.shape[0])

    def part(self, first: int, stop: int) -> ParameterSets:
        """Some consecutive sets."""
        return ParameterSets(self.strategy, self.names, self.values[first:stop])

    def params(self, index: int) -> dict[str, float]:
        """One set by name."""
        return dict(zip(self.names, self.values[index].tolist(), strict=True))

    def text(self, index: int) -> str:
        """One set as canonical JSON."""
        return canonical_json(dict(self.params(index))).decode()

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """Values by parameter, each contiguous."""
        return {name: self.values[:, k].copy() for k, name in enumerate(self.names)}

    @cached_property
    def set_ids(self) -> list[str]:
        """Identity of strategy and set: equal wherever the same is tried."""
        head = f"{self.strategy.strategy_hash} {' '.join(self.names)} ".encode()
        rows = np.ascontiguousarray(self.values, dtype="<f8")
        return [_short_hash(head + row.tobytes()) for row in rows]

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of the sets in their order."""
        return document_digest([*self.set_ids])


@dataclass(frozen=True)
class TrialChunk:
    """Some parameter sets of one strategy on one dataset under some settings.

    ``first`` is the campaign's number of the first set; it is no part of the identity.
    """

    scenario: ScenarioSpec
    seed: int
    sets: ParameterSets
    settings: BacktestSettings
    gap_bars: int
    first: int

    @cached_property
    def dataset(self) -> DatasetRef:
        """Address of the bars."""
        return dataset_ref(self.scenario, self.seed)

    @property
    def context(self) -> Document:
        """What besides bars and sets the trials depend on."""
        return {
            "settings": self.settings.document(),
            "timeframe": self.scenario.timeframe,
            "tick_size": self.scenario.tick_size,
        }

    def recipe(self, dataset_digest: str) -> Recipe:
        """Recipe over the bars of a digest."""
        strategy = self.sets.strategy
        inputs = {"bars": dataset_digest, "strategy": strategy.strategy_hash}
        digest = recipe_digest(
            WHAT,
            version=VERSION,
            specs={"context": self.context, "gap_bars": self.gap_bars},
            inputs={**inputs, "sets": self.sets.digest},
        )
        key, seed = self.scenario.partition_key, self.seed
        folder = f"trials/scenario={key}/seed={seed}/strategy={strategy.id}"
        detail: Document = {"strategy": strategy.strategy_hash, "sets": self.sets.digest}
        return Recipe(WHAT, digest, folder, VERSION, key, seed, detail)

    def run_ids(self, dataset_digest: str) -> list[str]:
        """Identity of every trial: dataset, strategy, set, settings and engine version."""
        head = recipe_digest(
            "trial",
            version=VERSION,
            specs={"context": self.context},
            inputs={"bars": dataset_digest},
        )
        return [_short_hash(f"{head} {name}".encode()) for name in self.sets.set_ids]


@dataclass(frozen=True)
class MadeChunk:
    """A chunk that is stored and recorded, or the problem of its dataset."""

    chunk: TrialChunk
    dataset_digest: str
    row: Artefact | None
    used_cache: bool
    problem: Problem | None = None


def make_chunks(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    chunks: Sequence[TrialChunk],
    run_id: str,
) -> Iterator[MadeChunk]:
    """Yield every chunk in order, made or found recorded.

    A dataset that cannot be made leaves its chunks with its problem; the others go on.
    """
    for slab in _slabs(chunks, runtime):
        found = _recorded(database, slab)
        missing = [chunk for chunk in slab if id(chunk) not in found]
        datasets = _datasets(store, database, runtime, missing, run_id)
        made = store.concurrently(
            lambda chunk, datasets=datasets: _made(store, runtime, chunk, datasets, run_id),
            missing,
        )
        database.record([one.row for one in made if one.row is not None])
        fresh = {id(one.chunk): one for one in made}
        yield from (found.get(id(chunk)) or fresh[id(chunk)] for chunk in slab)


def read_chunk(
    store: ObjectStore, database: Database, runtime: EngineRuntime, made: MadeChunk, run_id: str
) -> pa.Table:
    """Rows of a recorded chunk, verified; one that is gone or damaged is made again.

    Raises
    ------
    IntegrityError
        If what is made again is not what was recorded.
    """
    row = made.row
    assert row is not None
    try:
        return read_table(store, row, TRIALS)
    except NotFoundError:
        pass
    except IntegrityError:
        store.quarantine(row.object_key)
    datasets = _datasets(store, database, runtime, [made.chunk], run_id)
    again = _made(store, runtime, made.chunk, datasets, run_id)
    if again.row is None or again.row.content_digest != row.content_digest:
        uri = store.uri(row.object_key)
        message = f"{uri} was recorded with {row.content_digest} and is now made otherwise"
        raise IntegrityError("RECIPE_DIVERGED", message, row.object_key)
    return read_table(store, again.row, TRIALS)


def _slabs(chunks: Sequence[TrialChunk], runtime: EngineRuntime) -> Iterator[Sequence[TrialChunk]]:
    longest = max((chunk.scenario.duration_bars for chunk in chunks), default=1)
    size = min(SLAB, max(runtime.threads, runtime.items_within(longest * _BYTES_PER_BAR)))
    for start in range(0, len(chunks), size):
        yield chunks[start : start + size]


def _recorded(database: Database, slab: Sequence[TrialChunk]) -> dict[int, MadeChunk]:
    """Chunks whose dataset and whose own recipe are recorded."""
    datasets = database.find({chunk.dataset.recipe for chunk in slab})
    digests = {recipe: row.content_digest for recipe, row in datasets.items()}
    recipes = {
        id(chunk): chunk.recipe(digests[chunk.dataset.recipe]).digest
        for chunk in slab
        if chunk.dataset.recipe in digests
    }
    rows = database.find(recipes.values())
    return {
        id(chunk): MadeChunk(chunk, digests[chunk.dataset.recipe], rows[recipes[id(chunk)]], True)
        for chunk in slab
        if recipes.get(id(chunk)) in rows
    }


def _datasets(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    chunks: Iterable[TrialChunk],
    run_id: str,
) -> dict[str, MadeDataset]:
    refs = {chunk.dataset.recipe: chunk.dataset for chunk in chunks}
    made = make_datasets(store, database, runtime, list(refs.values()), run_id)
    return {one.ref.recipe: one for one in made}


def _made(
    store: ObjectStore,
    runtime: EngineRuntime,
    chunk: TrialChunk,
    datasets: dict[str, MadeDataset],
    run_id: str,
) -> MadeChunk:
    source = datasets[chunk.dataset.recipe]
    if source.dataset is None:
        return MadeChunk(chunk, "", None, False, source.problem)
    digest = source.dataset.manifest.content_digest
    try:
        with runtime.computing():
            table = _table(chunk, source.dataset)
    except IslandflowError as error:
        return MadeChunk(chunk, digest, None, False, error.problems[0])
    recipe = chunk.recipe(digest)
    key = recipe.key("parquet")
    stored = store_table(store, key, table, TRIALS)
    row = recipe.row(key, stored.content_digest, stored.file_digest, stored.rows, run_id)
    return MadeChunk(chunk, digest, row, False)


def _table(chunk: TrialChunk, dataset: Dataset) -> pa.Table:
    """Evaluate a chunk."""
    digest = dataset.manifest.content_digest
    data = BacktestData.of_dataset(dataset.table, chunk.scenario, digest)
    bars = data.bars.first(chunk.settings.max_bars)
    sweep = compiled_sweep(chunk.sets, bars.bars)
    found = backtest.run_sweep(bars, sweep, chunk.settings.whole, gap_bars=chunk.gap_bars)
    moments = found.moments
    assert moments is not None
    columns = {
        "run_id": strings_of(chunk.run_ids(digest)),
        "set_id": strings_of(chunk.sets.set_ids),
        **{name: nullable_of(found.metrics[:, k]) for k, name in enumerate(METRICS)},
        "fills": array_of(found.fills),
        "rejected_orders": array_of(found.rejected_orders),
        "conflicts": array_of(found.conflicts),
        "final_equity": array_of(found.final_equity),
        "final_qty": array_of(found.final_qty),
        **{f"return_power_{k + 1}": nullable_of(moments.powers[:, k]) for k in range(4)},
        **_blocks("block_sum", moments.sums),
        **_blocks("block_squares", moments.squares),
    }
    return from_arrays(TRIALS, columns)


def _blocks(name: str, values: Floats) -> dict[str, pa.Array]:
    return {f"{name}_{b:02}": nullable_of(values[:, b]) for b in range(values.shape[1])}


def compiled_sweep(sets: ParameterSets, bars: int) -> dsl.Sweep:
    """A strategy compiled at its sets, kept for the next dataset of that length."""
    return _compiled(_Key(sets), bars)


class _Key:
    """Sets as a key of the cache: equal by their digest."""

    def __init__(self, sets: ParameterSets) -> None:
        self.sets = sets

    def __hash__(self) -> int:
        return hash(self.sets.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.sets.digest == other.sets.digest


@lru_cache(maxsize=8)
def _compiled(key: _Key, bars: int) -> dsl.Sweep:
    return dsl.compile_sweep(key.sets.strategy, key.sets.columns, bars)


def _short_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_ID_CHARS]
