"""``monte_carlo_summary`` and ``walk_forward_summary``: strategies on datasets, put to the test.

Partitioned as ``backtest_result``: a partition holds all registered strategies of one scenario and
seed. The best trials of a campaign go through the same functions in ``campaign_reports``.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from contracts.columns import MONTE_CARLO, WALK_FORWARD, TableSchema
from contracts.errors import Problem
from islandflow_assets import charts, keys, lineage
from islandflow_assets.partitions import GRID, Partition, requested
from islandflow_assets.previews import column_schema, stored_table
from islandflow_assets.scenarios import registered_specs, scenario_dataset
from islandflow_assets.settings import BacktestConfig, ValidationConfig, checked_together
from islandflow_assets.strategies import strategy_ir
from islandflow_resources.database import Database
from islandflow_resources.datasets import Dataset
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.strategies import StrategyList, registered_strategies
from islandflow_resources.validations import (
    MONTE_CARLO_VERSION,
    WALK_FORWARD_VERSION,
    Summary,
    make_monte_carlo,
    make_walk_forward,
)

Events = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]


@dg.asset(
    name=keys.MONTE_CARLO_SUMMARY,
    group_name=keys.VALIDATIONS,
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[scenario_dataset, strategy_ir],
    code_version=MONTE_CARLO_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata={"dagster/column_schema": column_schema(MONTE_CARLO)},
    check_specs=[
        dg.AssetCheckSpec(
            keys.PATHS_CONVERGED,
            asset=keys.MONTE_CARLO_SUMMARY,
            blocking=True,
            description="every strategy has paths, and as many as its precision asks for",
        )
    ],
)
def monte_carlo_summary(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    backtest_settings: BacktestConfig,
    validation_settings: ValidationConfig,
) -> Events:
    """All registered strategies on one dataset, their returns resampled in blocks.

    Sharpe ratios are annualised; drawdowns are negative fractions, probabilities shares.
    """
    with reported(context):
        cells, read, inputs = _inputs(context, store, database, engine_runtime)
        listed = StrategyList.of(registered_strategies(database))
        settings, how = checked_together(
            backtest_settings.document, lambda: validation_settings.monte_carlo
        )
        made = make_monte_carlo(
            store, database, engine_runtime, inputs, listed, settings, how, context.run.run_id
        )
        shown = [_shown(store, one, listed, MONTE_CARLO, _short_paths) for one in made]
    yield from _events(context, keys.MONTE_CARLO_SUMMARY, MONTE_CARLO_VERSION, shown, read, cells)


@dg.asset(
    name=keys.WALK_FORWARD_SUMMARY,
    group_name=keys.VALIDATIONS,
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[scenario_dataset, strategy_ir],
    code_version=WALK_FORWARD_VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    metadata={"dagster/column_schema": column_schema(WALK_FORWARD)},
    check_specs=[
        dg.AssetCheckSpec(
            keys.FOLDS_TESTED,
            asset=keys.WALK_FORWARD_SUMMARY,
            blocking=True,
            description="every strategy was chosen and tested in every fold",
        )
    ],
)
def walk_forward_summary(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    backtest_settings: BacktestConfig,
    validation_settings: ValidationConfig,
) -> Events:
    """All registered strategies on one dataset, chosen in training and tested after it.

    A strategy with ranges chooses among the grid of them, one without has a single set.
    """
    with reported(context):
        cells, read, inputs = _inputs(context, store, database, engine_runtime)
        listed = StrategyList.of(registered_strategies(database))
        settings, how, objective = checked_together(
            backtest_settings.document,
            lambda: validation_settings.walk_forward,
            lambda: validation_settings.checked_objective,
        )
        made = make_walk_forward(
            store, database, engine_runtime, inputs, listed, settings, how, objective,
            context.run.run_id,
        )  # fmt: skip
        shown = [_shown(store, one, listed, WALK_FORWARD, _no_problem) for one in made]
    yield from _events(context, keys.WALK_FORWARD_SUMMARY, WALK_FORWARD_VERSION, shown, read, cells)


_NO_DATASET = Problem(
    "DATASET_NOT_FOUND",
    "there is no dataset that verifies",
    "",
    ("look at the checks of scenario_dataset in this run",),
)
_Shown = lineage.Published | tuple[Partition, Problem]
_CHECKS = {
    keys.MONTE_CARLO_SUMMARY: keys.PATHS_CONVERGED,
    keys.WALK_FORWARD_SUMMARY: keys.FOLDS_TESTED,
}


def _inputs(
    context: dg.AssetExecutionContext,
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
) -> tuple[list[Partition], dict[str, str], Iterable[Dataset]]:
    """Cells that are asked for, the events that they are read from, and their datasets."""
    cells = requested(context)
    read = lineage.newest_events(context.instance, keys.SCENARIO_DATASET, keys.STRATEGY_IR)
    specs = registered_specs(database, cells)
    refs = [dataset_ref(specs[cell.scenario_key], cell.seed) for cell in cells]
    return cells, read, find_datasets(store, database, runtime, refs)


def _events(
    context: dg.AssetExecutionContext,
    name: str,
    version: str,
    shown: list[_Shown],
    read: dict[str, str],
    cells: list[Partition],
) -> Events:
    published = [one for one in shown if isinstance(one, lineage.Published)]
    failures = [one for one in shown if not isinstance(one, lineage.Published)]
    seen = {one.partition for one in published} | {cell for cell, _ in failures}
    failures += [(cell, _NO_DATASET) for cell in cells if cell not in seen]
    if len(cells) > 1:
        context.log.info(f"{len(published)} of {len(cells)} partitions have summaries")
    yield lineage.output()
    yield from lineage.materialisations(name, version, published, read)
    verdict = lineage.Verdict(_CHECKS[name], len(published), failures)
    for result in lineage.check_results(name, [verdict], context.log):
        # Nothing comes after these steps: a partition without a summary fails the run by itself.
        yield result if result.passed else result._replace(severity=dg.AssetCheckSeverity.ERROR)


def _shown(
    store: ObjectStore,
    one: Summary,
    listed: StrategyList,
    schema: TableSchema,
    refused: Any,
) -> _Shown:
    """The event of one partition, or its problem."""
    ref = one.dataset.ref
    cell = Partition(ref.spec.partition_key, ref.seed)
    problem = one.problem if one.stored is None else refused(one)
    if one.stored is None or problem is not None:
        assert problem is not None
        return cell, problem
    stored, table = one.stored, one.stored.table
    inputs = {
        keys.SCENARIO_DATASET: one.dataset.manifest.content_digest,
        keys.STRATEGY_IR: listed.digest,
    }
    pictures: dict[str, Any] = {}
    if one.first is not None:
        pictures["equity_fan"] = charts.equity_fan(f"{cell} · growth over the paths", one.first.fan)
    metadata = {
        **pictures,
        schema.name: stored_table(table, schema),
        "dagster/row_count": table.num_rows,
        "uri": dg.MetadataValue.url(store.uri(stored.key)),
        "content_digest": stored.content_digest,
        "recipe_digest": stored.recipe,
        "used_cache": stored.used_cache,
    }
    return lineage.Published(cell, stored.content_digest, inputs, metadata)


def _short_paths(one: Summary) -> Problem | None:
    assert one.stored is not None
    short = [row["strategy_id"] for row in one.stored.table.to_pylist() if not row["converged"]]
    if not short:
        return None
    said = f"the paths of {', '.join(short[:4])} have not reached their precision"
    return Problem("NOT_CONVERGED", said, "", ("allow more paths, or ask for less precision",))


def _no_problem(_: Summary) -> Problem | None:
    return None
