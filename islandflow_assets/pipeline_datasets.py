"""``pipeline_dataset`` and ``dataset_campaign``: grids of registered pipelines, one or many.

A pipeline names its events and its configuration, so that a missing tape is made on the way
(``islandflow_resources.pipelines``, ``dataset_campaigns``). How a grid is judged and shown is
``grid_verdicts``; grids of a run's own configuration are ``grids``.
"""

from pathlib import Path

import dagster as dg
from dagster import MetadataValue

from contracts.errors import IslandflowError, Problem
from islandflow_assets import keys, lineage
from islandflow_assets.grid_verdicts import (
    COLUMNS,
    GRID_VERSION,
    Bench,
    Events,
    GridInput,
    TriedGrid,
    check_specs,
    grid_events,
    judged_grids,
)
from islandflow_assets.outcomes import Outcome, published_of, verdict_of
from islandflow_assets.partitions import (
    DATASET_CAMPAIGN,
    PIPELINE,
    NamedCell,
    requested_documents,
)
from islandflow_assets.settings import GridSettings
from islandflow_resources.database import Database
from islandflow_resources.dataset_campaigns import (
    MadeCampaign,
    make_dataset_campaign,
    registered_dataset_campaign,
)
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import (
    find_events,
    make_dataset,
    ready_pipeline,
    registered_pipeline,
)

_MAX_ROWS = 1_000


@dg.asset(
    name=keys.PIPELINE_DATASET,
    group_name=keys.BOOKS,
    partitions_def=PIPELINE,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=GRID_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata=COLUMNS,
    check_specs=check_specs(keys.PIPELINE_DATASET),
)
def pipeline_dataset(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    grid_settings: GridSettings,
) -> Events:
    """Bins and rows of pressure and vacuum of one registered pipeline, and its tape if missing.

    Of the run's configuration only `parity_events` counts: the rest is the pipeline's.
    """
    bench = Bench(store, database, engine_runtime, grid_settings.parity_events, context.run.run_id)
    with reported(context):
        wanted = requested_documents(context)
        outcomes = judged_grids(bench, wanted, lambda cell, folder: _tried(bench, cell, folder))
    yield from grid_events(context, keys.PIPELINE_DATASET, outcomes, {})


@dg.asset(
    name=keys.DATASET_CAMPAIGN,
    group_name=keys.BOOKS,
    partitions_def=DATASET_CAMPAIGN,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=GRID_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    check_specs=[
        dg.AssetCheckSpec(
            keys.CHECKSUMS_MATCH,
            asset=keys.DATASET_CAMPAIGN,
            blocking=True,
            description="every file of every dataset has the bytes that its manifest says",
        ),
        dg.AssetCheckSpec(
            keys.NOTHING_MISSING,
            asset=keys.DATASET_CAMPAIGN,
            blocking=True,
            description="every pipeline of the campaign has a dataset",
        ),
    ],
)
def dataset_campaign(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> Events:
    """All datasets of a campaign: those that are missing are made, the others verified.

    A run that was killed is run again, and goes on where it was.
    """
    with reported(context):
        wanted = requested_documents(context)
        outcomes = [_campaign(context, store, database, engine_runtime, cell) for cell in wanted]
    yield lineage.output()
    published = published_of(outcomes)
    yield from lineage.materialisations(keys.DATASET_CAMPAIGN, GRID_VERSION, published)
    names = (keys.CHECKSUMS_MATCH, keys.NOTHING_MISSING)
    verdicts = [verdict_of(name, outcomes) for name in names]
    yield from lineage.check_results(keys.DATASET_CAMPAIGN, verdicts, context.log, is_last=True)


def _tried(bench: Bench, cell: NamedCell, workspace: Path) -> TriedGrid:
    """The dataset of a pipeline, its events made where they are missing."""
    store, database = bench.store, bench.database
    spec = registered_pipeline(database, cell.name)
    pipeline = ready_pipeline(store, database, spec)
    config, capture = pipeline.config, pipeline.spec.capture
    made = make_dataset(store, database, bench.runtime, config, capture, workspace, bench.run_id)
    events = find_events(store, database, capture)
    given = GridInput(None, events.file, events.content_digest) if events else None
    return TriedGrid(config, given, made)


def _campaign(
    context: dg.AssetExecutionContext,
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    cell: NamedCell,
) -> Outcome:
    try:
        campaign = registered_dataset_campaign(database, cell.name)
        run_id = context.run.run_id
        made = make_dataset_campaign(store, database, runtime, campaign, run_id, context.log.info)
    except IslandflowError as error:
        if error.retryable:
            raise
        return Outcome(cell, {keys.NOTHING_MISSING: error.problems[0]})
    checks: dict[str, Problem | None] = {keys.CHECKSUMS_MATCH: None, keys.NOTHING_MISSING: None}
    for one in made.datasets:
        if one.problem is not None:
            name = keys.CHECKSUMS_MATCH if one.is_damaged else keys.NOTHING_MISSING
            said = f"{one.pipeline}: {one.problem.message}"
            checks[name] = checks[name] or Problem(
                one.problem.code, said, one.problem.loc, one.problem.hints
            )
    return Outcome(cell, checks, _shown(store, cell, made))


def _shown(store: ObjectStore, cell: NamedCell, made: MadeCampaign) -> lineage.Published | None:
    summary = made.summary
    if summary is None:
        return None
    metadata = {
        "datasets": _table(made),
        "dagster/row_count": len(made.datasets),
        "used_cache": sum(one.used_cache for one in made.datasets),
        "seconds": round(sum(one.seconds for one in made.datasets), 4),
        "summary": MetadataValue.url(store.uri(summary.key)),
        "content_digest": summary.content_digest,
        "recipe_digest": summary.recipe,
    }
    return lineage.Published(cell, summary.content_digest, {}, metadata)


def _table(made: MadeCampaign) -> dg.TableMetadataValue:
    """One row a dataset: what it overrides, and what was made."""
    varied = sorted({name for one in made.datasets for name in one.overrides})
    names = ["pipeline", *varied, "dataset_id", "bins", "content_digest"]
    records = [
        dg.TableRecord(
            {
                "pipeline": one.pipeline,
                **{name: str(one.overrides.get(name, "")) for name in varied},
                "dataset_id": one.dataset_id,
                "bins": one.bins,
                "content_digest": one.content_digest,
            }
        )
        for one in made.datasets[:_MAX_ROWS]
    ]
    columns = [dg.TableColumn(name, "int" if name == "bins" else "string") for name in names]
    return MetadataValue.table(records, dg.TableSchema(columns=columns))
