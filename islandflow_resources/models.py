"""Rows of the registry and the results index, as typed SQLAlchemy models.

The tables are made by the frozen scripts in ``migrations``; a test holds the two
together. Everything here is an index over objects, which remain the truth. How
rows are written and read lives in ``database``.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Float,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

HEAD = "0006"
"""Revision of the migrations that these models describe."""


def utc_now() -> datetime:
    """Clock of provenance columns; nothing derived depends on it."""
    return datetime.now(UTC)


def random_id() -> str:
    """Fresh identity of a row that has no natural one."""
    return secrets.token_hex(16)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, also from SQLite, which forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a naive datetime is refused."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the models."""


class Artefact(Base):
    """One stored artefact: which recipe made it, what it says, where it lies.

    ``scenario_key`` is the partition key of what it belongs to: a scenario, or a tape, a dataset,
    a campaign.
    """

    __tablename__ = "artefacts"

    recipe_digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    what: Mapped[str] = mapped_column(String(64))
    scenario_key: Mapped[str | None] = mapped_column(String(128))
    seed: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[str] = mapped_column(String(32))
    content_digest: Mapped[str] = mapped_column(String(80))
    file_digest: Mapped[str | None] = mapped_column(String(80))
    object_key: Mapped[str] = mapped_column(String(1024))
    manifest_key: Mapped[str | None] = mapped_column(String(1024))
    rows: Mapped[int] = mapped_column(BigInteger)
    recipe: Mapped[dict[str, Any]] = mapped_column(JSON)
    run_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (Index("ix_artefacts_what_scenario_seed", "what", "scenario_key", "seed"),)


class Scenario(Base):
    """One registered scenario, the seed apart."""

    __tablename__ = "scenarios"

    scenario_hash: Mapped[str] = mapped_column(String(80), primary_key=True)
    scenario_key: Mapped[str] = mapped_column(String(128), unique=True)
    scenario_id: Mapped[str] = mapped_column(String(64), index=True)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Strategy(Base):
    """One registered strategy."""

    __tablename__ = "strategies"

    strategy_hash: Mapped[str] = mapped_column(String(80), primary_key=True)
    strategy_id: Mapped[str] = mapped_column(String(64), index=True)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Run(Base):
    """One run of the graph that stored or adopted artefacts: provenance, not identity."""

    __tablename__ = "runs"

    run_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    job: Mapped[str] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class RunResult(Base):
    """One backtest: its request by digests, its metrics by name and the chief ones as columns."""

    __tablename__ = "run_results"

    cache_key: Mapped[str] = mapped_column(String(80), primary_key=True)
    scenario_key: Mapped[str] = mapped_column(String(128))
    scenario_hash: Mapped[str] = mapped_column(String(80))
    seed: Mapped[int] = mapped_column(BigInteger)
    strategy_id: Mapped[str] = mapped_column(String(64))
    strategy_hash: Mapped[str] = mapped_column(String(80))
    dataset_digest: Mapped[str] = mapped_column(String(80))
    settings_hash: Mapped[str] = mapped_column(String(80))
    version: Mapped[str] = mapped_column(String(32))
    run_id: Mapped[str | None] = mapped_column(String(64))
    bars: Mapped[int] = mapped_column(BigInteger)
    trades: Mapped[int] = mapped_column(Integer)
    final_equity: Mapped[float] = mapped_column(Float(53))
    sharpe: Mapped[float | None] = mapped_column(Float(53))
    max_drawdown: Mapped[float | None] = mapped_column(Float(53))
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (
        Index("ix_run_results_scenario_seed", "scenario_key", "seed"),
        Index("ix_run_results_strategy", "strategy_hash"),
        Index("ix_run_results_settings", "settings_hash", "version"),
    )


class AuditEntry(Base):
    """One act that changed or overrode something: who, what, on which subject, why."""

    __tablename__ = "audit"

    # Drawn by the writer, so that a commit whose answer was lost can be tried again.
    audit_id: Mapped[str] = mapped_column(String(32), primary_key=True, default=random_id)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    actor: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(1024))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index("ix_audit_action_at", "action", "at"),)


class Campaign(Base):
    """One registered campaign."""

    __tablename__ = "campaigns"

    campaign_hash: Mapped[str] = mapped_column(String(80), primary_key=True)
    campaign_key: Mapped[str] = mapped_column(String(128), unique=True)
    campaign_id: Mapped[str] = mapped_column(String(64), index=True)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class CampaignCandidate(Base):
    """One line of a campaign's leaderboard: a parameter set, its trials, its score."""

    __tablename__ = "campaign_candidates"

    candidate_key: Mapped[str] = mapped_column(String(80), primary_key=True)
    campaign_hash: Mapped[str] = mapped_column(String(80))
    rank: Mapped[int] = mapped_column(Integer)
    strategy_id: Mapped[str] = mapped_column(String(64))
    strategy_hash: Mapped[str] = mapped_column(String(80))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    trials: Mapped[int] = mapped_column(Integer)
    objective: Mapped[str] = mapped_column(String(64))
    score: Mapped[float | None] = mapped_column(Float(53))
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (Index("ix_campaign_candidates_campaign_rank", "campaign_hash", "rank"),)


