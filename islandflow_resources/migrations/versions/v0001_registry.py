"""Artefacts, scenarios, strategies, runs, results and the audit log.

Frozen: later changes are later scripts. What the columns mean is said in
``islandflow_resources.models``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "artefacts",
        sa.Column("recipe_digest", sa.String(80), primary_key=True),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("scenario_key", sa.String(128)),
        sa.Column("seed", sa.BigInteger),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("content_digest", sa.String(80), nullable=False),
        sa.Column("file_digest", sa.String(80)),
        sa.Column("object_key", sa.String(1024), nullable=False),
        sa.Column("manifest_key", sa.String(1024)),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("run_id", sa.String(64)),
        sa.Column("created_at", _AT, nullable=False),
    )
    op.create_index(
        "ix_artefacts_what_scenario_seed", "artefacts", ["what", "scenario_key", "seed"]
    )
    op.create_table(
        "scenarios",
        sa.Column("scenario_hash", sa.String(80), primary_key=True),
        sa.Column("scenario_key", sa.String(128), nullable=False, unique=True),
        sa.Column("scenario_id", sa.String(64), nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("registered_at", _AT, nullable=False),
    )
    op.create_index("ix_scenarios_scenario_id", "scenarios", ["scenario_id"])
    op.create_table(
        "strategies",
        sa.Column("strategy_hash", sa.String(80), primary_key=True),
        sa.Column("strategy_id", sa.String(64), nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("registered_at", _AT, nullable=False),
    )
    op.create_index("ix_strategies_strategy_id", "strategies", ["strategy_id"])
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("job", sa.String(128), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("started_at", _AT, nullable=False),
    )
    _create_results()
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.String(32), primary_key=True),
        sa.Column("at", _AT, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(1024), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_index("ix_audit_action_at", "audit", ["action", "at"])


def _create_results() -> None:
    op.create_table(
        "run_results",
        sa.Column("cache_key", sa.String(80), primary_key=True),
        sa.Column("scenario_key", sa.String(128), nullable=False),
        sa.Column("scenario_hash", sa.String(80), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("strategy_id", sa.String(64), nullable=False),
        sa.Column("strategy_hash", sa.String(80), nullable=False),
        sa.Column("dataset_digest", sa.String(80), nullable=False),
        sa.Column("settings_hash", sa.String(80), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("run_id", sa.String(64)),
        sa.Column("bars", sa.BigInteger, nullable=False),
        sa.Column("trades", sa.Integer, nullable=False),
        sa.Column("final_equity", sa.Float(53), nullable=False),
        sa.Column("sharpe", sa.Float(53)),
        sa.Column("max_drawdown", sa.Float(53)),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("created_at", _AT, nullable=False),
    )
    op.create_index("ix_run_results_scenario_seed", "run_results", ["scenario_key", "seed"])
    op.create_index("ix_run_results_strategy", "run_results", ["strategy_hash"])


def downgrade() -> None:
    """Drop the tables; the objects they index remain."""
    for table in ("audit", "run_results", "runs", "strategies", "scenarios", "artefacts"):
        op.drop_table(table)
