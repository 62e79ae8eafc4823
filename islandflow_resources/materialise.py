"""Made once: look a recipe up, trust it only verified, else compute, store, record.

The one place of that policy, for the graph, the command line and repairs alike.
A damaged dataset is reported and left for a repair; a damaged cached result is
put aside and computed again. Where objects lie is in ``datasets`` and ``results``.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from itertools import islice
from typing import TypeVar

from contracts.backtest import BacktestSettings
from contracts.canonical import Document
from contracts.errors import IntegrityError, IslandflowError, NotFoundError, Problem
from contracts.scenario import ScenarioSpec
from contracts.strategy import StrategySpec
from engine import backtest, dsl, paths
from islandflow_resources import datasets, results
from islandflow_resources.database import Database
from islandflow_resources.datasets import Dataset, DatasetRef
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.models import Artefact, RunResult
from islandflow_resources.object_store import CONCURRENCY, ObjectStore
from islandflow_resources.results import ResultRef, StoredResult

T = TypeVar("T")

_CHUNK = 64
_BYTES_PER_BAR = 400
_LIBRARIES = ("islandflow", "numba", "numpy", "pyarrow")


@dataclass(frozen=True, slots=True)
class MadeDataset:
    """What became of one dataset: made, found again, or refused with a problem."""

    ref: DatasetRef
    dataset: Dataset | None
    used_cache: bool
    seconds: float
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class MadeResults:
    """Results of every strategy on one dataset, or the problem that stopped them.

    ``quarantined`` names damaged objects that were put aside and made again.
    """

    dataset: Dataset
    results: tuple[StoredResult, ...]
    quarantined: tuple[str, ...]
    seconds: float
    problem: Problem | None = None


def dataset_ref(spec: ScenarioSpec, seed: int) -> DatasetRef:
    """Address of a dataset as this engine makes it."""
    return DatasetRef(spec, seed, paths.version(spec))


def make_datasets(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    refs: Sequence[DatasetRef],
    run_id: str,
) -> Iterator[MadeDataset]:
    """Yield every dataset in order, made, found again or refused.

    A dataset that breaks a guard, or whose stored object is damaged, is yielded
    with its problem and published nowhere; the others go on.
    """
    origin = provenance(run_id)
    for chunk in _chunks(refs, runtime, max((ref.spec.duration_bars for ref in refs), default=1)):
        known = database.find([ref.recipe for ref in chunk])
        made = store.concurrently(
            lambda ref, known=known: _make_dataset(
                store, runtime, ref, known.get(ref.recipe), origin
            ),
            chunk,
        )
        new = [one for one in made if one.dataset is not None and one.ref.recipe not in known]
        database.record([_dataset_row(one.dataset, run_id) for one in new if one.dataset])
        yield from made


def find_datasets(
    store: ObjectStore, database: Database, runtime: EngineRuntime, refs: Sequence[DatasetRef]
) -> Iterator[Dataset]:
    """Yield the datasets of a batch that are recorded and verify, and no others."""
    for chunk in _chunks(refs, runtime, max((ref.spec.duration_bars for ref in refs), default=1)):
        known = database.find([ref.recipe for ref in chunk])
        found = store.concurrently(
            lambda ref, known=known: _trusted(store, ref, known.get(ref.recipe)), chunk
        )
        yield from (dataset for dataset in found if dataset is not None)


def make_results(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    inputs: Iterable[Dataset],
    strategies: Sequence[StrategySpec],
    settings: BacktestSettings,
    run_id: str,
) -> Iterator[MadeResults]:
    """Yield, for every dataset in order, the results of all strategies of its timeframe.

    Raises
    ------
    ContractError
        If an expression does not compile.
    """
    programs = [(strategy, dsl.compile_strategy(strategy)) for strategy in strategies]
    stream = iter(inputs)
    while chunk := list(islice(stream, CONCURRENCY)):
        made = store.concurrently(
            lambda dataset: _make_results(store, runtime, dataset, programs, settings), chunk
        )
        database.record_results(
            [_result_row(one.dataset, result, run_id) for one in made for result in one.results]
        )
        yield from made


def _chunks(items: Sequence[T], runtime: EngineRuntime, bars: int) -> Iterator[Sequence[T]]:
    """Parts of a batch that fit the memory budget, recorded one by one."""
    size = min(_CHUNK, max(runtime.threads, runtime.items_within(bars * _BYTES_PER_BAR)))
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _make_dataset(
    store: ObjectStore,
    runtime: EngineRuntime,
    ref: DatasetRef,
    known: Artefact | None,
    origin: Document,
) -> MadeDataset:
    start = time.perf_counter()
    try:
        dataset = _found(store, ref, known) if known else None
        used_cache = dataset is not None
        if dataset is None:
            with runtime.computing():
                bars = paths.simulate(ref.spec, ref.seed)
            dataset = datasets.publish(store, ref, bars, origin)
    except IslandflowError as error:
        if error.retryable:
            raise
        seconds = time.perf_counter() - start
        return MadeDataset(ref, None, False, seconds, error.problems[0])
    return MadeDataset(ref, dataset, used_cache, time.perf_counter() - start)


def _trusted(store: ObjectStore, ref: DatasetRef, known: Artefact | None) -> Dataset | None:
    """A recorded dataset that verifies; a damaged one is not passed on."""
    try:
        return _found(store, ref, known) if known else None
    except IntegrityError:
        return None


def _found(store: ObjectStore, ref: DatasetRef, known: Artefact) -> Dataset | None:
    """A recorded dataset, verified; None if its objects are gone, so that it is remade."""
    try:
        dataset = datasets.read(store, ref, file_digest=known.file_digest)
    except NotFoundError:
        return None
    if dataset.manifest.content_digest == known.content_digest:
        paths.audit(ref.spec, ref.seed, datasets.to_bars(dataset.table))
        return dataset
    raise IntegrityError(
        "RECORD_DIFFERS",
        f"{store.uri(ref.manifest_key)} names {dataset.manifest.content_digest}, "
        f"recorded is {known.content_digest}",
        ref.manifest_key,
        (f"look at both, then run: islandflow repair {store.uri(ref.dataset_key)}",),
    )


def _make_results(
    store: ObjectStore,
    runtime: EngineRuntime,
    dataset: Dataset,
    programs: Sequence[tuple[StrategySpec, dsl.Program]],
    settings: BacktestSettings,
) -> MadeResults:
    start = time.perf_counter()
    spec = dataset.ref.spec
    refs = [
        ResultRef(strategy, program, settings, dataset.manifest, spec)
        for strategy, program in programs
        if strategy.timeframe == spec.timeframe
    ]
    quarantined: list[str] = []
    try:
        kept = _all_results(store, runtime, dataset, refs, quarantined)
    except IslandflowError as error:
        if error.retryable:
            raise
        seconds = time.perf_counter() - start
        return MadeResults(dataset, (), tuple(quarantined), seconds, error.problems[0])
    return MadeResults(dataset, kept, tuple(quarantined), time.perf_counter() - start)


def _all_results(
    store: ObjectStore,
    runtime: EngineRuntime,
    dataset: Dataset,
    refs: Sequence[ResultRef],
    quarantined: list[str],
) -> tuple[StoredResult, ...]:
    data = results.to_dataset(dataset.table, dataset.ref.spec)
    found = {ref.cache_key: _cached(store, ref, quarantined) for ref in refs}
    missing = [ref for ref in refs if found[ref.cache_key] is None]
    wanted = [
        backtest.Evaluation(ref.program, ref.strategy.risk, ref.settings, 0, keep_curves=True)
        for ref in missing
    ]
    with runtime.computing():
        outcomes = backtest.run([data], wanted)
    for ref, outcome in zip(missing, outcomes, strict=True):
        found[ref.cache_key] = results.publish(store, ref, outcome, data)
    kept = tuple(stored for stored in found.values() if stored is not None)
    for stored in kept:
        results.audit(stored, data)
    return kept


def _cached(store: ObjectStore, ref: ResultRef, quarantined: list[str]) -> StoredResult | None:
    try:
        return results.lookup(store, ref)
    except IntegrityError:
        quarantined.extend(results.discard(store, ref))
        return None


def provenance(run_id: str) -> Document:
    """What does not follow from the inputs: time, host, run and library versions."""
    return {
        "made_at": datetime.now(UTC).isoformat(),
        "run_id": run_id,
        "host": platform.node(),
        "platform": platform.platform(),
        "libraries": {name: library_version(name) for name in _LIBRARIES},
    }


def _dataset_row(dataset: Dataset, run_id: str) -> Artefact:
    ref = dataset.ref
    return Artefact(
        recipe_digest=ref.recipe,
        what=datasets.WHAT,
        scenario_key=ref.spec.partition_key,
        seed=ref.seed,
        version=ref.version,
        content_digest=dataset.manifest.content_digest,
        file_digest=dataset.file_digest,
        object_key=ref.dataset_key,
        manifest_key=ref.manifest_key,
        rows=dataset.manifest.rows,
        recipe={"scenario": ref.spec.market, "seed": str(ref.seed), "version": ref.version},
        run_id=run_id,
    )


def _result_row(dataset: Dataset, stored: StoredResult, run_id: str) -> RunResult:
    result, spec = stored.result, dataset.ref.spec
    return RunResult(
        cache_key=result.cache_key,
        scenario_key=spec.partition_key,
        scenario_hash=spec.scenario_hash,
        seed=dataset.ref.seed,
        strategy_id=result.strategy_id,
        strategy_hash=result.strategy_hash,
        dataset_digest=result.data_digest,
        settings_hash=stored.ref.settings.settings_hash,
        version=result.version,
        run_id=run_id,
        bars=result.bars,
        trades=int(result.metrics["trades"] or 0),
        final_equity=result.final_equity,
        sharpe=result.metrics["sharpe"],
        max_drawdown=result.metrics["max_drawdown"],
        metrics=result.metrics,
    )
