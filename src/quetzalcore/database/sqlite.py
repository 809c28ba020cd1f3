"""SQLite: one thread writes and commits in groups, a few threads read."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from quetzalcore.database.announcements import Announcements
from quetzalcore.database.database import Announce, DatabaseFull, DatabaseUnavailable
from quetzalcore.database.file_notices import FileNotices
from quetzalcore.errors import QuetzalError

__all__ = ["SqliteDatabase", "open_sqlite"]

T = TypeVar("T")

_BUSY_MS = 20_000
_READERS = 2
_GROUP = 64  # works in one commit at most, so that the first does not wait for long
_POLL_S = 0.01  # after a write was heard of: our own are heard of as well
_IDLE_POLL_S = 0.02
_TOLD_POLL_S = 0.5
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)  # the latter beside the file itself
_PRAGMAS = (
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=67108864",
)


@dataclass(frozen=True, slots=True)
class _Order:
    """Work that waits for the writing thread."""

    work: Callable[[Connection], Any]
    done: Future[Any]


def open_sqlite(path: Path) -> SqliteDatabase:
    """Open a database file, making it and its folder where they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # SQLite says better what is wrong
        path.touch(
            mode=0o600
        )  # whoever may enter the folder; the files beside it get the same rights
    _use_wal(path)
    return SqliteDatabase(path)


class SqliteDatabase:
    """A database file. ``read`` and ``write`` may be called from one event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._announcements = Announcements()
        self._write_engine = _engine(path, begin="BEGIN IMMEDIATE")
        self._read_engine = _engine(path, begin="BEGIN")
        self._connection: Connection | None = None  # the writing thread's own
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_on, name="ledger-writer", daemon=True)
        self._writer.start()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-reader")
        self._watch = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._version = self._data_version()
        self._polling: asyncio.Task[None] | None = None
        self._notices: FileNotices | None = None
        self._told = asyncio.Event()
        self._closed = False

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work on a snapshot."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], T], *, announce: Announce[T] = False) -> T:
        """Run work in a transaction that it may share with other works: each is undone alone."""
        if self._closed:
            raise DatabaseUnavailable(f"the database {self.path} is closed")
        order = _Order(work, Future())
        self._orders.put(order)
        result: T = await asyncio.wrap_future(order.done)
        if announce(result) if callable(announce) else announce:
            self._version = self._data_version()  # our own commit is no second change
            self._announcements.announce()
        return result

    async def changed(self, *, timeout_s: float, seen: int | None = None) -> int:
        """Wait for a change; other processes' are found by polling, while somebody waits."""
        self._look()
        if timeout_s > 0 and (self._polling is None or self._polling.done()):
            self._listen()
            self._polling = asyncio.create_task(self._poll())
        return await self._announcements.wait(timeout_s=timeout_s, seen=seen)

    async def close(self) -> None:
        """Finish what was ordered and end the threads. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        if self._notices is not None:
            self._notices.close()
        self._orders.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)
        self._readers.shutdown()
        self._write_engine.dispose()
        self._read_engine.dispose()
        self._watch.close()

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._read_engine.begin() as connection:
                return work(connection)
        except (DBAPIError, sqlite3.Error) as error:
            raise _told(error, self.path) from error

    def _write_on(self) -> None:
        while (first := self._orders.get()) is not None:
            group = [first]
            while len(group) < _GROUP and not self._orders.empty():
                order = self._orders.get()
                if order is None:
                    self._orders.put(None)
                    break
                group.append(order)
            self._settle([o for o in group if o.done.set_running_or_notify_cancel()])
        self._let_go()

    def _settle(self, group: Sequence[_Order]) -> None:
        """Commit a group and tell each caller; a failed commit fails them all."""
        try:
            if self._connection is None:
                self._connection = self._write_engine.connect()
            with self._connection.begin():
                outcomes = _outcomes(self._connection, group)
        except Exception as error:  # noqa: BLE001 -- handed to every caller: nothing was written
            if not isinstance(error, QuetzalError):  # the work's own word of the request
                self._let_go()
            for order in group:
                order.done.set_exception(_told(error, self.path))
            return
        for order, result, failure in outcomes:
            if failure is None:
                order.done.set_result(result)
            else:
                order.done.set_exception(_told(failure, self.path))

    def _let_go(self) -> None:
        """Close the writing connection: after a failed commit a new one is sure to be in order."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _data_version(self) -> int:
        (version,) = self._watch.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _look(self) -> bool:
        version = self._data_version()
        if version == self._version:
            return False
        self._version = version
        self._announcements.announce()
        return True

    async def _poll(self) -> None:
        """Look just after a write is heard of, then less and less often; without notices, every 20 ms."""
        longest_s = _IDLE_POLL_S if self._notices is None else _TOLD_POLL_S
        pause_s = _POLL_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._told.wait()
            pause_s = min(2 * pause_s, longest_s)
            if self._told.is_set():
                await asyncio.sleep(_POLL_S)  # a write is heard of before it is committed
                self._told.clear()
                pause_s = _POLL_S
            if not self._announcements.awaited:
                return
            if self._look():
                pause_s = _POLL_S

    def _listen(self) -> None:
        """Ask the kernel, once, to tell of writes."""
        if self._notices is None:
            with suppress(OSError):
                name = f"{self.path.name}-wal"
                folder = self.path.absolute().parent
                self._notices = FileNotices(folder, name, self._told.set)


def _outcomes(
    connection: Connection, group: Sequence[_Order]
) -> list[tuple[_Order, Any, BaseException | None]]:
    """Do the works of a group; one alone needs no savepoint: its failure undoes everything."""
    if len(group) == 1:
        return [(group[0], group[0].work(connection), None)]
    return [(order, *_outcome(connection, order.work)) for order in group]


def _outcome(
    connection: Connection, work: Callable[[Connection], Any]
) -> tuple[Any, BaseException | None]:
    """Do one of several works; the driver's own savepoints, for SQLAlchemy compiles each anew."""
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    driver.execute("SAVEPOINT work")
    try:
        result = work(connection)
    except Exception as error:
        if not driver.in_transaction:
            raise  # SQLite has undone the works before this one as well
        driver.execute("ROLLBACK TO work")
        driver.execute("RELEASE work")
        return None, error
    driver.execute("RELEASE work")
    return result, None


def _engine(path: Path, *, begin: str) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": _BUSY_MS / 1000, "check_same_thread": False}
    )

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
        connection.isolation_level = None  # the driver's own BEGIN would be a deferred one
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    event.listen(engine, "connect", prepare)
    event.listen(
        engine, "begin", lambda connection: connection.connection.driver_connection.execute(begin)
    )
    return engine


def _use_wal(path: Path) -> None:
    """Switch to write-ahead logging; two processes that do so at once wait for each other."""
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal":
            connection.execute("BEGIN EXCLUSIVE")  # waits for its turn; the PRAGMA alone does not
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise DatabaseUnavailable(f"the database {path} cannot be opened: {error}") from error
    finally:
        connection.close()


def _told(error: BaseException, path: Path) -> BaseException:
    cause = error.orig if isinstance(error, OperationalError) else error
    if not isinstance(cause, sqlite3.OperationalError):
        return error
    kind = DatabaseFull if cause.sqlite_errorcode in _FULL else DatabaseUnavailable
    return kind(
        f"the database {path} did not take the request: {cause}",
        hint="see that its disk has room and that its folder can be written, then try again",
    )
