"""Identities in an SQL database."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import functools
from collections.abc import Callable

from sqlalchemy import Connection

from quetzalcore.database import Database, migrate
from quetzalcore.errors import Retryable
from quetzalcore.identity import statements
from quetzalcore.identity.key_cache import KeyCache
from quetzalcore.identity.model import ApiKey, AuditLine, Principal, Role, User
from quetzalcore.identity.names import (
    checked_label,
    checked_password,
    checked_tenant,
    checked_user_name,
    is_user_name,
    name_taken,
)
from quetzalcore.identity.passwords import Passwords
from quetzalcore.identity.rules import (
    FoundKey,
    SessionLimits,
    audit_line,
    bad_key,
    bad_password,
    by_found_key,
    by_found_session,
    checked_scope,
    worth_noting,
)
from quetzalcore.identity.store import NoSuchIdentity, no_such_user
from quetzalcore.identity.tokens import could_be_key, digest, new_cookie, new_key, new_row_id

__all__ = ["SqlIdentityStore", "open_identity_store"]


async def open_identity_store(
    database: Database,
    *,
    passwords: Passwords | None = None,
    limits: SessionLimits | None = None,
    cache: KeyCache | None = None,
) -> SqlIdentityStore:
    """Bring the tables up to date and give the store; close it before the database."""
    await migrate(database, "quetzalcore.identity.migrations", "identity_version")
    return SqlIdentityStore(
        database, passwords or Passwords(), limits or SessionLimits(), cache or KeyCache()
    )


class SqlIdentityStore:
    """An ``IdentityStore`` on SQLite or PostgreSQL; any number of processes may share the database."""

    def __init__(
        self, database: Database, passwords: Passwords, limits: SessionLimits, cache: KeyCache
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._limits = limits
        self._cache = cache

    async def close(self) -> None:
        """End the threads that hash passwords; the database stays open."""
        await asyncio.to_thread(self._passwords.close)

    async def add_user(
        self, name: str, *, tenant: str, role: Role, password: str | None, now: dt.datetime
    ) -> User:
        """Add a user; of several that add the same name at once, one succeeds."""
        user = User(
            name=checked_user_name(name), tenant=checked_tenant(tenant), role=role, created_at=now
        )
        kept = None
        if password is not None:
            kept = await self._passwords.hash(checked_password(password, user=name))
        values = {**dataclasses.asdict(user), "password": kept}
        if not await self._database.write(functools.partial(statements.add_user, values=values)):
            raise name_taken(name)
        return user

    async def users(self, *, tenant: str = "") -> tuple[User, ...]:
        """List users by name."""
        return await self._database.read(functools.partial(statements.list_users, tenant=tenant))

    async def disable_user(self, name: str, *, tenant: str = "") -> None:
        """Disable a user and end all keys and sessions."""
        work = functools.partial(statements.disable_user, name=name, tenant=tenant)
        try:
            found = await self._database.write(work)
        finally:
            self._cache.forget_all()
        if not found:
            raise no_such_user(name)

    async def enable_user(self, name: str, *, tenant: str = "") -> None:
        """Let a disabled user in again; the keys stay revoked."""
        work = functools.partial(statements.enable_user, name=name, tenant=tenant)
        if not await self._database.write(work):
            raise no_such_user(name)

    async def set_password(self, name: str, password: str, *, tenant: str = "") -> None:
        """Give a user another password and end all sessions."""
        kept = await self._passwords.hash(checked_password(password, user=name))
        work = functools.partial(statements.set_password, name=name, tenant=tenant, password=kept)
        if not await self._database.write(work):
            raise no_such_user(name)

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
        secret = new_key()
        key = ApiKey(
            id=new_row_id(),
            user=user,
            tenant="",
            label=checked_label(label),
            scope=checked_scope(scope),
            created_at=now,
            expires_at=expires_at,
        )
        work = functools.partial(statements.add_key, key=key, digest=digest(secret))
        made = await self._database.write(work)
        if made is None:
            raise NoSuchIdentity(f"there is no user {user!r} who may have keys", hint="add one")
        return made, secret

    async def keys(self, *, tenant: str = "", user: str = "") -> tuple[ApiKey, ...]:
        """List keys, newest first."""
        work = functools.partial(statements.list_keys, tenant=tenant, user=user)
        return await self._database.read(work)

    async def revoke_key(self, key_id: str, *, tenant: str = "") -> None:
        """Make a key useless: here at once, in other processes within the cache's few seconds."""
        work = functools.partial(statements.revoke_key, key_id=key_id, tenant=tenant)
        try:
            found = await self._database.write(work)
        finally:
            self._cache.forget_all()
        if not found:
            raise NoSuchIdentity(f"there is no key {key_id!r}", hint="list the keys")

    async def by_key(self, secret: str, *, now: dt.datetime) -> Principal:
        """Say whose key this is; a use is written down at most once a minute."""
        if not could_be_key(secret):
            raise bad_key()
        kept = digest(secret)
        found = self._cache.get(kept) or await self._find_key(kept)
        principal = by_found_key(found, now=now)
        if found is not None and worth_noting(found.last_used_at, now=now):
            self._cache.replace(kept, dataclasses.replace(found, last_used_at=now))
            await self._note(functools.partial(statements.note_key_use, key_id=found.id, now=now))
        return principal

    async def log_in(self, name: str, password: str, *, now: dt.datetime) -> tuple[Principal, str]:
        """Check a password and open a session."""
        kept = None
        if is_user_name(name):
            kept = await self._database.read(functools.partial(statements.find_password, name=name))
        if not await self._passwords.check(password, kept) or kept is None:
            raise bad_password()
        cookie = new_cookie()
        values = {
            "id": new_row_id(),
            "digest": digest(cookie),
            "user": name,
            "opened_at": now,
            "used_at": now,
        }
        idle_since = now - self._limits.idle
        await self._database.write(
            functools.partial(
                statements.add_session, values=values, password=kept, idle_since=idle_since
            )
        )
        return await self.by_session(cookie, now=now), cookie

    async def by_session(self, cookie: str, *, now: dt.datetime) -> Principal:
        """Say whose session this is; a use is written down at most once a minute."""
        found = await self._database.read(
            functools.partial(statements.find_session, digest=digest(cookie))
        )
        principal = by_found_session(found, cookie, self._limits, now=now)
        if found is not None and worth_noting(found.used_at, now=now):
            await self._note(
                functools.partial(statements.note_session_use, session_id=found.id, now=now)
            )
        return principal

    async def log_out(self, cookie: str) -> None:
        """End a session; nothing happens if there is none."""
        await self._database.write(functools.partial(statements.end_session, digest=digest(cookie)))

    async def audit(
        self, who: Principal | None, action: str, subject: str, *, now: dt.datetime
    ) -> None:
        """Append one line; the database refuses to change or delete it."""
        line = audit_line(who, action, subject, now=now)
        await self._database.write(functools.partial(statements.add_audit_line, line=line))

    async def trail(
        self, *, tenant: str = "", before: int = 0, limit: int = 100
    ) -> tuple[AuditLine, ...]:
        """Give lines of the audit trail, newest first."""
        work = functools.partial(statements.audit_lines, tenant=tenant, before=before, limit=limit)
        return await self._database.read(work)

    async def _note(self, work: Callable[[Connection], None]) -> None:
        """Write down a use; a database that cannot take it is no reason to lock somebody out."""
        with contextlib.suppress(Retryable):
            await self._database.write(work)

    async def _find_key(self, kept: str) -> FoundKey | None:
        generation = self._cache.generation
        found = await self._database.read(functools.partial(statements.find_key, digest=kept))
        if found is not None:
            self._cache.put(kept, found, generation=generation)
        return found
