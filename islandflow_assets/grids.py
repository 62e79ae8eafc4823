"""``grid_dataset`` and ``recorded_grid_dataset``: pressure and vacuum of tapes and recorded files.

Both are made and judged by the same functions; they differ in where their events come from
(``books``). Building and storing is ``islandflow_resources.grid_build`` and
``grid_datasets``, the proof of parity ``grid_parity``.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from contracts.columns import GRID_BINS, GRID_ROWS
from contracts.errors import IntegrityError, IslandflowError, NotFoundError, Problem
from contracts.grid import RuntimeConfig
from engine.book.api import VERSION as BOOK_VERSION
from engine.grid.api import VERSION as GRID_ENGINE
from islandflow_assets import keys, lineage
from islandflow_assets.book_plots import depth_profile, field_map, state_gauges
from islandflow_assets.book_verdicts import unrealistic
from islandflow_assets.books import book_checkpoint, mbo_source, mbo_tape
from islandflow_assets.outcomes import Outcome, published_of, verdict_of
from islandflow_assets.partitions import (
    SOURCE,
    TAPES,
    Cell,
    SourceCell,
    TapeCell,
    requested_sources,
    requested_tapes,
)
from islandflow_assets.previews import column_schema
from islandflow_assets.settings import GridSettings
from islandflow_resources.book_checkpoints import find_checkpoint
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.grid_build import GridOrder
from islandflow_resources.grid_datasets import (
    GridDataset,
    MadeGrid,
    folder_key,
    iter_rows,
    make_grid,
    read_bins,
    refuse_other_layout,
)
from islandflow_resources.grid_parity import ParityProcess
from islandflow_resources.grid_replay import Parity
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.mbo_sources import registered_source
from islandflow_resources.mbo_tapes import find_tape, registered_spec, tape_ref
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.settings import load_settings
from islandflow_resources.stored_files import StoredFile, fetched

Events = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]

GRID_VERSION = f"{BOOK_VERSION}.{GRID_ENGINE}"
_CHECKS = {
    keys.CHECKSUMS_MATCH: "every stored file has the bytes that the manifest says",
    keys.SCHEMA_HOLDS: "both tables have the columns, types and rows of their contracts",
    keys.PARITY_HOLDS: "pushed one by one in a fresh process, the events give the same bits",
    keys.NOTHING_MISSING: "every partition that was asked for has a dataset",
}
_COLUMNS = {
    "dagster/column_schema": column_schema(GRID_ROWS),
    "bins_columns": dg.MetadataValue.table_schema(column_schema(GRID_BINS)),
}


@dataclass(frozen=True)
class _Bench:
    """What every cell of a run is made with."""

    store: ObjectStore
    database: Database
    runtime: EngineRuntime
    order: GridOrder
    parity_events: int
    run_id: str


@dataclass(frozen=True)
class _Input:
    """The events of one cell: where they lie, what they say, and their instrument."""

    asset: str
    file: StoredFile
    content_digest: str


_Find = Callable[[_Bench, Any, Path], tuple[_Input, GridOrder]]


def _check_specs(asset: str) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(name, asset=asset, blocking=True, description=description)
        for name, description in _CHECKS.items()
    ]


@dg.asset(
    name=keys.GRID_DATASET,
    group_name=keys.BOOKS,
    partitions_def=TAPES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[mbo_tape],
    code_version=GRID_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata=_COLUMNS,
    check_specs=_check_specs(keys.GRID_DATASET),
)
def grid_dataset(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    grid_settings: GridSettings,
) -> Events:
    """Bins and rows of pressure and vacuum of one tape and seed, made once and verified.

    Pressure and vacuum are in lots/s, depths in lots, prices in 1e-9 of the quote currency.
    """
    with reported(context):
        wanted = requested_tapes(context)
        read = lineage.newest_events(context.instance, keys.MBO_TAPE)
        bench = _bench(context, store, database, engine_runtime, grid_settings)
        outcomes = _built(bench, wanted, _tape_input)
    yield from _events(context, keys.GRID_DATASET, outcomes, read)


@dg.asset(
    name=keys.RECORDED_GRID_DATASET,
    group_name=keys.BOOKS,
    partitions_def=SOURCE,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[mbo_source, book_checkpoint],
    code_version=GRID_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata=_COLUMNS,
    check_specs=_check_specs(keys.RECORDED_GRID_DATASET),
)
def recorded_grid_dataset(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    grid_settings: GridSettings,
) -> Events:
    """Bins and rows of pressure and vacuum of one recorded file, see `grid_dataset`.

    Where a checkpoint of the start of the first bin stands, the build goes on from it.
    """
    with reported(context):
        wanted = requested_sources(context)
        read = lineage.newest_events(context.instance, keys.MBO_SOURCE)
        bench = _bench(context, store, database, engine_runtime, grid_settings)
        outcomes = _built(bench, wanted, _source_input)
    yield from _events(context, keys.RECORDED_GRID_DATASET, outcomes, read)


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


def _bench(
    context: dg.AssetExecutionContext,
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    settings: GridSettings,
) -> _Bench:
    config = settings.config
    refuse_other_instrument(load_settings(), config, "the configuration of the run")
    order = GridOrder(Path(), config, settings.rules, settings.first_bin_ns)
    return _Bench(store, database, runtime, order, settings.parity_events, context.run.run_id)


def _built(bench: _Bench, wanted: Sequence[Cell], find: _Find) -> list[Outcome]:
    with ParityProcess(bench.runtime.kernel_home) as process:
        return [_grid(bench, cell, find, process) for cell in wanted]


def _tape_input(bench: _Bench, cell: TapeCell, _: Path) -> tuple[_Input, GridOrder]:
    """The tape of a cell, if it stands and is realistic."""
    ref = tape_ref(registered_spec(bench.database, cell.tape_key), cell.seed)
    tape = find_tape(bench.store, bench.database, ref)
    if tape is None:
        raise NotFoundError(
            "TAPE_NOT_FOUND",
            "there is no tape that verifies",
            str(cell),
            (f"look at the checks of {keys.MBO_TAPE}",),
        )
    problem = unrealistic(str(cell), tape.scorecard)
    if problem is not None:
        raise NotFoundError(problem.code, problem.message, problem.loc, problem.hints)
    return _Input(keys.MBO_TAPE, tape.events, tape.content_digest), bench.order


def _source_input(bench: _Bench, cell: SourceCell, folder: Path) -> tuple[_Input, GridOrder]:
    """The recorded file of a cell, and the checkpoint to go on from, where it stands."""
    source = registered_source(bench.store, bench.database, cell.source_key)
    found = _Input(keys.MBO_SOURCE, source.events, source.events.digest)
    if bench.order.emit_from_ns is None:
        return found, bench.order
    warm = find_checkpoint(bench.store, bench.database, bench.order, source.events, folder)
    return found, replace(bench.order, from_checkpoint=warm.path if warm else None)


def _grid(bench: _Bench, cell: Cell, find: _Find, process: ParityProcess) -> Outcome:
    """Make or find the dataset of one cell, and judge it."""
    with tempfile.TemporaryDirectory(prefix="islandflow-grid-") as folder:
        workspace = Path(folder)
        try:
            given, order = find(bench, cell, workspace)
            made = make_grid(
                bench.store, bench.database, bench.runtime, order, given.file, workspace,
                bench.run_id,
            )  # fmt: skip
            if made.dataset is None:
                check = keys.CHECKSUMS_MATCH if made.is_damaged else keys.NOTHING_MISSING
                return Outcome(cell, {check: made.problem})
            checks, parity = _judged(bench, given, made, workspace, process)
            return Outcome(cell, checks, _shown(bench, cell, given, made, parity))
        except IslandflowError as error:
            if error.retryable:
                raise
            is_damaged = isinstance(error, IntegrityError)
            check = keys.CHECKSUMS_MATCH if is_damaged else keys.NOTHING_MISSING
            return Outcome(cell, {check: error.problems[0]})


def _judged(
    bench: _Bench, given: _Input, made: MadeGrid, workspace: Path, process: ParityProcess
) -> tuple[dict[str, Problem | None], Parity]:
    """What each check finds of a dataset that stands."""
    dataset = made.dataset
    assert dataset is not None
    other: Problem | None = None
    try:
        refuse_other_layout(dataset)
    except IslandflowError as error:
        other = error.problems[0]
    events = fetched(bench.store, given.file, workspace)
    symbol = bench.order.config.runtime_config.symbol
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
    bench: _Bench, cell: Cell, given: _Input, made: MadeGrid, parity: Parity
) -> lineage.Published:
    dataset = made.dataset
    assert dataset is not None
    folder = folder_key(dataset.dataset_id)
    radius = bench.order.config.runtime_config.grid_radius_ticks
    metadata = {
        **pictures(str(cell), bench.order.config.runtime_config, dataset),
        "dagster/row_count": dataset.bins * (2 * radius + 1),
        "dataset_id": dataset.dataset_id,
        "symbol": bench.order.config.runtime_config.symbol,
        "compat": bench.order.compat,
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
    inputs = {given.asset: given.content_digest}
    return lineage.Published(cell, dataset.content_digest, inputs, metadata)


def _events(
    context: dg.AssetExecutionContext,
    asset: str,
    outcomes: Sequence[Outcome],
    read: dict[str, str],
) -> Events:
    published = published_of(outcomes)
    context.log.info(f"{len(published)} of {len(outcomes)} grids stand and hold")
    yield lineage.output()
    yield from lineage.materialisations(asset, GRID_VERSION, published, read)
    verdicts = [verdict_of(name, outcomes) for name in _CHECKS]
    yield from lineage.check_results(asset, verdicts, context.log, is_last=True)
