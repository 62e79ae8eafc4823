"""Bars per second end to end: simulated, stored as parquet, read back and verified.

One core (one thread), into a folder store with its fsyncs; and how long a stored
dataset of 10,000 bars takes to load. Parity: what is loaded has the digest of what
was made.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import polars as pl

from benchmarks import paths as bench_paths
from benchmarks.timing import median_seconds, table
from contracts.scenario import scenario_from
from engine import paths
from islandflow_resources import datasets, materialise
from islandflow_resources.folder_store import FolderStore

SIZES = (10_000, 100_000, 1_000_000)


def run() -> str:
    """Time the whole way for some sizes, and the load of the smallest."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        for bars in SIZES:
            seconds = _publish_seconds(store, bars)
            rows.append([f"{bars:,}", f"{seconds * 1e3:.1f}", f"{bars / seconds / 1e6:.2f}"])
        load = _load_seconds(store)
    text = "## End to end to a stored, verified parquet, one core\n\n"
    text += table(["bars", "ms", "million bars/s"], rows)
    return text + f"\nA stored dataset of 10,000 bars loads in {load * 1e3:.1f} ms (polars).\n"


def _spec(bars: int):  # noqa: ANN202
    document = {**bench_paths.scenario("trend").market, "seed": "1", "duration_bars": bars}
    return scenario_from(document)


def _publish_seconds(store: FolderStore, bars: int) -> float:
    spec = _spec(bars)
    seeds = itertools.count()

    def publish() -> None:
        ref = materialise.dataset_ref(spec, next(seeds))
        made = datasets.publish(store, ref, paths.simulate(spec, ref.seed), {})
        if datasets.read(store, ref).manifest != made.manifest:
            raise AssertionError("what was read is not what was made")

    return median_seconds(publish)


def _load_seconds(store: FolderStore) -> float:
    ref = materialise.dataset_ref(_spec(SIZES[0]), 0)
    path = Path(store.root) / ref.dataset_key
    return median_seconds(lambda: pl.read_parquet(path), runs=21)
