"""What every test of VMs may use: each runtime that this host has, and a way to run one task."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from quetzalcore.hypervisor import Hypervisor
from quetzalcore.hypervisor.opening import Runtimes, open_runtimes
from quetzalcore.hypervisor.runtimes.process import ProcessRuntime
from quetzalcore.hypervisor.spec import Outcome, Task, Trust, VMSpec

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]
SMALL = VMSpec(cpus=1, memory_mib=512, scratch_mib=64, pids=64, wall_s=30, trust=Trust.OWNER)


class House:
    """A hypervisor in a folder of its own, opened for each call."""

    def __init__(self, folder: Path, runtimes: list[Any]) -> None:
        self.folder = folder
        self.runtimes = runtimes

    def during(self, work: Callable[[Hypervisor], Awaitable[T]], **options: Any) -> T:  # noqa: ANN401 -- as open takes them
        async def go() -> T:
            settings = {"trust": Trust.OWNER, "modules": [ROOT], **options}
            async with Hypervisor.open(
                folder=self.folder, runtimes=self.runtimes, **settings
            ) as hypervisor:
                return await work(hypervisor)

        return asyncio.run(go())

    def run(self, name: str, *, spec: VMSpec = SMALL, **options: Any) -> Outcome:  # noqa: ANN401 -- a task's parameters
        events = options.pop("events", [])
        forkable = options.pop("forkable", False)
        task = task_of(name, **options)
        return self.during(lambda hv: hv.run(spec, task, on_event=events.append, forkable=forkable))


def task_of(name: str, **params: Any) -> Task:  # noqa: ANN401 -- JSON
    return Task(run=f"tests.integration.hypervisor_pool.hostile:{name}", params=params)


@pytest.fixture(scope="session")
def runtimes() -> Iterator[Runtimes]:
    """Open the runtimes that this host has."""
    with open_runtimes(f"test-{os.getpid()}") as found:
        yield found


@pytest.fixture(params=["process", "crun", "bubblewrap"])
def house(request, tmp_path: Path) -> House:
    """Give a house of plain processes, and one of each kind of walls; runc's guests differ in no way from crun's."""
    if request.param == "process":
        return House(tmp_path / "hypervisor", [ProcessRuntime()])
    runtimes: Runtimes = request.getfixturevalue("runtimes")
    assert request.param in runtimes.by_name, f"make system installs {request.param}"
    return House(tmp_path / "hypervisor", [runtimes.by_name[request.param]])
