"""Runs machines under bubblewrap, never as uid 0: it drops to a machine's own uid before it starts."""

from __future__ import annotations

from pathlib import PurePosixPath

from quetzalcore.hypervisor.cgroups import Groups
from quetzalcore.hypervisor.machines import TOLD, Call, Place
from quetzalcore.hypervisor.mounts import MountRoom
from quetzalcore.hypervisor.plan.bubblewrap import Folders, command_line, options
from quetzalcore.hypervisor.plan.environment import environment
from quetzalcore.hypervisor.plan.seccomp import program
from quetzalcore.hypervisor.runtime import Launch
from quetzalcore.hypervisor.spawning import which
from quetzalcore.hypervisor.walled import Root, WalledRuntime

__all__ = ["BubblewrapRuntime"]

_FILTER = 5  # the descriptor on which it reads the system call filter


class BubblewrapRuntime(WalledRuntime):
    """Machines in all namespaces, the user's too, inside control groups of ours."""

    def __init__(self, *, room: MountRoom, groups: Groups) -> None:
        super().__init__("bubblewrap", binary=which("bwrap"), room=room, groups=groups)
        self._setpriv = which("setpriv")
        self._program = program()

    def plan(self, launch: Launch, root: Root, place: Place) -> Call:
        """Say how to start a machine."""
        space = PurePosixPath(place.folder / "space")
        told = options(
            Folders(
                root=root.path,
                late=root.late,
                inputs=PurePosixPath(place.folder / "in"),
                space=space,
            ),
            seccomp=_FILTER,
        )
        return Call(
            argv=command_line(
                self.binary, launch.command, args=TOLD, drop=(self._setpriv, place.uid)
            ),
            environment=environment(launch.spec),
            told=b"".join(part.encode() + b"\0" for part in told),
            files={_FILTER: self._program},
        )
