"""The control log of the synthetic market.

Frozen: later changes are later scripts. What the columns mean is said in
``islandflow_resources.models``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; those of 0003 stay as they are."""
    op.create_table(
        "control_revisions",
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("effective_ns", sa.BigInteger, nullable=False),
        sa.Column("control", sa.JSON, nullable=False),
        sa.Column("control_hash", sa.String(80), nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop the table: the log is nowhere else, so what was set is lost."""
    op.drop_table("control_revisions")
