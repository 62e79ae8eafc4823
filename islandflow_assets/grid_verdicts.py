"""How grid datasets are judged and shown, whatever made them.

The assets are ``grids`` (tapes, recorded files) and ``pipeline_datasets``; building and storing
is ``islandflow_resources.grid_build`` and ``grid_datasets``, the proof of parity
``grid_parity``.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from contracts.columns import GRID_BINS, GRID_ROWS
from contracts.errors import IntegrityError, IslandflowError, Problem
from contracts.grid import GridConfig, RuntimeConfig
from engine.book.api import VERSION as BOOK_VERSION
from engine.grid.api import VERSION as GRID_ENGINE
from islandflow_assets import keys, lineage
from islandflow_assets.book_plots import depth_profile, field_map, state_gauges
from islandflow_assets.outcomes import Outcome, published_of, verdict_of
from islandflow_assets.partitions import Cell
from islandflow_assets.previews import column_schema
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.grid_datasets import (
    GridDataset,
    MadeGrid,
    folder_key,
    iter_rows,
    read_bins,
    refuse_other_layout,
)
from islandflow_resources.grid_parity import ParityProcess
from islandflow_resources.grid_replay import Parity
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.stored_files import StoredFile, fetched

Events = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]

GRID_VERSION = f"{BOOK_VERSION}.{GRID_ENGINE}"
CHECKS = {
    keys.CHECKSUMS_MATCH: "every stored file has the bytes that the manifest says",
    keys.SCHEMA_HOLDS: "both tables have the columns, types and rows of their contracts",
    keys.PARITY_HOLDS: "pushed one by one in a fresh process, the events give the same bits",
    keys.NOTHING_MISSING: "every partition that was asked for has a dataset",
}
COLUMNS = {
    "dagster/column_schema": column_schema(GRID_ROWS),
    "bins_columns": dg.MetadataValue.table_schema(column_schema(GRID_BINS)),
}
"""Metadata of an asset of grids: the columns of both its tables."""


@dataclass(frozen=True)
class Bench:
    """What every cell of a run is made with.

    Attributes
    ----------
    parity_events : int
        Events that are pushed one by one to prove parity; 0 for all.
    """

    store: ObjectStore
    database: Database
    runtime: EngineRuntime
    parity_events: int
    run_id: str


@dataclass(frozen=True)
class GridInput:
    """The events of one cell: where they lie, what they say, and the asset that they are of."""

    asset: str | None
    file: StoredFile
    content_digest: str


@dataclass(frozen=True)
class TriedGrid:
    """What became of the dataset of one cell; `given` is missing where there are no events."""

    config: GridConfig
    given: GridInput | None
    made: MadeGrid


Make = Callable[[Any, Path], TriedGrid]
"""Makes or finds the dataset of a cell, with a folder to work in."""


def check_specs(asset: str) -> list[dg.AssetCheckSpec]:
    """The checks of an asset of grids, all of them blocking."""
    return [
        dg.AssetCheckSpec(name, asset=asset, blocking=True, description=description)
        for name, description in CHECKS.items()
    ]


def judged_grids(bench: Bench, wanted: Sequence[Cell], make: Make) -> list[Outcome]:
    """Make or find the datasets of cells, and judge each."""
    with ParityProcess(bench.runtime.kernel_home) as process:
        return [_grid(bench, cell, make, process) for cell in wanted]


def grid_events(
    context: dg.AssetExecutionContext,
    asset: str,
    outcomes: Sequence[Outcome],
    read: dict[str, str],
) -> Events:
    """All events of a step: the output, what was published, the checks."""
    published = published_of(outcomes)
    context.log.info(f"{len(published)} of {len(outcomes)} grids stand and hold")
    yield lineage.output()
    yield from lineage.materialisations(asset, GRID_VERSION, published, read)
    verdicts = [verdict_of(name, outcomes) for name in CHECKS]
    yield from lineage.check_results(asset, verdicts, context.log, is_last=True)


def pictures(title: str, runtime: RuntimeConfig, dataset: GridDataset) -> dict[str, Any]:
    """What a person wants to see of a grid: the field, the depth, the state."""
    bins = read_bins(dataset)
    return {
        "field": field_map(f"{title} · field", runtime, bins, _batches(dataset)),
        "depth": depth_profile(f"{title} · depth", runtime, bins, _batches(dataset)),
        "state": state_gauges(f"{title} · state model", bins),
    }


def _batches(dataset: GridDataset) -> Iterator[pa.RecordBatch]:
    """Rows of a dataset, some bins at a time: memory stays flat."""
    return (batch for table in iter_rows(dataset) for batch in table.to_batches())


def _grid(bench: Bench, cell: Cell, make: Make, process: ParityProcess) -> Outcome:
    """Make or find the dataset of one cell, and judge it."""
    with tempfile.TemporaryDirectory(prefix="islandflow-grid-") as folder:
        workspace = Path(folder)
        try:
            tried = make(cell, workspace)
            made = tried.made
            if made.dataset is None or tried.given is None:
                check = keys.CHECKSUMS_MATCH if made.is_damaged else keys.NOTHING_MISSING
                return Outcome(cell, {check: made.problem})
            checks, parity = _judged(bench, tried, tried.given, made.dataset, workspace, process)
            shown = _shown(bench, cell, tried, tried.given, made.dataset, parity)
            return Outcome(cell, checks, shown)
        except IslandflowError as error:
            if error.retryable:
                raise
            is_damaged = isinstance(error, IntegrityError)
            check = keys.CHECKSUMS_MATCH if is_damaged else keys.NOTHING_MISSING
            return Outcome(cell, {check: error.problems[0]})


def _judged(
    bench: Bench,
    tried: TriedGrid,
    given: GridInput,
    dataset: GridDataset,
    workspace: Path,
    process: ParityProcess,
) -> tuple[dict[str, Problem | None], Parity]:
    """What each check finds of a dataset that stands."""
    other: Problem | None = None
    try:
        refuse_other_layout(dataset)
    except IslandflowError as error:
        other = error.problems[0]
    events = fetched(bench.store, given.file, workspace)
    symbol = tried.config.runtime_config.symbol
    parity = process.compare(events, dataset.folder, symbol, bench.parity_events)
    broken: Problem | None = None
    if parity.difference:
        hint = "keep the dataset: live and offline must give the same bits"
        broken = Problem("PARITY_BROKEN", parity.difference, dataset.dataset_id, (hint,))
    checks = {
        keys.NOTHING_MISSING: None,
        keys.CHECKSUMS_MATCH: None,
        keys.SCHEMA_HOLDS: other,
        keys.PARITY_HOLDS: broken,
    }
    return checks, parity


def _shown(
    bench: Bench,
    cell: Cell,
    tried: TriedGrid,
    given: GridInput,
    dataset: GridDataset,
    parity: Parity,
) -> lineage.Published:
    runtime, made = tried.config.runtime_config, tried.made
    folder = folder_key(dataset.dataset_id)
    radius = runtime.grid_radius_ticks
    metadata = {
        **pictures(str(cell), runtime, dataset),
        "dagster/row_count": dataset.bins * (2 * radius + 1),
        "dataset_id": dataset.dataset_id,
        "symbol": runtime.symbol,
        "compat": str(dataset.manifest["compat"]),
        "bins": dataset.bins,
        "events": dataset.events,
        "anomalies": dg.MetadataValue.json(dataset.anomalies),
        "parity": f"{parity.events} of {dataset.events} events pushed one by one, "
        f"{parity.bins} bins and {parity.rows} rows compared in {parity.seconds:.1f} s",
        "uri": dg.MetadataValue.url(bench.store.uri(f"{folder}/grid.parquet")),
        "manifest": dg.MetadataValue.url(bench.store.uri(f"{folder}/manifest.json")),
        "content_digest": dataset.content_digest,
        "recipe_digest": made.recipe,
        "used_cache": made.used_cache,
        "seconds": round(made.seconds, 4),
        "events_per_second": round(dataset.events / max(made.seconds, 1e-9)),
    }
    inputs = {given.asset: given.content_digest} if given.asset else {}
    return lineage.Published(cell, dataset.content_digest, inputs, metadata)
