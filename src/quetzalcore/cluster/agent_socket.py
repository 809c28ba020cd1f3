"""An agent on a unix socket that only its own user may open."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from quetzalcore.cluster.agent import Agent
from quetzalcore.cluster.framing import AgentNode, Call, EventRequest, Responder
from quetzalcore.cluster.portions import first_events

__all__ = ["AgentSocket"]

log = logging.getLogger(__name__)


class AgentSocket:
    """Answers masters until left; ``quit`` is set once one of them tells the agent to leave."""

    def __init__(self, agent: Agent, about: AgentNode, path: Path) -> None:
        self.quit = asyncio.Event()
        self._agent = agent
        self._about = about
        self._path = path
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._remove()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        finally:
            os.umask(before)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up on everybody."""
        assert self._server is not None  # noqa: S101 -- entered before
        self._server.close()
        self._remove()
        await asyncio.sleep(0)  # the answer to QUIT goes out
        for connection in tuple(self._connections):
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- asyncio runs a connection in a task
        self._connections.add(task)
        try:
            await Responder(reader, writer, self._answer).serve()
        except asyncio.CancelledError:
            log.info("hanging up")
        finally:
            self._connections.discard(task)

    async def _answer(self, call: Call, body: bytes) -> bytes:
        if call is Call.COMMAND:
            return (await self._agent.command(body)).model_dump_json().encode()
        if call is Call.EVENTS:
            asked = EventRequest.model_validate_json(body)
            return first_events(await self._agent.events(asked.after, asked.wait_s))
        if call is Call.NODE:
            about = self._about.model_copy(update={"node": self._agent.node()})
            return about.model_dump_json().encode()
        self.quit.set()
        return b""

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            self._path.unlink()
