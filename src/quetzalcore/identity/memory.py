"""Identities in memory, for tests; the same promises, no database."""

from __future__ import annotations

import dataclasses
import datetime as dt

from quetzalcore.identity.model import ApiKey, AuditLine, Principal, Role, User
from quetzalcore.identity.names import (
    MOST_KEYS,
    checked_label,
    checked_password,
    checked_tenant,
    checked_user_name,
    name_taken,
    too_many_keys,
)
from quetzalcore.identity.rules import (
    FoundKey,
    FoundSession,
    SessionLimits,
    audit_line,
    bad_password,
    by_found_key,
    by_found_session,
    checked_scope,
    worth_noting,
)
from quetzalcore.identity.store import NoSuchIdentity, no_such_user
from quetzalcore.identity.tokens import digest, new_cookie, new_key, new_row_id

__all__ = ["MemoryIdentityStore"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    id: str
    user: str
    opened_at: dt.datetime
    used_at: dt.datetime


class MemoryIdentityStore:
    """An ``IdentityStore`` that forgets everything; it keeps passwords as they are, so only for tests."""

    def __init__(self, *, limits: SessionLimits | None = None) -> None:
        self._limits = limits or SessionLimits()
        self._users: dict[str, User] = {}
        self._passwords: dict[str, str] = {}
        self._keys: dict[str, ApiKey] = {}
        self._key_ids: dict[str, str] = {}
        self._sessions: dict[str, _Session] = {}
        self._trail: list[AuditLine] = []

    async def close(self) -> None:
        """Let go of nothing."""

    async def add_user(
        self, name: str, *, tenant: str, role: Role, password: str | None, now: dt.datetime
    ) -> User:
        """Add a user."""
        user = User(
            name=checked_user_name(name), tenant=checked_tenant(tenant), role=role, created_at=now
        )
        if password is not None:
            checked_password(password, user=name)
        if name in self._users:
            raise name_taken(name)
        self._users[name] = user
        if password is not None:
            self._passwords[name] = password
        return user

    async def users(self, *, tenant: str = "") -> tuple[User, ...]:
        """List users by name."""
        found = sorted(self._users.values(), key=lambda user: user.name)
        return tuple(user for user in found if tenant in ("", user.tenant))

    async def disable_user(self, name: str, *, tenant: str = "") -> None:
        """Disable a user and end all keys and sessions."""
        user = self._user(name, tenant)
        self._users[name] = dataclasses.replace(user, disabled=True)
        for key in list(self._keys.values()):
            if key.user == name:
                self._keys[key.id] = dataclasses.replace(key, revoked=True)
        self._sessions = {kept: s for kept, s in self._sessions.items() if s.user != name}

    async def enable_user(self, name: str, *, tenant: str = "") -> None:
        """Let a disabled user in again."""
        self._users[name] = dataclasses.replace(self._user(name, tenant), disabled=False)

    async def set_password(self, name: str, password: str, *, tenant: str = "") -> None:
        """Give a user another password and end all sessions."""
        checked_password(password, user=name)
        self._user(name, tenant)
        self._passwords[name] = password
        self._sessions = {kept: s for kept, s in self._sessions.items() if s.user != name}

    def _user(self, name: str, tenant: str) -> User:
        user = self._users.get(name)
        if user is None or tenant not in ("", user.tenant):
            raise no_such_user(name)
        return user

    async def create_key(
        self,
        user: str,
        *,
        label: str = "",
        scope: str = "user",
        expires_at: dt.datetime | None = None,
        now: dt.datetime,
    ) -> tuple[ApiKey, str]:
        """Make a key for a user who is not disabled."""
        checked_label(label), checked_scope(scope)
        owner = self._users.get(user)
        if owner is None or owner.disabled:
            raise NoSuchIdentity(f"there is no user {user!r} who may have keys", hint="add one")
        self._make_room(user)
        secret = new_key()
        key = ApiKey(
            id=new_row_id(),
            user=user,
            tenant=owner.tenant,
            label=label,
            scope=scope,
            created_at=now,
            expires_at=expires_at,
        )
        self._keys[key.id] = key
        self._key_ids[digest(secret)] = key.id
        return key, secret

    def _make_room(self, user: str) -> None:
        theirs = [key for key in self._keys.values() if key.user == user]
        revoked = sorted(
            (key for key in theirs if key.revoked), key=lambda key: key.created_at, reverse=True
        )
        if len(theirs) - len(revoked) >= MOST_KEYS:
            raise too_many_keys(user)
        for key in revoked[MOST_KEYS:]:
            del self._keys[key.id]

    async def keys(self, *, tenant: str = "", user: str = "") -> tuple[ApiKey, ...]:
        """List keys, newest first."""
        found = sorted(self._keys.values(), key=lambda key: key.created_at, reverse=True)
        return tuple(key for key in found if tenant in ("", key.tenant) and user in ("", key.user))

    async def revoke_key(self, key_id: str, *, tenant: str = "") -> None:
        """Make a key useless."""
        key = self._keys.get(key_id)
        if key is None or tenant not in ("", key.tenant):
            raise NoSuchIdentity(f"there is no key {key_id!r}", hint="list the keys")
        self._keys[key_id] = dataclasses.replace(key, revoked=True)

    async def by_key(self, secret: str, *, now: dt.datetime) -> Principal:
        """Say whose key this is."""
        key = self._keys.get(self._key_ids.get(digest(secret), ""))
        found = None if key is None else self._found(key)
        principal = by_found_key(found, now=now)
        if key is not None and worth_noting(key.last_used_at, now=now):
            self._keys[key.id] = dataclasses.replace(key, last_used_at=now)
        return principal

    async def log_in(self, name: str, password: str, *, now: dt.datetime) -> tuple[Principal, str]:
        """Check a password and open a session."""
        user = self._users.get(name)
        if user is None or user.disabled or self._passwords.get(name) != password:
            raise bad_password()
        cookie = new_cookie()
        self._sessions[digest(cookie)] = _Session(
            id=new_row_id(), user=name, opened_at=now, used_at=now
        )
        return await self.by_session(cookie, now=now), cookie

    async def by_session(self, cookie: str, *, now: dt.datetime) -> Principal:
        """Say whose session this is."""
        session = self._sessions.get(digest(cookie))
        found = None
        if session is not None:
            user = self._users[session.user]
            found = FoundSession(
                id=session.id,
                user=session.user,
                tenant=user.tenant,
                role=user.role,
                opened_at=session.opened_at,
                used_at=session.used_at,
                disabled=user.disabled,
            )
        principal = by_found_session(found, cookie, self._limits, now=now)
        if session is not None and worth_noting(session.used_at, now=now):
            self._sessions[digest(cookie)] = dataclasses.replace(session, used_at=now)
        return principal

    async def log_out(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(digest(cookie), None)

    async def audit(
        self, who: Principal | None, action: str, subject: str, *, now: dt.datetime
    ) -> None:
        """Append one line."""
        line = audit_line(who, action, subject, now=now)
        self._trail.append(dataclasses.replace(line, sequence=len(self._trail) + 1))

    async def trail(
        self, *, tenant: str = "", before: int = 0, limit: int = 100
    ) -> tuple[AuditLine, ...]:
        """Give lines, newest first."""
        lines = [
            line
            for line in reversed(self._trail)
            if tenant in ("", line.tenant) and (not before or line.sequence < before)
        ]
        return tuple(lines[:limit])

    def _found(self, key: ApiKey) -> FoundKey:
        user = self._users[key.user]
        return FoundKey(
            id=key.id,
            user=key.user,
            tenant=user.tenant,
            role=user.role,
            scope=key.scope,
            last_used_at=key.last_used_at,
            expires_at=key.expires_at,
            revoked=key.revoked,
            disabled=user.disabled,
        )
