"""``backtest_summary`` and the leaderboards: one table over all seeds and scenarios.

The summary has a row per scenario and strategy; a leaderboard ranks the strategies.
Here a run that could not make everything it was asked for fails. The results are
``backtests``; the numbers ``engine.backtest``.
"""

from typing import Any

import dagster as dg
import pyarrow as pa

from contracts.columns import LEADERBOARD, SUMMARY, TableSchema
from contracts.digest import bare
from contracts.errors import Problem
from islandflow_assets import keys, lineage
from islandflow_assets.backtests import SCREENING_BARS, backtest_result, screening_result
from islandflow_assets.partitions import requested_by_run
from islandflow_assets.previews import column_schema, stored_table
from islandflow_assets.settings import BacktestConfig
from islandflow_resources import summaries
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION
from islandflow_resources.summaries import StoredSummary

_MAX_NAMED = 10


def _complete_spec(check: str, asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        check,
        asset=asset,
        blocking=True,
        description="every partition that the run was asked for has a result",
    )


@dg.asset(
    name=keys.BACKTEST_SUMMARY,
    group_name=keys.BACKTESTS,
    deps=[backtest_result],
    code_version=VERSION,
    kinds={"parquet"},
    metadata={"dagster/column_schema": column_schema(SUMMARY)},
    check_specs=[_complete_spec(keys.NOTHING_MISSING, keys.BACKTEST_SUMMARY)],
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
        summary = summaries.publish_summary(store, rows)
        complete = _completeness(
            context, keys.BACKTEST_RESULT, keys.BACKTEST_SUMMARY, keys.NOTHING_MISSING
        )
    return dg.MaterializeResult(
        metadata=_metadata(store, summary, SUMMARY, len(rows)),
        data_version=dg.DataVersion(bare(summary.stored.content_digest)),
        check_results=[complete],
    )


def _leaderboard_asset(
    name: str, of: dg.AssetsDefinition, max_bars: int | None, description: str
) -> dg.AssetsDefinition:
    """Ranking of the strategies by the results of one asset."""

    @dg.asset(
        name=name,
        group_name=keys.BACKTESTS,
        deps=[of],
        code_version=VERSION,
        kinds={"parquet"},
        description=description,
        metadata={"dagster/column_schema": column_schema(LEADERBOARD)},
        check_specs=[_complete_spec(keys.EVERYTHING_RANKED, name)],
    )
    def board(
        context: dg.AssetExecutionContext,
        store: dg.ResourceParam[ObjectStore],
        database: dg.ResourceParam[Database],
        backtest_settings: BacktestConfig,
    ) -> dg.MaterializeResult:
        with reported(context):
            rows = summaries.current_results(database, backtest_settings.document(max_bars))
            ranked = summaries.publish_leaderboard(store, rows)
            complete = _completeness(context, of.key.to_user_string(), name, keys.EVERYTHING_RANKED)
        return dg.MaterializeResult(
            metadata=_metadata(store, ranked, LEADERBOARD, len(rows)),
            data_version=dg.DataVersion(bare(ranked.stored.content_digest)),
            check_results=[complete],
        )

    return board


_RANKED = (
    "The strategies, the best first: by median Sharpe over all scenarios and seeds that have a "
    "result, then by median return. Returns, drawdowns and shares are fractions (0.01 is 1 %)."
)

leaderboard = _leaderboard_asset(keys.LEADERBOARD, backtest_result, None, _RANKED)
screening_leaderboard = _leaderboard_asset(
    keys.SCREENING_LEADERBOARD,
    screening_result,
    SCREENING_BARS,
    f"{_RANKED} Over the first {SCREENING_BARS:,} bars only.",
)


def _metadata(
    store: ObjectStore, summary: StoredSummary, layout: TableSchema, results: int
) -> dict[str, Any]:
    table: pa.Table = summary.table
    return {
        layout.name: stored_table(table, layout),
        "dagster/row_count": table.num_rows,
        "results": results,
        "uri": dg.MetadataValue.url(store.uri(summary.stored.key)),
        "content_digest": summary.stored.content_digest,
        "recipe_digest": summary.recipe,
    }


def _completeness(
    context: dg.AssetExecutionContext, of: str, asset: str, check: str
) -> dg.AssetCheckResult:
    """Whether the run published all that it was asked for, and what not."""
    wanted = requested_by_run(context)
    published = lineage.published_by_run(context, of)
    missing = [cell for cell in wanted if str(cell) not in published]
    problem = Problem("RESULT_MISSING", "no result: see the failed checks of the assets before")
    verdict = lineage.Verdict(
        check, len(wanted) - len(missing), [(cell, problem) for cell in missing]
    )
    [result] = lineage.check_results(asset, [verdict])
    if not missing:
        return result
    names = ", ".join(str(cell) for cell in missing[:_MAX_NAMED])
    more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
    said = f"{len(missing)} of {len(wanted)} partitions have no result: {names}{more}"
    context.log.error(f"check {check}: {said}")
    return result._replace(severity=dg.AssetCheckSeverity.ERROR, description=said)
