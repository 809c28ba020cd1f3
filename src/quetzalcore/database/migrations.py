"""Bringing a database's tables up to date; each package that keeps rows has its own history."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from quetzalcore.database.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["migrate", "newest"]

_LOCK = text("SELECT pg_advisory_xact_lock(7031981)")


async def migrate(database: Database, package: str, version_table: str) -> None:
    """Run what is missing of ``package``'s migrations (Alembic revisions in its ``versions`` folder).

    One transaction: two processes that start at once wait for each other, and the second finds nothing to do.
    """
    there = await database.read(lambda connection: _revision(connection, version_table))
    if there != newest(package):
        await database.write(lambda connection: _upgrade(connection, package, version_table))


def newest(package: str) -> str:
    """Give the last revision: the last of its files, each of which has its revision's name."""
    versions = resources.files(package).joinpath("versions")
    names = [entry.name for entry in versions.iterdir() if entry.name.endswith(".py")]
    return max(name.removesuffix(".py") for name in names if not name.startswith("_"))


def _revision(connection: Connection, version_table: str) -> str | None:
    if not inspect(connection).has_table(version_table):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {version_table}"))  # noqa: S608 -- a constant of ours
    return None if found is None else str(found)


def _upgrade(connection: Connection, package: str, version_table: str) -> None:
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 -- 0.1 s, once for a version
    from alembic.script import ScriptDirectory  # noqa: PLC0415 -- likewise

    config = _config(package)
    script = ScriptDirectory.from_config(config)
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    with EnvironmentContext(
        config,
        script,
        fn=lambda revision, _context: script._upgrade_revs("head", revision),  # noqa: SLF001 -- what Alembic's own command calls
    ) as environment:
        environment.configure(connection=connection, version_table=version_table)
        environment.run_migrations()


def _config(package: str) -> Config:
    from alembic.config import Config  # noqa: PLC0415 -- with the rest of Alembic

    config = Config()
    name, _, folder = package.rpartition(".")
    config.set_main_option("script_location", f"{name}:{folder}")
    return config
