"""What is asked of the database about users, keys and sessions; plain functions of a connection."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from quetzalcore.identity.model import ApiKey, AuditLine, Role, User
from quetzalcore.identity.names import MOST_KEYS, too_many_keys
from quetzalcore.identity.rules import FoundKey, FoundSession
from quetzalcore.identity.tables import audit, keys, sessions, users

__all__ = [
    "add_audit_line",
    "add_key",
    "add_session",
    "add_user",
    "audit_lines",
    "disable_user",
    "enable_user",
    "end_session",
    "find_key",
    "find_password",
    "find_session",
    "find_user",
    "list_keys",
    "list_users",
    "note_key_use",
    "note_session_use",
    "revoke_key",
    "set_password",
]


def add_user(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Add a user unless the name is taken, also by somebody at the same moment; say whether."""
    insert_into = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert_into(users).values(values).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1


def list_users(connection: Connection, *, tenant: str) -> tuple[User, ...]:
    """Give users by name."""
    query = select(users).order_by(users.c.name)
    if tenant:
        query = query.where(users.c.tenant == tenant)
    return tuple(_user(row) for row in connection.execute(query).mappings())


def find_user(connection: Connection, name: str, *, tenant: str = "") -> User | None:
    """Give a user, of a tenant or of any."""
    query = select(users).where(users.c.name == name)
    if tenant:
        query = query.where(users.c.tenant == tenant)
    row = connection.execute(query).mappings().first()
    return None if row is None else _user(row)


def find_password(connection: Connection, name: str) -> str | None:
    """Give the hash of a user's password, unless there is none or the user is disabled."""
    query = select(users.c.password).where(users.c.name == name, users.c.disabled.is_(False))
    return connection.execute(query).scalar()


def disable_user(connection: Connection, name: str, *, tenant: str) -> bool:
    """Disable a user, revoke the keys and delete the sessions; say whether there is such a one."""
    if find_user(connection, name, tenant=tenant) is None:
        return False
    connection.execute(update(users).where(users.c.name == name).values(disabled=True))
    connection.execute(update(keys).where(keys.c.user == name).values(revoked=True))
    connection.execute(delete(sessions).where(sessions.c.user == name))
    return True


def enable_user(connection: Connection, name: str, *, tenant: str) -> bool:
    """Let a user in again; say whether there is such a one."""
    if find_user(connection, name, tenant=tenant) is None:
        return False
    connection.execute(update(users).where(users.c.name == name).values(disabled=False))
    return True


def set_password(connection: Connection, name: str, *, tenant: str, password: str) -> bool:
    """Keep another hash of a password and delete the sessions; say whether there is such a user."""
    if find_user(connection, name, tenant=tenant) is None:
        return False
    connection.execute(update(users).where(users.c.name == name).values(password=password))
    connection.execute(delete(sessions).where(sessions.c.user == name))
    return True


def add_key(connection: Connection, key: ApiKey, *, digest: str) -> ApiKey | None:
    """Keep a key by the digest of its secret, unless its user is disabled or not there.

    Of revoked keys the last are kept. ``BadParameter`` where the user has too many that are not revoked.
    """
    user = find_user(connection, key.user)
    if user is None or user.disabled:
        return None
    theirs = connection.execute(
        select(keys.c.id, keys.c.revoked)
        .where(keys.c.user == key.user)
        .order_by(keys.c.created_at.desc(), keys.c.id)
    ).all()
    revoked = [row.id for row in theirs if row.revoked]
    if len(theirs) - len(revoked) >= MOST_KEYS:
        raise too_many_keys(key.user)
    if len(revoked) > MOST_KEYS:
        connection.execute(delete(keys).where(keys.c.id.in_(revoked[MOST_KEYS:])))
    connection.execute(
        insert(keys).values(
            id=key.id,
            digest=digest,
            user=key.user,
            label=key.label,
            scope=key.scope,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked=False,
        )
    )
    return dataclasses.replace(key, tenant=user.tenant)


