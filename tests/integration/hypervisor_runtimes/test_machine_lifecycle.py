"""Machines from start to end: inputs that come later, limits that change, deaths of launchers and of agents."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from quetzalcore.hypervisor.cgroup_layout import Hierarchy, Layout
from quetzalcore.hypervisor.cgroups import Group, open_groups, own_layout, sweep
from quetzalcore.hypervisor.machines import WalledMachine
from quetzalcore.hypervisor.opening import open_runtimes
from quetzalcore.hypervisor.products import collect
from quetzalcore.hypervisor.runtime import CannotEnforce, Launch, Stats
from quetzalcore.hypervisor.spec import Trust, VMSpec

T = TypeVar("T")
SMALL = VMSpec(cpus=1, memory_mib=128, scratch_mib=8, pids=24)


def converse(
    runtime, folder: Path, code: str, talk: Callable[..., Awaitable[T]], spec: VMSpec = SMALL
) -> T:
    """Start a guest that speaks on descriptor 3, talk to it, end it."""

    async def go() -> T:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            machine = await runtime.launch(
                Launch(
                    vm_id=f"vm-{time.monotonic_ns()}",
                    spec=spec,
                    folder=folder,
                    command=(
                        sys.executable,
                        "-I",
                        "-S",
                        "-c",
                        f"import socket, os, errno\ns = socket.socket(fileno=3)\n{code}",
                    ),
                    channel=theirs.fileno(),
                )
            )
            theirs.close()
            try:
                loop = asyncio.get_running_loop()
                assert await loop.sock_recv(ours, 5) == b"ready"
                return await talk(machine, loop, ours)
            finally:
                await runtime.kill(machine)
                await asyncio.sleep(0.01)

    return asyncio.run(asyncio.wait_for(go(), 60))


def test_a_warm_machine_sees_the_files_that_the_host_gives_it_later(runtime, tmp_path) -> None:
    async def talk(machine, loop, ours) -> bytes:
        (tmp_path / "in" / "survey.csv").write_text("x,y,tmi")
        await loop.sock_sendall(ours, b"go")
        answer: bytes = await loop.sock_recv(ours, 100)
        return answer

    code = "s.sendall(b'ready'); s.recv(2); s.sendall(open('/in/survey.csv').read().encode())"
    assert converse(runtime, tmp_path, code, talk) == b"x,y,tmi"


def test_a_warm_machine_gets_the_limits_of_its_job(runtime, tmp_path) -> None:
    async def talk(machine, loop, ours) -> bytes:
        await runtime.resize(machine, VMSpec(cpus=0.5, memory_mib=256, scratch_mib=24, pids=40))
        assert machine.group.cpu_quota_us() == 50_000
        await loop.sock_sendall(ours, b"go")
        answer: bytes = await loop.sock_recv(ours, 100)
        return answer

    code = (
        "def fill():\n"
        "  n = 0\n"
        "  with open('/out/f', 'wb', buffering=0) as f:\n"
        "    try:\n"
        "      while True: n += f.write(bytes(1 << 20))\n"
        "    except OSError: return n >> 20\n"
        "before = fill(); s.sendall(b'ready'); s.recv(2)\n"
        "s.sendall(f'{before} {fill()}'.encode())"
    )
    assert converse(runtime, tmp_path, code, talk) == b"8 24"
    assert collect(tmp_path / "out")[0].size == 24 << 20


def test_a_readable_folder_below_tmp_is_seen_at_its_place_and_cannot_be_written(
    runtime, tmp_path
) -> None:
    shown = tmp_path / "clone"
    shown.mkdir(mode=0o755)
    (shown / "kernel").write_text("code")

    async def go() -> str:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            code = f"print(open('{shown}/kernel').read(), flush=True); open('{shown}/x', 'w')"
            launch = Launch(
                vm_id="vm-late",
                spec=SMALL,
                folder=tmp_path / "vm",
                command=(sys.executable, "-I", "-S", "-c", code),
                channel=theirs.fileno(),
                readable=(shown,),
            )
            machine = await runtime.launch(launch)
            assert await machine.wait() == 1
            await asyncio.sleep(0.01)
            await runtime.kill(machine)
            return machine.console()

    console = asyncio.run(go())
    assert console.startswith("code\n")
    assert "Read-only file system" in console


def test_the_pid_is_the_guests_own_and_its_use_is_measured_while_it_runs(runtime, tmp_path) -> None:
    async def talk(machine, loop, ours) -> tuple[str, Stats]:
        return command_of(machine.pid), runtime.stats(machine)

    command, stats = converse(
        runtime, tmp_path, "sum(range(10**6)); s.sendall(b'ready'); s.recv(1)", talk
    )
    assert command.startswith(sys.executable)
    assert stats.cpu_s > 0.01
    assert stats.peak_memory_mib > 1
    assert stats.pids >= 1


def test_a_launcher_that_is_killed_takes_its_machine_along(runtime, tmp_path) -> None:
    async def talk(machine, loop, ours) -> int:
        guest: int = machine.pid
        os.kill(machine.spawned.pid, signal.SIGKILL)
        assert await machine.wait() == -9
        await runtime.kill(machine)
        return guest

    code = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ns.sendall(b'ready'); time.sleep(600)"
    guest = converse(runtime, tmp_path, code, talk)
    assert (
        not Path(f"/proc/{guest}/stat").exists() or "Z" in Path(f"/proc/{guest}/stat").read_text()
    )


@pytest.mark.slow
def test_everything_that_a_job_imports_works_inside(runtime, tmp_path) -> None:
    code = Path(__file__).with_name("imports_in_a_machine.py").read_text()

    async def go() -> tuple[int, str]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            spec = VMSpec(cpus=2, memory_mib=1024, scratch_mib=64, pids=64)
            machine = await runtime.launch(
                Launch(
                    vm_id="vm-imports",
                    spec=spec,
                    folder=tmp_path,
                    command=(sys.executable, "-c", code),
                    channel=theirs.fileno(),
                )
            )
            status = await machine.wait()
            await runtime.kill(machine)
            await asyncio.sleep(0.01)
            return status, machine.console()

    status, console = asyncio.run(go())
    assert status == 0, console
    assert json.loads(console.splitlines()[-1]) == {"sum": 36.0, "child": "child"}
    assert {product.name for product in collect(tmp_path / "out")} == {"a.png", "a.tif"}


_AGENT = """
import asyncio, socket, sys
from pathlib import Path
from quetzalcore.hypervisor.opening import open_runtimes
from quetzalcore.hypervisor.runtime import Launch
from quetzalcore.hypervisor.spec import VMSpec

