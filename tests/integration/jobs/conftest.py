"""Each backend of the ledger, empty, for the contract that all of them keep."""

from __future__ import annotations

import asyncio
import functools
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import pytest
from sqlalchemy import make_url
from tests.integration.jobs.books import Play, play_on

from quetzalcore.database import open_database
from quetzalcore.jobs.sql import open_ledger

_NUMBERS = itertools.count(1)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """Give the URL of an empty database of its own."""
    name = f"ledger_{next(_NUMBERS)}"
    _execute(postgres_url, f"CREATE DATABASE {name}")
    yield _named(postgres_url, name)
    _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory) -> Path:
    """Give a SQLite file with every table and no row, to be copied."""
    path: Path = tmp_path_factory.mktemp("ledger") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_database(postgres_url: str) -> str:
    """Give the name of a PostgreSQL database with every table and no row, to be copied."""
    _execute(postgres_url, "CREATE DATABASE migrated")
    _migrate(_named(postgres_url, "migrated"))
    return "migrated"


@pytest.fixture
def migrated_postgres(postgres_url: str, migrated_database: str) -> Iterator[str]:
    """Give the URL of a copy of the migrated database."""
    name = f"ledger_{next(_NUMBERS)}"
    _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {migrated_database}")
    yield _named(postgres_url, name)
    _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def backend(request, tmp_path) -> str:
    """Give what opens a backend's books."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("migrated_postgres")
        return url
    if request.param == "memory":
        return "memory"
    shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "ledger.db")
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path) -> str:
    """Give the URL of an empty database."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_database")
        return url
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def play(backend) -> Play:
    """Give what plays a scenario on a backend."""
    return functools.partial(play_on, backend)


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _migrate(url: str) -> None:
    async def main() -> None:
        database = await open_database(url)
        await open_ledger(database)
        await database.close()

    asyncio.run(main())


def _execute(url: str, statement: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(main())
