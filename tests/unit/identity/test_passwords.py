"""Hashing passwords blocks nobody, takes little memory and tells nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from quetzalcore.identity.passwords import Passwords, TooManyLogins

CHEAP = Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)


class Watched(PasswordHash):
    """Counts what is asked of it and how much of it at once; waits until it may go on."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        super().__init__((CHEAP,))
        self.gate = gate
        self.verified = 0
        self.busy = 0
        self.busiest = 0
        self.lock = threading.Lock()

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 -- its name
        with self.lock:
            self.verified += 1
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        if self.gate is not None:
            assert self.gate.wait(10)
        good = super().verify(password, hash)
        with self.lock:
            self.busy -= 1
        return good


def test_a_password_is_the_one_that_was_hashed() -> None:
    async def story() -> None:
        passwords = Passwords()
        kept = await passwords.hash("correct horse")
        assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert kept != await passwords.hash("correct horse")
        assert await passwords.check("correct horse", kept)
        assert not await passwords.check("correct horsf", kept)
        assert not await passwords.check("correct horse", None)
        passwords.close()

    asyncio.run(story())


@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_user_costs_as_much_as_a_wrong_password(known) -> None:
    async def story() -> None:
        hashing = Watched()
        passwords = Passwords(hashing)
        kept = await passwords.hash("correct horse") if known else None
        assert not await passwords.check("wrong", kept)
        assert hashing.verified == 1
        passwords.close()

    asyncio.run(story())


def test_nobody_has_the_password_that_unknown_users_are_compared_with() -> None:
    async def story() -> None:
        passwords = Passwords(PasswordHash((CHEAP,)))
        assert not await passwords.check("a password that nobody has", None)
        passwords.close()

    asyncio.run(story())


def test_the_loop_goes_on_while_a_password_is_hashed() -> None:
    async def story() -> None:
        passwords = Passwords(PasswordHash((Argon2Hasher(time_cost=8),)))
        hashing = asyncio.ensure_future(passwords.hash("correct horse"))
        turns = 0
        while not hashing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 20  # blocked, it would be one or two
        passwords.close()

    asyncio.run(story())


def test_two_are_checked_at_once_and_a_crowd_is_turned_away() -> None:
    async def story() -> None:
        gate = threading.Event()
        hashing = Watched(gate)
        passwords = Passwords(hashing)
        kept = await passwords.hash("correct horse")
        checks = [asyncio.ensure_future(passwords.check("x", kept)) for _ in range(64)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyLogins, match="too many"):
            await passwords.check("x", kept)
        gate.set()
        assert not any(await asyncio.gather(*checks))
        assert hashing.busiest == 2
        assert await passwords.check("correct horse", kept)
        passwords.close()

    asyncio.run(story())
