"""Length-prefixed messages over a stream, many requests in flight, answers in any order."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import IntEnum

from pydantic import BaseModel

from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.jobs.model import Node

__all__ = ["AgentNode", "Call", "Caller", "EventRequest", "Responder"]

_HEADER = struct.Struct(">IQB")  # body length, request number, call or outcome
_MOST_BYTES = 256 << 20


class Call(IntEnum):
    """What a request asks for, and how it was answered."""

    COMMAND = 1
    EVENTS = 2
    NODE = 3
    QUIT = 4
    DONE = 16
    FAILED = 17


class EventRequest(BaseModel):
    """The body of an ``EVENTS`` request."""

    after: int
    wait_s: float


class AgentNode(BaseModel):
    """The body of the answer to ``NODE``."""

    node: Node
    settings: str
    pid: int


async def _read(reader: asyncio.StreamReader) -> tuple[int, Call, bytes]:
    length, number, call = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if length > _MOST_BYTES:
        raise AgentUnreachable(f"a message of {length} bytes came", hint="update both ends")
    return number, Call(call), await reader.readexactly(length)


def _write(writer: asyncio.StreamWriter, number: int, call: Call, body: bytes) -> None:
    writer.write(_HEADER.pack(len(body), number, call) + body)


class Caller:
    """The asking end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self.closed = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def ask(self, call: Call, body: bytes = b"") -> bytes:
        """Send a request and give its answer; ``AgentUnreachable`` if the connection ends first."""
        if self.closed.is_set():
            raise _gone()
        number = next(self._numbers)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            _write(self._writer, number, call, body)
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Hang up."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _listen(self) -> None:
        try:
            while True:
                number, call, body = await _read(self._reader)
                answer = self._waiting.get(number)
                if answer is None or answer.done():
                    continue
                if call is Call.DONE:
                    answer.set_result(body)
                else:
                    answer.set_exception(
                        AgentUnreachable(body.decode(errors="replace"), hint="see the agent's log")
                    )
        except (OSError, EOFError, ValueError, AgentUnreachable):
            pass
        finally:
            self.closed.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(_gone())


class Responder:
    """The answering end of one connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[Call, bytes], Awaitable[bytes]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answer until the other end hangs up; what is still being answered then is given up."""
        try:
            while True:
                number, call, body = await _read(self._reader)
                task = asyncio.create_task(self._respond(number, call, body))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (OSError, EOFError, ValueError, AgentUnreachable):
            pass
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            self._writer.close()

    async def _respond(self, number: int, call: Call, body: bytes) -> None:
        try:
            done, outcome = await self._answer(call, body), Call.DONE
        except ValueError as error:  # a message that this version does not understand
            done, outcome = str(error).encode(), Call.FAILED
        with suppress(OSError):
            _write(self._writer, number, outcome, done)
            await self._writer.drain()


def _gone() -> AgentUnreachable:
    return AgentUnreachable("the agent has hung up", hint="it is restarted by itself")
