"""Results by settings and version, which is how a leaderboard asks for them.

Frozen: later changes are later scripts. What the columns mean is said in
``islandflow_resources.models``.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index; all tables stay as they are."""
    op.create_index("ix_run_results_settings", "run_results", ["settings_hash", "version"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_run_results_settings", "run_results")
