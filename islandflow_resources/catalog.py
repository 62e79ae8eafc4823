"""The DuckDB catalogue: a view per stored table, over the parquet where it lies.

The files are the truth and are read in place; the views add what their paths and
metadata say, and float prices beside the integer ticks. Layouts are
``contracts.columns``; how files are written and verified lives in ``tables``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from fsspec import AbstractFileSystem

from contracts.columns import (
    BARS,
    CAMPAIGN_LEADERBOARD,
    EQUITY,
    GRID_BINS,
    GRID_ROWS,
    LABELS,
    MBO_EVENTS,
    MONTE_CARLO,
    TRADES,
    TRIALS,
    WALK_FORWARD,
    TableSchema,
)
from contracts.signal_columns import SIGNAL_TRIALS
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.table_schemas import arrow_schema

if TYPE_CHECKING:
    from islandflow_resources.models import RunResult, SignalRun

_PROTOCOL = "objects"
_SCENARIO = (
    r"scenarios/(?P<scenario_id>[^/]+)/(?P<scenario_hash>[^/]+)/"
    r"seed=(?P<seed>\d+)/v(?P<version>[^/]+)/"
)
_TRIALS = (
    r"trials/scenario=(?P<scenario_key>[^/]+)/seed=(?P<seed>\d+)/"
    r"strategy=(?P<strategy_id>[^/]+)/"
)
_SIGNAL_TRIALS = r"trials/dataset=(?P<dataset_id>[^/]+)/signal=(?P<signal>[^/]+)/"
_CAMPAIGN = r"campaigns/(?P<campaign_key>[^/]+)/"
_BACKTEST = r"backtests/(?P<cache_key>[^/]+)/"
_TAPE = (
    r"tapes/mbo/(?P<tape_id>[^/]+)/(?P<tape_hash>[^/]+)/"
    r"seed=(?P<seed>\d+)/v(?P<version>[^/]+)/"
)
_GRID = r"datasets/(?P<dataset_id>[^/]+)/"
LOCATIONS: tuple[tuple[TableSchema, str], ...] = (
    (BARS, _SCENARIO + r"dataset\.parquet"),
    (LABELS, r"labels/" + _SCENARIO + r"labels\.parquet"),
    (EQUITY, _BACKTEST + r"equity\.parquet"),
    (TRADES, _BACKTEST + r"trades\.parquet"),
    (TRIALS, _TRIALS + r"[0-9a-f]+\.parquet"),
    (SIGNAL_TRIALS, _SIGNAL_TRIALS + r"[0-9a-f]+\.parquet"),
    (CAMPAIGN_LEADERBOARD, _CAMPAIGN + r"campaign_leaderboard/[0-9a-f]+\.parquet"),
    (MONTE_CARLO, _CAMPAIGN + r"campaign_monte_carlo/[0-9a-f]+\.parquet"),
    (WALK_FORWARD, _CAMPAIGN + r"campaign_walk_forward/[0-9a-f]+\.parquet"),
    (MBO_EVENTS, _TAPE + r"events\.parquet"),
    (GRID_BINS, _GRID + r"bins\.parquet"),
    (GRID_ROWS, _GRID + r"grid\.parquet"),
)
"""Which keys hold which table; the names in a path become columns of the view."""

_RESULTS = pa.schema(
    [
        pa.field("cache_key", pa.string()),
        pa.field("scenario_key", pa.string()),
        pa.field("scenario_hash", pa.string()),
        pa.field("seed", pa.int64()),
        pa.field("strategy_id", pa.string()),
        pa.field("strategy_hash", pa.string()),
        pa.field("bars", pa.int64()),
        pa.field("trades", pa.int64()),
        pa.field("final_equity", pa.float64()),
        pa.field("sharpe", pa.float64()),
        pa.field("max_drawdown", pa.float64()),
    ]
)
_SIGNAL_RUNS = pa.schema(
    [
        *(
            pa.field(name, pa.string())
            for name in (
                "run_id", "campaign_key", "campaign_hash", "experiment", "dataset_id", "signal",
                "params",
            )
        ),
        *(
            pa.field(name, pa.int64())
            for name in (
                "tp_ticks", "sl_ticks", "max_hold_bins", "warmup_bins", "cooldown_bins",
                "n_signals",
            )
        ),
        *(
            pa.field(name, pa.float64())
            for name in (
                "threshold", "tp_rate", "sl_rate", "timeout_rate", "mean_pnl_ticks",
                "events_per_hour", "median_time_to_outcome_ms",
            )
        ),
    ]
)  # fmt: skip
_FLOAT_BARS = """
SELECT {names}, ts_ns, make_timestamp_ns(ts_ns) AS ts,
       open_ticks, high_ticks, low_ticks, close_ticks, volume_lots, tick_size,
       open_ticks * tick_size AS open, high_ticks * tick_size AS high,
       low_ticks * tick_size AS low, close_ticks * tick_size AS close,
       CAST(volume_lots AS DOUBLE) AS volume
