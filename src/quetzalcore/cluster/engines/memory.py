"""An engine of agents in this process, for tests: nodes can be cut off, killed and brought back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from quetzalcore.cluster.agent import Agent
from quetzalcore.cluster.engine import AgentUnreachable, accepted
from quetzalcore.cluster.fakes import FakeVMs
from quetzalcore.cluster.messages import Answer, Command, EventBatch
from quetzalcore.jobs.model import Node

__all__ = ["MemoryEngine"]

T = TypeVar("T")
_EVENTS_OF_ONE_AGENT = 1_000_000


class MemoryEngine:
    """Agents on fake hypervisors, by node."""

    def __init__(self, nodes: tuple[Node, ...], folder: Path) -> None:
        self.vms: dict[str, FakeVMs] = {}
        self._described = {node.id: node for node in nodes}
        self._folder = folder
        self._agents: dict[str, Agent] = {}
        self._cut: set[str] = set()
        self._first_events = itertools.count(1, _EVENTS_OF_ONE_AGENT)
        self._broken: dict[str, asyncio.Event] = {}

    async def start(self) -> None:
        """Start the agents that do not run."""
        for node_id in self._described:
            if node_id not in self._agents:
                self.revive(node_id)

    async def nodes(self) -> tuple[Node, ...]:
        """Give the nodes that answer."""
        return tuple(agent.node() for name, agent in self._agents.items() if name not in self._cut)

    def agent(self, node_id: str) -> _MemoryLink:
        """Give the link to a node's agent."""
        if node_id not in self._described:
            raise AgentUnreachable(
                f"there is no node {node_id!r}", hint=f"there are {', '.join(self._described)}"
            )
        return _MemoryLink(self, node_id)

    async def close(self) -> None:
        """Let the agents go on."""

    async def shut_down(self) -> None:
        """End every agent."""
        for node_id in tuple(self._agents):
            await self._agents.pop(node_id).close()

    def revive(self, node_id: str) -> None:
        """Start a new agent, which knows nothing of its forerunner."""
        self.vms[node_id] = FakeVMs(self._folder)
        self._agents[node_id] = Agent(
            self._described[node_id],
            self.vms[node_id],
            self._folder / node_id,
            first_event=next(self._first_events),
        )
        self._broken[node_id] = asyncio.Event()

    async def kill(self, node_id: str) -> None:
        """End an agent and its VMs; nobody hears of it."""
        self._broken[node_id].set()
        await self._agents.pop(node_id).close()

    def cut(self, node_id: str) -> None:
        """Break the connection to a node that goes on."""
        self._cut.add(node_id)
        self._broken[node_id].set()

    def mend(self, node_id: str) -> None:
        """Let a cut node be reached again."""
        self._cut.discard(node_id)
        self._broken[node_id] = asyncio.Event()

    async def reach(self, node_id: str, call: Callable[[Agent], Awaitable[T]]) -> T:
        """Call an agent; the call breaks when the connection does."""
        if node_id in self._cut or node_id not in self._agents:
            raise _unreachable(node_id)
        answer = asyncio.ensure_future(call(self._agents[node_id]))
        broken = asyncio.ensure_future(self._broken[node_id].wait())
        try:
            await asyncio.wait({answer, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _unreachable(node_id)
            return answer.result()
        finally:
            answer.cancel()
            broken.cancel()


class _MemoryLink:
    """The connection to one of the agents; everything crosses it as JSON."""

    def __init__(self, engine: MemoryEngine, node_id: str) -> None:
        self._engine = engine
        self._node_id = node_id

    async def command(self, command: Command) -> Answer:
        """Send a command."""
        said = command.model_dump_json().encode()
        answer = await self._engine.reach(self._node_id, lambda agent: agent.command(said))
        return accepted(Answer.model_validate_json(answer.model_dump_json()))

    async def events(self, *, after: int, wait_s: float) -> EventBatch:
        """Acknowledge, and wait for what comes."""
        batch = await self._engine.reach(self._node_id, lambda agent: agent.events(after, wait_s))
        return EventBatch.model_validate_json(batch.model_dump_json())


def _unreachable(node_id: str) -> AgentUnreachable:
    return AgentUnreachable(f"node {node_id} does not answer", hint="look at that host")
