"""Runs of book signals: the index that the experiment browser asks.

Frozen: later changes are later scripts. What the columns mean is said in
``islandflow_resources.models``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; those of 0002 stay as they are."""
    op.create_table(
        "signal_runs",
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("campaign_hash", sa.String(80), nullable=False),
        sa.Column("campaign_key", sa.String(128), nullable=False),
        sa.Column("experiment", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(128), nullable=False),
        sa.Column("signal", sa.String(64), nullable=False),
        sa.Column("params", sa.JSON, nullable=False),
        sa.Column("tp_ticks", sa.Integer, nullable=False),
        sa.Column("sl_ticks", sa.Integer, nullable=False),
        sa.Column("max_hold_bins", sa.Integer, nullable=False),
        sa.Column("warmup_bins", sa.Integer, nullable=False),
        sa.Column("cooldown_bins", sa.Integer, nullable=False),
        sa.Column("threshold", sa.Float(53)),
        sa.Column("n_signals", sa.Integer),
        sa.Column("tp_rate", sa.Float(53)),
        sa.Column("sl_rate", sa.Float(53)),
        sa.Column("timeout_rate", sa.Float(53)),
        sa.Column("mean_pnl_ticks", sa.Float(53)),
        sa.Column("events_per_hour", sa.Float(53)),
        sa.Column("median_time_to_outcome_ms", sa.Float(53)),
        sa.Column("object_key", sa.String(1024), nullable=False),
        sa.Column("content_digest", sa.String(80), nullable=False),
        sa.Column("first_row", sa.BigInteger, nullable=False),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_signal_runs_signal", "signal_runs", ["signal"])
    op.create_index("ix_signal_runs_dataset", "signal_runs", ["dataset_id"])


def downgrade() -> None:
    """Drop the table; the trials that it indexes remain."""
    op.drop_table("signal_runs")
