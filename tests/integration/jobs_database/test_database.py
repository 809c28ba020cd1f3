"""Reading, writing, waking and migrating on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from tests.integration.jobs.books import Books, failed, later, play_on

from quetzalcore.database import Database, DatabaseFull, DatabaseUnavailable, migrate, open_database
from quetzalcore.database.sqlite import SqliteDatabase
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.ledger import ReportKind
from quetzalcore.jobs.sql import open_ledger
from quetzalcore.jobs.sql.tables import metadata

_MAKE = text("CREATE TABLE things (name TEXT PRIMARY KEY)")
_ADD = text("INSERT INTO things VALUES (:name)")
_NAMES = text("SELECT name FROM things ORDER BY name")


def _add(*names: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        for name in names:
            connection.execute(_ADD, {"name": name})

    return work


def _names(connection: Connection) -> list[str]:
    return list(connection.scalars(_NAMES))


def _make(connection: Connection) -> None:
    connection.execute(_MAKE)


def _with(url: str, scenario: Callable[[Database], Awaitable[Any]]) -> None:
    async def main() -> None:
        database = await open_database(url)
        try:
            await scenario(database)
        finally:
            await database.close()

    asyncio.run(main())


def test_work_that_fails_is_undone_and_its_neighbours_are_not(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        await database.write(_make)
        works = [_add("a"), _add("b", "b"), _add("c"), _fail, _add("d")]
        outcomes = await asyncio.gather(*map(database.write, works), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [
            type(None),
            IntegrityError,
            type(None),
            ZeroDivisionError,
            type(None),
        ]
        assert await database.read(_names) == ["a", "c", "d"]

    _with(database_url, scenario)


def _fail(connection: Connection) -> None:
    connection.execute(_ADD, {"name": "never"})
    raise ZeroDivisionError


def test_many_writers_at_once_lose_nothing(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        await database.write(_make)
        await asyncio.gather(*(database.write(_add(f"{i:03}")) for i in range(100)))
        assert await database.read(_names) == [f"{i:03}" for i in range(100)]

    _with(database_url, scenario)


def test_a_caller_that_gives_up_does_not_disturb_the_others(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        await database.write(_make)
        tasks = [asyncio.create_task(database.write(_add(f"{i}"))) for i in range(6)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert outcomes[1::2] == [None, None, None]
        assert {"1", "3", "5"} <= set(await database.read(_names))

    _with(database_url, scenario)


def test_an_announced_write_of_another_connection_wakes_who_waits(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        other = await open_database(database_url)
        try:
            await database.write(_make)
            seen = -1
            while (now := await database.changed(timeout_s=0.3, seen=seen)) != seen:
                seen = now
            waiter = asyncio.create_task(database.changed(timeout_s=20, seen=seen))
            await asyncio.sleep(0.02)
            await other.write(_add("x"), announce=True)
            async with asyncio.timeout(5):
                assert await waiter > seen
        finally:
            await other.close()

    _with(database_url, scenario)


def test_nobody_is_woken_by_what_is_not_announced(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        await database.write(_make)
        seen = -1
        while (now := await database.changed(timeout_s=0.3, seen=seen)) != seen:
            seen = now
        assert await database.write(lambda _: 0, announce=bool) == 0
        assert await database.changed(timeout_s=0, seen=seen) == seen
        assert await database.write(lambda _: 1, announce=bool) == 1
        assert await database.changed(timeout_s=5, seen=seen) > seen

    _with(database_url, scenario)


def test_the_migrations_make_just_the_tables_that_the_code_knows(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        await open_ledger(database)
        await open_ledger(database)  # and again changes nothing

        def differences(connection: Connection) -> list[Any]:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "version_table": "jobs_version"}
            )
            return list(compare_metadata(context, metadata))

        assert await database.read(differences) == []

    _with(database_url, scenario)


def test_attempts_that_ended_before_sweeping_was_known_are_swept_too(database_url: str) -> None:
    async def before(books: Books) -> str:
        lost, good = await books.submit(), await books.submit()
        (begun,) = await books.admit(lost.id)
        await books.report(begun, ReportKind.FAILED, at=1, failure=failed())
        await books.run(good)
        await books.admit(lost.id, at=2)
        return begun.attempts[-1].id

    async def undo(database: Database) -> None:
        def statements(connection: Connection) -> None:
            later = ("unswept_attempts", "instances", "scaling_decisions", "scaling_standings")
            for table in later:
                connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text("UPDATE jobs_version SET version_num = 'jobs_0001'"))

        await database.write(statements)

    async def after(books: Books) -> list[str]:
        return [one.attempt_id for one in await books.ledger.unswept(before=later(9), limit=9)]

    attempt_id = play_on(database_url, before)
    _with(database_url, undo)
    assert play_on(database_url, after) == [attempt_id]


def test_several_that_migrate_at_once_wait_for_each_other(database_url: str) -> None:
    async def main() -> None:
        databases = [await open_database(database_url) for _ in range(4)]
        try:
            package = "quetzalcore.jobs.migrations"
            await asyncio.gather(*(migrate(each, package, "jobs_version") for each in databases))
            versions = await databases[0].read(
                lambda c: c.scalars(text("SELECT version_num FROM jobs_version")).all()
            )
            assert versions == ["jobs_0003"]
        finally:
            for database in databases:
                await database.close()

    asyncio.run(main())


def test_sqlite_is_set_up_for_many_processes_and_for_power_cuts(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        assert isinstance(database, SqliteDatabase)
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

        def found(connection: Connection) -> dict[str, Any]:
            return {n: connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in wanted}

        assert await database.write(found) == wanted
        assert await database.read(found) == wanted

    _with(f"sqlite:///{tmp_path}/new/folder/a.db", scenario)


def test_a_full_database_refuses_and_keeps_nothing_of_the_write(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await database.write(_make)
        await database.write(_add("kept"))
        await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=8").scalar())
        with pytest.raises(DatabaseFull, match="full"):
            await database.write(_add("first", "x" * 100_000))
        assert await database.read(_names) == ["kept"]
        await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=8000").scalar())
        await database.write(_add("later"))
        assert await database.read(_names) == ["kept", "later"]

    _with(f"sqlite:///{tmp_path}/a.db", scenario)


def test_a_server_without_room_is_full(postgres_database: str) -> None:
    full = text("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$")

    async def scenario(database: Database) -> None:
        await database.write(_make)
        with pytest.raises(DatabaseFull, match="no room"):
            await database.write(lambda connection: connection.execute(full))
        await database.write(_add("later"))
        assert await database.read(_names) == ["later"]

    _with(postgres_database, scenario)


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("this is not a database, it is a letter" * 100)
    with pytest.raises(DatabaseUnavailable, match="cannot be opened"):
        _with(f"sqlite:///{tmp_path}/a.db", lambda database: database.read(_names))


def test_a_closed_database_says_so(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await database.close()
        with pytest.raises(DatabaseUnavailable, match="closed"):
            await database.write(_make)

    _with(f"sqlite:///{tmp_path}/a.db", scenario)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    async def scenario(database: Database) -> None:
        with pytest.raises(DatabaseUnavailable, match="PostgreSQL"):
            await database.read(_names)

    _with("postgresql://nobody@127.0.0.1:1/none", scenario)


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "nonsense", ""])
def test_other_urls_are_refused_with_the_ones_that_work(url: str) -> None:
    with pytest.raises(BadParameter, match="sqlite:///PATH"):
        asyncio.run(open_database(url))


def test_reading_does_not_wait_for_a_writer_of_another_process(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await database.write(_make)
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO things VALUES ('unseen')")
            async with asyncio.timeout(2):
                assert await database.read(_names) == []
            waiting = asyncio.create_task(database.write(_add("mine")))
            other.execute("COMMIT")
            await waiting
        finally:
            other.close()
        assert await database.read(_names) == ["mine", "unseen"]

    _with(f"sqlite:///{tmp_path}/a.db", scenario)


def test_nobody_else_may_read_the_file_whoever_may_enter_its_folder(tmp_path: Path) -> None:
    def modes() -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    async def scenario(database: Database) -> None:
        await database.write(_make)
        assert modes() == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}

    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    try:
        _with(f"sqlite:///{tmp_path}/a.db", scenario)
    finally:
        os.umask(before)
