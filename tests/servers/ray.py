"""A real Ray cluster on this host: each node in a folder of its own, kept up as in production."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.servers.redis import free_port

from quetzalcore.cluster.certificates import issue, new_authority, write_tls_files
from quetzalcore.cluster.engines.ray import RayEngine
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.ray_access import RayPlace, RaySecurity
from quetzalcore.cluster.ray_node import RayNode, RedisPlace
from quetzalcore.cluster.ray_process import RayNodeProcess, running_node

T = TypeVar("T")
_HOST = "127.0.0.2"  # Ray replaces 127.0.0.1 by the host's first address
_CALL_LIMIT_S = 120.0


class RayHosts:
    """Nodes that come and go; their loop runs in a thread, so that plain tests may call."""

    def __init__(self, folder: Path, *, host: str = _HOST, redis: str = "") -> None:
        self.folder = folder
        self.host = host
        self.address = f"{host}:{free_port(host)}"
        self.said: list[tuple[str, Mapping[str, object]]] = []
        self._redis = redis
        self._engines = itertools.count()
        self._stacks: dict[str, AsyncExitStack] = {}
        self._security: RaySecurity | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ray-hosts")
        self._thread.start()

    @property
    def security(self) -> RaySecurity:
        """A token and certificates for this host."""
        if self._security is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            token = self.folder / "token"
            token.touch(mode=0o600)
            token.write_text(secrets.token_hex(32))
            now = dt.datetime.now(dt.UTC)
            authority = new_authority("test", now=now)
            host = issue(authority, name="host", hosts=[self.host], now=now)
            tls = write_tls_files(self.folder / "tls", host, authority=authority.certificate)
            self._security = RaySecurity(token_file=token, tls=tls)
        return self._security

    def head(self) -> RayNodeProcess:
        """Start the head."""
        place = RedisPlace(address=self._redis, namespace=self.address) if self._redis else None
        return self._start(self._node("head", head=True, redis=place))

    def workers(self, *names: str) -> None:
        """Start nodes with agents side by side."""
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(self.worker, names))

    def worker(self, name: str, *, cpus: float = 4.0, **settings: Any) -> RayNodeProcess:  # noqa: ANN401 -- HostSettings' own
        """Start a node with an agent."""
        host = HostSettings(
            node_id=name,
            folder=self.folder / name / "agent",
            address=self.host,
            cpus=cpus,
            memory_mib=4096,
            **settings,
        )
        return self._start(self._node(name, agent=host))

    def engine(self) -> RayEngine:
        """Make an engine; start it within the test's own loop."""
        return RayEngine(
            RayPlace(address=self.address, security=self.security),
            folder=self.folder / f"engine-{next(self._engines)}",
            inherited=os.environ,
        )

    def starts(self, name: str) -> int:
        """Count how often a node has been started."""
        return [(event, fields["node"]) for event, fields in self.said].count(("ray.started", name))

    def stop(self, name: str) -> None:
        """Stop a node for good."""
        self._do(self._stacks.pop(name).aclose())

    def close(self) -> None:
        """Stop every node, the head last."""
        for name in sorted(self._stacks, key=lambda name: name == "head"):
            self.stop(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _hear(self, event: str, fields: Mapping[str, object]) -> None:
        self.said.append((event, fields))

    def _node(self, name: str, **fields: Any) -> RayNode:  # noqa: ANN401 -- RayNode's own
        return RayNode(
            name=name,
            folder=self.folder / name,
            address=self.address,
            host=self.host,
            security=self.security,
            **fields,
        )

    def _start(self, node: RayNode) -> RayNodeProcess:
        async def enter() -> RayNodeProcess:
            stack = AsyncExitStack()
            process = await stack.enter_async_context(
                running_node(node, os.environ, said=self._hear)
            )
            self._stacks[node.name] = stack
            return process

        return self._do(enter())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_LIMIT_S)


@contextmanager
def ray_hosts(*, redis: str = "") -> Iterator[RayHosts]:
    """Give a host for Ray nodes, in a folder with a short path, and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="qr-", dir="/tmp"))
    hosts = RayHosts(folder, redis=redis)
    try:
        yield hosts
    finally:
        hosts.close()
        shutil.rmtree(folder, ignore_errors=True)
