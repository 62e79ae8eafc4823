"""Series of values from files, traded: a summary a rule, and every trade.

For values that come from elsewhere; those of grid datasets are traded by ``signal_trials``. What
the columns mean is ``docs/signals.md``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.columns import TableSchema
from contracts.errors import ContractError
from contracts.experiment import EvalSettings
from contracts.signal_columns import SIGNAL_SERIES, SIGNAL_SUMMARY, SIGNAL_TRADES
from engine.signals.barriers import Market
from engine.signals.evaluate import MODES, Evaluated, Evaluator, Rule, Terms
from islandflow_resources.new_files import new_file, refuse_taken
from islandflow_resources.table_schemas import doubles_of, from_arrays, numbers_of
from islandflow_resources.tables import write_parquet

SUMMARY: Final = "summary.parquet"
TRADES: Final = "trades.parquet"
_COUNTS: Final = (("n_signals", 0), ("n_up", 1), ("n_down", 2), ("unpriced", 6))


@dataclass(frozen=True, slots=True)
class SeriesFile:
    """Times, mids and values of one file, shape (bins,) each."""

    ts_ns: Any
    mid_price: Any
    values: Any


def read_series(path: Path, column: str) -> SeriesFile:
    """Read a parquet file with ``ts_ns``, ``mid_price`` and a column of values.

    Raises
    ------
    ContractError
        ``SERIES_UNREADABLE``, ``SERIES_COLUMN_MISSING``, ``SERIES_EMPTY``,
        ``SERIES_NOT_ASCENDING``.
    """
    names = [*SIGNAL_SERIES.names, column]
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in names if name not in file.schema_arrow.names]
            table = None if missing else file.read(columns=names)
    except (OSError, pa.ArrowInvalid) as error:
        said = f"cannot read {path} as parquet: {str(error).splitlines()[0]}"
        hint = ("give a parquet file with ts_ns, mid_price and a column of values",)
        raise ContractError("SERIES_UNREADABLE", said, str(path), hint) from None
    if table is None:
        said = f"{path} has no column {', '.join(missing)}"
        hint = ("name the column of the values with --column",)
        raise ContractError("SERIES_COLUMN_MISSING", said, missing[0], hint)
    if not table.num_rows:
        raise ContractError("SERIES_EMPTY", f"{path} has no row", str(path))
    ts_ns = _cast(table, "ts_ns", pa.int64())
    if ts_ns.null_count or (np.diff(numbers_of(ts_ns)) <= 0).any():
        said = f"the times of {path} do not ascend"
        raise ContractError("SERIES_NOT_ASCENDING", said, "ts_ns", ("sort the rows by ts_ns",))
    mid = doubles_of(_cast(table, "mid_price", pa.float64()))
    values = doubles_of(_cast(table, column, pa.float64()))
    return SeriesFile(numbers_of(ts_ns), np.where(np.isfinite(mid), mid, 0.0), values.copy())


def evaluate_series(
    series: SeriesFile,
    mode: str,
    thresholds: tuple[float, ...],
    tick_size: float,
    settings: EvalSettings,
    out: Path,
) -> list[str]:
    """Write ``summary.parquet`` and ``trades.parquet`` into a new folder; lines that say so."""
    if mode not in MODES:
        hint = f"write {', '.join(MODES)}"
        raise ContractError("SERIES_MODE", f"there is no mode {mode!r}", "--mode", (hint,))
    if not 0.0 < tick_size < math.inf:
        hint = "give the tick in quote currency, e.g. 0.25"
        said = f"a tick cannot be {tick_size:g}"
        raise ContractError("SERIES_TICK", said, "--tick-size", (hint,))
    _refuse_wrong_levels(thresholds)
    for name in (SUMMARY, TRADES):
        if out.is_dir():
            refuse_taken(out / name)
    evaluator = _evaluator(series, tick_size, settings)
    rules = [
        Rule(level, tp, sl, cooldown)
        for (tp, sl), cooldown, level in itertools.product(
            itertools.product(settings.tp_ticks, settings.sl_ticks),
            settings.cooldown_bins,
            thresholds,
        )
    ]
    found = evaluator.run(series.values, rules, mode)  # pyright: ignore[reportArgumentType]
    summary = _summary(settings, rules, found)
    trades = pa.concat_tables([_trades(evaluator, series, settings, one, mode) for one in rules])
    _make_folder(out)
    for name, table, layout in (
        (SUMMARY, summary, SIGNAL_SUMMARY),
        (TRADES, trades, SIGNAL_TRADES),
    ):
        _write(out / name, table, layout)
    return [f"{out}: {len(rules)} rules, {trades.num_rows} trades"]


def _refuse_wrong_levels(thresholds: tuple[float, ...]) -> None:
    for level in thresholds:
        if not 0.0 <= level < math.inf:
            said = f"a threshold cannot be {level:g}"
            hint = "give a finite number from 0 on"
            raise ContractError("SERIES_THRESHOLD", said, "--threshold", (hint,))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"cannot write to {out}: {error.strerror or error}"
        hint = "name a folder that can be made"
        raise ContractError("FOLDER_NOT_WRITABLE", said, str(out), (hint,)) from None


def _evaluator(series: SeriesFile, tick_size: float, settings: EvalSettings) -> Evaluator:
    costs, bins = settings.costs, series.ts_ns.size
    is_v1 = settings.compat == "v1"
    # A file says nothing of the spread: what is not told costs nothing.
    spread = 0.0 if is_v1 or costs.spread_ticks is None else costs.spread_ticks
    market = Market(series.mid_price.copy(), np.full(bins, spread), series.ts_ns.copy(), tick_size)
    first = min(settings.warmup_bins, bins)
    extra = 0.0 if is_v1 else 2.0 * costs.fee_ticks + 2.0 * costs.slippage_ticks
    terms = Terms(
        settings.max_hold_bins,
        first,
        single=not is_v1 and settings.positions == "single",
        at_barrier=not is_v1,
        extra_ticks=extra,
        capital_ticks=settings.capital_ticks,
    )
    pairs = list(itertools.product(settings.tp_ticks, settings.sl_ticks))
    return Evaluator(market, terms, pairs)


def _summary(settings: EvalSettings, rules: list[Rule], found: Evaluated) -> pa.Table:
    columns: dict[str, Any] = {
        "tp_ticks": [one.tp_ticks for one in rules],
        "sl_ticks": [one.sl_ticks for one in rules],
        "max_hold_bins": [settings.max_hold_bins] * len(rules),
        "warmup_bins": [settings.warmup_bins] * len(rules),
        "cooldown_bins": [one.cooldown_bins for one in rules],
        "threshold": [one.threshold for one in rules],
        **{name: found.counts[:, place] for name, place in _COUNTS},
    }
    if settings.compat == "v1":
        none = found.counts[:, 0] == 0
        for name in ("n_up", "n_down"):
            columns[name] = pa.array(columns[name], mask=none)
    metrics = found.columns
    for column in SIGNAL_SUMMARY.columns:
        if column.name not in columns:
            values = metrics[column.name]
            columns[column.name] = pa.array(values, from_pandas=True)
    return from_arrays(
        SIGNAL_SUMMARY,
        {
            name: columns[name] if isinstance(columns[name], pa.Array) else pa.array(columns[name])
            for name in SIGNAL_SUMMARY.names
        },
    )


def _trades(
    evaluator: Evaluator, series: SeriesFile, settings: EvalSettings, rule: Rule, mode: str
) -> pa.Table:
    found = evaluator.trades(series.values, rule, mode)  # pyright: ignore[reportArgumentType]
    rows = len(found["direction"])  # pyright: ignore[reportArgumentType]
    told = {
        "tp_ticks": rule.tp_ticks,
        "sl_ticks": rule.sl_ticks,
        "max_hold_bins": settings.max_hold_bins,
        "warmup_bins": settings.warmup_bins,
        "cooldown_bins": rule.cooldown_bins,
    }
    columns: dict[str, Any] = {
        **{name: pa.array(np.full(rows, value, dtype=np.int64)) for name, value in told.items()},
        "threshold": pa.array(np.full(rows, rule.threshold)),
        **{name: pa.array(values) for name, values in found.items()},
    }
    for name in ("direction", "outcome"):
        columns[name] = columns[name].cast(pa.string())
    return from_arrays(SIGNAL_TRADES, {name: columns[name] for name in SIGNAL_TRADES.names})


def _write(path: Path, table: pa.Table, layout: TableSchema) -> None:
    with new_file(path) as target:
        target.write_bytes(write_parquet(table, layout))


def _cast(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    column = table[name].combine_chunks()
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        said = f"the column {name} is {column.type}, not {kind}"
        hint = ("write it as numbers of that type",)
        raise ContractError("SERIES_COLUMN_TYPE", said, name, hint) from None
