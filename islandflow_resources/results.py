"""Backtest results as stored objects: a cache that is named by its request.

``backtests/{cache_key}/`` holds equity, trades, metrics and, written last, the
result document. Being a cache, damage is put aside and computed again. The
computation is ``engine.backtest``; the index of results is in ``database``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from contracts.backtest import BacktestResult, BacktestSettings
from contracts.canonical import canonical_json
from contracts.columns import EQUITY, TRADES
from contracts.digest import bare, document_digest, recipe_digest
from contracts.errors import IntegrityError, NotFoundError
from contracts.manifest import DatasetManifest
from contracts.scenario import ScenarioSpec
from contracts.strategy import StrategySpec
from engine import backtest, dsl
from engine.backtest import account
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.tables import (
    content_digest,
    from_arrays,
    read_verified,
    store_table,
)

WHAT = "backtest_result"
VERSION = f"{dsl.VERSION}.{backtest.VERSION}"


@dataclass(frozen=True)
class ResultRef:
    """Address of the result of one strategy on one dataset under some settings."""

    strategy: StrategySpec
    program: dsl.Program
    settings: BacktestSettings
    manifest: DatasetManifest
    spec: ScenarioSpec

    @cached_property
    def cache_key(self) -> str:
        """Recipe digest: everything the result depends on."""
        return recipe_digest(
            WHAT,
            version=VERSION,
            specs={
                "ir": self.program.ir,
                "settings": self.settings.document(),
                "data": {
                    "timeframe": self.spec.timeframe,
                    "tick_size": self.spec.tick_size,
                    "rows": self.manifest.rows,
                    "first_ts_ns": self.manifest.first_ts_ns,
                    "last_ts_ns": self.manifest.last_ts_ns,
                },
            },
            inputs={"bars": self.manifest.content_digest},
        )

    @property
    def prefix(self) -> str:
        """Folder of the result's objects."""
        return f"backtests/{bare(self.cache_key)}"

    @property
    def result_key(self) -> str:
        """Key of the result document."""
        return f"{self.prefix}/result.json"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result that has been stored, or read back verified, with its tables."""

    ref: ResultRef
    result: BacktestResult
    equity: pa.Table
    trades: pa.Table
    used_cache: bool

    @property
    def digest(self) -> str:
        """``sha256:…`` of the result document, which names the tables' digests."""
        return document_digest(self.result.document())


def to_dataset(table: pa.Table, spec: ScenarioSpec) -> backtest.Dataset:
    """Bars in price units and lots, as the engine takes them."""
    columns = {name: table[name].combine_chunks().to_numpy() for name in table.column_names}
    fields = {
        name: columns[f"{name}_ticks"].astype(np.float64) * spec.tick_size
        for name in ("open", "high", "low", "close")
    }
    fields["volume"] = columns["volume_lots"].astype(np.float64)
    return backtest.Dataset(columns["ts_ns"], fields, spec.timeframe)


def publish(
    store: ObjectStore, ref: ResultRef, outcome: backtest.Outcome, data: backtest.Dataset
) -> StoredResult:
    """Store one outcome, result document last; equal objects are adopted."""
    equity, trades = _equity(outcome, data), _trades(outcome, data)
    curve = store_table(store, f"{ref.prefix}/equity.parquet", equity, EQUITY)
    fills = store_table(store, f"{ref.prefix}/trades.parquet", trades, TRADES)
    result = _describe(ref, outcome, curve.content_digest, fills.content_digest)
    metrics = {"metrics": result.metrics, "reasons": result.reasons}
    store.put_exact(f"{ref.prefix}/metrics.json", canonical_json(metrics) + b"\n")  # pyright: ignore[reportArgumentType]
    store.put_exact(ref.result_key, canonical_json(result.document()) + b"\n")
    return StoredResult(ref, result, equity, trades, used_cache=False)


def digest_of(ref: ResultRef, outcome: backtest.Outcome, data: backtest.Dataset) -> str:
    """Digest of the document that an outcome would be stored as."""
    equity = content_digest(_equity(outcome, data), EQUITY)
    trades = content_digest(_trades(outcome, data), TRADES)
    return document_digest(_describe(ref, outcome, equity, trades).document())


