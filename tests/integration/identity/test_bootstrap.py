"""The first start makes one administrator, whose secrets only the operator can read."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from quetzalcore.database import open_database
from quetzalcore.errors import BadOutput
from quetzalcore.identity.bootstrap import CREDENTIALS_FILE, bootstrap
from quetzalcore.identity.memory import MemoryIdentityStore
from quetzalcore.identity.model import Role, User
from quetzalcore.identity.sql import open_identity_store

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def careless_umask() -> Iterator[None]:
    """Let every new file be readable by everybody, unless its maker takes care."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_first_administrator_can_log_in_and_has_a_key(opened, tmp_path, careless_umask) -> None:
    async def story() -> None:
        async with opened() as store:
            made = await bootstrap(store, tmp_path / "data", now=NOW)
            assert made is not None
            principal, _ = await store.log_in(made.user, made.password, now=NOW)
            assert (principal.user, principal.role) == ("admin", Role.ADMIN)
            assert (await store.by_key(made.key, now=NOW)).key_id == made.key_id
            assert made.file.read_text() == (
                f"user = admin\npassword = {made.password}\nkey_id = {made.key_id}\nkey = {made.key}\n"
            )
            assert mode(made.file) == 0o600
            assert mode(tmp_path / "data") == 0o700
            assert list((tmp_path / "data").iterdir()) == [made.file]
            assert made.password not in repr(made)
            assert made.key not in repr(made)
            (line,) = await store.trail()
            assert (line.action, line.subject) == ("admin.created", "admin")

    asyncio.run(story())


def test_a_second_start_makes_nothing(opened, tmp_path) -> None:
    async def story() -> None:
        async with opened() as store:
            made = await bootstrap(store, tmp_path, now=NOW)
            assert made is not None
            before = made.file.read_bytes()
            assert await bootstrap(store, tmp_path, now=NOW) is None
            await store.disable_user("admin")
            assert await bootstrap(store, tmp_path, now=NOW) is None
            assert made.file.read_bytes() == before
            assert len(await store.users()) == 1
            assert len(await store.keys()) == 1

    asyncio.run(story())


def test_a_host_with_an_administrator_needs_no_other(opened, tmp_path) -> None:
    async def story() -> None:
        async with opened() as store:
            await store.add_user("root", tenant="acme", role=Role.ADMIN, password=None, now=NOW)
            assert await bootstrap(store, tmp_path, now=NOW) is None
            assert list(tmp_path.glob("*credentials*")) == []

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["sqlite_url", "empty_postgres_url"])
def test_instances_that_start_together_make_one_administrator(
    request, kind, passwords, tmp_path
) -> None:
    url = request.getfixturevalue(kind)
    folder = tmp_path / "data"

    async def story() -> None:
        databases = [await open_database(url) for _ in range(5)]
        stores = [
            await open_identity_store(database, passwords=passwords()) for database in databases
        ]
        made = await asyncio.gather(*(bootstrap(store, folder, now=NOW) for store in stores))
        (winner,) = [one for one in made if one is not None]
        assert list(folder.iterdir()) == [winner.file] == [folder / CREDENTIALS_FILE]
        assert winner.password in winner.file.read_text()
        await stores[0].log_in("admin", winner.password, now=NOW)
        (key,) = await stores[0].keys()
        assert key.id == winner.key_id
        for store, database in zip(stores, databases, strict=True):
            await store.close()
            await database.close()

    asyncio.run(story())


def test_the_password_is_on_disk_and_private_before_the_user_exists(
    tmp_path,
    careless_umask,
) -> None:
    class Watched(MemoryIdentityStore):
        async def add_user(
            self, name: str, *, tenant: str, role: Role, password: str | None, now: dt.datetime
        ) -> User:
            (draft,) = tmp_path.iterdir()
            assert mode(draft) == 0o600
            assert f"password = {password}\n" in draft.read_text()
            return await super().add_user(
                name, tenant=tenant, role=role, password=password, now=now
            )

    assert asyncio.run(bootstrap(Watched(), tmp_path, now=NOW)) is not None


def test_where_the_file_cannot_be_written_nothing_is_made() -> None:
    async def story() -> None:
        store = MemoryIdentityStore()
        with pytest.raises(BadOutput, match="credentials cannot be kept"):
            await bootstrap(store, Path("/proc/nowhere"), now=NOW)
        assert await store.users() == ()

    asyncio.run(story())