class ServingSpecRow(Base):
    """One published serving spec: what it is, where it lies, who published it first."""

    __tablename__ = "serving_specs"

    serving_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(64))
    campaign_hash: Mapped[str] = mapped_column(String(80))
    candidate_key: Mapped[str | None] = mapped_column(String(80))
    object_key: Mapped[str] = mapped_column(String(1024))
    engine_digest: Mapped[str] = mapped_column(String(80))
    git_commit: Mapped[str | None] = mapped_column(String(64))
    gate_key: Mapped[str | None] = mapped_column(String(1024))
    actor: Mapped[str] = mapped_column(String(128))
    promoted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Alias(Base):
    """What a name stands for now, and how often it has moved."""

    __tablename__ = "aliases"

    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    serving_id: Mapped[str] = mapped_column(String(80))
    revision: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class AliasMove(Base):
    """One move of an alias; its revisions are 1, 2, 3, … without a gap."""

    __tablename__ = "alias_history"

    event_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    alias: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int] = mapped_column(Integer)
    from_serving_id: Mapped[str | None] = mapped_column(String(80))
    to_serving_id: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(String(1024))
    gate_key: Mapped[str | None] = mapped_column(String(1024))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (
        UniqueConstraint("alias", "revision", name="uq_alias_history_alias_revision"),
    )


class SignalRun(Base):
    """One run of a book signal on one dataset: its settings, and its best threshold.

    ``run_id`` is 32 hexadecimal digits of the run's recipe. The outcomes of all thresholds are
    ``row_count`` rows, from ``first_row``, of the table of trials at ``object_key``.
    """

    __tablename__ = "signal_runs"

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    campaign_hash: Mapped[str] = mapped_column(String(80))
    campaign_key: Mapped[str] = mapped_column(String(128))
    experiment: Mapped[str] = mapped_column(String(64))
    dataset_id: Mapped[str] = mapped_column(String(128))
    signal: Mapped[str] = mapped_column(String(64))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    tp_ticks: Mapped[int] = mapped_column(Integer)
    sl_ticks: Mapped[int] = mapped_column(Integer)
    max_hold_bins: Mapped[int] = mapped_column(Integer)
    warmup_bins: Mapped[int] = mapped_column(Integer)
    cooldown_bins: Mapped[int] = mapped_column(Integer)
    threshold: Mapped[float | None] = mapped_column(Float(53))
    n_signals: Mapped[int | None] = mapped_column(Integer)
    tp_rate: Mapped[float | None] = mapped_column(Float(53))
    sl_rate: Mapped[float | None] = mapped_column(Float(53))
    timeout_rate: Mapped[float | None] = mapped_column(Float(53))
    mean_pnl_ticks: Mapped[float | None] = mapped_column(Float(53))
    events_per_hour: Mapped[float | None] = mapped_column(Float(53))
    median_time_to_outcome_ms: Mapped[float | None] = mapped_column(Float(53))
    object_key: Mapped[str] = mapped_column(String(1024))
    content_digest: Mapped[str] = mapped_column(String(80))
    first_row: Mapped[int] = mapped_column(BigInteger)
    row_count: Mapped[int] = mapped_column(Integer)
    version: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (
        Index("ix_signal_runs_signal", "signal", "tp_rate"),
        Index("ix_signal_runs_dataset", "dataset_id", "tp_rate"),
        Index("ix_signal_runs_tp_rate", "tp_rate"),
        Index("ix_signal_runs_sl_rate", "sl_rate"),
        Index("ix_signal_runs_timeout_rate", "timeout_rate"),
        Index("ix_signal_runs_mean_pnl_ticks", "mean_pnl_ticks"),
        Index("ix_signal_runs_events_per_hour", "events_per_hour"),
        Index("ix_signal_runs_n_signals", "n_signals"),
        Index("ix_signal_runs_median_time_to_outcome_ms", "median_time_to_outcome_ms"),
    )


class ControlRevisionRow(Base):
    """One saved control of the synthetic market; revisions are 1, 2, 3, … without a gap."""

    __tablename__ = "control_revisions"

    # Counted by the writer: of two that write the same one, the second finds it taken.
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    effective_ns: Mapped[int] = mapped_column(BigInteger)
    control: Mapped[dict[str, Any]] = mapped_column(JSON)
    control_hash: Mapped[str] = mapped_column(String(80))
    updated_by: Mapped[str] = mapped_column(String(64))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
