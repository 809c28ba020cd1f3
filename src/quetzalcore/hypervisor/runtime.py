"""The seam to what isolates a VM: probe, launch, kill, stats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from quetzalcore.errors import Permanent
from quetzalcore.hypervisor.spec import Limit, VMSpec

__all__ = ["CannotEnforce", "Capabilities", "Launch", "Machine", "Runtime", "Stats"]


class CannotEnforce(Permanent):
    """The spec needs a limit or wall that this runtime cannot hold on this host."""

    code = "cannot_enforce"
    title = "The limits cannot be enforced here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a runtime enforces on this host, and why it does not enforce the rest."""

    name: str
    available: bool
    enforces: frozenset[Limit]
    missing: Mapping[str, str]  # limit, or "runtime" -> what is missing and how to mend it


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything a runtime needs to start one machine.

    ``folder`` is the machine's own folder on the host, holding ``in/`` and ``out/`` (seen as ``/in``
    and ``/out``). ``channel`` is an open socket's file descriptor; the guest finds it as descriptor 3.
    ``command`` is run inside as it is; it finds its folders in the variables ``QUETZAL_IN`` and ``QUETZAL_OUT``.
    The host may put files into ``in/`` at any time; make them readable for everyone (mode 0644).
    ``out/`` is filled by ``Runtime.kill``: collect products after it.
    """

    vm_id: str
    spec: VMSpec
    folder: Path
    command: Sequence[str]
    channel: int
    readable: Sequence[Path] = ()  # further host paths, seen read-only at the same place


class Machine(Protocol):
    """A started machine."""

    @property
    def pid(self) -> int:
        """The pid, on the host, of the guest's first process."""
        ...

    async def wait(self) -> int:
        """Wait for the end; give the exit status (negative: the signal)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What a machine has used; ``out_of_memory`` and ``out_of_pids`` say that it ran into that limit."""

    cpu_s: float
    peak_memory_mib: float
    pids: int
    out_of_memory: bool = False
    out_of_pids: bool = False
    throttled_s: float = 0.0


class Runtime(Protocol):
    """A way to run a process behind walls."""

    name: str

    def probe(self) -> Capabilities:
        """Say what is enforced on this host; found out by trying, once, and remembered."""
        ...

    async def launch(self, launch: Launch) -> Machine:
        """Start a machine; ``CannotEnforce`` names the limit and the runtime that would hold it."""
        ...

    async def resize(self, machine: Machine, spec: VMSpec) -> None:
        """Change a running machine's limits: a warm one gets its job's."""
        ...

    async def kill(self, machine: Machine) -> None:
        """End every process of it, wait until none is left, and remove what it kept. Idempotent."""
        ...

    def stats(self, machine: Machine) -> Stats:
        """Say what it has used so far; also after its end, until ``kill``."""
        ...
