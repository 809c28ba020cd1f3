"""The process that speaks Ray for an engine: Ray's driver, behind a socket.

Ray ends its driver's process when the cluster's head is replaced, allows one cluster a process and
reads its settings from the environment; so the driver is a child that may die, and the master lives.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Awaitable, Mapping
from typing import Any

import ray
from pydantic import TypeAdapter
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from quetzalcore.cluster.engine import AgentUnreachable
from quetzalcore.cluster.framing import Call, EventRequest, Responder
from quetzalcore.cluster.ray_agent import AgentActor
from quetzalcore.cluster.ray_node import AGENT_RESOURCE
from quetzalcore.jobs.model import Node

__all__ = ["Bridge", "main"]

log = logging.getLogger(__name__)

_NODES = TypeAdapter(tuple[Node, ...])
_NODE = TypeAdapter(Node)
_OPEN_LIMIT_S = 30.0  # a new actor starts a Python process and opens its hypervisor
_ANSWER_LIMIT_S = 2.0  # an actor that is up answers in milliseconds
_COMMAND_LIMIT_S = 20.0
_RETRY_S = 5.0  # between tries to place an agent that failed
_CONCURRENCY = 64


class Bridge:
    """Agents by node, found by name or placed, and calls to them."""

    def __init__(self, *, namespace: str) -> None:
        self._namespace = namespace
        self._actors: dict[str, Any] = {}  # by Ray's node id
        self._names: dict[str, str] = {}  # our node id -> Ray's
        self._failed_at: dict[str, float] = {}

    async def answer(self, call: Call, body: bytes) -> bytes:
        """Answer the engine; the first line names the node, the rest is the agent's."""
        if call is Call.NODE:
            return _NODES.dump_json(await self.nodes())
        name, _, message = body.partition(b"\n")
        try:
            return await self._forward(call, name.decode(), message)
        except AgentUnreachable as error:
            raise ValueError(error.detail) from error  # how a responder says "failed"

    async def _forward(self, call: Call, name: str, message: bytes) -> bytes:
        actor = self._actor(name)
        if call is Call.COMMAND:
            return await _answered(actor.command.remote(message), _COMMAND_LIMIT_S)
        asked = EventRequest.model_validate_json(message)
        reference = actor.events.remote(asked.after, asked.wait_s)
        return await _answered(reference, asked.wait_s + _COMMAND_LIMIT_S)

    async def nodes(self) -> tuple[Node, ...]:
        """Give what every living node's agent says; place agents where there are none."""
        alive = {
            node["NodeID"]: node["NodeName"]
            for node in await asyncio.to_thread(ray.nodes)
            if node["Alive"] and AGENT_RESOURCE in node["Resources"]
        }
        for gone in set(self._actors) - set(alive):
            del self._actors[gone]
        said = await asyncio.gather(*(self._ask(ray_id, name) for ray_id, name in alive.items()))
        known = [pair for pair in zip(alive, said, strict=True) if pair[1] is not None]
        self._names = {node.id: ray_id for ray_id, node in known if node is not None}
        return tuple(node for _, node in known if node is not None)

    def _actor(self, name: str) -> Any:  # noqa: ANN401 -- Ray's handle
        actor = self._actors.get(self._names.get(name, ""))
        if actor is None:
            raise AgentUnreachable(
                f"there is no node {name} in the cluster", hint="it may come back"
            )
        return actor

    async def _ask(self, ray_id: str, name: str) -> Node | None:
        limit = _ANSWER_LIMIT_S
        try:
            if ray_id not in self._actors:
                if time.monotonic() - self._failed_at.get(ray_id, -_RETRY_S) < _RETRY_S:
                    return None
                limit = _OPEN_LIMIT_S
                self._actors[ray_id] = await asyncio.to_thread(self._place, ray_id, name)
            return _NODE.validate_json(await _answered(self._actors[ray_id].node.remote(), limit))
        except (AgentUnreachable, RayError, ValueError) as error:
            log.warning("agent of %s does not answer: %s", name, error)
            self._actors.pop(ray_id, None)
            self._failed_at[ray_id] = time.monotonic()
            return None

    def _place(self, ray_id: str, name: str) -> Any:  # noqa: ANN401 -- Ray's handle
        """Find a node's agent, or start it; its name holds Ray's id: a node that returns gets a new one."""
        options: Mapping[str, Any] = {
            "name": f"agent-{name}-{ray_id[:12]}",
            "namespace": self._namespace,
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": 0,  # a lost agent is placed again by the next look at the nodes
            "num_cpus": 0,
            "max_concurrency": _CONCURRENCY,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(ray_id, soft=False),
        }
        return ray.remote(AgentActor).options(**options).remote()


async def _answered(reference: Awaitable[bytes], limit_s: float) -> bytes:
    try:
        return await asyncio.wait_for(reference, limit_s)
    except TimeoutError:
        raise AgentUnreachable(f"no answer in {limit_s:.0f} s", hint="it may come back") from None
    except RayError as error:
        raise AgentUnreachable(str(error).splitlines()[0], hint="it may come back") from None


async def _serve(descriptor: int, namespace: str) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor))
    writer.write(b"ready\n")
    await Responder(reader, writer, Bridge(namespace=namespace).answer).serve()


def main(arguments: list[str]) -> None:
    """Connect to the cluster at ``arguments[0]`` and serve on the socket ``arguments[2]``."""
    address, namespace, descriptor = arguments
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ray.init(address=address, namespace=namespace, log_to_driver=False)
    asyncio.run(_serve(int(descriptor), namespace))
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
