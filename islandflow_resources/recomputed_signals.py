"""A published signal's datasets made again from nothing but the seed or the recorded file.

A store and a database of their own, which go away again, see to it that nothing is found.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from contracts.errors import IntegrityError
from contracts.mbo import MboSpec
from contracts.pipeline import Capture
from contracts.serving import PublishedSignal
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.grid_build import build_grid
from islandflow_resources.grid_datasets import GridDataset
from islandflow_resources.mbo_sources import registered_source
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import make_dataset, order_of
from islandflow_resources.published_signals import signal_difference
from islandflow_resources.signal_data import SignalData
from islandflow_resources.stored_files import fetched


def recomputed(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    spec: PublishedSignal,
    evidence: pa.Table,
) -> Iterator[tuple[str, str]]:
    """Datasets of the evidence made again and traded again: each that differs, and in what."""
    expected = {row["dataset_id"]: row for row in evidence.to_pylist()}
    for capture in experiment.captures:
        with tempfile.TemporaryDirectory(prefix="islandflow-verify-") as folder:
            dataset = _made(store, database, runtime, spec, capture, Path(folder))
            row = expected.pop(dataset.dataset_id, None)
            if row is None:
                continue
            if dataset.content_digest != row["dataset_digest"]:
                theirs = row["dataset_digest"]
                yield dataset.dataset_id, f"recomputed {dataset.content_digest}, was {theirs}"
                continue
            difference = signal_difference(runtime, spec, SignalData(dataset), row)
            if difference is not None:
                yield dataset.dataset_id, difference
    yield from ((name, "the experiment has no such dataset") for name in expected)


def _made(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    spec: PublishedSignal,
    capture: Capture,
    folder: Path,
) -> GridDataset:
    config = spec.runtime_snapshot
    if not isinstance(capture.tape, MboSpec):
        file = registered_source(store, database, str(capture.recorded)).events
        events = fetched(store, file, folder)
        built = build_grid(replace(order_of(config, capture), events=events), folder / "grid")
        return GridDataset(str(built.manifest["dataset_id"]), built.manifest, built.folder)
    own = FolderStore(folder / "store")
    index = Database(f"sqlite:///{folder / 'index.sqlite'}")
    made = make_dataset(own, index, runtime, config, capture, folder / "work", "verify")
    if made.dataset is None:
        assert made.problem is not None
        raise IntegrityError(made.problem.code, made.problem.message, made.problem.loc)
    return made.dataset