async def main(runtimes):
    pair = socket.socketpair()
    code = "import os, signal, time\\nsignal.signal(15, signal.SIG_IGN)\\nos.fork()\\nos.setsid() if os.getpid() != 1 else 0\\ntime.sleep(600)"
    for name in ("crun", "runc", "bubblewrap"):
        await runtimes.by_name[name].launch(Launch(
            vm_id=f"vm-{name}", spec=VMSpec(memory_mib=64, scratch_mib=8, pids=8), folder=Path(sys.argv[2]) / name,
            command=(sys.executable, "-I", "-S", "-c", code, sys.argv[1]), channel=pair[1].fileno()))
    print("started", flush=True)
    await asyncio.sleep(600)

with open_runtimes(sys.argv[1]) as runtimes:
    asyncio.run(main(runtimes))
"""


def test_an_agent_that_is_killed_leaves_no_machine_no_group_and_no_mount(tmp_path) -> None:
    agent = f"dying-{os.getpid()}"
    with subprocess.Popen(
        (sys.executable, "-c", _AGENT, agent, str(tmp_path)), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        wait_until(lambda: len(carrying(agent)) >= 3 * 2)
        process.kill()
    wait_until(lambda: not carrying(agent) and not groups_of(agent))
    assert "quetzal" not in Path("/proc/self/mounts").read_text()


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def carrying(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "cmdline").read_text() and folder.name != str(os.getpid()):
                found.append(folder.name)
        except OSError:
            continue
    return found


def groups_of(agent: str) -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(f"quetzal-{agent}-*"))


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)


def test_a_sweep_removes_what_dead_agents_left_and_nothing_of_the_living() -> None:
    living, dead = open_groups(f"living-{os.getpid()}"), open_groups(f"dead-{os.getpid()}")
    left, kept = dead.create("vm"), living.create("vm")
    with subprocess.Popen(("sleep", "600")) as process:
        left.add(process.pid)
        for lock in dead.locks:
            os.close(lock)
        try:
            assert any(name.startswith(f"quetzal-dead-{os.getpid()}-") for name in sweep())
            assert process.wait(10) == -9
            assert not any(path.exists() for path in left.paths())
            assert all(path.exists() for path in kept.paths())
        finally:
            living.close()
    assert not groups_of(f"living-{os.getpid()}")


def test_a_host_without_control_groups_refuses_to_open_them() -> None:
    with pytest.raises(CannotEnforce, match="Delegate=yes"):
        open_groups("nobody", Layout(hierarchy=Hierarchy.NONE, own={}))


def test_a_version_2_group_is_killed_at_one_stroke() -> None:
    unified = own_layout().unified
    assert unified is not None
    path = Path(unified) / f"quetzal-v2-{os.getpid()}"
    path.mkdir()
    group = Group(version=2, directories={"memory": path, "cpu": path, "pids": path})
    try:
        with subprocess.Popen(("sh", "-c", "sleep 600 & sleep 600 & wait")) as process:
            group.add(process.pid)
            asyncio.run(group.kill())
            assert process.wait(10) == -9
        assert group.stats().pids == 0
    finally:
        group.remove()
    assert not path.exists()


def test_the_strongest_runtime_is_chosen_and_absent_ones_say_why(runtimes) -> None:
    assert runtimes.choose(VMSpec(trust=Trust.TENANT)).name == "crun"
    told = {one.name: one for one in runtimes.capabilities}
    assert list(told) == ["crun", "runc", "runsc", "bubblewrap", "process"]
    assert "not installed" in told["runsc"].missing["runtime"]
    assert not told["runsc"].available


def test_two_agents_live_side_by_side() -> None:
    with open_runtimes(f"one-{os.getpid()}") as one, open_runtimes(f"two-{os.getpid()}") as two:
        assert one.by_name["crun"].probe().available
        assert two.by_name["crun"].probe().available


def test_a_program_that_does_not_exist_ends_its_machine_with_words(runtime, tmp_path) -> None:
    async def go() -> tuple[int, str]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            machine = await runtime.launch(
                Launch(
                    vm_id="vm-none",
                    spec=SMALL,
                    folder=tmp_path,
                    command=("/bin/none",),
                    channel=theirs.fileno(),
                )
            )
            assert isinstance(machine, WalledMachine)
            status = await machine.wait()
            await asyncio.sleep(0.01)
            await runtime.kill(machine)
            return status, machine.console()

    status, console = asyncio.run(go())
    assert status != 0
    assert "/bin/none" in console
