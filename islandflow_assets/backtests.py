"""``backtest_result`` and ``backtest_summary``: every strategy on every dataset.

A result holds all registered strategies of one scenario and seed; the summary
gathers all seeds into a row per scenario and strategy, and is where a run that
could not make everything it was asked for fails. Making and storing is
``islandflow_resources.materialise``.
"""

from collections.abc import Iterator

import dagster as dg

from contracts.columns import SUMMARY
from contracts.digest import bare, document_digest
from contracts.errors import ContractError, Problem
from contracts.strategy import StrategySpec, strategy_from
from islandflow_assets import keys, lineage
from islandflow_assets.partitions import GRID, Partition, requested, requested_by_run
from islandflow_assets.plots import Span, equity_plot
from islandflow_assets.previews import (
    column_schema,
    metrics_table,
    strategy_names,
    summary_table,
)
from islandflow_assets.scenarios import registered_specs, scenario_dataset
from islandflow_assets.settings import BacktestConfig
from islandflow_resources import summaries
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.failures import reported
from islandflow_resources.materialise import (
    MadeResults,
    dataset_ref,
    find_datasets,
    make_results,
)
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION

_MAX_NAMED = 10

Events = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]


@dg.asset(
    name=keys.BACKTEST_RESULT,
    group_name=keys.BACKTESTS,
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[scenario_dataset],
    code_version=VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"parquet", "numba"},
    check_specs=[
        dg.AssetCheckSpec(
            keys.ACCOUNT_BALANCES,
            asset=keys.BACKTEST_RESULT,
            blocking=True,
            description="cash plus position equals equity on every bar of every result",
        )
    ],
)
def backtest_result(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    engine_runtime: dg.ResourceParam[EngineRuntime],
    backtest_settings: BacktestConfig,
) -> Events:
    """Equity, trades and metrics of all registered strategies on one dataset.

    Returns, drawdowns, volatility, rates and exposure are fractions (0.01 is 1 %);
    volatility, Sharpe, Sortino and Calmar are annualised; equity is in quote currency.
    """
    with reported(context):
        cells = requested(context)
        read = lineage.newest_events(context.instance, keys.SCENARIO_DATASET)
        specs = registered_specs(database, cells)
        refs = [dataset_ref(specs[cell.scenario_key], cell.seed) for cell in cells]
        inputs = find_datasets(store, database, engine_runtime, refs)
        made = make_results(
            store, database, engine_runtime, inputs, registered_strategies(database),
            backtest_settings.document(), context.run.run_id,
        )  # fmt: skip
        shown = [_shown(store, one) for one in made]
    published = [one for one in shown if isinstance(one, lineage.Published)]
    failures = [one for one in shown if not isinstance(one, lineage.Published)]
    context.log.info(f"{len(published)} of {len(cells)} partitions have results")
    yield lineage.output()
    yield from lineage.materialisations(keys.BACKTEST_RESULT, VERSION, published, read)
    verdict = lineage.Verdict(keys.ACCOUNT_BALANCES, len(published), failures)
    yield from lineage.check_results(keys.BACKTEST_RESULT, [verdict], context.log)


@dg.asset(
    name=keys.BACKTEST_SUMMARY,
    group_name=keys.BACKTESTS,
    deps=[backtest_result],
    code_version=VERSION,
    kinds={"parquet"},
    metadata={"dagster/column_schema": column_schema(SUMMARY)},
    check_specs=[
        dg.AssetCheckSpec(
            keys.NOTHING_MISSING,
            asset=keys.BACKTEST_SUMMARY,
            blocking=True,
            description="every partition that the run was asked for has a result",
        )
    ],
)
def backtest_summary(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    backtest_settings: BacktestConfig,
) -> dg.MaterializeResult:
    """One row per scenario and strategy over all seeds that have a result.

    Returns, drawdowns and shares are fractions (0.01 is 1 %); Sharpe is annualised.
    """
    with reported(context):
        rows = summaries.current_results(database, backtest_settings.document())
        summary = summaries.publish(store, rows)
        wanted = requested_by_run(context)
        published = lineage.published_by_run(context, keys.BACKTEST_RESULT)
    missing = [cell for cell in wanted if str(cell) not in published]
    complete = _completeness(wanted, missing)
    if missing:
        context.log.error(f"check {keys.NOTHING_MISSING}: {complete.description}")
    return dg.MaterializeResult(
        metadata={
            "summary": summary_table(summary.table),
            "dagster/row_count": summary.table.num_rows,
            "results": len(rows),
            "uri": dg.MetadataValue.url(store.uri(summary.stored.key)),
            "content_digest": summary.stored.content_digest,
            "recipe_digest": summary.recipe,
        },
        data_version=dg.DataVersion(bare(summary.stored.content_digest)),
        check_results=[complete],
    )


def registered_strategies(database: Database) -> list[StrategySpec]:
    """All registered strategies, in the order of the registry.

    Raises
    ------
    ContractError
        ``STRATEGY_NONE_REGISTERED``.
    """
    rows = database.strategies()
    if rows:
        return [strategy_from(row.spec) for row in rows]
    raise ContractError(
        "STRATEGY_NONE_REGISTERED",
        "there is nothing to backtest: no strategy is registered",
        hints=("register one with: islandflow strategy register FILE",),
    )


def _completeness(wanted: list[Partition], missing: list[Partition]) -> dg.AssetCheckResult:
    problem = Problem("RESULT_MISSING", "no result: see the failed checks of the assets before")
    verdict = lineage.Verdict(
        keys.NOTHING_MISSING, len(wanted) - len(missing), [(cell, problem) for cell in missing]
    )
    [result] = lineage.check_results(keys.BACKTEST_SUMMARY, [verdict])
    names = ", ".join(str(cell) for cell in missing[:_MAX_NAMED])
    more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
    return result._replace(
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{len(missing)} of {len(wanted)} partitions have no result: {names}{more}"
        if missing
        else result.description,
    )


def _shown(store: ObjectStore, made: MadeResults) -> lineage.Published | tuple[Partition, Problem]:
    """The event of one partition, or its problem."""
    ref = made.dataset.ref
    cell = Partition(ref.spec.partition_key, ref.seed)
    if made.problem is None and not made.results:
        return cell, Problem(
            "STRATEGY_TIMEFRAME",
            f"no registered strategy trades the timeframe {ref.spec.timeframe}",
            hints=("register one with: islandflow strategy register FILE",),
        )
    if made.problem is not None:
        return cell, made.problem
    results = [stored.result for stored in made.results]
    equities = [stored.equity["equity"].to_numpy() for stored in made.results]
    manifest = made.dataset.manifest
    span = Span(int(manifest.first_ts_ns), int(manifest.last_ts_ns))
    curves = dict(zip(strategy_names(results), equities, strict=True))
    metadata = {
        "equity": equity_plot(f"{cell}", span, curves),
        "metrics": metrics_table(results),
        "strategies": len(results),
        "dagster/row_count": manifest.rows,
        "uri": dg.MetadataValue.url(store.uri(made.results[0].ref.result_key)),
        "cache_keys": dg.MetadataValue.json([one.result.cache_key for one in made.results]),
        "used_cache": all(stored.used_cache for stored in made.results),
        "quarantined": dg.MetadataValue.json([*made.quarantined]),
        "seconds": round(made.seconds, 4),
    }
    version = document_digest([stored.digest for stored in made.results])
    inputs = {keys.SCENARIO_DATASET: manifest.content_digest}
    return lineage.Published(cell, version, inputs, metadata)