def lookup(store: ObjectStore, ref: ResultRef) -> StoredResult | None:
    """Stored result of this request, verified whole; None if there is none.

    Raises
    ------
    IntegrityError
        Naming the damaged object; see `discard`.
    """
    try:
        stated = store.get(ref.result_key)
        result = BacktestResult.model_validate_json(stated)
        equity = read_verified(store, f"{ref.prefix}/equity.parquet", EQUITY, result.equity_digest)
        trades = read_verified(store, f"{ref.prefix}/trades.parquet", TRADES, result.trades_digest)
        metrics = {"metrics": result.metrics, "reasons": result.reasons}
        kept = store.get(f"{ref.prefix}/metrics.json")
    except NotFoundError:
        return None
    except ValueError as error:
        raise _damaged(store, ref.result_key) from error
    if kept != canonical_json(metrics) + b"\n":  # pyright: ignore[reportArgumentType]
        raise _damaged(store, f"{ref.prefix}/metrics.json")
    if result.cache_key != ref.cache_key or stated != canonical_json(result.document()) + b"\n":
        raise _damaged(store, ref.result_key)
    return StoredResult(ref, result, equity, trades, used_cache=True)


def discard(store: ObjectStore, ref: ResultRef) -> list[str]:
    """Move every object of a damaged result to quarantine; return where they are."""
    return [store.quarantine(key) for key in store.keys(f"{ref.prefix}/")]


def audit(stored: StoredResult, data: backtest.Dataset) -> None:
    """Check the accounting invariants on the stored tables.

    Raises
    ------
    ComputeError
        ``BACKTEST_INVARIANT`` with the bar.
    """
    equity, cash, qty = (
        stored.equity[name].to_numpy() for name in ("equity", "cash", "position_qty")
    )
    names = ("bar", "side", "qty", "price", "fee")
    trades = {name: stored.trades[name].to_numpy().astype(np.float64) for name in names}
    risk = stored.ref.strategy.risk
    backtest.audit(
        data.fields["close"], equity, cash, qty, trades, stored.ref.settings.initial_cash,
        allow_short=risk.allow_short, max_margin=risk.max_margin,
    )  # fmt: skip


def _equity(outcome: backtest.Outcome, data: backtest.Dataset) -> pa.Table:
    assert outcome.equity is not None
    assert outcome.cash is not None
    assert outcome.qty is not None
    columns = {
        "ts_ns": data.ts_ns,
        "equity": outcome.equity,
        "cash": outcome.cash,
        "position_qty": outcome.qty,
    }
    return from_arrays(EQUITY, columns)


def _trades(outcome: backtest.Outcome, data: backtest.Dataset) -> pa.Table:
    assert outcome.trades is not None
    fills = outcome.trades
    bar = fills[:, account.BAR].astype(np.int64)
    columns = {
        "ts_ns": data.ts_ns[bar],
        "bar": bar,
        "side": fills[:, account.SIDE].astype(np.int8),
        "qty": fills[:, account.FILL_QTY].copy(),
        "price": fills[:, account.PRICE].copy(),
        "fee": fills[:, account.FILL_FEE].copy(),
        "slippage": fills[:, account.SLIPPAGE].copy(),
        "realised_pnl": fills[:, account.PNL].copy(),
        "reason": np.array(
            [f"rule {int(rule)}" for rule in fills[:, account.REASON]], dtype=object
        ),
    }
    return from_arrays(TRADES, columns)


def _describe(
    ref: ResultRef, outcome: backtest.Outcome, equity_digest: str, trades_digest: str
) -> BacktestResult:
    return BacktestResult(
        cache_key=ref.cache_key,
        strategy_id=ref.strategy.id,
        strategy_hash=ref.strategy.strategy_hash,
        ir_hash=ref.program.ir_hash,
        data_digest=ref.manifest.content_digest,
        settings=ref.settings.document(),  # pyright: ignore[reportArgumentType]
        bars=ref.manifest.rows,
        first_ts_ns=ref.manifest.first_ts_ns,
        last_ts_ns=ref.manifest.last_ts_ns,
        timeframe=ref.spec.timeframe,
        tick_size=ref.spec.tick_size,
        metrics=outcome.report.values,
        reasons=outcome.report.reasons,
        fills=outcome.fills,
        rejected_orders=outcome.rejected_orders,
        conflicts=outcome.conflicts,
        open_position=outcome.final_qty != 0.0,
        final_equity=outcome.final_equity,
        equity_digest=equity_digest,
        trades_digest=trades_digest,
        version=VERSION,
    )


def _damaged(store: ObjectStore, key: str) -> IntegrityError:
    uri = store.uri(key)
    return IntegrityError(
        "OBJECT_DAMAGED",
        f"cannot trust {uri}: the cached result is not what it was",
        uri,
        (f"run the job again: a cache is remade, or: islandflow repair {uri}",),
    )
