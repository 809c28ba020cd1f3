"""Users, keys, sessions, and an audit trail that can only grow."""  # noqa: INP001 -- Alembic loads it by its path

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from quetzalcore.database import Instant

revision = "identity_0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE = """
CREATE TRIGGER identity_audit_no_{verb} BEFORE {verb} ON identity_audit
BEGIN SELECT RAISE(ABORT, 'the audit trail can only grow'); END
"""
_POSTGRES = (
    """
CREATE FUNCTION identity_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail can only grow'; END $$
""",
    """
CREATE TRIGGER identity_audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON identity_audit
FOR EACH STATEMENT EXECUTE FUNCTION identity_audit_only_grows()
""",
)


def upgrade() -> None:
    """Make the tables."""
    _make_users()
    _make_keys()
    _make_sessions()
    _make_audit()


def _make_users() -> None:
    op.create_table(
        "identity_users",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
    )
    op.create_index("identity_users_by_tenant", "identity_users", ["tenant"])


def _make_keys() -> None:
    op.create_table(
        "identity_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("user", sa.Text, sa.ForeignKey("identity_users.name"), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("last_used_at", Instant),
        sa.Column("expires_at", Instant),
        sa.Column("revoked", sa.Boolean, nullable=False),
    )
    op.create_index("identity_keys_by_user", "identity_keys", ["user"])


def _make_sessions() -> None:
    op.create_table(
        "identity_sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("user", sa.Text, sa.ForeignKey("identity_users.name"), nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("used_at", Instant, nullable=False),
    )
    op.create_index("identity_sessions_by_user", "identity_sessions", ["user"])
    op.create_index("identity_sessions_by_use", "identity_sessions", ["used_at"])


def _make_audit() -> None:
    op.create_table(
        "identity_audit",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
    )
    op.create_index("identity_audit_by_tenant", "identity_audit", ["tenant", "sequence"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(_SQLITE.format(verb=verb))
        return
    for statement in _POSTGRES:
        op.execute(statement)
