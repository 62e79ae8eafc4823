"""Backtest settings, metrics and results: what goes in and what comes out.

The computation lives in ``engine.backtest``; the stored tables are
``columns.EQUITY`` and ``columns.TRADES``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from contracts.costs import Costs
from contracts.digest import Digest, document_digest
from contracts.document import Embedded, Integer, Model, Number
from contracts.scenario import TIMEFRAME_NS, Timeframe

TRADING_DAYS_PER_YEAR: Final = 252
MIN_DAYS: Final = 20

METRICS: Final[tuple[str, ...]] = (
    "total_return",
    "annual_return",
    "volatility",
    "sharpe",
    "sortino",
    "gain_loss_sortino",
    "max_drawdown",
    "calmar",
    "win_rate",
    "profit_factor",
    "exposure",
    "turnover",
    "trades",
    "daily_return_p5",
    "worst_1pct_mean",
    "recovery_bars",
)
"""Names of the metrics, in the order in which tables show them."""


class BacktestSettings(Model):
    """Everything besides strategy, data and engine that a result depends on.

    ``gap_policy`` says whether a limit is filled by a bar that opens beyond it,
    ``lot_size`` rounds quantities down, ``max_bars`` cuts the data after so many bars.
    """

    initial_cash: Annotated[Number, Field(gt=0, le=1e15)] = 100_000.0
    bar_delay: Annotated[Integer, Field(ge=0, le=100)] = 1
    gap_policy: Literal["touch", "open"] = "touch"
    lot_size: Annotated[Number, Field(gt=0, le=1e12)] | None = None
    max_bars: Annotated[Integer, Field(ge=2)] | None = None
    costs: Costs = Costs()

    @property
    def whole(self) -> BacktestSettings:
        """The same settings for data that are cut already, or not at all."""
        return self.model_copy(update={"max_bars": None})

    @property
    def settings_hash(self) -> str:
        """``sha256:…`` over the canonical document, the range of the bars apart."""
        return document_digest(self.whole.document())


class MetricSettings(Model):
    """What the metrics of a result are measured with."""

    bars_per_day: Annotated[Number, Field(gt=0)]
    trading_days_per_year: Annotated[Integer, Field(ge=1)] = TRADING_DAYS_PER_YEAR
    min_days: Annotated[Integer, Field(ge=1)] = MIN_DAYS


class BacktestResult(Model):
    """One evaluation: its identity, its counts and its metrics.

    Attributes
    ----------
    cache_key : str
        Recipe digest of the evaluation.
    metrics : dict
        Number or null by name of `METRICS`.
    reasons : dict
        Why a metric is null, by name.
    open_position : bool
        Whether a position was still open, and marked, after the last bar.
    recovery_open : bool
        Whether ``recovery_bars`` counts a fall that had not recovered by the last bar.
    file_digests : dict
        ``blake3:…`` over the bytes of the stored files, by name; under ``result.json`` the
        ``sha256:…`` of this document without these digests.
    strategy_id, strategy_hash, used_cache
        Of an answer: who asked, and whether the result was found. The stored document has
        none of them, because strategies of one meaning share it.
    """

    cache_key: Digest
    ir_hash: Digest
    data_digest: Digest
    settings: Embedded
    bars: Annotated[Integer, Field(ge=0)]
    first_ts_ns: str
    last_ts_ns: str
    timeframe: Timeframe
    tick_size: Number | None
    lot_size: Number | None
    metric_settings: MetricSettings
    metrics: dict[str, Number | None]
    reasons: dict[str, str]
    fills: Annotated[Integer, Field(ge=0)]
    rejected_orders: Annotated[Integer, Field(ge=0)]
    conflicts: Annotated[Integer, Field(ge=0)]
    open_position: Annotated[bool, Field(strict=True)]
    recovery_open: Annotated[bool, Field(strict=True)]
    final_equity: Number
    equity_digest: Digest
    trades_digest: Digest
    file_digests: dict[str, Digest]
    version: str
    status: Literal["ok"] = "ok"
    strategy_id: str | None = None
    strategy_hash: Digest | None = None
    used_cache: Annotated[bool, Field(strict=True)] | None = None


SETTINGS: Final[TypeAdapter[BacktestSettings]] = TypeAdapter(BacktestSettings)
RESULT: Final[TypeAdapter[BacktestResult]] = TypeAdapter(BacktestResult)


def bars_per_day(timeframe: Timeframe) -> float:
    """Bars of a market that trades around the clock."""
    return 86_400_000_000_000 / TIMEFRAME_NS[timeframe]
