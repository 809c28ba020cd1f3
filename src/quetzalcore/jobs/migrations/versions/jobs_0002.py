"""Attempts that ended without success, whose files are to be swept; those of the past too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "jobs_0002"
down_revision = "jobs_0001"


def upgrade() -> None:
    """Make the table, and write the attempts that have ended so far into it."""
    op.create_table(
        "unswept_attempts",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id"),
    )
    op.create_index("unswept_attempts_ended_at", "unswept_attempts", ["ended_at"], unique=False)
    op.execute(
        "INSERT INTO unswept_attempts (attempt_id, job_id, tenant, ended_at)"
        " SELECT id, job_id, tenant, finished_at FROM attempts"
        " WHERE finished_at IS NOT NULL AND state <> 'succeeded'"
    )
