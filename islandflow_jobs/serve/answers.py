"""Documents that the REST endpoints answer with, as the OpenAPI document describes them.

What is behind them is ``browser`` (experiments, published specs) and ``backtests``.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.errors import IslandflowError, Problem


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(Answer):
    """One thing that is wrong: code, sentence, place, what to do instead."""

    code: str
    message: str
    loc: str
    hints: tuple[str, ...]


class Told(Fault):
    """What is wrong first, and all else."""

    others: tuple[Fault, ...]


class ErrorAnswer(Answer):
    """A request that was refused."""

    error: Told


class RunRow(Answer):
    """A run and its best threshold."""

    run_id: str
    experiment: str
    dataset_id: str
    signal: str
    params: dict[str, float]
    tp_ticks: int
    sl_ticks: int
    max_hold_bins: int
    warmup_bins: int
    cooldown_bins: int
    threshold: float | None
    n_signals: int | None
    tp_rate: float | None
    sl_rate: float | None
    timeout_rate: float | None
    mean_pnl_ticks: float | None
    events_per_hour: float | None
    median_time_to_outcome_ms: float | None
    created_at: str
    can_stream: bool


class Filters(Answer):
    """What runs can be filtered by."""

    signals: list[str]
    datasets: list[str]


class RunList(Answer):
    """The best runs, and what they can be filtered by."""

    runs: list[RunRow]
    filters: Filters


class RunMeta(RunRow):
    """A run with where it comes from."""

    engine: str
    campaign_key: str


class ThresholdRow(Answer):
    """What came of one threshold of a run."""

    threshold: float
    n_signals: int
    n_up: int
    n_down: int
    tp_rate: float | None
    sl_rate: float | None
    timeout_rate: float | None
    mean_pnl_ticks: float | None
    ci_low: float | None
    ci_high: float | None
    events_per_hour: float | None
    median_time_to_outcome_ms: float | None
    cooldown_bins: int


class RunAnswer(Answer):
    """A run in detail; ``streaming_url`` is that of the page that shows its stream."""

    meta: RunMeta
    threshold_results: list[ThresholdRow]
    streaming_url: str | None
    can_stream: bool


class ServedAlias(Answer):
    """An alias and what it serves; only the kind ``signal`` can be streamed."""

    alias: str
    serving_id: str
    kind: str


class ServedList(Answer):
    """All aliases."""

    aliases: list[ServedAlias]


class Curve(Answer):
    """Columns of one row a bar; times are nanoseconds since 1970, as text."""

    ts_ns: list[str]
    equity: list[float]
    cash: list[float]
    position_qty: list[float]


class Fill(Answer):
    """One fill of a backtest."""

    ts_ns: str
    bar: int
    side: int
    qty: float
    price: float
    fee: float
    slippage: float
    realised_pnl: float
    reason: str


class BacktestAnswer(Answer):
    """A backtest; metrics that are null have a reason."""

    tier: str
    cache_key: str
    used_cache: bool
    bars: int
    equity: Curve
    trades: list[Fill]
    metrics: dict[str, float | None]
    reasons: dict[str, str]


class Health(Answer):
    """Whether the server can do its work; by part ``ok`` or what is wrong."""

    ok: bool
    store: str
    database: str


class Version(Answer):
    """What is running."""

    version: str
    engine_digest: str
    git_commit: str | None


def error_answer(error: IslandflowError) -> dict[str, Any]:
    """The document of an error."""
    first, *others = (_fault(problem) for problem in error.problems)
    return {"error": {**first, "others": others}}


def _fault(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "loc": problem.loc,
        "hints": list(problem.hints),
    }
