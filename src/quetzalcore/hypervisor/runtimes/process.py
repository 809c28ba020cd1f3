"""Runs a machine as a plain process: for one's own work only, because it walls nothing off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from quetzalcore.hypervisor.plan.environment import environment
from quetzalcore.hypervisor.plan.rlimits import rlimits
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Launch, Machine, Stats
from quetzalcore.hypervisor.spawning import Spawned, follow, start
from quetzalcore.hypervisor.spec import Limit, Trust, VMSpec

__all__ = ["ProcessMachine", "ProcessRuntime"]

_MISSING = {
    Limit.CPU: "a plain process may use every core",
    Limit.MEMORY: "only each process's own data size is bounded, not their sum",
    Limit.PIDS: "a plain process may fork without end",
    Limit.SCRATCH: "only the size of a single file is bounded",
    Limit.NETWORK: "a plain process shares the host's network",
    Limit.FILESYSTEM: "a plain process sees the host's files",
    Limit.SYSCALLS: "no system call is filtered",
    Limit.PRIVILEGES: "a plain process is the user who started it",
}
_POLL_S = 0.005
_MEND = "use runc, crun or bubblewrap on Linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMachine:
    """A process in a session of its own."""

    spawned: Spawned
    launch: Launch

    @property
    def pid(self) -> int:
        """The pid, on the host, of the guest's first process."""
        return self.spawned.pid

    async def wait(self) -> int:
        """Wait for the end; give the exit status (negative: the signal)."""
        return await self.spawned.wait()

    def console(self) -> str:
        """Give the end of what it printed."""
        return self.spawned.console()


class ProcessRuntime:
    """Plain processes: sessions and rlimits, no walls; refuses anyone's work but the owner's.

    ``/in`` and ``/out`` do not exist: the guest finds its folders in ``QUETZAL_IN`` and ``QUETZAL_OUT``.
    """

    name = "process"

    def probe(self) -> Capabilities:
        """Say what is enforced: on Linux, that nothing outlives its time; elsewhere, nothing."""
        enforced = frozenset({Limit.WALL}) if sys.platform == "linux" else frozenset[Limit]()
        missing = {str(limit): f"{why}: {_MEND}" for limit, why in _MISSING.items()}
        if not enforced:
            missing[Limit.WALL] = f"a process that leaves its session outlives its end: {_MEND}"
        return Capabilities(name=self.name, available=True, enforces=enforced, missing=missing)

    async def launch(self, launch: Launch) -> Machine:
        """Start a machine for its owner; a tenant's is refused."""
        if launch.spec.trust is not Trust.OWNER:
            raise CannotEnforce(
                "a plain process holds none of the walls that a tenant's work needs",
                hint=f"{_MEND}, or run it with trust = owner if the data and the code are yours",
            )
        scratch = launch.folder / "tmp"
        for folder in (launch.folder / "in", launch.folder / "out", scratch):
            folder.mkdir(parents=True, exist_ok=True)
        variables = environment(
            launch.spec,
            inputs=str(launch.folder / "in"),
            outputs=str(launch.folder / "out"),
            scratch=str(scratch),
        ) | {"QUETZAL_VM": launch.vm_id}
        started = start(
            tuple(launch.command), environment=variables, descriptors={3: launch.channel}
        )
        machine = ProcessMachine(spawned=follow(started), launch=launch)
        await self.resize(machine, launch.spec)
        return machine

    async def resize(self, machine: Machine, spec: VMSpec) -> None:
        """Set the rlimits of the first process; those that it has forked keep theirs."""
        _limit(machine.pid, spec)

    async def kill(self, machine: Machine) -> None:
        """End its session and whatever carries its mark, wait for it, and empty its temporary folder."""
        machine = _ours(machine)
        if (
            not machine.spawned.ended.done() or sys.platform != "linux"
        ):  # else its number may be another's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(machine.pid, signal.SIGKILL)
        await machine.wait()
        while strays := _marked(machine.launch.vm_id):
            for pid in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(_POLL_S)
        shutil.rmtree(machine.launch.folder / "tmp", ignore_errors=True)

    def stats(self, machine: Machine) -> Stats:
        """Say what its first process, and the children it has waited for, have used so far."""
        machine = _ours(machine)
        usage = machine.spawned.usage or _running(machine.pid)
        return Stats(
            cpu_s=usage.get("cpu_s", 0.0),
            peak_memory_mib=usage.get("peak_memory_mib", 0.0),
            pids=len(_marked(machine.launch.vm_id)),
        )


def _ours(machine: Machine) -> ProcessMachine:
    if not isinstance(machine, ProcessMachine):
        raise TypeError(f"not a machine of the process runtime: {machine!r}")
    return machine


def _limit(pid: int, spec: VMSpec) -> None:
    if sys.platform != "linux":  # no prlimit(2)
        return
    import resource  # noqa: PLC0415 -- not on Windows

    for limit, (soft, hard) in rlimits(spec).items():
        number = getattr(resource, limit)
        _, ceiling = resource.prlimit(pid, number)
        bounds = (
            (soft, hard)
            if ceiling == resource.RLIM_INFINITY
            else (min(soft, ceiling), min(hard, ceiling))
        )
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, number, bounds)


def _marked(vm_id: str) -> list[int]:
    """Find the processes that carry a machine's mark, wherever they have gone to."""
    mark = f"QUETZAL_VM={vm_id}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes() and folder.name != str(os.getpid()):
                found.append(int(folder.name))
    return found


def _running(pid: int) -> dict[str, float]:
    """Read a live process's usage; nothing where it has gone or where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    ticks = os.sysconf("SC_CLK_TCK")
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
    return {
        "cpu_s": sum(int(field) for field in fields[11:15]) / ticks,
        "peak_memory_mib": int(peak) / 1024.0,
    }
