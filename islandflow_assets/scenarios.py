"""``scenario_spec`` and ``scenario_dataset``: a registered market, and its bars.

Registration puts scenarios into the database and their keys among the partitions
(``islandflow_jobs.registration``); making and storing is
``islandflow_resources.materialise``.
"""

from collections.abc import Iterator, Sequence

import dagster as dg
import numpy as np

from contracts.canonical import canonical_json
from contracts.columns import BARS
from contracts.digest import bare
from contracts.errors import Problem
from contracts.scenario import ScenarioSpec, scenario_from
from engine import paths
from islandflow_assets import keys, lineage
from islandflow_assets.partitions import GRID, Partition, requested
from islandflow_assets.plots import Span, price_plot
from islandflow_assets.previews import bars_table, column_schema
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.materialise import MadeDataset, dataset_ref, make_datasets
from islandflow_resources.object_store import ObjectStore

Events = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]

SPEC_VERSION = "0.1"
DATASET_VERSION = paths.domain_version()


@dg.asset(
    name=keys.SCENARIO_SPEC,
    group_name=keys.SCENARIOS,
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=SPEC_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"json"},
)
def scenario_spec(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """The market that a scenario describes, as one canonical document in the store.

    All seeds of a scenario share the document. Its returns are log returns per bar, in bps.
    """
    with reported(context):
        wanted = requested(context)
        specs = registered_specs(database, wanted)
        for spec in specs.values():
            store.put_exact(spec_key(spec), canonical_json(spec.market) + b"\n")
    yield lineage.output()
    published = [_published_spec(store, cell, specs[cell.scenario_key]) for cell in wanted]
    yield from lineage.materialisations(keys.SCENARIO_SPEC, SPEC_VERSION, published)


@dg.asset(
    name=keys.SCENARIO_DATASET,
    group_name=keys.SCENARIOS,
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[scenario_spec],
    code_version=DATASET_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata={"dagster/column_schema": column_schema(BARS)},
    check_specs=[
        dg.AssetCheckSpec(
            keys.SCHEMA_HOLDS,
            asset=keys.SCENARIO_DATASET,
            blocking=True,
            description="every stored column has the name, type and order of its contract",
        ),
        dg.AssetCheckSpec(
            keys.GUARDS_HOLD,
            asset=keys.SCENARIO_DATASET,
            blocking=True,
            description="prices representable, bars ordered, returns within 25 sigma",
        ),
        dg.AssetCheckSpec(
            keys.DIGEST_MATCHES,
            asset=keys.SCENARIO_DATASET,
            blocking=True,
            description="the stored object reads back with the digest of its manifest",
        ),
    ],
)
def scenario_dataset(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
) -> Events:
    """Bars of one scenario and seed, with their manifest, made once and verified.

    Prices are whole ticks: a price is ticks × `tick_size`. Each bar carries its start
    in UTC. The same scenario and seed always give the same `content_digest`.
    """
    with reported(context):
        wanted = requested(context)
        read = lineage.newest_events(context.instance, keys.SCENARIO_SPEC)
        specs = registered_specs(database, wanted)
        refs = [dataset_ref(specs[cell.scenario_key], cell.seed) for cell in wanted]
        stream = make_datasets(store, database, engine_runtime, refs, context.run.run_id)
        made = [_shown(cell, one, store) for cell, one in zip(wanted, stream, strict=True)]
    published = [shown for _, _, shown in made if shown is not None]
    used = sum(one.used_cache for _, one, _ in made)
    context.log.info(f"{len(published) - used} datasets made, {used} found, of {len(made)}")
    yield lineage.output()
    yield from lineage.materialisations(keys.SCENARIO_DATASET, DATASET_VERSION, published, read)
    outcomes = [(cell, one) for cell, one, _ in made]
    yield from lineage.check_results(keys.SCENARIO_DATASET, _verdicts(outcomes), context.log)


def registered_specs(database: Database, cells: Sequence[Partition]) -> dict[str, ScenarioSpec]:
    """Scenarios of a batch by partition key.

    Raises
    ------
    NotFoundError
        ``SCENARIO_NOT_REGISTERED`` for a key that was added by other means.
    """
    names = sorted({cell.scenario_key for cell in cells})
    rows = [database.scenario(name) for name in names]
    # The registry keeps the market; the seed is the partition's.
    return {row.scenario_key: scenario_from({**row.spec, "seed": "0"}) for row in rows}


def spec_key(spec: ScenarioSpec) -> str:
    """Key of the canonical scenario document."""
    return f"scenarios/{spec.id}/{bare(spec.scenario_hash)}/spec.json"


def _published_spec(store: ObjectStore, cell: Partition, spec: ScenarioSpec) -> lineage.Published:
    metadata = {
        "uri": dg.MetadataValue.url(store.uri(spec_key(spec))),
        "family": spec.family,
        "document": dg.MetadataValue.json({**spec.market, "seed": str(cell.seed)}),
    }
    return lineage.Published(cell, spec.scenario_hash, {}, metadata)


def _shown(
    cell: Partition, one: MadeDataset, store: ObjectStore
) -> tuple[Partition, MadeDataset, lineage.Published | None]:
    """The event of one dataset; its columns are dropped here, so that memory stays flat."""
    if one.dataset is None:
        return cell, one, None
    manifest, table, ref = one.dataset.manifest, one.dataset.table, one.ref
    tick = ref.spec.tick_size
    low, high, close = (
        table[f"{name}_ticks"].to_numpy().astype(np.float64) * tick
        for name in ("low", "high", "close")
    )
    span = Span(int(manifest.first_ts_ns), int(manifest.last_ts_ns))
    metadata = {
        "price": price_plot(f"{cell}", span, low, high, close),
        "first_bars": bars_table(table),
        "tick_size": tick,
        "timeframe": ref.spec.timeframe,
        "dagster/row_count": manifest.rows,
        "uri": dg.MetadataValue.url(store.uri(ref.dataset_key)),
        "manifest": dg.MetadataValue.url(store.uri(ref.manifest_key)),
        "content_digest": manifest.content_digest,
        "recipe_digest": manifest.recipe_digest,
        "used_cache": one.used_cache,
        "seconds": round(one.seconds, 4),
    }
    inputs = {keys.SCENARIO_SPEC: ref.spec.scenario_hash}
    published = lineage.Published(cell, manifest.content_digest, inputs, metadata)
    return cell, MadeDataset(ref, None, one.used_cache, one.seconds), published


def _verdicts(made: Sequence[tuple[Partition, MadeDataset]]) -> list[lineage.Verdict]:
    """Failures by check: guards refuse markets, the digest refuses damaged objects."""
    failures: dict[str, list[tuple[Partition, Problem]]] = {
        keys.SCHEMA_HOLDS: [],
        keys.GUARDS_HOLD: [],
        keys.DIGEST_MATCHES: [],
    }
    for cell, one in made:
        if one.problem is not None:
            failures[_check_of(one.problem)].append((cell, one.problem))
    return [
        lineage.Verdict(name, len(made) - len(failed), failed) for name, failed in failures.items()
    ]


def _check_of(problem: Problem) -> str:
    if problem.code == "SCENARIO_UNREPRESENTABLE":
        return keys.GUARDS_HOLD
    return keys.SCHEMA_HOLDS if problem.code.startswith("TABLE_COLUMN") else keys.DIGEST_MATCHES
