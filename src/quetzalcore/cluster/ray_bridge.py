"""The process that speaks Ray for an engine: Ray's driver, behind a socket.

Ray ends its driver's process when the cluster's head is replaced, allows one cluster a process and
reads its settings from the environment; so the driver is a child that may die, and the master lives.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

import ray
from pydantic import TypeAdapter
from ray.exceptions import ActorDiedError, RayError
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
_LOOK_LIMIT_S = 2.0  # an actor that is up answers in milliseconds
_COMMAND_LIMIT_S = 20.0
_RETRY_S = 5.0  # between tries to place an agent that failed
_CONCURRENCY = 64


class Bridge:
    """Agents by node, found by name or placed, and calls to them."""

    def __init__(self, *, namespace: str) -> None:
        self._namespace = namespace
        self._here = ray.get_runtime_context().get_node_id()
        self._actors: dict[str, Any] = {}  # by Ray's node id
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._failed_at: dict[str, float] = {}
        self._last: dict[str, Node] = {}  # by Ray's node id
        self.lost = asyncio.Event()  # the Ray node through which we are connected has died

    async def answer(self, call: Call, body: bytes) -> bytes:
        """Answer the engine; the first line names the node, the rest is the agent's."""
        if call is Call.NODE:
            return _NODES.dump_json(await self.nodes())
        name, _, message = body.partition(b"\n")
        try:
            return await self._forward(call, name.decode(), message)
        except AgentUnreachable as error:
            raise ValueError(error.detail) from error  # how a responder says "failed"

    async def nodes(self) -> tuple[Node, ...]:
        """Give what the agents of living nodes say; begin to place agents where there are none."""
        known = await asyncio.to_thread(ray.nodes)
        alive = {node["NodeID"]: node for node in known if node["Alive"]}
        if self._here not in alive:
            self.lost.set()
        places = {i: n["NodeName"] for i, n in alive.items() if AGENT_RESOURCE in n["Resources"]}
        for gone in set(self._actors) - set(places):
            self._forget(gone)
        await self._open_all(places)
        said = await asyncio.gather(*(self._ask(ray_id) for ray_id in tuple(self._actors)))
        return tuple(node for node in said if node is not None)

    async def _forward(self, call: Call, name: str, message: bytes) -> bytes:
        actor = self._actor(name)
        if actor is None:
            await self.nodes()
            actor = self._actor(name)
        if actor is None:
            raise AgentUnreachable(f"there is no node {name} in the cluster")
        if call is Call.COMMAND:
            return await _answered(actor.command.remote(message), _COMMAND_LIMIT_S)
        asked = EventRequest.model_validate_json(message)
        reference = actor.events.remote(asked.after, asked.wait_s)
        return await _answered(reference, asked.wait_s + _COMMAND_LIMIT_S)

    def _actor(self, name: str) -> Any:  # noqa: ANN401 -- Ray's handle, or None
        """Give a node's agent; of two Ray nodes of that name, the one that answered last."""
        of_name = [ray_id for ray_id, node in self._last.items() if node.id == name]
        return self._actors[of_name[-1]] if of_name else None

    def _forget(self, ray_id: str) -> None:
        self._actors.pop(ray_id, None)
        self._last.pop(ray_id, None)

    async def _ask(self, ray_id: str) -> Node | None:
        """Ask an agent for its node; one that has died is forgotten, a slow one is not ready."""
        actor = self._actors[ray_id]
        try:
            node = _NODE.validate_json(await _answered(actor.node.remote(), _LOOK_LIMIT_S))
        except _AgentDied:
            self._forget(ray_id)
            return None
        except (AgentUnreachable, ValueError) as error:
            log.warning("agent on Ray node %s: %s", ray_id[:12], error)
            known = self._last.get(ray_id)
            return None if known is None else replace(known, ready=False)
        self._last.pop(ray_id, None)  # to the end
        self._last[ray_id] = node
        return node

    async def _open_all(self, places: Mapping[str, str]) -> None:
        """Open agents that are not open; those that live are found at once, others take their time."""
        for ray_id in set(places) - set(self._actors) - set(self._opening):
            if time.monotonic() - self._failed_at.get(ray_id, -_RETRY_S) >= _RETRY_S:
                opening = asyncio.create_task(self._open(ray_id, places[ray_id]))
                self._opening[ray_id] = opening
        if self._opening:
            await asyncio.wait(self._opening.values(), timeout=_LOOK_LIMIT_S)

    async def _open(self, ray_id: str, name: str) -> None:
        """Find or place a node's agent and wait until it answers."""
        try:
            actor = await asyncio.to_thread(self._place, ray_id, name)
            node = _NODE.validate_json(await _answered(actor.node.remote(), _OPEN_LIMIT_S))
        except (AgentUnreachable, RayError, ValueError) as error:
            log.warning("no agent on %s: %s", name, error)
            self._failed_at[ray_id] = time.monotonic()
        else:
            self._actors[ray_id] = actor
            self._last[ray_id] = node
        finally:
            del self._opening[ray_id]

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


class _AgentDied(AgentUnreachable):
    """The actor has ended; another must be placed."""


async def _answered(reference: Awaitable[bytes], limit_s: float) -> bytes:
    try:
        return await asyncio.wait_for(reference, limit_s)
    except TimeoutError:
        raise AgentUnreachable(f"no answer in {limit_s:.0f} s") from None
    except ActorDiedError as error:
        raise _AgentDied(str(error).splitlines()[0]) from None
    except RayError as error:
        raise AgentUnreachable(str(error).splitlines()[0]) from None


async def _serve(descriptor: int, namespace: str) -> None:
    """Answer until the engine hangs up or our Ray node is lost."""
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor))
    bridge = Bridge(namespace=namespace)
    writer.write(b"ready\n")
    ends = {
        asyncio.create_task(Responder(reader, writer, bridge.answer).serve()),
        asyncio.create_task(bridge.lost.wait()),
    }
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if bridge.lost.is_set():
        log.error("the Ray node on this host has died: leaving, to connect anew")
        os._exit(1)  # Ray's own goodbye would wait for that node


def main(arguments: list[str]) -> None:
    """Connect to the cluster at ``arguments[0]`` and serve on the socket ``arguments[2]``."""
    address, namespace, descriptor = arguments
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ray.init(address=address, namespace=namespace, log_to_driver=False)
    asyncio.run(_serve(int(descriptor), namespace))
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