FROM ({files}) JOIN (
    SELECT file_name, CAST(decode(value) AS DOUBLE) AS tick_size
    FROM parquet_kv_metadata({keys}) WHERE decode(key) = 'tick_size'
) ON filename = file_name
"""


def open_catalogue(
    store: ObjectStore,
    results: Sequence[RunResult] = (),
    signal_runs: Sequence[SignalRun] = (),
) -> duckdb.DuckDBPyConnection:
    """An in-memory database: a view for each of `LOCATIONS`, and two tables of the database's.

    Parameters
    ----------
    store : ObjectStore
        Its files are listed now and read when queried; later ones are not seen.
    results : sequence of RunResult
        Rows of ``results``, e.g. ``Database.results()``.
    signal_runs : sequence of SignalRun
        Rows of ``signal_runs``, their parameters as JSON.

    Prices of ``bars`` are floats in ``open high low close`` and ticks in ``*_ticks``.
    """
    connection = duckdb.connect()
    connection.register_filesystem(_StoreFiles(store))
    keys = store.keys()
    for schema, pattern in LOCATIONS:
        found = [key for key in keys if re.fullmatch(pattern, key)]
        connection.execute(f"CREATE VIEW {schema.name} AS {_view(store, schema, pattern, found)}")
    rows = [{name: getattr(row, name) for name in _RESULTS.names} for row in results]
    _insert(connection, "results", pa.Table.from_pylist(rows, _RESULTS))
    runs = [{name: getattr(row, name) for name in _SIGNAL_RUNS.names} for row in signal_runs]
    told = [{**row, "params": json.dumps(row["params"], sort_keys=True)} for row in runs]
    _insert(connection, "signal_runs", pa.Table.from_pylist(told, _SIGNAL_RUNS))
    return connection


def _insert(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    connection.register("new_rows", table)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM new_rows")
    connection.unregister("new_rows")


def _view(store: ObjectStore, schema: TableSchema, pattern: str, keys: list[str]) -> str:
    names = re.findall(r"\?P<(\w+)>", pattern)
    if not keys:
        return _empty(schema, names)
    listed = "[" + ", ".join(_quoted(_address(store, key)) for key in keys) + "]"
    expression = _quoted(re.sub(r"\?P<\w+>", "", pattern))
    paths = ", ".join(
        f"CAST(regexp_extract(filename, {expression}, {number}) AS {_sql_type(name)}) AS {name}"
        for number, name in enumerate(names, start=1)
    )
    reader = f"read_parquet({listed}, filename = true, hive_partitioning = false)"
    files = f"SELECT {paths}, * FROM {reader}"
    if schema is BARS:
        return _FLOAT_BARS.format(names=", ".join(names), files=files, keys=listed)
    return f"SELECT * EXCLUDE (filename) FROM ({files})"


def _empty(schema: TableSchema, names: list[str]) -> str:
    types = {name: _sql_type(name) for name in names}
    types |= {field.name: _ARROW_SQL[str(field.type)] for field in arrow_schema(schema)}
    if schema is BARS:
        types |= dict.fromkeys(("tick_size", "open", "high", "low", "close", "volume"), "DOUBLE")
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in types.items())
    return f"SELECT {columns} WHERE false"


def _sql_type(name: str) -> str:
    return "BIGINT" if name == "seed" else "VARCHAR"


def _address(store: ObjectStore, key: str) -> str:
    """Folders are read natively, everything else through the store's own client."""
    return str(store.root / key) if isinstance(store, FolderStore) else f"{_PROTOCOL}://{key}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_ARROW_SQL = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "int8": "TINYINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "string": "VARCHAR",
}


def _key(address: str) -> str:
    return address.removeprefix(f"{_PROTOCOL}://")


class _StoreFiles(AbstractFileSystem):
    """The store as DuckDB wants to see it: open, size and nothing else."""

    protocol = _PROTOCOL
    cachable = False

    def __init__(self, store: ObjectStore) -> None:
        super().__init__()
        self._store = store

    def _open(self, path: str, *_: Any, **__: Any) -> Any:
        return self._store.open(_key(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name and size of one file."""
        key = _key(path)
        with self._store.open(key) as file:
            return {"name": key, "size": file.seek(0, 2), "type": "file"}

    def modified(self, path: str) -> datetime:
        """Objects never change."""
        return datetime(1970, 1, 1, tzinfo=UTC)

    def glob(self, path: str, maxdepth: int | None = None, **_: Any) -> list[str]:
        """Only ever asked for one name."""
        return [_key(path)]
