"""The identity stores that pass the same tests."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from tests.servers.redis import redis_url  # noqa: F401 -- a fixture

from quetzalcore.database import open_database
from quetzalcore.identity.key_cache import KeyCache
from quetzalcore.identity.memory import MemoryIdentityStore
from quetzalcore.identity.passwords import Passwords
from quetzalcore.identity.sql import open_identity_store
from quetzalcore.identity.store import IdentityStore

Opener = Callable[..., contextlib.AbstractAsyncContextManager[IdentityStore]]


def cheap_passwords() -> Passwords:
    """Give argon2id that costs a test next to nothing."""
    return Passwords(PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),)))


@contextlib.asynccontextmanager
async def sql_store(url: str, **options: Any) -> AsyncIterator[IdentityStore]:  # noqa: ANN401 -- passed on
    """Open a store and close everything in the end."""
    database = await open_database(url)
    try:
        store = await open_identity_store(database, passwords=cheap_passwords(), **options)
        try:
            yield store
        finally:
            await store.close()
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def memory_store(**_options: Any) -> AsyncIterator[IdentityStore]:  # noqa: ANN401 -- as the others
    """Open the fake."""
    yield MemoryIdentityStore()


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    """Give a database that is not there yet."""
    return f"sqlite:///{tmp_path}/{secrets.token_hex(4)}.db"


@pytest.fixture
def empty_postgres_url(postgres_url) -> Iterator[str]:
    """Give a database of its own on a real server."""
    name = f"identity_{secrets.token_hex(4)}"
    asyncio.run(_execute(postgres_url, f"CREATE DATABASE {name}"))
    yield postgres_url.rpartition("/")[0] + f"/{name}"
    asyncio.run(_execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opened(request) -> Opener:
    """Give what opens an empty store of each kind, for ``async with``."""
    if request.param == "memory":
        return memory_store
    if request.param == "sqlite":
        url = request.getfixturevalue("sqlite_url")
    else:
        url = request.getfixturevalue("empty_postgres_url")
    return lambda **options: sql_store(url, **options)


@pytest.fixture
def passwords() -> Callable[[], Passwords]:
    """Give what makes hashing that costs next to nothing."""
    return cheap_passwords


@pytest.fixture
def cache() -> KeyCache:
    """Give a cache that forgets nothing by itself."""
    return KeyCache(ttl_s=3600)
