"""What an agent needs of its node's hypervisor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from quetzalcore.hypervisor.channel import Listener
from quetzalcore.hypervisor.spec import Outcome, Task, VMSpec

__all__ = ["VMCounts", "VMs"]


class VMCounts(Protocol):
    """How many VMs run a task, and how many are warm by tier."""

    @property
    def active(self) -> int:
        """Give those that run a task."""
        ...

    @property
    def warm(self) -> Mapping[str, int]:
        """Give those that wait for one."""
        ...


class VMs(Protocol):
    """The part of ``quetzalcore.hypervisor.Hypervisor`` that an agent uses."""

    async def run(
        self,
        spec: VMSpec,
        task: Task,
        *,
        on_event: Listener | None = None,
        forkable: bool = False,
        vm_id: str = "",
    ) -> Outcome:
        """Run one task; a cancelled call has killed its VM, all of it, when it raises."""
        ...

    def discard(self, vm_id: str) -> None:
        """Delete a VM's products from this host."""
        ...

    def stats(self) -> VMCounts:
        """Count the VMs."""
        ...
