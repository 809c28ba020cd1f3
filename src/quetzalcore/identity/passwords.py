"""Hashing passwords with argon2id, in a few threads so that neither the loop nor the memory suffers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from quetzalcore.errors import Retryable

__all__ = ["Passwords", "TooManyLogins"]

T = TypeVar("T")

_THREADS = 2  # each hash takes 64 MiB
_LONGEST_QUEUE = 64
_DECOY = "a password that nobody has"


class TooManyLogins(Retryable):
    """More people log in at once than passwords can be checked."""

    code = "too_many_logins"
    title = "Too many logins at once"


class Passwords:
    """Makes and checks hashes of passwords, at most two at a time; close it in the end."""

    def __init__(self, hashing: PasswordHash | None = None) -> None:
        self._hashing = hashing or PasswordHash((Argon2Hasher(),))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        self._decoy = ""

    async def hash(self, password: str) -> str:
        """Give the hash to keep."""
        return await self._do(lambda: self._hashing.hash(password))

    async def check(self, password: str, kept: str | None) -> bool:
        """Whether a password is the one of a hash; without a hash it takes as long and is False."""
        return await self._do(lambda: self._check(password, kept))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _check(self, password: str, kept: str | None) -> bool:
        if not self._decoy:  # whoever logs in first waits longer, known or not
            self._decoy = self._hashing.hash(_DECOY)
        good = self._hashing.verify(password.encode("utf-8", "replace"), kept or self._decoy)
        return good and kept is not None

    async def _do(self, work: Callable[[], T]) -> T:
        if self._waiting >= _LONGEST_QUEUE:
            raise TooManyLogins("too many people log in at the moment", hint="try again shortly")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
