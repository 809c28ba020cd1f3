"""The tables of users, keys, sessions and the audit trail."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text

from quetzalcore.database import Instant

__all__ = ["audit", "keys", "metadata", "sessions", "users"]

metadata = MetaData()

users = Table(
    "identity_users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password", Text),  # an argon2id hash; none: only keys
    Column("created_at", Instant, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Index("identity_users_by_tenant", "tenant"),
)

keys = Table(
    "identity_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("user", Text, ForeignKey("identity_users.name"), nullable=False),
    Column("label", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("expires_at", Instant),
    Column("revoked", Boolean, nullable=False),
    Index("identity_keys_by_user", "user"),
)

sessions = Table(
    "identity_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("user", Text, ForeignKey("identity_users.name"), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=False),
    Index("identity_sessions_by_user", "user"),
    Index("identity_sessions_by_use", "used_at"),
)

audit = Table(
    "identity_audit",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("user", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Index("identity_audit_by_tenant", "tenant", "sequence"),
)
