"""Opening the runtimes that this host has, for one agent; and closing them without a trace."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from quetzalcore.hypervisor.cgroups import Groups, open_groups, sweep
from quetzalcore.hypervisor.choosing import choose
from quetzalcore.hypervisor.mounts import MountRoom
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Runtime
from quetzalcore.hypervisor.runtimes.bubblewrap import BubblewrapRuntime
from quetzalcore.hypervisor.runtimes.oci import OciRuntime
from quetzalcore.hypervisor.runtimes.process import ProcessRuntime
from quetzalcore.hypervisor.spawning import which
from quetzalcore.hypervisor.spec import VMSpec

__all__ = ["Runtimes", "open_runtimes"]

_OCI = ("crun", "runc", "runsc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtimes:
    """The runtimes of one agent by name, and what each enforces; close it, or use it with ``with``."""

    by_name: Mapping[str, Runtime]
    capabilities: tuple[Capabilities, ...]
    room: MountRoom | None
    groups: Groups | None

    def choose(self, spec: VMSpec) -> Runtime:
        """Give the runtime for a spec; ``CannotEnforce`` where none holds it."""
        return self.by_name[choose(spec, self.capabilities).name]

    def close(self) -> None:
        """Kill what still runs and remove what was kept; idempotent."""
        if self.groups is not None:
            self.groups.close()
        if self.room is not None:
            self.room.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_runtimes(agent: str) -> Runtimes:
    """Open every runtime that this host has, for an agent of this id; sweep what dead agents left.

    Whatever cannot be opened is among the capabilities as not available, with the reason.
    """
    runtimes: dict[str, Runtime] = {}
    room = groups = None
    if sys.platform == "linux":
        with contextlib.suppress(CannotEnforce, OSError):
            sweep()
            groups = open_groups(agent)
            room = MountRoom()
    if room is not None and groups is not None:
        for name in _OCI:
            if which(name):
                runtimes[name] = OciRuntime(name, room=room, groups=groups)
        if which("bwrap"):
            runtimes["bubblewrap"] = BubblewrapRuntime(room=room, groups=groups)
    runtimes["process"] = ProcessRuntime()
    return Runtimes(
        by_name=runtimes,
        capabilities=tuple(runtime.probe() for runtime in runtimes.values()),
        room=room,
        groups=groups,
    )
