"""Each backend of the ledger, empty, for the contract that all of them keep."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Iterator

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import pytest
from sqlalchemy import make_url
from tests.integration.jobs.books import Play, play_on

_NUMBERS = itertools.count(1)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """Give the URL of an empty database of its own."""
    name = f"ledger_{next(_NUMBERS)}"
    _execute(postgres_url, f"CREATE DATABASE {name}")
    yield make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def backend(request, tmp_path) -> str:
    """Give what opens a backend's books."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_database")
        return url
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/ledger.db"


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


def _execute(url: str, statement: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(main())