def list_keys(connection: Connection, *, tenant: str, user: str) -> tuple[ApiKey, ...]:
    """Give keys, newest first."""
    query = _keys_with_users().order_by(keys.c.created_at.desc(), keys.c.id)
    if tenant:
        query = query.where(users.c.tenant == tenant)
    if user:
        query = query.where(keys.c.user == user)
    return tuple(_key(row) for row in connection.execute(query).mappings())


def revoke_key(connection: Connection, key_id: str, *, tenant: str) -> bool:
    """Make a key useless; say whether there is such a one."""
    query = _keys_with_users().where(keys.c.id == key_id)
    if tenant:
        query = query.where(users.c.tenant == tenant)
    if connection.execute(query).first() is None:
        return False
    connection.execute(update(keys).where(keys.c.id == key_id).values(revoked=True))
    return True


def find_key(connection: Connection, digest: str) -> FoundKey | None:
    """Give a key and its user by the digest of its secret."""
    query = _keys_with_users().where(keys.c.digest == digest)
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    return FoundKey(
        id=row["id"],
        user=row["user"],
        tenant=row["tenant"],
        role=Role(row["role"]),
        scope=row["scope"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked=row["revoked"],
        disabled=row["disabled"],
    )


def note_key_use(connection: Connection, key_id: str, *, now: dt.datetime) -> None:
    """Write down when a key was used, never going back in time."""
    earlier = or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < now)
    connection.execute(update(keys).where(keys.c.id == key_id, earlier).values(last_used_at=now))


def add_session(
    connection: Connection, values: Mapping[str, Any], *, password: str, idle_since: dt.datetime
) -> None:
    """Open a session unless the user was disabled or got another password meanwhile; old sessions go."""
    connection.execute(delete(sessions).where(sessions.c.used_at <= idle_since))
    if find_password(connection, values["user"]) == password:
        connection.execute(insert(sessions).values(values))


def find_session(connection: Connection, digest: str) -> FoundSession | None:
    """Give a session and its user by the digest of its cookie."""
    query = (
        select(sessions, users.c.tenant, users.c.role, users.c.disabled)
        .join(users, users.c.name == sessions.c.user)
        .where(sessions.c.digest == digest)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    return FoundSession(
        id=row["id"],
        user=row["user"],
        tenant=row["tenant"],
        role=Role(row["role"]),
        opened_at=row["opened_at"],
        used_at=row["used_at"],
        disabled=row["disabled"],
    )


def note_session_use(connection: Connection, session_id: str, *, now: dt.datetime) -> None:
    """Write down when a session was used, never going back in time."""
    earlier = sessions.c.used_at < now
    connection.execute(
        update(sessions).where(sessions.c.id == session_id, earlier).values(used_at=now)
    )


def end_session(connection: Connection, digest: str) -> None:
    """Delete a session."""
    connection.execute(delete(sessions).where(sessions.c.digest == digest))


def add_audit_line(connection: Connection, line: AuditLine) -> None:
    """Append to the audit trail."""
    connection.execute(
        insert(audit).values(
            at=line.at,
            user=line.user,
            tenant=line.tenant,
            key_id=line.key_id,
            action=line.action,
            subject=line.subject,
        )
    )


def audit_lines(
    connection: Connection, *, tenant: str, before: int, limit: int
) -> tuple[AuditLine, ...]:
    """Give the newest lines, or those before a sequence number."""
    query = select(audit).order_by(audit.c.sequence.desc()).limit(limit)
    if tenant:
        query = query.where(audit.c.tenant == tenant)
    if before:
        query = query.where(audit.c.sequence < before)
    return tuple(AuditLine(**row) for row in connection.execute(query).mappings())


def _keys_with_users() -> Select[Any]:
    return select(keys, users.c.tenant, users.c.role, users.c.disabled).join(
        users, users.c.name == keys.c.user
    )


def _user(row: RowMapping) -> User:
    return User(
        name=row["name"],
        tenant=row["tenant"],
        role=Role(row["role"]),
        created_at=row["created_at"],
        disabled=row["disabled"],
    )


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(
        id=row["id"],
        user=row["user"],
        tenant=row["tenant"],
        label=row["label"],
        scope=row["scope"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked=row["revoked"],
    )
