"""Who makes a request: by key or by session cookie, remembered for a moment."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection

from quetzalcore.gateway.parts import Clock
from quetzalcore.identity.model import Principal
from quetzalcore.identity.store import IdentityStore, NotAuthenticated

__all__ = ["SESSION_COOKIE", "Authenticator", "shown_key"]

SESSION_COOKIE = "quetzal_session"
_REMEMBERED = 10_000
_LONGEST_SECRET = 512


class Authenticator:
    """Asks the identity store, and remembers good answers for ``ttl_s``; secrets are kept as digests only."""

    def __init__(
        self,
        identity: IdentityStore,
        clock: Clock,
        *,
        ttl_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[float, Principal]] = {}

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        """Say who is there.

        Raises
        ------
        NotAuthenticated
            If nothing valid is shown. A key that is shown and wrong is not made good by a cookie.
        """
        key = shown_key(connection)
        if key is not None:
            return await self._remembered(b"key", key, self._identity.by_key)
        cookie = connection.cookies.get(SESSION_COOKIE)
        if cookie is None:
            raise NotAuthenticated(
                "no key and no session came with the request",
                hint="send Authorization: Bearer KEY or X-API-Key, or log in",
            )
        return await self._remembered(b"session", cookie, self._identity.by_session)

    def forget(self) -> None:
        """Ask the store again from now on; after a key, session or user was revoked here."""
        self._known.clear()

    async def _remembered(
        self, what: bytes, secret: str, ask: Callable[..., Awaitable[Principal]]
    ) -> Principal:
        if not secret or len(secret) > _LONGEST_SECRET:
            raise NotAuthenticated("the key is not one of ours", hint="check the key")
        digest = hashlib.sha256(what + secret.encode("utf-8", "surrogateescape")).digest()
        found = self._known.get(digest)
        now = self._monotonic()
        if found is not None and now < found[0]:
            return found[1]
        principal = await ask(secret, now=self._clock())
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[digest] = (now + self._ttl_s, principal)
        return principal


def shown_key(connection: HTTPConnection) -> str | None:
    """Give the key that a request shows in a header, or None."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, key = authorization.partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""
    return connection.headers.get("x-api-key")
