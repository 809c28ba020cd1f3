"""What the runtimes with walls share: the view of the host, the order of starting and ending, the trial."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from quetzalcore.hypervisor.cgroups import Groups
from quetzalcore.hypervisor.host_tree import read_host_tree
from quetzalcore.hypervisor.machines import Call, Place, WalledMachine, begin
from quetzalcore.hypervisor.mounts import MountRoom, late_place
from quetzalcore.hypervisor.plan.view import View, plan_view
from quetzalcore.hypervisor.runtime import Capabilities, Launch, Machine, Stats
from quetzalcore.hypervisor.spec import VMSpec
from quetzalcore.hypervisor.trial import try_out

__all__ = ["Root", "WalledRuntime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A machine's root as built in the room, and what is bound into it last."""

    path: PurePosixPath
    late: tuple[
        tuple[PurePosixPath, PurePosixPath], ...
    ]  # (where it is reached, where it is shown)


class WalledRuntime(abc.ABC):
    """A runtime that is told what to make only when it is already in the machine's control group.

    So nothing of it ever runs unlimited, and its own processes count against the machine's limits.
    """

    def __init__(self, name: str, *, binary: str, room: MountRoom, groups: Groups) -> None:
        self.name = name
        self.binary = binary
        self.room = room
        self._groups = groups
        self._host = read_host_tree()
        self._views: dict[tuple[Path, ...], View] = {}
        self._capabilities: Capabilities | None = None

    @abc.abstractmethod
    def plan(self, launch: Launch, root: Root, place: Place) -> Call:
        """Say how to start a machine."""

    def probe(self) -> Capabilities:
        """Say what is enforced on this host; found out by trying, once, and remembered."""
        if self._capabilities is None:
            self._capabilities = try_out(self)
        return self._capabilities

    async def launch(self, launch: Launch) -> WalledMachine:
        """Start a machine; it is limited and walled before its first instruction."""
        view = self._view(launch)

        def plan(place: Place) -> Call:
            path = self.room.view(view)
            late = tuple(
                (PurePosixPath(late_place(path, number)), shown)
                for number, shown in enumerate(view.late)
            )
            return self.plan(launch, Root(path=PurePosixPath(path), late=late), place)

        return await begin(launch, room=self.room, groups=self._groups, plan=plan)

    async def resize(self, machine: Machine, spec: VMSpec) -> None:
        """Change a running machine's limits."""
        _ours(machine).resize(spec)

    async def kill(self, machine: Machine) -> None:
        """End every process of it, fill ``folder/out``, and remove what it kept. Idempotent."""
        await _ours(machine).end()

    def stats(self, machine: Machine) -> Stats:
        """Say what it has used so far; also after its end."""
        return _ours(machine).stats()

    def _view(self, launch: Launch) -> View:
        """Plan once what is readable, and see each time that it does not show the machine's own folder."""
        readable = tuple(launch.readable)
        if readable not in self._views:
            self._views[readable] = plan_view(self._host, readable=_pure(readable))
        view = self._views[readable]
        own = f"{launch.folder}/"
        if any(own.startswith(f"{path}/") for path in (*view.binds, *view.late)):
            plan_view(self._host, readable=_pure(readable), hidden=_pure((launch.folder,)))
        return view


def _pure(paths: Iterable[Path]) -> tuple[PurePosixPath, ...]:
    return tuple(PurePosixPath(path) for path in paths)


def _ours(machine: Machine) -> WalledMachine:
    if not isinstance(machine, WalledMachine):
        raise TypeError(f"not a walled machine: {machine!r}")
    return machine
