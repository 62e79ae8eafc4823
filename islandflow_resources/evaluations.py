"""Backtests made once: look every request up, evaluate what is missing, store, record.

The one place of that policy for results, for the graph and the command line alike; a
damaged result is put aside and made again, because it is a cache. Where results lie
is ``results``, datasets are ``materialise``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from contracts.backtest import BacktestSettings
from contracts.errors import IntegrityError, IslandflowError, Problem
from engine import backtest
from islandflow_resources import results
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.datasets import Dataset
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.object_store import CONCURRENCY, ObjectStore
from islandflow_resources.results import ResultRef, StoredResult

if TYPE_CHECKING:
    from islandflow_resources.database import Database
    from islandflow_resources.models import RunResult
    from islandflow_resources.strategies import StrategyList

Floats = npt.NDArray[np.float64]

CURVES = 4
"""Results of a dataset whose curves are handed on, to be drawn."""
_BYTES_PER_BAR = 400
"""What one evaluation holds per bar until it is stored: curves, and their tables twice."""


@dataclass(frozen=True, slots=True)
class MadeResults:
    """Results of every strategy on one dataset, or the problem that stopped them.

    ``skipped`` says which strategies do not fit the dataset, and why; ``quarantined``
    names damaged objects that were put aside and made again; ``equities`` are the
    curves of the first few results, shape (bars,), float64.
    """

    dataset: Dataset
    data: BacktestData
    results: tuple[StoredResult, ...]
    skipped: tuple[str, ...]
    quarantined: tuple[str, ...]
    equities: tuple[Floats, ...]
    seconds: float
    problem: Problem | None = None


@dataclass(slots=True)
class _Work:
    """One dataset on its way: what is asked for, and what has been found so far."""

    dataset: Dataset
    data: BacktestData
    refs: list[ResultRef]
    skipped: list[str]
    found: dict[str, StoredResult] = field(default_factory=dict[str, StoredResult])
    equities: dict[str, Floats] = field(default_factory=dict[str, Floats])
    quarantined: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    problem: Problem | None = None

    @property
    def unique(self) -> list[ResultRef]:
        """One request of each meaning: strategies that mean the same share a result."""
        return list({ref.cache_key: ref for ref in reversed(self.refs)}.values())[::-1]


def make_results(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    inputs: Iterable[Dataset],
    listed: StrategyList,
    settings: BacktestSettings,
    run_id: str,
) -> Iterator[MadeResults]:
    """Yield, for every dataset in order, the results of all strategies that fit it.

    A strategy fits if it trades the timeframe and looks back on no more bars than
    there are.
    """
    for chunk in _chunks(inputs, runtime):
        works = [_planned(dataset, listed, settings) for dataset in chunk]
        _find(store, works)
        for work in works:
            _make_missing(store, runtime, work)
        database.record_results(
            [_result_row(work, result, run_id) for work in works for result in work.found.values()]
        )
        yield from (_finished(store, work) for work in works)


def make_result(
    store: ObjectStore, runtime: EngineRuntime, ref: ResultRef
) -> tuple[StoredResult, tuple[str, ...]]:
    """One result, found or made, and the damaged objects that had to make way.

    Raises
    ------
    ContractError
        If the bars cannot be traded by the strategy.
    """
    quarantined: list[str] = []
    found = _looked_up(store, ref, quarantined)
    if found is None:
        with runtime.computing():
            [outcome] = backtest.run([ref.data.bars], [results.evaluation(ref)])
        found = _published(store, ref, outcome, quarantined)
    return found, tuple(quarantined)


def _chunks(inputs: Iterable[Dataset], runtime: EngineRuntime) -> Iterator[list[Dataset]]:
    """Datasets that are looked up at once: as many as fit the memory budget."""
    chunk: list[Dataset] = []
    for dataset in inputs:
        chunk.append(dataset)
        most = runtime.items_within(max(one.table.num_rows for one in chunk) * _BYTES_PER_BAR)
        if len(chunk) >= min(CONCURRENCY, most):
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _planned(dataset: Dataset, listed: StrategyList, settings: BacktestSettings) -> _Work:
    spec = dataset.ref.spec
    digest = dataset.manifest.content_digest
    data = BacktestData.of_dataset(dataset.table, spec, digest).first(settings.max_bars)
    refs: list[ResultRef] = []
    skipped: list[str] = []
    for strategy, program in zip(listed.strategies, listed.programs, strict=True):
        if strategy.timeframe != spec.timeframe:
            skipped.append(f"{strategy.id} trades {strategy.timeframe}, not {spec.timeframe}")
        elif program.longest_window > data.bars.bars:
            looks = f"looks back on {program.longest_window} bars of {data.bars.bars}"
            skipped.append(f"{strategy.id} {looks}")
        else:
            refs.append(ResultRef(strategy, program, settings, data))
    return _Work(dataset, data, refs, skipped)


def _find(store: ObjectStore, works: Sequence[_Work]) -> None:
    """Look up all requests of some datasets, many at once."""
    start = time.perf_counter()
    pairs = [(work, ref) for work in works for ref in work.unique]
    found = store.concurrently(lambda pair: _looked_up(store, pair[1], pair[0].quarantined), pairs)
    for (work, ref), stored in zip(pairs, found, strict=True):
        if stored is not None:
            work.found[ref.cache_key] = stored
    each = (time.perf_counter() - start) / max(len(works), 1)
    for work in works:
        work.seconds += each


def _make_missing(store: ObjectStore, runtime: EngineRuntime, work: _Work) -> None:
    """Evaluate and store what was not found, as many at once as memory allows."""
    start = time.perf_counter()
    missing = [ref for ref in work.unique if ref.cache_key not in work.found]
    size = runtime.items_within(work.data.bars.bars * _BYTES_PER_BAR)
    try:
        for first in range(0, len(missing), size):
            part = missing[first : first + size]
            outcomes = backtest.run(
                [work.data.bars], [results.evaluation(ref) for ref in part], runtime.threads
            )
            stored = store.concurrently(
                lambda pair: _published(store, *pair, work.quarantined),
                zip(part, outcomes, strict=True),
            )
            work.found.update({one.result.cache_key: one for one in stored})
            for ref, outcome in zip(part, outcomes, strict=True):
                if any(ref is one for one in work.refs[:CURVES]) and outcome.curves is not None:
                    work.equities[ref.cache_key] = outcome.curves.equity
    except IslandflowError as error:
        if error.retryable:
            raise
        work.problem = error.problems[0]
        work.found.clear()
    work.seconds += time.perf_counter() - start


def _looked_up(store: ObjectStore, ref: ResultRef, quarantined: list[str]) -> StoredResult | None:
    try:
        return results.lookup(store, ref)
    except IntegrityError:
        quarantined.extend(results.discard(store, ref))
        return None


def _published(
    store: ObjectStore, ref: ResultRef, outcome: backtest.Outcome, quarantined: list[str]
) -> StoredResult:
    """Store a result; what lies damaged in its place, without its document, makes way."""
    try:
        return results.publish(store, ref, outcome)
    except IntegrityError:
        quarantined.extend(results.discard(store, ref))
        return results.publish(store, ref, outcome)


def _finished(store: ObjectStore, work: _Work) -> MadeResults:
    found = work.found
    kept = tuple(found[ref.cache_key].asked_by(ref) for ref in work.refs if ref.cache_key in found)
    drawn = kept if work.problem is None else ()
    return MadeResults(
        work.dataset,
        work.data,
        kept,
        tuple(work.skipped),
        tuple(work.quarantined),
        tuple(_equity(store, work, one) for one in drawn[:CURVES]),
        work.seconds,
        work.problem,
    )


def _equity(store: ObjectStore, work: _Work, stored: StoredResult) -> Floats:
    """Curve of a result: as it was just made, or read back verified."""
    made = work.equities.get(stored.result.cache_key)
    return stored.equity(store)["equity"].to_numpy() if made is None else made


def _result_row(work: _Work, stored: StoredResult, run_id: str) -> RunResult:
    # Imported here: one backtest from the command line needs no database.
    from islandflow_resources.models import RunResult

    result, spec = stored.result, work.dataset.ref.spec
    return RunResult(
        cache_key=result.cache_key,
        scenario_key=spec.partition_key,
        scenario_hash=spec.scenario_hash,
        seed=work.dataset.ref.seed,
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
