"""A VM from its start to its end: launched, ready, and gone with everything in it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import quetzalcore
from quetzalcore.errors import Retryable
from quetzalcore.hypervisor.channel import Channel
from quetzalcore.hypervisor.guest.main import BOOTSTRAP
from quetzalcore.hypervisor.runtime import Launch, Machine, Runtime, Stats
from quetzalcore.hypervisor.spec import Limit, Tier, VMSpec

__all__ = ["Birth", "StartedVM", "VMLost", "guest_command", "installed_modules", "start"]

_SITE = frozenset({"site-packages", "dist-packages"})
_KINDS = "quetzalcore.workloads"  # the group of entry points by which packages add kinds
_READY_S = 60.0  # a cold numeric VM on a busy host takes seconds


class VMLost(Retryable):
    """A VM ended, or did not come up, through no fault of its task."""

    code = "vm_lost"
    title = "The VM was lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a VM is started with; ``folder`` is its own and need not exist."""

    vm_id: str
    spec: VMSpec
    folder: Path
    runtime: Runtime
    modules: tuple[Path, ...]
    kernels: Path
    clock: Callable[[], float]


@dataclass(slots=True, kw_only=True)
class StartedVM:
    """A VM that has said that it is ready."""

    vm_id: str
    spec: VMSpec
    folder: Path
    runtime: Runtime
    machine: Machine
    channel: Channel
    start_s: float
    _idle_mib: float | None = None

    async def resize(self, spec: VMSpec) -> None:
        """Give it the limits of the job that it gets."""
        await self.runtime.resize(self.machine, spec)
        self.spec = spec

    def enforces(self, limit: Limit) -> bool:
        """Say whether its runtime holds a limit."""
        return limit in self.runtime.probe().enforces

    async def exit_status(self) -> int:
        """Wait for its end; negative for a signal."""
        return await self.machine.wait()

    def terminate(self) -> None:
        """Ask its task to end."""
        self.channel.send({"type": "end"})

    def stats(self) -> Stats:
        """Say what it has used; also after its end, until ``end``."""
        return self.runtime.stats(self.machine)

    def idle_memory_mib(self) -> float:
        """Say what it holds while it waits; measured once, since nothing happens in it."""
        if self._idle_mib is None:
            self._idle_mib = self.stats().peak_memory_mib
        return self._idle_mib

    async def end(self) -> None:
        """End every process of it and wait until none is left. Idempotent."""
        self.channel.close()
        await self.runtime.kill(self.machine)

    async def remove(self) -> None:
        """End it and remove its folder: nobody wants what it made."""
        await self.end()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def name(self) -> str:
        """Name the task's part of ``/in`` and ``/out``: all of it."""
        return ""

    @property
    def inputs(self) -> Path:
        """Give the folder on the host that its task sees as its inputs."""
        return self.folder / "in"

    async def take_products(self, _folder: Path) -> Path:
        """Give the folder of what it made; after ``end``."""
        return self.folder / "out"


async def start(birth: Birth) -> StartedVM:
    """Launch a VM and wait until it is ready; ``VMLost`` if it never is, and nothing of it stays."""
    began = birth.clock()
    for name in ("in", "out"):
        (birth.folder / name).mkdir(parents=True, exist_ok=True)
    ours, theirs = socket.socketpair()
    channel = await Channel.over(ours, birth.clock)
    try:
        machine = await birth.runtime.launch(
            Launch(
                vm_id=birth.vm_id,
                spec=birth.spec,
                folder=birth.folder,
                command=guest_command(birth.spec.tier, birth.kernels, birth.modules),
                channel=theirs.fileno(),
                readable=(*birth.modules, birth.kernels),
            )
        )
    except BaseException:
        channel.close()
        raise
    finally:
        theirs.close()
    vm = StartedVM(
        vm_id=birth.vm_id,
        spec=birth.spec,
        folder=birth.folder,
        runtime=birth.runtime,
        machine=machine,
        channel=channel,
        start_s=0.0,
    )
    await _become_ready(vm)
    vm.start_s = birth.clock() - began
    return vm


async def _become_ready(vm: StartedVM) -> None:
    try:
        ready = await asyncio.wait_for(asyncio.shield(vm.channel.ready), _READY_S)
    except TimeoutError:
        ready = False
    if ready:
        return
    await vm.remove()
    raise VMLost(
        f"the VM did not come up{_last_words(vm.machine)}",
        hint="it is tried again; quetzal doctor tells what the host lacks",
    )


def _last_words(machine: Machine) -> str:
    console = getattr(machine, "console", None)
    lines = console().strip().splitlines() if console is not None else []
    return f" ({lines[-1][:300]})" if lines else ""


def guest_command(tier: Tier, kernels: Path, modules: Sequence[Path]) -> Sequence[str]:
    """Give the command line of a guest: this interpreter, isolated, with these folders of modules."""
    start = (sys.executable, "-I", "-S", "-c", BOOTSTRAP)
    return (*start, str(tier), str(kernels), *map(str, modules))


def installed_modules() -> tuple[Path, ...]:
    """Give the folders of installed modules: our own, what the interpreter's site added, added kinds.

    Neither the working folder nor a script's own: a tenant's VM has no business there.
    """
    own = Path(quetzalcore.__file__).parents[1]
    paths = [Path(path) for path in sys.path]
    first = next((i for i, path in enumerate(paths) if path.name in _SITE), len(paths))
    site = (path for path in paths[first:] if path.is_dir())
    return tuple(dict.fromkeys([own, *site, *_folders_of_kinds()]))


def _folders_of_kinds() -> Iterator[Path]:
    """Find where packages that add kinds lie, for example by PYTHONPATH: what is offered must run."""
    for point in entry_points(group=_KINDS):
        if point.dist is not None:
            yield Path(str(point.dist.locate_file("")))
