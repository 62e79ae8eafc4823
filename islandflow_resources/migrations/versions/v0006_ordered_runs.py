"""Runs of signals in the orders that are asked for, and what campaigns derive by campaign.

Frozen: later changes are later scripts. What the columns mean is said in
``islandflow_resources.models``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ORDERS = (
    "tp_rate",
    "sl_rate",
    "timeout_rate",
    "mean_pnl_ticks",
    "events_per_hour",
    "n_signals",
    "median_time_to_outcome_ms",
)
_FILTERS = {"ix_signal_runs_signal": "signal", "ix_signal_runs_dataset": "dataset_id"}


def upgrade() -> None:
    """Make the indexes, and name the campaign in the rows of what it derived."""
    for name, column in _FILTERS.items():
        op.drop_index(name, "signal_runs")
        op.create_index(name, "signal_runs", [column, "tp_rate"])
    for column in _ORDERS:
        op.create_index(f"ix_signal_runs_{column}", "signal_runs", [column])
    _name_campaigns()


def downgrade() -> None:
    """Drop the indexes; the rows keep their campaign, which nothing older asks for."""
    for column in _ORDERS:
        op.drop_index(f"ix_signal_runs_{column}", "signal_runs")
    for name, column in _FILTERS.items():
        op.drop_index(name, "signal_runs")
        op.create_index(name, "signal_runs", [column])


def _name_campaigns() -> None:
    """Their objects lie at ``campaigns/KEY/…``."""
    artefacts = sa.table(
        "artefacts", sa.column("recipe_digest"), sa.column("object_key"), sa.column("scenario_key")
    )
    connection = op.get_bind()
    query = (
        sa.select(artefacts.c.recipe_digest, artefacts.c.object_key)
        .where(artefacts.c.object_key.like("campaigns/%"))
        .where(artefacts.c.scenario_key.is_(None))
    )
    named = [
        {"recipe": recipe, "campaign": key.split("/")[1]}
        for recipe, key in connection.execute(query).all()
    ]
    if named:
        statement = (
            sa.update(artefacts)
            .where(artefacts.c.recipe_digest == sa.bindparam("recipe"))
            .values(scenario_key=sa.bindparam("campaign"))
        )
        connection.execute(statement, named)
