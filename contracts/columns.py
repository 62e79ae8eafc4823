"""Column layouts of every stored table, and of bars from elsewhere: names, types, units, in order.

The types are logical; ``islandflow_resources.tables`` maps them to Arrow and
computes content digests over them. Names carry their unit as a suffix. No column
is nullable unless it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["int64", "int32", "int8", "float64", "bool", "string"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a stored table."""

    name: str
    kind: Kind
    doc: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """Ordered columns of one kind of table, with its format version."""

    name: str
    version: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


BARS = TableSchema(
    "bars",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar, nanoseconds since 1970-01-01 UTC"),
        Column("open_ticks", "int64", "first price"),
        Column("high_ticks", "int64", "highest price"),
        Column("low_ticks", "int64", "lowest price"),
        Column("close_ticks", "int64", "last price"),
        Column("volume_lots", "int64", "traded volume"),
    ),
)

OHLCV = TableSchema(
    "ohlcv",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar, nanoseconds since 1970-01-01 UTC"),
        Column("open", "float64", "first price, quote currency"),
        Column("high", "float64", "highest price, quote currency"),
        Column("low", "float64", "lowest price, quote currency"),
        Column("close", "float64", "last price, quote currency"),
        Column("volume", "float64", "traded volume"),
    ),
)

LABELS = TableSchema(
    "labels",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar, nanoseconds since 1970-01-01 UTC"),
        Column("label", "int8", "hidden label: the regime of the bar, or 1 after a jump"),
    ),
)

EQUITY = TableSchema(
    "equity",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar"),
        Column("equity", "float64", "cash plus position at the close, quote currency"),
        Column("cash", "float64", "cash after the fills of the bar, quote currency"),
        Column("position_qty", "float64", "signed quantity held after the bar"),
    ),
)

TRADES = TableSchema(
    "trades",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar of the fill"),
        Column("bar", "int64", "index of the bar of the fill"),
        Column("side", "int8", "+1 buys, −1 sells"),
        Column("qty", "float64", "quantity filled, positive"),
        Column("price", "float64", "price paid or received, slippage included"),
        Column("fee", "float64", "fee, quote currency"),
        Column("slippage", "float64", "cost against the price before slippage, quote currency"),
        Column("realised_pnl", "float64", "profit realised by this fill before fees"),
        Column("reason", "string", "what decided the fill: rule index or exit"),
    ),
)

SUMMARY = TableSchema(
    "summary",
    "1",
    (
        Column("scenario_key", "string", "scenario, as in the partition key"),
        Column("strategy_id", "string", "strategy"),
        Column("strategy_hash", "string", "digest of the strategy document"),
        Column("seeds", "int64", "number of seeds with a result"),
        Column("median_sharpe", "float64", "median annualised Sharpe ratio", nullable=True),
        Column("median_total_return", "float64", "median return over the whole series"),
        Column("p5_total_return", "float64", "5th percentile of the return over seeds"),
        Column("p95_total_return", "float64", "95th percentile of the return over seeds"),
        Column("median_max_drawdown", "float64", "median of the drawdowns", nullable=True),
        Column("worst_max_drawdown", "float64", "deepest drawdown of any seed", nullable=True),
        Column("mean_trades", "float64", "closed trades per seed"),
        Column("share_profitable", "float64", "share of seeds with a positive return"),
    ),
)

LEADERBOARD = TableSchema(
    "leaderboard",
    "1",
    (
        Column("rank", "int64", "1 is the best: by median Sharpe, then by median return"),
        Column("strategy_id", "string", "strategy"),
        Column("strategy_hash", "string", "digest of the strategy document"),
        Column("results", "int64", "number of results, over scenarios and seeds"),
        Column("scenarios", "int64", "number of scenarios with a result"),
        Column("median_sharpe", "float64", "median annualised Sharpe ratio", nullable=True),
        Column("median_total_return", "float64", "median return over the whole series"),
        Column("p5_total_return", "float64", "5th percentile of the return"),
        Column("worst_max_drawdown", "float64", "deepest drawdown of any", nullable=True),
        Column("mean_trades", "float64", "closed trades per result"),
        Column("share_profitable", "float64", "share of results with a positive return"),
    ),
)

SCHEMAS = (BARS, LABELS, EQUITY, TRADES, SUMMARY, LEADERBOARD, OHLCV)
