"""The Ray actor that holds a node's agent; runs in a worker process that the node's raylet starts.

What crosses is bytes of JSON. The node's own environment, not the caller, says what the node is.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter

from quetzalcore.cluster.agent import Agent
from quetzalcore.cluster.host import HostSettings, open_host
from quetzalcore.cluster.load import HostLoad
from quetzalcore.cluster.portions import first_events
from quetzalcore.cluster.ray_access import AGENT_VARIABLE
from quetzalcore.errors import Retryable
from quetzalcore.jobs.model import Node

__all__ = ["AgentActor", "FolderInUse"]

_NODE = TypeAdapter(Node)
_LOCK = "agent.pid"
_LOCK_LIMIT_S = 10.0
_POLL_S = 0.05


class FolderInUse(Retryable):
    """The agent before this one still lives."""

    code = "agent_folder_in_use"
    title = "Another agent serves this node"


class AgentActor:
    """One node's agent behind Ray calls; the first call opens the hypervisor."""

    def __init__(self) -> None:
        self._settings = HostSettings.model_validate_json(os.environ[AGENT_VARIABLE])  # noqa: TID251 -- a process's edge: the raylet hands on nothing else
        self._agent: Agent | None = None
        self._opening = asyncio.Lock()
        self._open_things = AsyncExitStack()  # for the life of the process

    async def command(self, body: bytes) -> bytes:
        """Carry out a command."""
        return (await (await self._ready()).command(body)).model_dump_json().encode()

    async def events(self, after: int, wait_s: float) -> bytes:
        """Acknowledge and give events."""
        return first_events(await (await self._ready()).events(after, wait_s))

    async def node(self) -> bytes:
        """Say what the node has and what is free."""
        return _NODE.dump_json((await self._ready()).node())

    async def _ready(self) -> Agent:
        async with self._opening:
            if self._agent is None:
                self._agent = await self._open()
            return self._agent

    async def _open(self) -> Agent:
        folder = self._settings.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open_things.enter_context(await asyncio.to_thread(_locked, folder / _LOCK))
        node, vms = await self._open_things.enter_async_context(open_host(self._settings))
        return Agent(
            node, vms, folder / "work", first_event=time.time_ns() // 1000, load=HostLoad()
        )


def _locked(path: Path) -> IO[str]:
    """Lock the node's folder for this process; what an agent before us ran has ended with it."""
    file = path.open("a+", encoding="ascii")
    give_up_at = time.monotonic() + _LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                file.close()
                raise FolderInUse(f"{path} is locked", hint="it ends with its raylet") from None
            time.sleep(_POLL_S)
        else:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return file
