"""The seam between the master and the nodes, however these are reached."""

from __future__ import annotations

from typing import Protocol, TypeVar

from pydantic import BaseModel

from quetzalcore.cluster.messages import Answer, Command, EventBatch
from quetzalcore.errors import Retryable
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.jobs.model import Node

__all__ = ["AgentLink", "AgentUnreachable", "Engine", "accepted", "understood"]

M = TypeVar("M", bound=BaseModel)


class AgentUnreachable(Retryable):
    """The node's agent does not answer; whether it acted is unknown."""

    code = "agent_unreachable"
    title = "The node does not answer"


def accepted(answer: Answer) -> Answer:
    """Give an agent's answer, or raise what it stands for."""
    if answer.ok:
        return answer
    if answer.error == StaleEpoch.code:
        raise StaleEpoch("a newer master commands this node", hint="stand by")
    raise AgentUnreachable(f"the agent refused: {answer.error}", hint="see the agent's log")


def understood(kind: type[M], said: bytes) -> M:
    """Read what an agent said; ``AgentUnreachable`` if it is no such message, so that one node stops no master."""
    try:
        return kind.model_validate_json(said)
    except ValueError as error:
        raise AgentUnreachable(
            f"the agent said what is no {kind.__name__}",
            hint="run the same version on every node, and see the agent's log",
        ) from error


class AgentLink(Protocol):
    """A connection to one agent."""

    async def command(self, command: Command) -> Answer:
        """Send a command; ``AgentUnreachable``, or ``StaleEpoch`` if a newer master has spoken."""
        ...

    async def events(self, *, after: int, wait_s: float) -> EventBatch:
        """Acknowledge up to ``after`` and give what came later, waiting up to ``wait_s`` for the first."""
        ...


class Engine(Protocol):
    """The nodes that a master may use."""

    async def start(self) -> None:
        """Reach the cluster, or begin one."""
        ...

    async def nodes(self) -> tuple[Node, ...]:
        """Give the nodes that answer, with what is free; a node that is gone is not in the list."""
        ...

    def agent(self, node_id: str) -> AgentLink:
        """Give the link to a node's agent; ``AgentUnreachable`` if there is no such node."""
        ...

    async def close(self) -> None:
        """Let go of the cluster; agents and what they run go on."""
        ...
