"""Campaigns with their candidates, serving specs, aliases and their history.

Frozen: later changes are later scripts. What the columns mean is said in
``islandflow_resources.models``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; those of 0001 stay as they are."""
    _create_campaigns()
    _create_serving()


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("campaign_hash", sa.String(80), primary_key=True),
        sa.Column("campaign_key", sa.String(128), nullable=False, unique=True),
        sa.Column("campaign_id", sa.String(64), nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("registered_at", _AT, nullable=False),
    )
    op.create_index("ix_campaigns_campaign_id", "campaigns", ["campaign_id"])
    op.create_table(
        "campaign_candidates",
        sa.Column("candidate_key", sa.String(80), primary_key=True),
        sa.Column("campaign_hash", sa.String(80), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("strategy_id", sa.String(64), nullable=False),
        sa.Column("strategy_hash", sa.String(80), nullable=False),
        sa.Column("params", sa.JSON, nullable=False),
        sa.Column("trials", sa.Integer, nullable=False),
        sa.Column("objective", sa.String(64), nullable=False),
        sa.Column("score", sa.Float(53)),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("created_at", _AT, nullable=False),
    )
    op.create_index(
        "ix_campaign_candidates_campaign_rank", "campaign_candidates", ["campaign_hash", "rank"]
    )


def _create_serving() -> None:
    op.create_table(
        "serving_specs",
        sa.Column("serving_id", sa.String(80), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("campaign_hash", sa.String(80), nullable=False),
        sa.Column("candidate_key", sa.String(80)),
        sa.Column("object_key", sa.String(1024), nullable=False),
        sa.Column("engine_digest", sa.String(80), nullable=False),
        sa.Column("git_commit", sa.String(64)),
        sa.Column("gate_key", sa.String(1024)),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("promoted_at", _AT, nullable=False),
    )
    op.create_table(
        "aliases",
        sa.Column("alias", sa.String(64), primary_key=True),
        sa.Column("serving_id", sa.String(80), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("updated_at", _AT, nullable=False),
    )
    op.create_table(
        "alias_history",
        sa.Column("event_id", sa.String(80), primary_key=True),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("from_serving_id", sa.String(80)),
        sa.Column("to_serving_id", sa.String(80), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(1024), nullable=False),
        sa.Column("gate_key", sa.String(1024)),
        sa.Column("at", _AT, nullable=False),
        sa.UniqueConstraint("alias", "revision", name="uq_alias_history_alias_revision"),
    )


def downgrade() -> None:
    """Drop the tables; the objects they index remain."""
    for table in ("alias_history", "aliases", "serving_specs", "campaign_candidates", "campaigns"):
        op.drop_table(table)
