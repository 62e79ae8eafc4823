"""Backtest results as stored objects: a cache that is named by its request.

``backtests/{cache_key}/`` holds equity, trades, metrics and, written last, the
result document with the digests of the others. Strategies of one meaning share a
result, so the stored document names none. Being a cache, damage is put aside and
computed again. The computation is ``engine.backtest``; the index is in ``database``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.backtest import BacktestResult, BacktestSettings
from contracts.canonical import Document, canonical_json
from contracts.columns import EQUITY, TRADES
from contracts.digest import bare, document_digest, recipe_digest
from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.strategy import StrategySpec
from engine import backtest, dsl
from engine.backtest import account, orders
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.table_schemas import array_of, strings_of
from islandflow_resources.tables import (
    content_digest,
    from_arrays,
    read_verified,
    store_table,
)

WHAT = "backtest_result"
VERSION = f"{dsl.VERSION}.{backtest.VERSION}"
FILES = ("equity.parquet", "trades.parquet", "metrics.json")
_OWN = "result.json"
_ASKED_BY = ("strategy_id", "strategy_hash")
_EXITS = {
    orders.BY_STOP_LOSS: "stop_loss",
    orders.BY_TAKE_PROFIT: "take_profit",
    orders.BY_TRAILING_STOP: "trailing_stop",
    orders.BY_MAX_HOLDING: "max_holding",
}


@dataclass(frozen=True)
class ResultRef:
    """Address of the result of one strategy on some bars under some settings.

    The settings' ``max_bars`` is no part of the request: the bars are cut already, and
    their range is.
    """

    strategy: StrategySpec
    program: dsl.Program
    settings: BacktestSettings
    data: BacktestData

    @cached_property
    def request(self) -> Document:
        """Settings as they are hashed and recorded."""
        return self.settings.whole.document()

    @cached_property
    def cache_key(self) -> str:
        """Recipe digest: everything the result depends on."""
        return recipe_digest(
            WHAT,
            version=VERSION,
            specs={
                "ir": self.program.ir,
                "settings": self.request,
                "data": self.data.document,
            },
            inputs={"bars": self.data.content_digest},
        )

    @property
    def prefix(self) -> str:
        """Folder of the result's objects."""
        return prefix_of(self.cache_key)

    @property
    def result_key(self) -> str:
        """Key of the result document."""
        return f"{self.prefix}/{_OWN}"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result that has been stored, or found and verified; its tables stay in the store."""

    ref: ResultRef
    result: BacktestResult
    used_cache: bool

    @property
    def digest(self) -> str:
        """``sha256:…`` of what the result says, however its files are encoded."""
        return meaning_digest(self.result)

    def asked_by(self, ref: ResultRef) -> StoredResult:
        """The same result as the answer to another strategy of the same meaning."""
        result = self.result.model_copy(update=_asked_by(ref.strategy))
        return StoredResult(ref, result, self.used_cache)

    def equity(self, store: ObjectStore) -> pa.Table:
        """Curve of the result, verified."""
        key = f"{self.ref.prefix}/equity.parquet"
        return read_verified(store, key, EQUITY, self.result.equity_digest)

    def trades(self, store: ObjectStore) -> pa.Table:
        """Fills of the result, verified."""
        key = f"{self.ref.prefix}/trades.parquet"
        return read_verified(store, key, TRADES, self.result.trades_digest)


def prefix_of(cache_key: str) -> str:
    """Folder of the objects of a result."""
    return f"backtests/{bare(cache_key)}"


def meaning_digest(result: BacktestResult) -> str:
    """``sha256:…`` of the stored document without the digests of its files."""
    return document_digest(_stored(result.model_copy(update={"file_digests": {}})))


def evaluation(ref: ResultRef) -> backtest.Evaluation:
    """The request as the engine takes it, with its curves."""
    return backtest.Evaluation(ref.program, ref.strategy.risk, ref.settings.whole, keep_curves=True)


def publish(store: ObjectStore, ref: ResultRef, outcome: backtest.Outcome) -> StoredResult:
    """Check one outcome and store it, result document last; equal objects are adopted.

    Raises
    ------
    ComputeError
        ``BACKTEST_INVARIANT`` with the bar, if the curves do not follow from the trades.
    """
    curves = _curves(outcome)
    _audit(ref, curves)
    equity, trades = _equity(ref, curves), _trades(ref, curves)
    tables = (("equity", equity, EQUITY), ("trades", trades, TRADES))
    curve, fills = store.concurrently(
        lambda one: store_table(store, f"{ref.prefix}/{one[0]}.parquet", one[1], one[2]), tables
    )
    result = _describe(ref, outcome, curve.content_digest, fills.content_digest)
    metrics = _metrics(result)
    store.put_exact(f"{ref.prefix}/metrics.json", metrics)
    digests = (curve.file_digest, fills.file_digest, file_digest(metrics), meaning_digest(result))
    sealed = dict(zip((*FILES, _OWN), digests, strict=True))
    result = result.model_copy(update={"file_digests": sealed})
    store.put_exact(ref.result_key, _text(result))
    return StoredResult(ref, result, used_cache=False)


def digest_of(ref: ResultRef, outcome: backtest.Outcome) -> str:
    """Digest of what an outcome would be stored as, see `StoredResult.digest`."""
    curves = _curves(outcome)
    equity = content_digest(_equity(ref, curves), EQUITY)
    trades = content_digest(_trades(ref, curves), TRADES)
    return meaning_digest(_describe(ref, outcome, equity, trades))


def lookup(store: ObjectStore, ref: ResultRef) -> StoredResult | None:
    """Stored result of this request, every byte of it verified; None if there is none.

    Raises
    ------
    IntegrityError
        Naming the damaged object; see `discard`.
    """
    try:
        result = read_document(store, ref.cache_key, ref.strategy)
        for name in FILES:
            key = f"{ref.prefix}/{name}"
            if file_digest(store.get(key)) != result.file_digests.get(name):
                raise _damaged(store, key)
    except NotFoundError:
        return None
    return StoredResult(ref, result, used_cache=True)


def discard(store: ObjectStore, ref: ResultRef) -> list[str]:
    """Move every object of a damaged result to quarantine; return where they are."""
    return [store.quarantine(key) for key in store.keys(f"{ref.prefix}/")]


def read_document(store: ObjectStore, cache_key: str, strategy: StrategySpec) -> BacktestResult:
    """Stored document of a result, its own bytes verified, as the answer to a strategy.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND``.
    IntegrityError
        ``OBJECT_DAMAGED``.
    """
    key = f"{prefix_of(cache_key)}/{_OWN}"
    stated = store.get(key)
    try:
        result = BacktestResult.model_validate({**json.loads(stated), **_asked_by(strategy)})
        sealed = result.file_digests.get(_OWN) == meaning_digest(result)
        whole = sealed and result.cache_key == cache_key and stated == _text(result)
    except (ValueError, TypeError, ContractError) as error:
        raise _damaged(store, key) from error
    if whole:
        return result
    raise _damaged(store, key)


def _asked_by(strategy: StrategySpec) -> dict[str, str]:
    return dict(zip(_ASKED_BY, (strategy.id, strategy.strategy_hash), strict=True))


def _stored(result: BacktestResult) -> Document:
    """The document without who asked."""
    return {name: value for name, value in result.document().items() if name not in _ASKED_BY}


def _text(result: BacktestResult) -> bytes:
    return canonical_json(_stored(result)) + b"\n"


def _metrics(result: BacktestResult) -> bytes:
    metrics = {"metrics": result.metrics, "reasons": result.reasons}
    return canonical_json(metrics) + b"\n"  # pyright: ignore[reportArgumentType]


def _curves(outcome: backtest.Outcome) -> backtest.Curves:
    assert outcome.curves is not None
    return outcome.curves


def _audit(ref: ResultRef, curves: backtest.Curves) -> None:
    """Check the accounting invariants on what will be stored."""
    risk, fills = ref.strategy.risk, curves.trades
    columns = {
        "bar": account.BAR,
        "side": account.SIDE,
        "qty": account.FILL_QTY,
        "price": account.PRICE,
        "fee": account.FILL_FEE,
    }
    trades = {name: fills[:, column] for name, column in columns.items()}
    backtest.audit(
        ref.data.bars.fields["close"], curves.equity, curves.cash, curves.qty, trades,
        ref.settings.initial_cash, allow_short=risk.allow_short, max_margin=risk.max_margin,
    )  # fmt: skip


def _equity(ref: ResultRef, curves: backtest.Curves) -> pa.Table:
    columns = {
        "ts_ns": ref.data.bars.ts_ns,
        "equity": curves.equity,
        "cash": curves.cash,
        "position_qty": curves.qty,
    }
    return from_arrays(EQUITY, columns)


def _trades(ref: ResultRef, curves: backtest.Curves) -> pa.Table:
    fills = curves.trades
    bar = fills[:, account.BAR].astype(np.int64)
    columns = {
        "ts_ns": ref.data.bars.ts_ns[bar],
        "bar": bar,
        "side": fills[:, account.SIDE].astype(np.int8),
        "qty": fills[:, account.FILL_QTY].copy(),
        "price": fills[:, account.PRICE].copy(),
        "fee": fills[:, account.FILL_FEE].copy(),
        "slippage": fills[:, account.SLIPPAGE].copy(),
        "realised_pnl": fills[:, account.PNL].copy(),
        "reason": _reasons(fills[:, account.REASON]),
    }
    return from_arrays(TRADES, columns)


def reason_name(code: float) -> str:
    """``rule {k}`` for the rule that decided a fill, or the name of an exit."""
    return _EXITS.get(code, f"rule {int(code)}")


def _reasons(codes: npt.NDArray[np.float64]) -> pa.Array:
    known, places = np.unique(codes, return_inverse=True)
    names = strings_of([reason_name(code) for code in known.tolist()])
    indices = array_of(places.reshape(-1).astype(np.int32))
    return pa.DictionaryArray.from_arrays(indices, names).cast(pa.string())


def _describe(
    ref: ResultRef, outcome: backtest.Outcome, equity_digest: str, trades_digest: str
) -> BacktestResult:
    data, found = ref.data, outcome.report
    return BacktestResult(
        cache_key=ref.cache_key,
        strategy_id=ref.strategy.id,
        strategy_hash=ref.strategy.strategy_hash,
        ir_hash=ref.program.ir_hash,
        data_digest=data.content_digest,
        settings=ref.request,  # pyright: ignore[reportArgumentType]
        bars=data.bars.bars,
        first_ts_ns=str(data.first_ts_ns),
        last_ts_ns=str(data.last_ts_ns),
        timeframe=data.bars.timeframe,
        tick_size=data.tick_size,
        lot_size=ref.settings.lot_size,
        metric_settings=data.metric_settings,
        metrics=found.values,
        reasons=found.reasons,
        fills=outcome.fills,
        rejected_orders=outcome.rejected_orders,
        conflicts=outcome.conflicts,
        open_position=outcome.final_qty != 0.0,
        recovery_open=outcome.recovery_open,
        final_equity=outcome.final_equity,
        equity_digest=equity_digest,
        trades_digest=trades_digest,
        file_digests={},
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
