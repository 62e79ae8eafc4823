"""The layouts of stored tables: a snapshot, and the rules of their names."""

import pytest

from contracts.columns import BARS, EQUITY, LABELS, LEADERBOARD, OHLCV, SCHEMAS, SUMMARY, TRADES

SERIES = (BARS, OHLCV, LABELS, EQUITY, TRADES)

LAYOUTS = {
    "bars 1": "ts_ns:int64 open_ticks:int64 high_ticks:int64 low_ticks:int64 close_ticks:int64 "
    "volume_lots:int64",
    "ohlcv 1": "ts_ns:int64 open:float64 high:float64 low:float64 close:float64 volume:float64",
    "labels 1": "ts_ns:int64 label:int8",
    "equity 1": "ts_ns:int64 equity:float64 cash:float64 position_qty:float64",
    "trades 1": "ts_ns:int64 bar:int64 side:int8 qty:float64 price:float64 fee:float64 "
    "slippage:float64 realised_pnl:float64 reason:string",
    "summary 1": "scenario_key:string strategy_id:string strategy_hash:string seeds:int64 "
    "median_sharpe:float64? median_total_return:float64 p5_total_return:float64 "
    "p95_total_return:float64 median_max_drawdown:float64? worst_max_drawdown:float64? "
    "mean_trades:float64 share_profitable:float64",
    "leaderboard 1": "rank:int64 strategy_id:string strategy_hash:string results:int64 "
    "scenarios:int64 median_sharpe:float64? median_total_return:float64 "
    "p5_total_return:float64 worst_max_drawdown:float64? mean_trades:float64 "
    "share_profitable:float64",
}


def test_a_layout_changes_only_with_its_version():
    written = {
        f"{schema.name} {schema.version}": " ".join(
            f"{c.name}:{c.kind}{'?' * c.nullable}" for c in schema.columns
        )
        for schema in SCHEMAS
    }
    assert written == LAYOUTS


def test_every_table_is_listed_once():
    assert set(SCHEMAS) == {*SERIES, SUMMARY, LEADERBOARD}
    assert len({schema.name for schema in SCHEMAS}) == len(SCHEMAS)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_columns_are_named_once_and_described(schema):
    assert len(set(schema.names)) == len(schema.names) == len(schema.columns)
    assert all(column.doc for column in schema.columns)


@pytest.mark.parametrize("schema", SERIES, ids=lambda schema: schema.name)
def test_a_row_of_a_series_begins_with_its_instant_in_nanoseconds(schema):
    assert (schema.columns[0].name, schema.columns[0].kind) == ("ts_ns", "int64")
    assert not any(column.nullable for column in schema.columns)


def test_what_is_counted_in_ticks_lots_or_nanoseconds_is_an_integer():
    units = ("_ns", "_ticks", "_lots")
    counted = [c for schema in SCHEMAS for c in schema.columns if c.name.endswith(units)]
    assert len(counted) == 10
    assert {column.kind for column in counted} == {"int64"}
