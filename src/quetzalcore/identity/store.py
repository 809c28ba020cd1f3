"""The seam through which users, keys and sessions are kept."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from quetzalcore.errors import UserMistake
from quetzalcore.identity.model import ApiKey, AuditLine, Principal, Role, User

__all__ = ["Forbidden", "IdentityStore", "NoSuchIdentity", "NotAuthenticated", "no_such_user"]


class NotAuthenticated(UserMistake):
    """No valid key, session or password came with the request."""

    code = "not_authenticated"
    title = "Who are you?"


class NoSuchIdentity(UserMistake):
    """There is no such user or key, or it belongs to another tenant."""

    code = "not_found"
    title = "Not found"


def no_such_user(name: str) -> NoSuchIdentity:
    """Say that there is no such user."""
    return NoSuchIdentity(f"there is no user {name!r}", hint="list the users")


class Forbidden(UserMistake):
    """The caller is known and may not do this."""

    code = "forbidden"
    title = "Not allowed"


class IdentityStore(Protocol):
    """Users, keys and sessions; secrets enter and leave once and are kept only as hashes."""

    async def add_user(
        self, name: str, *, tenant: str, role: Role, password: str | None, now: dt.datetime
    ) -> User:
        """Add a user; ``Conflict``-like ``BadParameter`` if the name is taken."""
        ...

    async def users(self, *, tenant: str = "") -> tuple[User, ...]:
        """List users, of one tenant or all."""
        ...

    async def disable_user(self, name: str, *, tenant: str = "") -> None:
        """Disable a user and end all keys and sessions; ``NoSuchIdentity``."""
        ...

    async def enable_user(self, name: str, *, tenant: str = "") -> None:
        """Let a disabled user in again; keys stay revoked. ``NoSuchIdentity``."""
        ...

    async def set_password(self, name: str, password: str, *, tenant: str = "") -> None:
        """Give a user another password and end all sessions; keys go on. ``NoSuchIdentity``."""
        ...

    async def create_key(
        self,
        user: str,
        *,
        label: str = "",
        scope: str = "user",
        expires_at: dt.datetime | None = None,
        now: dt.datetime,
    ) -> tuple[ApiKey, str]:
        """Make a key; the second value is the secret, never to be seen again. ``NoSuchIdentity``."""
        ...

    async def keys(self, *, tenant: str = "", user: str = "") -> tuple[ApiKey, ...]:
        """List keys without secrets."""
        ...

    async def revoke_key(self, key_id: str, *, tenant: str = "") -> None:
        """Make a key useless at once; ``NoSuchIdentity``."""
        ...

    async def by_key(self, secret: str, *, now: dt.datetime) -> Principal:
        """Say whose key this is; ``NotAuthenticated``."""
        ...

    async def log_in(self, name: str, password: str, *, now: dt.datetime) -> tuple[Principal, str]:
        """Check a password and open a session; the second value is its cookie. Costs the same for unknown names."""
        ...

    async def by_session(self, cookie: str, *, now: dt.datetime) -> Principal:
        """Say whose session this is; ``NotAuthenticated``."""
        ...

    async def log_out(self, cookie: str) -> None:
        """End a session."""
        ...

    async def audit(
        self, who: Principal | None, action: str, subject: str, *, now: dt.datetime
    ) -> None:
        """Write one line of the audit trail."""
        ...

    async def trail(
        self, *, tenant: str = "", before: int = 0, limit: int = 100
    ) -> tuple[AuditLine, ...]:
        """Give lines of the audit trail, newest first; ``before`` is a line's sequence."""
        ...

    async def close(self) -> None:
        """Let go of threads."""
        ...
