"""What a found key or session allows; pure decisions, shared by every store."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from quetzalcore.errors import BadParameter
from quetzalcore.identity.model import AuditLine, Principal, Role
from quetzalcore.identity.names import plain
from quetzalcore.identity.store import NotAuthenticated
from quetzalcore.identity.tokens import csrf_token

__all__ = [
    "SCOPES",
    "FoundKey",
    "FoundSession",
    "SessionLimits",
    "audit_line",
    "bad_key",
    "bad_password",
    "bad_session",
    "by_found_key",
    "by_found_session",
    "checked_scope",
    "worth_noting",
]

SCOPES = ("user", "join")
_NOTED_EVERY = dt.timedelta(minutes=1)
_LONGEST_ACTION = 100
_LONGEST_SUBJECT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session lasts: unused, and at all."""

    idle: dt.timedelta = dt.timedelta(hours=12)
    absolute: dt.timedelta = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """A key's row with its user's."""

    id: str
    user: str
    tenant: str
    role: Role
    scope: str
    last_used_at: dt.datetime | None
    expires_at: dt.datetime | None
    revoked: bool
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSession:
    """A session's row with its user's."""

    id: str
    user: str
    tenant: str
    role: Role
    opened_at: dt.datetime
    used_at: dt.datetime
    disabled: bool


def by_found_key(found: FoundKey | None, *, now: dt.datetime) -> Principal:
    """Say whose key this is; one error for all that is wrong with it, so that nothing is given away."""
    if found is None or found.revoked or found.disabled:
        raise bad_key()
    if found.expires_at is not None and now >= found.expires_at:
        raise bad_key()
    return Principal(
        user=found.user, tenant=found.tenant, role=found.role, key_id=found.id, scope=found.scope
    )


def by_found_session(
    found: FoundSession | None, cookie: str, limits: SessionLimits, *, now: dt.datetime
) -> Principal:
    """Say whose session this is."""
    if found is None or found.disabled:
        raise bad_session()
    if now >= found.used_at + limits.idle or now >= found.opened_at + limits.absolute:
        raise bad_session()
    return Principal(
        user=found.user,
        tenant=found.tenant,
        role=found.role,
        session_id=found.id,
        csrf_token=csrf_token(cookie),
    )


def worth_noting(last: dt.datetime | None, *, now: dt.datetime) -> bool:
    """Whether a use is to be written down: at most once a minute."""
    return last is None or now >= last + _NOTED_EVERY


def audit_line(who: Principal | None, action: str, subject: str, *, now: dt.datetime) -> AuditLine:
    """Make a line that any database takes; it gets its number there."""
    return AuditLine(
        sequence=0,
        at=now,
        user="" if who is None else who.user,
        tenant="" if who is None else who.tenant,
        key_id="" if who is None else who.key_id,
        action=plain(action, longest=_LONGEST_ACTION),
        subject=plain(subject, longest=_LONGEST_SUBJECT),
    )


def checked_scope(scope: str) -> str:
    """Give a key's scope back if there is such a one."""
    if scope not in SCOPES:
        raise BadParameter(f"there is no scope {scope!r}", hint=f"use {' or '.join(SCOPES)}")
    return scope


def bad_key() -> NotAuthenticated:
    """Refuse a key."""
    return NotAuthenticated(
        "the key is not valid", hint="use one that is neither revoked nor expired"
    )


def bad_session() -> NotAuthenticated:
    """Refuse a session."""
    return NotAuthenticated("the session is over", hint="log in again")


def bad_password() -> NotAuthenticated:
    """Refuse a login, whatever was wrong with it."""
    return NotAuthenticated(
        "the name or the password is wrong", hint="try again, or ask an administrator"
    )
