"""PostgreSQL: a small pool of connections, and one that listens for changes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from quetzalcore.database.announcements import Announcements
from quetzalcore.database.database import Announce, DatabaseFull, DatabaseUnavailable

__all__ = ["PostgresDatabase", "open_postgres"]

T = TypeVar("T")

_CHANNEL = "quetzalcore"
_ANNOUNCE = text("SELECT pg_notify('quetzalcore', :name)")
_CONNECT_S = 5.0
_COMMAND_S = 60.0
_RELISTEN_S = 1.0
_TRIES = 5
_DEADLOCKS = ("40001", "40P01")
_FAILURES = (DBAPIError, asyncpg.PostgresError, OSError, TimeoutError, PoolTimeout)
_DISK_FULL = "53100"
_UNAVAILABLE = ("08", "25006", "53", "55", "57", "58")  # SQLSTATEs of a server that is down or full


def open_postgres(url: URL) -> PostgresDatabase:
    """Prepare a pool; the first connection is made when it is needed."""
    return PostgresDatabase(url)


class PostgresDatabase:
    """A database on a server. It belongs to the event loop that first uses it."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._place = f"{url.host or url.query.get('host', 'localhost')}/{url.database}"
        self._engine = _engine(url)
        # All of a question's statements see one state; a write's see what others have committed meanwhile.
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ")
        self._announcements = Announcements()
        self._listening: asyncio.Task[None] | None = None
        self._name = secrets.token_hex(8)  # so that our own notifications wake nobody twice

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction; once more where the connection turns out to be dead."""
        return await self._run(self._snapshots, work, announce=False)

    async def write(self, work: Callable[[Connection], T], *, announce: Announce[T] = False) -> T:
        """Run work in a transaction; again after a deadlock or on a connection found dead before the commit."""
        return await self._run(self._engine, work, announce=announce)

    async def changed(self, *, timeout_s: float, seen: int | None = None) -> int:
        """Wait for a notification from any process."""
        if timeout_s > 0 and (self._listening is None or self._listening.done()):
            self._listening = asyncio.create_task(self._listen())
        return await self._announcements.wait(timeout_s=timeout_s, seen=seen)

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._engine.dispose()

    async def _run(
        self, engine: AsyncEngine, work: Callable[[Connection], T], *, announce: Announce[T]
    ) -> T:
        for attempt in range(_TRIES):
            try:
                async with engine.connect() as connection:
                    result, announced = await self._work(connection, work, announce)
                    await connection.commit()
                    if announced:
                        self._announcements.announce()
                    return result
            except _Again as again:
                if attempt + 1 == _TRIES:
                    raise self._unavailable(again.cause) from again.cause
            except _FAILURES as error:
                if _is_unavailable(error):
                    raise self._unavailable(error) from error
                raise
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    async def _work(
        self, connection: AsyncConnection, work: Callable[[Connection], T], announce: Announce[T]
    ) -> tuple[T, bool]:
        try:
            result = await connection.run_sync(work)
            announced = announce(result) if callable(announce) else announce
            if announced:
                await connection.execute(_ANNOUNCE, {"name": self._name})
        except DBAPIError as error:
            if error.connection_invalidated or _sqlstate(error) in _DEADLOCKS:
                raise _Again(error) from error
            raise
        return result, announced

    def _heard(self, _connection: object, _pid: int, _channel: str, name: str) -> None:
        if name != self._name:
            self._announcements.announce()

    def _unavailable(self, error: BaseException) -> DatabaseUnavailable:
        cause = getattr(error, "orig", None) or error
        kind = DatabaseFull if _sqlstate(error) == _DISK_FULL else DatabaseUnavailable
        return kind(
            f"the PostgreSQL database {self._place} did not take the request: {cause}",
            hint="see that the server runs, can be reached and has room, then try again",
        )

    async def _listen(self) -> None:
        """Keep a connection that hears notifications; whatever was missed is announced on every new one."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError):
                await self._hear()
            await asyncio.sleep(_RELISTEN_S)

    async def _hear(self) -> None:
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_S)
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        try:
            await connection.add_listener(_CHANNEL, self._heard)
            self._announcements.announce()
            await ended.wait()
        finally:
            with contextlib.suppress(asyncpg.InterfaceError, OSError, TimeoutError):
                await connection.close(timeout=_CONNECT_S)


class _Again(Exception):
    """The work was undone through no fault of its own and can be run again."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _engine(url: URL) -> AsyncEngine:
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=4,
        max_overflow=4,
        pool_timeout=_CONNECT_S * 2,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _COMMAND_S},
    )


def _sqlstate(error: BaseException) -> str:
    cause: Any = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlstate", None) or "")


def _is_unavailable(error: BaseException) -> bool:
    if isinstance(error, OSError | TimeoutError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return _sqlstate(error).startswith(_UNAVAILABLE)
