"""The nodes of a Ray cluster, through a child process that speaks Ray."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

from quetzalcore.cluster.engine import AgentLink, AgentUnreachable, accepted, understood
from quetzalcore.cluster.framing import Call, Caller, EventRequest
from quetzalcore.cluster.messages import Answer, Command, EventBatch
from quetzalcore.cluster.portions import commands
from quetzalcore.cluster.ray_access import RayPlace, client_environment, restart_delay_s
from quetzalcore.errors import Retryable
from quetzalcore.jobs.model import Node

__all__ = ["ClusterUnreachable", "RayEngine"]

log = logging.getLogger(__name__)

_NODES = TypeAdapter(tuple[Node, ...])
_NODES_LIMIT_S = 8.0  # the bridge needs 2 s for agents that are slow; longer, and it hangs


class ClusterUnreachable(Retryable):
    """The Ray cluster's head does not answer."""

    code = "cluster_unreachable"
    title = "The cluster cannot be reached"


class RayEngine:
    """The nodes of a Ray cluster; this host must run a Ray node of it, if only one without an agent.

    Several engines may use one cluster. Agents stay when an engine closes, and the next one adopts
    them with what they run. After the loss of the head the engine reconnects by itself.
    """

    def __init__(
        self,
        place: RayPlace,
        *,
        folder: Path,
        inherited: Mapping[str, str],
        connect_limit_s: float = 60.0,
    ) -> None:
        self._place = place
        self._environment = client_environment(place.security, inherited)
        self._folder = folder
        self._connect_limit_s = connect_limit_s
        self._caller: Caller | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    async def start(self) -> None:
        """Connect, and stay connected until ``close``; ``ClusterUnreachable`` after ``connect_limit_s``."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._keeper = asyncio.create_task(self._keep_connected())
        try:
            await asyncio.wait_for(self._connected.wait(), self._connect_limit_s)
        except TimeoutError:
            await self.close()
            raise ClusterUnreachable(
                f"no Ray cluster answers at {self._place.address}",
                hint=f"start its head, or see {self._log}",
            ) from None

    async def nodes(self) -> tuple[Node, ...]:
        """Give the nodes whose agents answer; none while the head is lost."""
        caller = self._caller
        if caller is None:
            return ()
        nodes: tuple[Node, ...] = ()
        try:
            said = await asyncio.wait_for(caller.ask(Call.NODE), _NODES_LIMIT_S)
            nodes = _NODES.validate_json(said)
        except AgentUnreachable:
            log.warning("the Ray cluster does not answer")
        except TimeoutError:
            log.warning("the Ray cluster hangs: connecting anew")
            caller.closed.set()
        return nodes

    def agent(self, node_id: str) -> AgentLink:
        """Give the link to a node's agent; its calls are ``AgentUnreachable`` if there is no such node."""
        return _RayAgentLink(self, node_id)

    async def ask(self, call: Call, node_id: str, message: bytes) -> bytes:
        """Send a message to a node's agent."""
        if self._caller is None:
            raise AgentUnreachable("the cluster's head is lost", hint="wait until it is back")
        return await self._caller.ask(call, node_id.encode() + b"\n" + message)

    async def close(self) -> None:
        """Disconnect; agents and what they run go on."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper

    @property
    def _log(self) -> Path:
        return self._folder / "ray-bridge.log"

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            if await self._serve_once():
                failures = 0
            failures += 1
            await asyncio.sleep(restart_delay_s(failures))

    async def _serve_once(self) -> bool:
        """Run one bridge to its end; say whether it had connected."""
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("ab") as log:
            command = (
                *(sys.executable, "-m", "quetzalcore.cluster.ray_bridge"),
                *(self._place.address, self._place.namespace, str(theirs.fileno())),
            )
            bridge = await asyncio.create_subprocess_exec(
                *command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            if await reader.readline() != b"ready\n":
                return False
            self._caller = Caller(reader, writer)
            self._connected.set()
            await self._caller.closed.wait()
            return True
        finally:
            await self._end(bridge, writer)

    async def _end(self, bridge: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
        caller, self._caller = self._caller, None
        self._connected.clear()
        if caller is not None:
            await caller.close()
        writer.close()
        with suppress(ProcessLookupError):
            bridge.kill()
        await bridge.wait()


class _RayAgentLink:
    """The link to one node's agent."""

    def __init__(self, engine: RayEngine, node_id: str) -> None:
        self._engine = engine
        self._node_id = node_id

    async def command(self, command: Command) -> Answer:
        """Send a command."""
        *others, last = commands(command)
        for body in others:
            accepted(await self._say(body))
        return accepted(await self._say(last))

    async def events(self, *, after: int, wait_s: float) -> EventBatch:
        """Acknowledge and receive events."""
        body = EventRequest(after=after, wait_s=wait_s).model_dump_json().encode()
        return understood(EventBatch, await self._engine.ask(Call.EVENTS, self._node_id, body))

    async def _say(self, body: bytes) -> Answer:
        return understood(Answer, await self._engine.ask(Call.COMMAND, self._node_id, body))
