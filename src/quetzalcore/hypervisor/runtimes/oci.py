"""Runs machines under an OCI runtime: runc, crun, or runsc, by name."""

from __future__ import annotations

import functools
import json
import os
import weakref
from pathlib import Path, PurePosixPath

from quetzalcore.hypervisor.cgroups import Groups
from quetzalcore.hypervisor.machines import TOLD, Call, Place
from quetzalcore.hypervisor.mounts import MountRoom
from quetzalcore.hypervisor.plan.oci import Places, command_line, configuration
from quetzalcore.hypervisor.plan.seccomp import oci_profile, program
from quetzalcore.hypervisor.runtime import Launch
from quetzalcore.hypervisor.spawning import sealed_copy, which
from quetzalcore.hypervisor.walled import Root, WalledRuntime

__all__ = ["OciRuntime"]

_OWN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_READS_A_DESCRIPTOR = frozenset({"crun"})
_KNOWS_SEALS = frozenset({"crun"})  # copies itself at every start unless it lies in sealed memory


class OciRuntime(WalledRuntime):
    """Machines in all namespaces but the user's, under a uid of their own without capabilities.

    crun makes no control groups: it is started in ours. runc and runsc insist on one, a child of ours.
    """

    def __init__(self, name: str, *, room: MountRoom, groups: Groups) -> None:
        super().__init__(name, binary=which(name), room=room, groups=groups)
        self._profile, self._filter = oci_profile(), program()
        self._sealed = ""
        if self.binary and name in _KNOWS_SEALS:
            copy = sealed_copy(self.binary)
            self._sealed = f"/proc/self/fd/{copy}"
            weakref.finalize(self, os.close, copy)

    def plan(self, launch: Launch, root: Root, place: Place) -> Call:
        """Say how to start a machine."""
        own_groups = self.name in _READS_A_DESCRIPTOR
        places = Places(
            root=root.path,
            late=root.late,
            inputs=PurePosixPath(place.folder / "in"),
            space=PurePosixPath(place.folder / "space"),
            uid=place.uid,
            group="" if own_groups else "box",
        )
        configure = functools.partial(
            configuration, launch, places, seccomp=self._profile, program=self._filter
        )
        state = self.room.top / self.name
        return Call(
            argv=command_line(
                self.binary,
                name=launch.vm_id,
                bundle=PurePosixPath(place.folder),
                state=PurePosixPath(state),
                config=f"/proc/self/fd/{TOLD}" if own_groups else "",
            ),
            environment=_OWN_ENVIRONMENT,
            told=json.dumps(configure()).encode(),
            pipe=None if own_groups else Path(place.folder, "config.json"),
            state=state / launch.vm_id,
            groups_without=("devices",) if own_groups else (),
            program=self._sealed,
        )
