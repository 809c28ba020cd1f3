"""What every runtime promises: the fake and the real ones alike, each with a guest that does what it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from quetzalcore.hypervisor.channel import End
from quetzalcore.hypervisor.fakes import FakeRuntime
from quetzalcore.hypervisor.protocol import Failed, Result
from quetzalcore.hypervisor.running import task_message
from quetzalcore.hypervisor.runtime import CannotEnforce, Runtime
from quetzalcore.hypervisor.runtimes.process import ProcessRuntime
from quetzalcore.hypervisor.spec import Limit, Task, Trust, VMSpec
from quetzalcore.hypervisor.started import Birth, StartedVM, installed_modules, start

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]
SPEC = VMSpec(cpus=1, memory_mib=256, scratch_mib=16, pids=32, trust=Trust.OWNER)


@pytest.fixture(params=["fake", "process", "crun", "runc", "bubblewrap"])
def any_runtime(request) -> Runtime:
    if request.param == "fake":
        return FakeRuntime()
    if request.param == "process":
        return ProcessRuntime()
    found: Runtime = request.getfixturevalue("runtimes").by_name[request.param]
    return found


def during(runtime: Runtime, folder: Path, work: Callable[[StartedVM], Awaitable[T]]) -> T:
    """Start a machine with a guest in it, work with it, and end it twice."""

    kernels = folder / "kernels"
    kernels.mkdir(mode=0o755)

    async def go() -> T:
        birth = Birth(
            vm_id=f"vm-contract-{time.monotonic_ns()}",
            spec=SPEC,
            folder=folder / "vm",
            runtime=runtime,
            modules=(ROOT, *installed_modules()),
            kernels=kernels,
            clock=time.monotonic,
        )
        vm = await start(birth)
        try:
            return await work(vm)
        finally:
            await vm.end()
            await vm.end()

    return asyncio.run(asyncio.wait_for(go(), 60))


async def told(vm: StartedVM, **params: object) -> End:
    """Give a machine its task, and wait for how it ends."""
    inputs = {path.name: path for path in vm.inputs.iterdir()}
    task = Task(
        run="tests.integration.hypervisor_runtimes.scripted:run", params=params, inputs=inputs
    )
    vm.channel.send(task_message(task, vm.spec))
    return await vm.channel.end


def test_every_limit_is_held_or_said_to_be_missing_and_how_to_mend_it(any_runtime) -> None:
    found = any_runtime.probe()
    assert found.name == any_runtime.name
    assert found.available
    assert found.enforces | {Limit(name) for name in found.missing} == set(Limit)
    assert not found.enforces & set(found.missing)
    assert all(found.missing.values())
    assert any_runtime.probe() == found


def test_a_guest_reads_what_came_later_and_its_products_are_there_after_its_end(
    any_runtime, tmp_path
) -> None:
    async def work(vm: StartedVM) -> End:
        (vm.inputs / "survey.csv").write_text("x,y,tmi")
        (vm.inputs / "survey.csv").chmod(0o644)
        return await told(vm, echo="heard", products={"maps/tmi.csv": "1,2", "note.txt": "n"})

    end = during(any_runtime, tmp_path, work)
    assert isinstance(end, Result)
    assert end.value == {"echo": "heard", "survey.csv": "x,y,tmi"}
    out = tmp_path / "vm" / "out"
    assert (out / "maps" / "tmi.csv").read_text() == "1,2"
    assert (out / "note.txt").read_text() == "n"


@pytest.mark.parametrize("remedy", ["user", "retry", "none"])
def test_a_failure_is_told_with_its_remedy(any_runtime, tmp_path, remedy) -> None:
    end = during(any_runtime, tmp_path, lambda vm: told(vm, fail=remedy))
    assert isinstance(end, Failed)
    assert (end.failure.remedy, end.failure.detail) == (remedy, "the task was told to fail")


def test_whoever_waits_is_told_the_exit_status(any_runtime, tmp_path) -> None:
    async def work(vm: StartedVM) -> tuple[End, int, int]:
        waiting = asyncio.create_task(vm.exit_status())
        end = await told(vm, exit=5)
        return end, await waiting, await vm.exit_status()

    assert during(any_runtime, tmp_path, work) == (None, 5, 5)


def test_a_machine_that_is_killed_has_ended_by_a_signal_when_the_kill_returns(
    any_runtime, tmp_path
) -> None:
    async def work(vm: StartedVM) -> tuple[End, int]:
        ending = asyncio.create_task(told(vm, sleep_s=600))
        await asyncio.sleep(0.05)
        assert vm.stats().pids >= 1
        assert not ending.done()
        await any_runtime.kill(vm.machine)
        status = await asyncio.wait_for(vm.exit_status(), 0.1)
        await any_runtime.kill(vm.machine)
        return await ending, status

    assert during(any_runtime, tmp_path, work) == (None, -9)


def test_a_guest_ends_when_its_host_hangs_up(any_runtime, tmp_path) -> None:
    async def work(vm: StartedVM) -> int:
        vm.channel.close()
        return await vm.exit_status()

    assert during(any_runtime, tmp_path, work) == 0


def test_use_is_told_while_it_runs_and_after_its_end(any_runtime, tmp_path) -> None:
    async def work(vm: StartedVM) -> None:
        while_idle = vm.stats()
        await vm.resize(replace(SPEC, cpus=0.5, memory_mib=384))
        await told(vm, echo="x")
        await vm.exit_status()
        after = vm.stats()
        assert after.cpu_s >= while_idle.cpu_s >= 0.0
        assert not after.out_of_memory
        assert not after.out_of_pids

    during(any_runtime, tmp_path, work)


@pytest.mark.parametrize(
    "weak", [FakeRuntime(frozenset({Limit.WALL})), ProcessRuntime()], ids=["fake", "process"]
)
def test_a_tenant_s_work_is_refused_where_a_wall_is_missing(weak, tmp_path) -> None:
    async def go() -> None:
        birth = Birth(
            vm_id="vm-refused",
            spec=replace(SPEC, trust=Trust.TENANT),
            folder=tmp_path / "vm",
            runtime=weak,
            modules=(),
            kernels=tmp_path,
            clock=time.monotonic,
        )
        with pytest.raises(CannotEnforce, match="trust = owner"):
            await start(birth)

    asyncio.run(go())
