"""A host's walled runtimes, opened once, and a way to run hostile guests in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quetzalcore.hypervisor.machines import WalledMachine
from quetzalcore.hypervisor.opening import Runtimes, open_runtimes
from quetzalcore.hypervisor.runtime import Launch, Runtime, Stats
from quetzalcore.hypervisor.spec import VMSpec

WALLED = ("crun", "runc", "bubblewrap")


@pytest.fixture(scope="session")
def runtimes() -> Iterator[Runtimes]:
    with open_runtimes(f"test-{os.getpid()}") as opened:
        yield opened


@pytest.fixture(params=WALLED)
def runtime(request, runtimes) -> Runtime:
    found: Runtime = runtimes.by_name[request.param]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    status: int
    console: str
    stats: Stats
    folder: Path
    wall_s: float
    vm_id: str


@pytest.fixture
def run(runtime, tmp_path) -> Callable[..., Ended]:
    def run_guest(code: str, *, spec: VMSpec | None = None, seconds: float = 60.0) -> Ended:
        """Run Python code in a machine, at most so long, and end it."""
        return asyncio.run(
            _run(
                runtime,
                tmp_path,
                code,
                spec or VMSpec(cpus=1, memory_mib=256, scratch_mib=8, pids=32),
                seconds,
            )
        )

    return run_guest


def launch_of(folder: Path, code: str, spec: VMSpec, channel: int) -> Launch:
    return Launch(
        vm_id=f"vm-{uuid.uuid4().hex[:12]}",
        spec=spec,
        folder=folder,
        command=(sys.executable, "-I", "-S", "-c", code),
        channel=channel,
    )


async def _run(runtime: Runtime, folder: Path, code: str, spec: VMSpec, seconds: float) -> Ended:
    ours, theirs = socket.socketpair()
    clock = asyncio.get_running_loop().time
    with ours, theirs:
        launch = launch_of(folder, code, spec, theirs.fileno())
        machine = await runtime.launch(launch)
        begun = clock()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(machine.wait(), seconds)
        wall_s = clock() - begun
        await runtime.kill(machine)
        await runtime.kill(machine)
        await asyncio.sleep(0.01)
        assert isinstance(machine, WalledMachine)
        assert not machine.group.paths()[0].exists()
        assert not processes_of(launch.vm_id)
        return Ended(
            status=await machine.wait(),
            console=machine.console(),
            stats=runtime.stats(machine),
            folder=folder,
            wall_s=wall_s,
            vm_id=launch.vm_id,
        )


def processes_of(mark: str) -> list[int]:
    """Find the living processes with a mark in their command line, but for this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes() and folder.name != str(
                os.getpid()
            ):
                found.append(int(folder.name))
        except OSError:
            continue
    return found
