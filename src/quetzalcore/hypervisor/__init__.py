"""VMs: processes in their own namespaces with enforced limits and a virtual GPU."""

from __future__ import annotations

TYPE_CHECKING = (
    False  # as type checkers read it; a guest imports this package, and ``typing`` costs 4 ms
)
if TYPE_CHECKING:
    from quetzalcore.hypervisor.hypervisor import Hypervisor

__all__ = ["Hypervisor"]


def __getattr__(name: str) -> object:
    """Import the hypervisor when it is first asked for: a guest imports this package, too."""
    if name == "Hypervisor":
        from quetzalcore.hypervisor.hypervisor import Hypervisor  # noqa: PLC0415 -- the point

        return Hypervisor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
