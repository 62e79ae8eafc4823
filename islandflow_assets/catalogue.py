"""``duckdb_catalogue``: the DuckDB file through which analysts read everything that is stored.

Its views are ``islandflow_resources.catalog``; the file is derived, made anew and renamed.
"""

from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster_duckdb import DuckDBResource

from contracts.canonical import Json
from contracts.digest import bare, document_digest
from islandflow_assets import keys
from islandflow_assets.backtests import backtest_result
from islandflow_assets.books import mbo_tape
from islandflow_assets.campaign_reports import promotion_dossier
from islandflow_assets.control_state import control_state
from islandflow_assets.detection_reports import detection_report
from islandflow_assets.grids import grid_dataset
from islandflow_assets.leaderboards import backtest_summary, leaderboard
from islandflow_assets.market_tapes import tape, tape_labels
from islandflow_assets.scenarios import scenario_dataset
from islandflow_assets.smart_flow import smart_flow_hypotheses
from islandflow_assets.validations import monte_carlo_summary, walk_forward_summary
from islandflow_resources.catalog import mount
from islandflow_resources.catalog_file import (
    VERSION,
    ColumnFacts,
    ViewFacts,
    columns_of,
    facts_of,
    write_catalogue,
)
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore

_SHOWN: Final = ("view", "rows", "files", "path")


@dg.asset(
    name=keys.DUCKDB_CATALOGUE,
    group_name=keys.ANALYSIS,
    deps=[
        *(scenario_dataset, backtest_result, backtest_summary, leaderboard),
        *(monte_carlo_summary, walk_forward_summary, promotion_dossier, mbo_tape, grid_dataset),
        *(tape, tape_labels, smart_flow_hypotheses, detection_report, control_state),
    ],
    code_version=VERSION,
    kinds={"duckdb"},
)
def duckdb_catalogue(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
    duckdb: dg.ResourceParam[DuckDBResource],
) -> dg.MaterializeResult:
    """A view per stored table, over the files where they lie, as they are now.

    The truth about tapes is in the schema ``labels``. Open it for reading with any DuckDB if the
    files are in a folder; ``islandflow sql`` reads the same views wherever they are.
    """
    path = Path(duckdb.database)
    with reported(context):
        write_catalogue(path, store, labels_store, database)
        with duckdb.get_connection() as connection:
            mount(connection, store, labels_store)
            facts, columns = facts_of(connection), columns_of(connection)
    listed: list[Json] = [[one.said, one.files, one.rows] for one in facts]
    return dg.MaterializeResult(
        metadata={
            "views": _views(facts),
            "files": sum(one.files or 0 for one in facts),
            "dagster/row_count": sum(one.rows for one in facts),
            "dagster/column_schema": _column_schema(columns),
            "path": dg.MetadataValue.path(path),
            "open": f"duckdb -readonly {path}",
        },
        data_version=dg.DataVersion(bare(document_digest(listed))),
    )


def _views(facts: list[ViewFacts]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {"view": one.said, "rows": one.rows, "files": one.files or 0, "path": one.path}
        )
        for one in facts
    ]
    kinds: dict[str, Any] = {"rows": "int", "files": "int"}
    columns = [dg.TableColumn(name, kinds.get(name, "string")) for name in _SHOWN]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _column_schema(columns: list[ColumnFacts]) -> dg.TableSchema:
    """Every column of every view, under the name of its view."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(f"{one.view}.{one.name}", one.kind, description=one.doc)
            for one in columns
        ]
    )
