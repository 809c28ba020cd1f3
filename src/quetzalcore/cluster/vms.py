"""What an agent needs of its node's hypervisor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from quetzalcore.hypervisor.protocol import Logged, Progressed
from quetzalcore.hypervisor.spec import Outcome, Task, VMSpec

__all__ = ["VMs", "VmCount"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VmCount:
    """How many VMs there are on the node now."""

    active: int = 0
    warm: int = 0


class VMs(Protocol):
    """The part of ``quetzalcore.hypervisor.Hypervisor`` that an agent uses."""

    async def run(
        self,
        spec: VMSpec,
        task: Task,
        *,
        on_event: Callable[[Progressed | Logged], None],
        forkable: bool = False,
    ) -> Outcome:
        """Run one task; a cancelled call has killed its VM, all of it, when it returns."""
        ...

    async def discard(self, outcome: Outcome) -> None:
        """Delete what an outcome's products take on the disk."""
        ...

    def count(self) -> VmCount:
        """Count the VMs."""
        ...

    async def close(self) -> None:
        """End every VM and leave nothing behind."""
        ...
