"""A real nginx of our own on free ports, ended by pid; and gateway instances in processes of their own behind it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quetzalcore.cli.logs import configure_logs
from quetzalcore.database import open_database
from quetzalcore.gateway import GatewayConfig, GatewayParts, ServeOptions, create_app, listen, serve
from quetzalcore.gateway.presence import present
from quetzalcore.identity.limits import RateLimiter, parse_rules
from quetzalcore.identity.sql import open_identity_store
from quetzalcore.jobs.sql import (
    SqlInstanceBook,
    SqlNodeBook,
    SqlScalingBook,
    SqlUploads,
    open_ledger,
)
from quetzalcore.jobs.stores.folder import FolderStore
from quetzalcore.ops.balancer.nginx import Nginx, nginx_version
from quetzalcore.ops.balancer.options import BalancerOptions
from quetzalcore.workloads.catalog import catalog

__all__ = ["Instance", "balancer_folder", "instances", "own_nginx", "until", "user_of_nginx"]


@pytest.fixture
def balancer_folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="qn-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def user_of_nginx() -> str:
    """Give whose rights its workers take: those of who runs the tests."""
    return "root" if os.geteuid() == 0 else ""


@contextlib.asynccontextmanager
async def own_nginx(folder: Path, port: int, **changes: object) -> AsyncIterator[Nginx]:
    """Give an nginx that starts when it is first told what to serve."""
    options = BalancerOptions(
        folder=folder,
        version=await nginx_version(),
        listen=(f"127.0.0.1:{port}",),
        user=user_of_nginx(),
        **{"connections": 256, **changes},  # type: ignore[arg-type]  # fields of BalancerOptions
    )
    nginx = Nginx(options)
    try:
        yield nginx
    finally:
        await nginx.stop()
        assert nginx.master() is None


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A gateway instance in a process of its own."""

    process: subprocess.Popen[str]
    port: int


@contextlib.contextmanager
def instances(folder: Path, *names: str, drain_s: float = 0.0) -> Iterator[list[Instance]]:
    """Run instances on the folder's database until the block ends, or until they are told to end."""
    with contextlib.ExitStack() as stack:
        begun = [stack.enter_context(_process(folder, name, drain_s)) for name in names]
        found = []
        for process in begun:
            assert process.stdout is not None
            found.append(Instance(process=process, port=int(process.stdout.readline())))
        yield found


@contextlib.contextmanager
def _process(folder: Path, name: str, drain_s: float) -> Iterator[subprocess.Popen[str]]:
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "tests.servers.nginx", str(folder), name, str(drain_s)),
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 -- nothing tells of other processes
            await asyncio.sleep(0.02)


async def _serve(folder: Path, name: str, drain_s: float) -> None:
    configure_logs(level="info", as_json=True)
    database = await open_database(f"sqlite:///{folder / 'ledger.db'}")
    identity = await open_identity_store(database)
    try:
        parts = GatewayParts(
            ledger=await open_ledger(database),
            uploads=SqlUploads(database),
            nodes=SqlNodeBook(database),
            instances=SqlInstanceBook(database),
            scaling=SqlScalingBook(database),
            store=FolderStore(folder / "artifacts"),
            identity=identity,
            limiter=RateLimiter(
                "memory://", parse_rules({"requests": "1000000/second", "login": "10/minute"})
            ),
            kinds=catalog(),
            secret=b"a secret of the tests alone",
            clock=_now,
            version="0.0.test",
            config=GatewayConfig(instance=name),
        )
        app = create_app(parts)
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        async with present(app.state.gateway, f"http://127.0.0.1:{port}"):
            options = ServeOptions(drain_s=drain_s)
            await serve(app, listener, options, on_ready=lambda: print(port, flush=True))  # noqa: T201 -- read by who started it
    finally:
        await identity.close()
        await database.close()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
        _runner.run(_serve(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
