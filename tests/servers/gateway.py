"""A gateway over memory, with people of two tenants and a worker that does what a test says."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

from quetzalcore.database import Database, open_database
from quetzalcore.gateway import (
    GatewayConfig,
    GatewayParts,
    ServeOptions,
    create_app,
    listen,
    serve,
)
from quetzalcore.identity.limits import RateLimiter, parse_rules
from quetzalcore.identity.memory import MemoryIdentityStore
from quetzalcore.identity.model import Role
from quetzalcore.identity.sql import open_identity_store
from quetzalcore.identity.store import IdentityStore
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import (
    Admission,
    JobLedger,
    Leadership,
    NodeBook,
    Report,
    ReportKind,
)
from quetzalcore.jobs.memory import MemoryLedger
from quetzalcore.jobs.memory_books import MemoryLeadership, MemoryNodeBook, MemoryUploads
from quetzalcore.jobs.memory_scaling import MemoryInstanceBook, MemoryScalingBook
from quetzalcore.jobs.model import Artifact, Failure, Node, Resources
from quetzalcore.jobs.scaling import InstanceBook, ScalingBook
from quetzalcore.jobs.sql import (
    SqlInstanceBook,
    SqlLeadership,
    SqlNodeBook,
    SqlScalingBook,
    SqlUploads,
    open_ledger,
)
from quetzalcore.jobs.stores.memory import MemoryStore
from quetzalcore.jobs.uploads import UploadBook
from quetzalcore.workloads.catalog import catalog

__all__ = ["PASSWORD", "LiveGateway", "MemoryPlatform", "live", "now", "talk"]

T = TypeVar("T")

PASSWORD = "correct horse battery staple"  # noqa: S105 -- of people who do not exist
PEOPLE = {
    "root": ("operations", Role.ADMIN),
    "ada": ("acme", Role.ANALYST),
    "cleo": ("acme", Role.CLIENT),
    "bob": ("bolt", Role.ANALYST),
}


def now() -> dt.datetime:
    """Give the time as the platform counts it."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, kw_only=True)
class _Books:
    ledger: JobLedger
    nodes: NodeBook
    leadership: Leadership
    uploads: UploadBook
    instances: InstanceBook
    scaling: ScalingBook
    identity: IdentityStore


async def _books(database: Database | None) -> _Books:
    """Keep everything in memory, or in a database that the caller closes."""
    if database is None:
        leadership = MemoryLeadership()
        ledger = MemoryLedger(leadership)
        return _Books(
            ledger=ledger,
            nodes=MemoryNodeBook(leadership),
            leadership=leadership,
            uploads=MemoryUploads(ledger.refers_to),
            instances=MemoryInstanceBook(),
            scaling=MemoryScalingBook(leadership),
            identity=MemoryIdentityStore(),
        )
    return _Books(
        ledger=await open_ledger(database),
        nodes=SqlNodeBook(database),
        leadership=SqlLeadership(database),
        uploads=SqlUploads(database),
        instances=SqlInstanceBook(database),
        scaling=SqlScalingBook(database),
        identity=await open_identity_store(database),
    )


