"""``mbo_tape``, ``mbo_source`` and ``book_checkpoint``: events of order books, and warm books.

Registration puts tapes and recorded files among the partitions
(``islandflow_jobs.registration``); what is made of them is ``grids``; storing is
``islandflow_resources.mbo_tapes``, ``mbo_sources`` and ``book_checkpoints``.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from contracts.columns import MBO_EVENTS
from contracts.errors import IslandflowError
from contracts.mbo import MboSpec
from engine import paths
from engine.tapes.mbo.api import VERSION as TAPE_ENGINE
from islandflow_assets import keys, lineage
from islandflow_assets.book_plots import scorecard_table, tape_depth
from islandflow_assets.book_verdicts import (
    book_metadata,
    figures_table,
    flawed,
    levels_of,
    statistics_of,
    unrealistic,
    unsound,
)
from islandflow_assets.outcomes import Outcome, published_of, verdict_of
from islandflow_assets.partitions import (
    SOURCE,
    TAPES,
    SourceCell,
    TapeCell,
    requested_sources,
    requested_tapes,
)
from islandflow_assets.previews import column_schema
from islandflow_assets.settings import GridSettings
from islandflow_resources import mbo_sources
from islandflow_resources.book_checkpoints import BookCheckpoint, make_checkpoint
from islandflow_resources.book_reports import check_events
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.grid_build import GridOrder
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.mbo_tapes import MadeTape, make_tape, registered_spec, tape_ref
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.settings import load_settings
from islandflow_resources.stored_files import fetched

Events = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]

TAPE_VERSION = f"{TAPE_ENGINE}.{paths.domain_version()}"


@dg.asset(
    name=keys.MBO_TAPE,
    group_name=keys.BOOKS,
    partitions_def=TAPES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=TAPE_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata={"dagster/column_schema": column_schema(MBO_EVENTS)},
    check_specs=[
        dg.AssetCheckSpec(
            keys.GUARDS_HOLD,
            asset=keys.MBO_TAPE,
            blocking=True,
            description="the path stays within the prices that a tape can show",
        ),
        dg.AssetCheckSpec(
            keys.DIGEST_MATCHES,
            asset=keys.MBO_TAPE,
            blocking=True,
            description="the stored events and their manifest read back as they were made",
        ),
        dg.AssetCheckSpec(
            keys.BOOK_INVARIANTS_HOLD,
            asset=keys.MBO_TAPE,
            blocking=True,
            description="replayed, every invariant of the book holds, without any anomaly",
        ),
        dg.AssetCheckSpec(
            keys.REALISM_HOLDS,
            asset=keys.MBO_TAPE,
            blocking=True,
            description="every statistic of the tape lies in its band of a real session",
        ),
    ],
)
def mbo_tape(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> Events:
    """Market-by-order events of one tape and seed, made once and verified.

    Prices are in 1e-9 of the quote currency, times in nanoseconds UTC. The same tape and
    seed always give the same `content_digest`.
    """
    with reported(context):
        wanted = requested_tapes(context)
        specs = {key: registered_spec(database, key) for key in {one.tape_key for one in wanted}}
        outcomes = [
            _tape(context, store, database, engine_runtime, cell, specs[cell.tape_key])
            for cell in wanted
        ]
    published = published_of(outcomes)
    context.log.info(f"{len(published)} of {len(wanted)} tapes stand and hold")
    yield lineage.output()
    yield from lineage.materialisations(keys.MBO_TAPE, TAPE_VERSION, published)
    cards = [one.figures for one in outcomes if one.figures]
    realism = {"statistics": figures_table(cards)} if cards else {}
    names = (keys.GUARDS_HOLD, keys.DIGEST_MATCHES, keys.BOOK_INVARIANTS_HOLD)
    verdicts = [verdict_of(name, outcomes) for name in names]
    verdicts.append(verdict_of(keys.REALISM_HOLDS, outcomes, realism))
    yield from lineage.check_results(keys.MBO_TAPE, verdicts, context.log)


@dg.asset(
    name=keys.MBO_SOURCE,
    group_name=keys.BOOKS,
    partitions_def=SOURCE,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=mbo_sources.VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"databento"},
    metadata={"dagster/column_schema": column_schema(MBO_EVENTS)},
    check_specs=[
        dg.AssetCheckSpec(
            keys.DIGEST_MATCHES,
            asset=keys.MBO_SOURCE,
            blocking=True,
            description="the stored file and its manifest are those that were registered",
        ),
        dg.AssetCheckSpec(
            keys.BOOK_INVARIANTS_HOLD,
            asset=keys.MBO_SOURCE,
            blocking=True,
            description="replayed, every invariant of the book holds; anomalies are counted",
        ),
    ],
)
def mbo_source(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """A registered file of recorded events, kept as it is, by the digest of its bytes.

    The columns are those that it is read as; which records were dropped, and why, is in
    its account.
    """
    with reported(context):
        wanted = requested_sources(context)
        outcomes = [_source(store, database, cell) for cell in wanted]
    yield lineage.output()
    version, published = mbo_sources.VERSION, published_of(outcomes)
    yield from lineage.materialisations(keys.MBO_SOURCE, version, published)
    names = (keys.DIGEST_MATCHES, keys.BOOK_INVARIANTS_HOLD)
    verdicts = [verdict_of(name, outcomes) for name in names]
    yield from lineage.check_results(keys.MBO_SOURCE, verdicts, context.log)


@dg.asset(
    name=keys.BOOK_CHECKPOINT,
    group_name=keys.BOOKS,
    partitions_def=SOURCE,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[mbo_source],
    code_version=mbo_sources.VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"arrow", "numba"},
    check_specs=[
        dg.AssetCheckSpec(
            keys.NOTHING_MISSING,
            asset=keys.BOOK_CHECKPOINT,
            blocking=True,
            description="every file has the checkpoint that was asked for",
        ),
    ],
)
def book_checkpoint(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    grid_settings: GridSettings,
) -> Events:
    """The state after all events before a time, from which a grid that starts there goes on.

    The time is `emit_from_ns` of the run; without it, just after the first instant of the
    file, so that the snapshot which opens it is taken in.
    """
    with reported(context):
        wanted = requested_sources(context)
        read = lineage.newest_events(context.instance, keys.MBO_SOURCE)
        config = grid_settings.config
        refuse_other_instrument(load_settings(), config, "the configuration of the run")
        order = GridOrder(Path(), config, grid_settings.rules, grid_settings.first_bin_ns)
        run_id = context.run.run_id
        outcomes = [
            _checkpoint(store, database, engine_runtime, cell, order, run_id) for cell in wanted
        ]
    yield lineage.output()
    version, published = mbo_sources.VERSION, published_of(outcomes)
    yield from lineage.materialisations(keys.BOOK_CHECKPOINT, version, published, read)
    verdicts = [verdict_of(keys.NOTHING_MISSING, outcomes)]
    yield from lineage.check_results(keys.BOOK_CHECKPOINT, verdicts, context.log)


def _tape(
    context: dg.AssetExecutionContext,
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    cell: TapeCell,
    spec: MboSpec,
) -> Outcome:
    """Make or find one tape, and replay it."""
    with tempfile.TemporaryDirectory(prefix="islandflow-tape-") as folder:
        ref, workspace = tape_ref(spec, cell.seed), Path(folder)
        made = make_tape(store, database, runtime, ref, workspace, context.run.run_id)
        if made.tape is None:
            check = keys.DIGEST_MATCHES if made.is_damaged else keys.GUARDS_HOLD
            return Outcome(cell, {check: made.problem})
        report = check_events(fetched(store, made.tape.events, workspace), spec.symbol)
    checks = {
        keys.GUARDS_HOLD: None,
        keys.DIGEST_MATCHES: None,
        keys.BOOK_INVARIANTS_HOLD: flawed(str(cell), report),
        keys.REALISM_HOLDS: unrealistic(str(cell), made.tape.scorecard),
    }
    shown = _shown_tape(store, cell, made, book_metadata(report))
    return Outcome(cell, checks, shown, made.tape.scorecard)


def _shown_tape(
    store: ObjectStore, cell: TapeCell, made: MadeTape, book: dict[str, dg.MetadataValue]
) -> lineage.Published:
    tape, ref = made.tape, made.ref
    assert tape is not None
    rows = int(tape.manifest["rows"])  # pyright: ignore[reportArgumentType]
    metadata = {
        "scorecard": scorecard_table(statistics_of(tape.scorecard)),
        "depth": tape_depth(str(cell), levels_of(tape.manifest["depth_lots"])),
        **book,
        "symbol": ref.spec.symbol,
        "first_ns": str(tape.manifest["first_ns"]),
        "last_ns": str(tape.manifest["last_ns"]),
        "dagster/row_count": rows,
        "uri": dg.MetadataValue.url(store.uri(ref.events_key)),
        "manifest": dg.MetadataValue.url(store.uri(ref.manifest_key)),
        "content_digest": tape.content_digest,
        "recipe_digest": ref.recipe,
        "used_cache": made.used_cache,
        "seconds": round(made.seconds, 4),
        "events_per_second": round(rows / max(made.seconds, 1e-9)),
    }
    return lineage.Published(cell, tape.content_digest, {}, metadata)


def _source(store: ObjectStore, database: Database, cell: SourceCell) -> Outcome:
    """Verify one recorded file, and replay it."""
    try:
        source = mbo_sources.registered_source(store, database, cell.source_key)
        with tempfile.TemporaryDirectory(prefix="islandflow-source-") as folder:
            report = check_events(fetched(store, source.events, Path(folder)), source.symbol)
    except IslandflowError as error:
        if error.retryable:
            raise
        return Outcome(cell, {keys.DIGEST_MATCHES: error.problems[0]})
    metadata = {
        **book_metadata(report),
        "account": dg.MetadataValue.json(mbo_sources.account_of(report.ingestion)),
        "symbol": report.ingestion.symbol,
        "first_ns": str(report.first_ns),
        "last_ns": str(report.last_ns),
        "dagster/row_count": report.ingestion.rows,
        "uri": dg.MetadataValue.url(store.uri(source.events.key)),
        "content_digest": source.events.digest,
    }
    shown = lineage.Published(cell, source.events.digest, {}, metadata)
    checks = {keys.DIGEST_MATCHES: None, keys.BOOK_INVARIANTS_HOLD: unsound(str(cell), report)}
    return Outcome(cell, checks, shown)


def _checkpoint(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    cell: SourceCell,
    order: GridOrder,
    run_id: str,
) -> Outcome:
    try:
        source = mbo_sources.registered_source(store, database, cell.source_key)
        start_ns = order.emit_from_ns
        at_ns = source.first_ns + 1 if start_ns is None else start_ns
        wanted = GridOrder(order.events, order.config, order.compat, at_ns)
        with tempfile.TemporaryDirectory(prefix="islandflow-checkpoint-") as folder:
            made = make_checkpoint(
                store, database, runtime, wanted, source.events, Path(folder), run_id
            )
    except IslandflowError as error:
        if error.retryable:
            raise
        return Outcome(cell, {keys.NOTHING_MISSING: error.problems[0]})
    inputs = {keys.MBO_SOURCE: source.events.digest}
    metadata = _checkpoint_metadata(store, made, at_ns)
    shown = lineage.Published(cell, made.file.digest, inputs, metadata)
    return Outcome(cell, {keys.NOTHING_MISSING: None}, shown)


def _checkpoint_metadata(
    store: ObjectStore, made: BookCheckpoint, at_ns: int
) -> dict[str, dg.MetadataValue]:
    return {
        "emit_from_ns": dg.MetadataValue.text(str(at_ns)),
        "events": dg.MetadataValue.int(made.head.rows_taken),
        "uri": dg.MetadataValue.url(store.uri(made.file.key)),
        "content_digest": dg.MetadataValue.text(made.file.digest),
        "recipe_digest": dg.MetadataValue.text(made.recipe),
        "used_cache": dg.MetadataValue.bool(made.used_cache),
        "seconds": dg.MetadataValue.float(round(made.seconds, 4)),
    }
