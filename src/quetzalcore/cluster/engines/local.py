"""The engine of one host: agents in child processes, reached by unix sockets. No server."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from quetzalcore.cluster.engine import AgentLink, AgentUnreachable
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.local_agent import LocalAgent
from quetzalcore.cluster.roster import Roster
from quetzalcore.jobs.model import Node

__all__ = ["LocalEngine"]

log = logging.getLogger(__name__)


class LocalEngine:
    """The host itself: its first worker, and more that come and go.

    The first is always there: a dead one is started again by the next call of ``nodes``. The others are
    written into a roster on disk, so that a master that follows finds them; they start in the background.
    """

    def __init__(
        self, settings: HostSettings, *, log_file: Path | None = None, patience_s: float = 5.0
    ) -> None:
        self._log_file = log_file
        self._patience_s = patience_s
        self._first = LocalAgent(settings, log_file=log_file, patience_s=patience_s)
        self._roster = Roster(settings.folder / "more")
        self._more: dict[str, LocalAgent] = {}
        self._leaving: set[str] = set()
        self._tending: dict[str, asyncio.Task[None]] = {}
        # All at once would be ready at once, and late: the first should take jobs while others start.
        self._gate = asyncio.Semaphore(max(1, (os.cpu_count() or 1) // 2))

    async def start(self) -> None:
        """Adopt the agents that run here, or start them; end what a master that died left of removed ones."""
        await self._first.start()
        for name in self._roster.struck():
            await self._end(name)
        await self._tend()

    async def nodes(self) -> tuple[Node, ...]:
        """Give this host's workers: the first, and those of the others that answer by now."""
        await self._tend()
        there = [agent for agent in self._more.values() if agent.connected]
        first, *others = await asyncio.gather(
            _revived(self._first), *(agent.node() for agent in there), return_exceptions=True
        )
        if isinstance(first, BaseException):
            raise first
        found = [first]
        for agent, node in zip(there, others, strict=True):
            if isinstance(node, AgentUnreachable):
                log.warning("worker %s: %s", agent.settings.node_id, node)
            elif isinstance(node, BaseException):
                raise node
            elif agent.settings.node_id not in self._leaving:
                found.append(node)
        return tuple(found)

    def agent(self, node_id: str) -> AgentLink:
        """Give the link to a worker's agent."""
        if node_id == self._first.settings.node_id:
            return self._first.link()
        if node_id not in self._more:
            raise AgentUnreachable(
                f"there is no node {node_id!r} here",
                hint=f"the first is {self._first.settings.node_id}",
            )
        return self._more[node_id].link()

    def members(self) -> tuple[HostSettings, ...]:
        """Give the workers beside the first, whoever added them, started or not."""
        return self._roster.read()

    async def add(self, name: str, *, cpus: float, memory_mib: int) -> HostSettings:
        """Add a worker; one of that name that is there already is left as it is."""
        size = {"cpus": cpus, "memory_mib": memory_mib}
        kept = self._roster.add(self._settings_of(name).model_copy(update=size))
        await self._tend()
        return kept

    async def remove(self, name: str) -> None:
        """End a worker with everything that it runs and forget it; one that is not there is no error."""
        if self._roster.get(name) is None:
            return
        self._leaving.add(name)
        try:
            self._roster.strike(name)
            await self._end(name)
        finally:
            self._leaving.discard(name)

    async def close(self) -> None:
        """Hang up; the agents and what they run go on."""
        await asyncio.gather(*self._tending.values())
        self._tending.clear()
        for agent in (self._first, *self._more.values()):
            await agent.close()

    async def shut_down(self) -> None:
        """End every agent and everything that they run."""
        for settings in self.members():
            await self.remove(settings.node_id)
        await self._first.shut_down()
        await self.close()

    async def _tend(self) -> None:
        """Follow the roster: start what is new or dead, let go of what another master has removed."""
        listed = {settings.node_id: settings for settings in self.members()}
        for name in self._more.keys() - listed.keys() - self._leaving:
            task = self._tending.pop(name, None)
            if task is not None:
                await task
            gone = self._more.pop(name, None)
            if gone is not None:
                await gone.close()
        for name, settings in listed.items():
            if name in self._leaving:
                continue
            agent = self._more.setdefault(name, self._agent_of(settings))
            task = self._tending.get(name)
            if not agent.connected and (task is None or task.done()):
                self._tending[name] = asyncio.create_task(self._begin(agent), name=f"start-{name}")

    async def _end(self, name: str) -> None:
        """End the agent of a worker that is not listed any more, and delete its files."""
        task = self._tending.pop(name, None)
        if task is not None:
            await task  # half a start would leave a process that nobody knows
        agent = self._more.pop(name, None) or self._agent_of(self._settings_of(name))
        await agent.shut_down()
        await asyncio.to_thread(self._roster.clear, name)

    async def _begin(self, agent: LocalAgent) -> None:
        async with self._gate:
            try:
                await agent.start()
            except (AgentUnreachable, OSError) as error:
                log.warning("worker %s does not start: %s", agent.settings.node_id, error)

    def _settings_of(self, name: str) -> HostSettings:
        place = {"node_id": name, "folder": self._roster.folder_of(name)}
        return self._first.settings.model_copy(update=place)

    def _agent_of(self, settings: HostSettings) -> LocalAgent:
        log_file = self._log_file and self._log_file.with_stem(
            f"{self._log_file.stem}-{settings.node_id}"
        )
        name = settings.node_id
        return LocalAgent(
            settings,
            log_file=log_file,
            patience_s=self._patience_s,
            wanted=lambda: self._roster.get(name) is not None,
        )


async def _revived(agent: LocalAgent) -> Node:
    """Ask an agent, and start it where it is dead."""
    await agent.start()
    try:
        return await agent.node()
    except AgentUnreachable:
        await agent.start()
        return await agent.node()
