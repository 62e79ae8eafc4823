"""Tables for metadata: what a person wants to see of bars, metrics and summaries.

Bounded in size, because every event of a batch carries one, and rounded, because
the exact numbers lie in the store. Pictures are ``plots``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg
import pyarrow as pa

from contracts.backtest import METRICS, BacktestResult
from contracts.columns import TableSchema
from contracts.digest import bare
from islandflow_resources.strategies import StrategyList

BARS_SHOWN: Final = 5
STRATEGIES_SHOWN: Final = 8
STRATEGIES_LISTED: Final = 50
ROWS_SHOWN: Final = 100
_NOT_SHOWN: Final = ("strategy_hash",)


def column_schema(schema: TableSchema) -> dg.TableSchema:
    """The columns of a stored table, as the UI's section of columns shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.kind,
                description=column.doc,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in schema.columns
        ]
    )


def bars_table(bars: pa.Table) -> dg.TableMetadataValue:
    """The first bars with a readable time.

    Parameters
    ----------
    bars : pyarrow.Table
        Columns of `contracts.columns.BARS`.
    """
    records: list[dg.TableRecord] = []
    for row in bars.slice(0, BARS_SHOWN).to_pylist():
        start = datetime.fromtimestamp(row.pop("ts_ns") // 1_000_000_000, UTC)
        records.append(dg.TableRecord({"time_utc": f"{start:%Y-%m-%d %H:%M}", **row}))
    return dg.MetadataValue.table(records)


def metrics_table(results: Sequence[BacktestResult]) -> dg.TableMetadataValue:
    """A row per metric and a column per strategy; a missing number says why."""
    shown = dict(zip(strategy_names(results), results, strict=True))
    shown = dict(list(shown.items())[:STRATEGIES_SHOWN])
    records = [
        dg.TableRecord(
            {"metric": metric, **{name: _metric(one, metric) for name, one in shown.items()}}
        )
        for metric in METRICS
    ]
    columns = [dg.TableColumn("metric"), *(dg.TableColumn(name, "float") for name in shown)]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def strategy_list_table(listed: StrategyList) -> dg.TableMetadataValue:
    """The first strategies: rules as they are written, columns, and the hash of the meaning."""
    shown = list(zip(listed.strategies, listed.programs, strict=True))[:STRATEGIES_LISTED]
    records = [
        dg.TableRecord(
            {
                "strategy": spec.id,
                "rules": "; ".join(f"{rule.then} if {rule.condition}" for rule in spec.rules),
                "columns": ", ".join(program.described_columns()),
                "ir_hash": bare(program.ir_hash)[:12],
            }
        )
        for spec, program in shown
    ]
    return dg.MetadataValue.table(records)


def stored_table(stored: pa.Table, layout: TableSchema) -> dg.TableMetadataValue:
    """The first rows of a summary or a leaderboard without digests."""
    columns = [column for column in layout.columns if column.name not in _NOT_SHOWN]
    records = [
        dg.TableRecord({column.name: _rounded(row[column.name]) for column in columns})
        for row in stored.slice(0, ROWS_SHOWN).to_pylist()
    ]
    schema = column_schema(TableSchema(layout.name, layout.version, tuple(columns)))
    return dg.MetadataValue.table(records, schema)


def strategy_names(results: Sequence[BacktestResult]) -> list[str]:
    """Ids of the strategies; those of an id that occurs twice carry their hash."""
    asked = [(one.strategy_id or "", bare(one.strategy_hash or "")[:8]) for one in results]
    count = Counter(name for name, _ in asked)
    return [name if count[name] == 1 else f"{name}-{digest}" for name, digest in asked]


def _metric(result: BacktestResult, name: str) -> float | str:
    value = result.metrics.get(name)
    if value is None:
        return result.reasons.get(name, "not defined")
    return float(f"{value:.6g}")


def _rounded(value: str | float | None) -> str | float | None:
    return float(f"{value:.6g}") if isinstance(value, float) else value
