"""What alembic runs: the scripts, over the connection and transaction it is handed.

Locks and the choice whether anything is to be done live in ``..migrate``.
"""

from __future__ import annotations

from alembic import context

from islandflow_resources.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
