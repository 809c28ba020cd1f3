"""What only a database can get wrong: secrets at rest, migrations, other processes, caching."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from quetzalcore.database import Database, DatabaseUnavailable, open_database
from quetzalcore.identity.key_cache import KeyCache
from quetzalcore.identity.model import Role
from quetzalcore.identity.sql import SqlIdentityStore, open_identity_store
from quetzalcore.identity.store import NotAuthenticated
from quetzalcore.identity.tables import metadata, sessions

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"  # noqa: S105 -- a test's


@pytest.fixture(params=["sqlite", "postgres"])
def url(request) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "empty_postgres_url"
    return str(request.getfixturevalue(name))


class Counting:
    """A database that counts, and that can be made to refuse writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = self.writes = 0
        self.full = False
        self.after_read: Callable[[], Any] | None = None

    async def read(self, work: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 -- as the real one
        self.reads += 1
        result = await self._database.read(work)
        if self.after_read is not None:
            then, self.after_read = self.after_read, None
            await then()
        return result

    async def write(self, work: Callable[[Connection], Any], *, announce: bool = False) -> Any:  # noqa: ANN401 -- as the real one
        if self.full:
            raise DatabaseUnavailable("the disk is full")
        self.writes += 1
        return await self._database.write(work, announce=announce)

    async def changed(self, *, timeout_s: float, seen: int | None = None) -> int:
        return await self._database.changed(timeout_s=timeout_s, seen=seen)

    async def close(self) -> None:
        await self._database.close()


@contextlib.asynccontextmanager
async def two_instances(
    url: str, passwords, *, monotonic: Callable[[], float] = time.monotonic
) -> AsyncIterator[tuple[SqlIdentityStore, SqlIdentityStore, Counting]]:
    """Give two stores on one database, with a user, as two gateways have them."""
    first, second = Counting(await open_database(url)), await open_database(url)
    stores = [
        await open_identity_store(
            database, passwords=passwords(), cache=KeyCache(ttl_s=3, monotonic=monotonic)
        )
        for database in (cast("Database", first), second)
    ]
    try:
        await stores[0].add_user("ana", tenant="acme", role=Role.CLIENT, password=PASSWORD, now=NOW)
        yield stores[0], stores[1], first
    finally:
        for store in stores:
            await store.close()
        await first.close()
        await second.close()


def test_no_secret_is_in_the_database_s_files(sqlite_url, tmp_path) -> None:
    async def story() -> list[str]:
        database = await open_database(sqlite_url)
        store = await open_identity_store(database)
        await store.add_user("ana", tenant="acme", role=Role.CLIENT, password=PASSWORD, now=NOW)
        _, key = await store.create_key("ana", now=NOW)
        principal, cookie = await store.log_in("ana", PASSWORD, now=NOW)
        await store.close()
        await database.close()
        return [PASSWORD, key, key.removeprefix("qz_"), cookie, principal.csrf_token]

    secrets = asyncio.run(story())
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("*.db*")))
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in kept
    assert [secret for secret in secrets if secret.encode() in kept] == []


def test_the_migrations_make_the_tables_that_are_used(url) -> None:
    def difference(connection: Connection) -> list[Any]:
        options = {
            "include_object": lambda _object, name, kind, _reflected, _other: (
                kind != "table" or name != "identity_version"
            )
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    async def story() -> list[Any]:
        database = await open_database(url)
        await (await open_identity_store(database)).close()
        found = await database.read(difference)
        await database.close()
        return list(found)

    assert asyncio.run(story()) == []


def test_instances_that_start_together_migrate_once(url) -> None:
    async def story() -> None:
        databases = [await open_database(url) for _ in range(4)]
        stores = await asyncio.gather(*(open_identity_store(database) for database in databases))
        assert await stores[3].users() == ()
        for store, database in zip(stores, databases, strict=True):
            await store.close()
            await database.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    "statement", ["UPDATE identity_audit SET subject = 'x'", "DELETE FROM identity_audit"]
)
def test_the_database_itself_keeps_the_trail_from_shrinking(url, statement) -> None:
    async def story() -> None:
        database = await open_database(url)
        store = await open_identity_store(database)
        await store.audit(None, "key.revoked", "1", now=NOW)
        with pytest.raises(DBAPIError, match="can only grow"):
            await database.write(lambda connection: connection.execute(text(statement)))
        (line,) = await store.trail()
        assert line.subject == "1"
        await store.close()
        await database.close()

    asyncio.run(story())


def test_a_key_used_a_moment_ago_needs_no_database(sqlite_url, passwords) -> None:
    async def story() -> None:
        async with two_instances(sqlite_url, passwords) as (store, _, database):
            _, secret = await store.create_key("ana", now=NOW)
            await store.by_key(secret, now=NOW)
            reads, writes = database.reads, database.writes
            for second in range(59):
                await store.by_key(secret, now=NOW + dt.timedelta(seconds=second))
            assert (database.reads, database.writes) == (reads, writes)

    asyncio.run(story())


def test_another_instance_s_revocation_is_seen_within_the_cache_s_seconds(url, passwords) -> None:
    async def story() -> None:
        now = [0.0]
        async with two_instances(url, passwords, monotonic=lambda: now[0]) as (here, there, _):
            key, secret = await here.create_key("ana", now=NOW)
            await here.by_key(secret, now=NOW)
            await there.revoke_key(key.id)
            now[0] = 2.9
            await here.by_key(secret, now=NOW)
            now[0] = 3.0
            with pytest.raises(NotAuthenticated):
                await here.by_key(secret, now=NOW)

    asyncio.run(story())


def test_a_key_revoked_while_it_is_looked_up_is_not_remembered(sqlite_url, passwords) -> None:
    async def story() -> None:
        async with two_instances(sqlite_url, passwords) as (store, _, database):
            key, secret = await store.create_key("ana", now=NOW)
            database.after_read = lambda: store.revoke_key(key.id)
            await store.by_key(secret, now=NOW)  # it was asked before the revocation
            with pytest.raises(NotAuthenticated):
                await store.by_key(secret, now=NOW)

    asyncio.run(story())


def test_a_database_that_cannot_note_a_use_locks_nobody_out(sqlite_url, passwords) -> None:
    async def story() -> None:
        async with two_instances(sqlite_url, passwords) as (store, _, database):
            _, secret = await store.create_key("ana", now=NOW)
            _, cookie = await store.log_in("ana", PASSWORD, now=NOW)
            database.full = True
            later = NOW + dt.timedelta(minutes=5)
            assert (await store.by_key(secret, now=later)).user == "ana"
            assert (await store.by_session(cookie, now=later)).user == "ana"
            with pytest.raises(DatabaseUnavailable):
                await store.log_in("ana", PASSWORD, now=later)

    asyncio.run(story())


def test_sessions_that_are_over_do_not_pile_up(url, passwords) -> None:
    async def story() -> None:
        async with two_instances(url, passwords) as (store, _, database):
            for hours in (0, 5, 13, 40):
                await store.log_in("ana", PASSWORD, now=NOW + dt.timedelta(hours=hours))
            count = select(func.count()).select_from(sessions)
            assert await database.read(lambda connection: connection.execute(count).scalar()) == 1

    asyncio.run(story())


def test_logging_in_while_being_disabled_opens_no_session(sqlite_url, passwords) -> None:
    async def story() -> None:
        async with two_instances(sqlite_url, passwords) as (store, other, database):
            database.after_read = lambda: other.disable_user("ana")
            with pytest.raises(NotAuthenticated):
                await store.log_in("ana", PASSWORD, now=NOW)

    asyncio.run(story())