@dataclass
class MemoryPlatform:
    """The parts of a gateway, the keys of its people, and the hand of the master."""

    parts: GatewayParts
    epoch: int
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> JobLedger:
        return self.parts.ledger

    @property
    def store(self) -> ArtifactStore:
        return self.parts.store

    @classmethod
    async def build(cls, **changes: Any) -> MemoryPlatform:  # noqa: ANN401 -- any field
        """Make the parts; ``changes`` replace fields of ``GatewayParts``, or of its config."""
        books = await _books(changes.pop("database", None))
        epoch = await books.leadership.acquire("test", lease_s=3600, now=now()) or 0
        rules = {"requests": "1000000/minute", "login": "1000000/minute"}
        known = GatewayConfig.__dataclass_fields__
        config = GatewayConfig(**{key: changes.pop(key) for key in list(changes) if key in known})
        parts = GatewayParts(
            ledger=books.ledger,
            uploads=books.uploads,
            nodes=books.nodes,
            instances=books.instances,
            scaling=books.scaling,
            store=MemoryStore(),
            identity=books.identity,
            limiter=RateLimiter("memory://", parse_rules(rules)),
            kinds=catalog(),
            secret=b"sixteen bytes or more",
            clock=now,
            version="0.0.test",
            config=config,
        )
        platform = cls(replace(parts, **changes), epoch)
        identity = books.identity
        for name, (tenant, role) in PEOPLE.items():
            await identity.add_user(name, tenant=tenant, role=role, password=PASSWORD, now=now())
            _, platform.keys[name] = await identity.create_key(name, now=now())
        _, platform.keys["worker"] = await identity.create_key("root", scope="join", now=now())
        await books.nodes.put([_NODE], epoch=epoch)
        return platform

    def app(self) -> FastAPI:
        """Make one more instance."""
        return create_app(self.parts)

    def headers(self, name: str) -> dict[str, str]:
        """Give what a person shows."""
        return {"Authorization": f"Bearer {self.keys[name]}"}

    async def begin(self, job_id: str) -> str:
        """Start a job as the master and an agent would; give the attempt."""
        attempt_id = new_id()
        until = now() + dt.timedelta(hours=1)
        admission = Admission(
            job_id=job_id,
            attempt_id=attempt_id,
            node="node-1",
            resources=Resources(),
            lease_until=until,
        )
        await self.ledger.admit([admission], epoch=self.epoch, now=now())
        await self._report(job_id, attempt_id, ReportKind.STARTED, lease_until=until)
        return attempt_id

    async def tell(self, job_id: str, attempt_id: str, kind: str, data: Mapping[str, Any]) -> None:
        """Report progress or a log line."""
        await self._report(job_id, attempt_id, kind, data=data)

    async def succeed(
        self, job_id: str, attempt_id: str, result: Mapping[str, Any], **files: tuple[str, bytes]
    ) -> None:
        """End a job well; ``files`` are media type and content by a keyword for the name."""
        job = await self.ledger.get(job_id)
        artifacts = []
        for name, (media_type, content) in files.items():
            artifacts.append(
                await self._keep(job.request.tenant, job_id, name, media_type, content)
            )
        await self._report(
            job_id, attempt_id, ReportKind.SUCCEEDED, result=result, artifacts=tuple(artifacts)
        )

    async def fail(self, job_id: str, attempt_id: str, failure: Failure) -> None:
        """End a job badly."""
        await self._report(job_id, attempt_id, ReportKind.FAILED, failure=failure)

    async def run_all(self, result: Mapping[str, Any], *, until: asyncio.Event) -> None:
        """Be a worker that gives the same result for every job."""
        seen = await self.ledger.changed(timeout_s=0)
        while not until.is_set():
            for waiting in await self.ledger.waiting(limit=100):
                await self.succeed(waiting.job_id, await self.begin(waiting.job_id), result)
            seen = await self.ledger.changed(timeout_s=0.05, seen=seen)

    async def _keep(
        self, tenant: str, job_id: str, name: str, media_type: str, content: bytes
    ) -> Artifact:
        async def once() -> AsyncIterator[bytes]:
            yield content

        key = f"tenants/{tenant}/jobs/{job_id}/x/{name}"
        await self.store.put(key, once())
        return Artifact(
            name=name,
            key=key,
            size=len(content),
            sha256=sha256(content).hexdigest(),
            media_type=media_type,
        )

    async def _report(self, job_id: str, attempt_id: str, kind: str, **fields: Any) -> None:  # noqa: ANN401 -- any field
        report = Report(attempt_id=attempt_id, job_id=job_id, kind=kind, at=now(), **fields)
        assert not await self.ledger.record([report], epoch=self.epoch)


def talk(
    conversation: Callable[[MemoryPlatform, httpx.AsyncClient], Awaitable[None]],
    **changes: Any,  # noqa: ANN401 -- any field
) -> None:
    """Run a conversation with one instance, in this process, without a network."""

    async def main() -> None:
        platform = await MemoryPlatform.build(**changes)
        app = platform.app()
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
        ):
            async with asyncio.timeout(30):
                await conversation(platform, client)

    asyncio.run(main())


_NODE = Node(
    id="node-1",
    address="127.0.0.1",
    total=Resources(cpus=8, memory_mib=16384, scratch_mib=65536),
    free=Resources(cpus=8, memory_mib=16384, scratch_mib=65536),
)


@contextlib.contextmanager
def live(options: ServeOptions | None = None, **changes: Any) -> Iterator[LiveGateway]:  # noqa: ANN401 -- any field
    """Serve a platform's gateway on a free port from a thread of its own."""
    server = LiveGateway(options or ServeOptions(signals=False), changes)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class LiveGateway:
    """A gateway on a real socket; ``call`` runs a coroutine where the platform lives."""

    platform: MemoryPlatform

    def __init__(self, options: ServeOptions, changes: Mapping[str, Any]) -> None:
        self._options = options
        self._changes = dict(changes)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._listener = listen("127.0.0.1", 0)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(15)
        assert not self._thread.is_alive()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(15)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside; it must end before the server does."""
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def headers(self, name: str) -> dict[str, str]:
        return self.platform.headers(name)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        url = self._changes.pop("database_url", "")
        if not url:
            await self._serve()
            return
        database = await open_database(url)
        try:
            await self._serve(database=database)
            await self.platform.parts.identity.close()
        finally:
            await database.close()

    async def _serve(self, **more: Any) -> None:  # noqa: ANN401 -- any field
        self.platform = await MemoryPlatform.build(**self._changes, **more)
        self.app = self.platform.app()
        self._task = asyncio.create_task(
            serve(self.app, self._listener, self._options, on_ready=self._ready.set)
        )
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
