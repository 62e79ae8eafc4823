"""Datasets made once: look a recipe up, trust it only verified, else compute, store, record.

The one place of that policy for datasets, for the graph, the command line and
repairs alike: a damaged one is reported and left for a repair. Where they lie is in
``datasets``; backtests are made once in ``evaluations``.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version
from typing import TypeVar

from contracts.canonical import Document
from contracts.errors import (
    ConfigurationError,
    IntegrityError,
    IslandflowError,
    NotFoundError,
    Problem,
)
from contracts.scenario import ScenarioSpec
from engine import paths
from islandflow_resources import datasets
from islandflow_resources.database import Database
from islandflow_resources.datasets import Dataset, DatasetRef
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore

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


def provenance(run_id: str) -> Document:
    """What does not follow from the inputs: time, host, run and library versions.

    Raises
    ------
    ConfigurationError
        ``LIBRARY_NOT_INSTALLED``.
    """
    return {
        "made_at": datetime.now(UTC).isoformat(),
        "run_id": run_id,
        "host": platform.node(),
        "platform": platform.platform(),
        "libraries": {name: _installed(name) for name in _LIBRARIES},
    }


def _installed(name: str) -> str:
    try:
        return library_version(name)
    except PackageNotFoundError as error:
        raise ConfigurationError(
            "LIBRARY_NOT_INSTALLED",
            f"cannot say what makes this: the environment in {sys.prefix} has no installed {name}; "
            "it was changed while this process ran, or never finished",
            name,
            ("install it again, with make setup, then run again: finished objects are kept",),
        ) from error


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
