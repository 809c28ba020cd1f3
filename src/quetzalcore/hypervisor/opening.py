"""Opening the runtimes that this host has, for one agent; and closing them without a trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from quetzalcore.hypervisor.cgroups import Groups, open_groups, sweep
from quetzalcore.hypervisor.choosing import ORDER, pick
from quetzalcore.hypervisor.mounts import MountRoom
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Runtime
from quetzalcore.hypervisor.runtimes.bubblewrap import BubblewrapRuntime
from quetzalcore.hypervisor.runtimes.oci import OciRuntime
from quetzalcore.hypervisor.runtimes.process import ProcessRuntime
from quetzalcore.hypervisor.spawning import which
from quetzalcore.hypervisor.spec import VMSpec
from quetzalcore.hypervisor.warden import keep_watch

__all__ = ["Runtimes", "open_runtimes", "probe_all"]

_PROGRAMS = {"crun": "crun", "runc": "runc", "runsc": "runsc", "bubblewrap": "bwrap"}


class Runtimes:
    """The runtimes of one agent by name; close it, or use it with ``with``."""

    def __init__(
        self,
        runtimes: Mapping[str, Runtime],
        *,
        absent: Mapping[str, str],
        room: MountRoom | None,
        groups: Groups | None,
    ) -> None:
        self.by_name = runtimes
        self._absent = absent
        self._room, self._groups = room, groups
        self._warden = None if groups is None else keep_watch(groups.roots())

    @property
    def capabilities(self) -> tuple[Capabilities, ...]:
        """Say what each runtime enforces, those that are absent too; tries each, once, all at a time."""
        with ThreadPoolExecutor(len(ORDER)) as apart:
            return tuple(apart.map(self._capabilities, ORDER))

    def choose(self, spec: VMSpec) -> Runtime:
        """Give the runtime for a spec; ``CannotEnforce`` where none holds it. Tries no more than it must."""
        return pick(self.in_order(), spec.trust)

    def in_order(self) -> tuple[Runtime, ...]:
        """Give the runtimes that this host has, whom to take first where several would do."""
        return tuple(self.by_name[name] for name in ORDER if name in self.by_name)

    def close(self) -> None:
        """Kill what still runs and remove what was kept."""
        if self._groups is not None:
            self._groups.close()
        if self._room is not None:
            self._room.close()
        if self._warden is not None:
            self._warden.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _capabilities(self, name: str) -> Capabilities:
        if name in self.by_name:
            return self.by_name[name].probe()
        why = self._absent[name]
        return Capabilities(
            name=name, available=False, enforces=frozenset(), missing={"runtime": why}
        )


def open_runtimes(agent: str) -> Runtimes:
    """Open every runtime that this host has, for an agent of this id; sweep what dead agents left."""
    walls = _open_walls(agent)
    runtimes: dict[str, Runtime] = {}
    absent: dict[str, str] = {}
    for name, program in _PROGRAMS.items():
        if isinstance(walls, str):
            absent[name] = walls
        elif not which(program):
            absent[name] = f"{program} is not installed"
        elif name == "bubblewrap":
            runtimes[name] = BubblewrapRuntime(room=walls[0], groups=walls[1])
        else:
            runtimes[name] = OciRuntime(name, room=walls[0], groups=walls[1])
    runtimes["process"] = ProcessRuntime()
    room, groups = (None, None) if isinstance(walls, str) else walls
    return Runtimes(runtimes, absent=absent, room=room, groups=groups)


def probe_all(agent: str = "doctor") -> tuple[Capabilities, ...]:
    """Say what every runtime enforces on this host: opens, tries and closes them all."""
    with open_runtimes(f"{agent}-{os.getpid()}") as runtimes:
        return runtimes.capabilities


def _open_walls(agent: str) -> tuple[MountRoom, Groups] | str:
    """Open what every walled runtime needs, or say what is missing."""
    if sys.platform != "linux":
        return "namespaces and control groups exist on Linux only"
    try:
        sweep()
        groups = open_groups(agent)
    except CannotEnforce as error:
        return str(error).rstrip(".")
    try:
        return MountRoom(), groups
    except OSError as error:
        groups.close()
        return f"a private mount namespace needs CAP_SYS_ADMIN ({error}): run the worker as root"
