"""``grid_dataset`` and ``recorded_grid_dataset``: pressure and vacuum of tapes and recorded files.

They differ in where their events come from (``books``); how a grid is judged and shown is
``grid_verdicts``, building and storing ``islandflow_resources.grid_build`` and
``grid_datasets``.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

from contracts.errors import NotFoundError
from islandflow_assets import keys, lineage
from islandflow_assets.book_verdicts import unrealistic
from islandflow_assets.books import book_checkpoint, mbo_source, mbo_tape
from islandflow_assets.grid_verdicts import (
    COLUMNS,
    GRID_VERSION,
    Bench,
    Events,
    GridInput,
    Make,
    TriedGrid,
    check_specs,
    grid_events,
    judged_grids,
)
from islandflow_assets.partitions import (
    SOURCE,
    TAPES,
    SourceCell,
    TapeCell,
    requested_sources,
    requested_tapes,
)
from islandflow_assets.settings import GridSettings
from islandflow_resources.book_checkpoints import find_checkpoint
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.grid_build import GridOrder
from islandflow_resources.grid_datasets import make_grid
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.mbo_sources import registered_source
from islandflow_resources.mbo_tapes import find_tape, registered_spec, tape_ref
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.settings import load_settings

_Find = Callable[[Bench, GridOrder, Any, Path], tuple[GridInput, GridOrder]]


@dg.asset(
    name=keys.GRID_DATASET,
    group_name=keys.BOOKS,
    partitions_def=TAPES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[mbo_tape],
    code_version=GRID_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata=COLUMNS,
    check_specs=check_specs(keys.GRID_DATASET),
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
        outcomes = judged_grids(bench, wanted, _make(bench, grid_settings, _tape_input))
    yield from grid_events(context, keys.GRID_DATASET, outcomes, read)


@dg.asset(
    name=keys.RECORDED_GRID_DATASET,
    group_name=keys.BOOKS,
    partitions_def=SOURCE,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[mbo_source, book_checkpoint],
    code_version=GRID_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata=COLUMNS,
    check_specs=check_specs(keys.RECORDED_GRID_DATASET),
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
        outcomes = judged_grids(bench, wanted, _make(bench, grid_settings, _source_input))
    yield from grid_events(context, keys.RECORDED_GRID_DATASET, outcomes, read)


def _bench(
    context: dg.AssetExecutionContext,
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    settings: GridSettings,
) -> Bench:
    return Bench(store, database, runtime, settings.parity_events, context.run.run_id)


def _make(bench: Bench, settings: GridSettings, find: _Find) -> Make:
    """How the dataset of a cell is made of the events that `find` names."""
    config = settings.config
    refuse_other_instrument(load_settings(), config, "the configuration of the run")
    wanted = GridOrder(Path(), config, settings.rules, settings.first_bin_ns)
    store, database, runtime = bench.store, bench.database, bench.runtime

    def make(cell: Any, workspace: Path) -> TriedGrid:
        given, order = find(bench, wanted, cell, workspace)
        made = make_grid(store, database, runtime, order, given.file, workspace, bench.run_id)
        return TriedGrid(config, given, made)

    return make


def _tape_input(
    bench: Bench, order: GridOrder, cell: TapeCell, _: Path
) -> tuple[GridInput, GridOrder]:
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
    return GridInput(keys.MBO_TAPE, tape.events, tape.content_digest), order


def _source_input(
    bench: Bench, order: GridOrder, cell: SourceCell, folder: Path
) -> tuple[GridInput, GridOrder]:
    """The recorded file of a cell, and the checkpoint to go on from, where it stands."""
    source = registered_source(bench.store, bench.database, cell.source_key)
    found = GridInput(keys.MBO_SOURCE, source.events, source.events.digest)
    if order.emit_from_ns is None:
        return found, order
    warm = find_checkpoint(bench.store, bench.database, order, source.events, folder)
    return found, replace(order, from_checkpoint=warm.path if warm else None)
