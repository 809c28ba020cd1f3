"""Bringing a database's tables up to date; each package that keeps rows has its own history."""

from __future__ import annotations

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from quetzalcore.database.database import Database

__all__ = ["migrate"]

_LOCK = text("SELECT pg_advisory_xact_lock(7031981)")


async def migrate(database: Database, package: str, version_table: str) -> None:
    """Run what is missing of ``package``'s migrations (Alembic revisions in its ``versions`` folder).

    One transaction: two processes that start at once wait for each other, and the second finds nothing to do.
    """
    script = ScriptDirectory.from_config(_config(package))
    if await database.read(lambda connection: _revision(connection, version_table)) in (
        script.get_heads()
    ):
        return
    await database.write(lambda connection: _upgrade(connection, script, package, version_table))


def _config(package: str) -> Config:
    config = Config()
    name, _, folder = package.rpartition(".")
    config.set_main_option("script_location", f"{name}:{folder}")
    return config


def _revision(connection: Connection, version_table: str) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": version_table})
    return context.get_current_revision()


def _upgrade(
    connection: Connection, script: ScriptDirectory, package: str, version_table: str
) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    with EnvironmentContext(
        _config(package),
        script,
        fn=lambda revision, _context: script._upgrade_revs("head", revision),  # noqa: SLF001 -- what Alembic's own command calls
    ) as environment:
        environment.configure(connection=connection, version_table=version_table)
        environment.run_migrations()
