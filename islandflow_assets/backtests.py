"""``backtest_result`` and ``screening_result``: every strategy on every dataset.

A result holds all registered strategies of one scenario and seed, over all bars or,
for a screening, over the first thousand. Tables over many results are
``leaderboards``; making and storing is ``islandflow_resources.evaluations``.
"""

from collections.abc import Iterator

import dagster as dg

from contracts.backtest import BacktestSettings
from contracts.digest import document_digest, recipe_digest
from contracts.errors import Problem
from islandflow_assets import keys, lineage
from islandflow_assets.partitions import GRID, Partition, requested
from islandflow_assets.plots import Span, drawdown_plot, equity_plot
from islandflow_assets.previews import STRATEGIES_SHOWN, metrics_table, strategy_names
from islandflow_assets.scenarios import registered_specs, scenario_dataset
from islandflow_assets.settings import BacktestConfig
from islandflow_assets.strategies import strategy_ir
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.evaluations import MadeResults, make_results
from islandflow_resources.failures import reported
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION
from islandflow_resources.strategies import StrategyList, registered_strategies

SCREENING_BARS = 1_000
_NAMED = 4

Events = Iterator[dg.Output[None] | dg.AssetMaterialization | dg.AssetCheckResult]


def _result_asset(name: str, max_bars: int | None, description: str) -> dg.AssetsDefinition:
    """Results of all strategies, over all bars or the first so many."""

    @dg.asset(
        name=name,
        group_name=keys.BACKTESTS,
        partitions_def=GRID,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[scenario_dataset, strategy_ir],
        code_version=VERSION,
        dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
        kinds={"parquet", "numba"},
        description=description,
        check_specs=[
            dg.AssetCheckSpec(
                keys.ACCOUNT_BALANCES,
                asset=name,
                blocking=True,
                description="cash plus position equals equity on every bar of every result",
            )
        ],
    )
    def results(
        context: dg.AssetExecutionContext,
        store: dg.ResourceParam[ObjectStore],
        database: dg.ResourceParam[Database],
        engine_runtime: dg.ResourceParam[EngineRuntime],
        backtest_settings: BacktestConfig,
    ) -> Events:
        with reported(context):
            cells = requested(context)
            read = lineage.newest_events(context.instance, keys.SCENARIO_DATASET, keys.STRATEGY_IR)
            specs = registered_specs(database, cells)
            refs = [dataset_ref(specs[cell.scenario_key], cell.seed) for cell in cells]
            inputs = find_datasets(store, database, engine_runtime, refs)
            listed = StrategyList.of(registered_strategies(database))
            settings = backtest_settings.document(max_bars)
            made = make_results(
                store, database, engine_runtime, inputs, listed, settings, context.run.run_id
            )
            shown = [_shown(store, one, listed, settings) for one in made]
        published = [one for one in shown if isinstance(one, lineage.Published)]
        failures = [one for one in shown if not isinstance(one, lineage.Published)]
        if len(cells) > 1:
            context.log.info(f"{len(published)} of {len(cells)} partitions have results")
        yield lineage.output()
        yield from lineage.materialisations(name, VERSION, published, read)
        verdict = lineage.Verdict(keys.ACCOUNT_BALANCES, len(published), failures)
        yield from lineage.check_results(name, [verdict], context.log)

    return results


_UNITS = """

Returns, drawdowns, volatility, rates and exposure are fractions (0.01 is 1 %);
volatility, Sharpe, Sortino and Calmar are annualised; equity is in quote currency.
"""

backtest_result = _result_asset(
    keys.BACKTEST_RESULT,
    None,
    "Equity, trades and metrics of all registered strategies on one dataset." + _UNITS,
)
screening_result = _result_asset(
    keys.SCREENING_RESULT,
    SCREENING_BARS,
    f"As backtest_result, over the first {SCREENING_BARS:,} bars only: a quick look." + _UNITS,
)


def _shown(
    store: ObjectStore, made: MadeResults, listed: StrategyList, settings: BacktestSettings
) -> lineage.Published | tuple[Partition, Problem]:
    """The event of one partition, or its problem."""
    ref = made.dataset.ref
    cell = Partition(ref.spec.partition_key, ref.seed)
    if made.problem is not None:
        return cell, made.problem
    if not made.results:
        return cell, Problem(
            "STRATEGY_NONE_FITS",
            "no registered strategy fits the dataset: " + "; ".join(made.skipped[:_NAMED]),
            hints=("register one with: islandflow strategy register FILE",),
        )
    results = [stored.result for stored in made.results]
    span = Span(made.data.first_ts_ns, made.data.last_ts_ns)
    curves = dict(zip(strategy_names(results), made.equities, strict=False))
    more = len(results) - len(curves)
    inputs = {
        keys.SCENARIO_DATASET: made.data.content_digest,
        keys.STRATEGY_IR: listed.digest,
    }
    metadata = {
        "equity": equity_plot(f"{cell}", span, curves, more),
        "drawdown": drawdown_plot(f"{cell}", span, curves, more),
        "metrics": metrics_table(results),
        "strategies": len(results),
        "skipped": dg.MetadataValue.json([*made.skipped[:STRATEGIES_SHOWN]]),
        "dagster/row_count": made.data.bars.bars,
        "uri": dg.MetadataValue.url(store.uri(made.results[0].ref.result_key)),
        "cache_keys": dg.MetadataValue.json([one.cache_key for one in results[:STRATEGIES_SHOWN]]),
        "used_cache": all(stored.used_cache for stored in made.results),
        "hits": sum(stored.used_cache for stored in made.results),
        "quarantined": dg.MetadataValue.json([*made.quarantined]),
        "recipe_digest": recipe_digest(
            keys.BACKTEST_RESULT,
            version=VERSION,
            specs={"settings": settings.document()},
            inputs=inputs,
        ),
        "seconds": round(made.seconds, 4),
    }
    version = document_digest([stored.digest for stored in made.results])
    return lineage.Published(cell, version, inputs, metadata)
