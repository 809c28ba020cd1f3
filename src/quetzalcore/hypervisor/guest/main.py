"""What a VM runs first: get ready, say so, wait for a task, run it, end."""

from __future__ import annotations

import os

from quetzalcore.hypervisor.guest import one_task, wire
from quetzalcore.hypervisor.guest.tiers import preload

__all__ = ["BOOTSTRAP", "main"]

# ``python -I -S -c BOOTSTRAP TIER KERNELS PATH ...``: no site processing, the host's module path.
BOOTSTRAP = (
    "import sys; sys.path += sys.argv[3:]; "
    "from quetzalcore.hypervisor.guest.main import main; main(sys.argv[1], sys.argv[2])"
)


def main(tier: str, kernels: str) -> None:
    """Serve the host until it has nothing more to say; never returns."""
    preload(tier, kernels)
    wire.send({"type": "ready", "tier": tier})

    said = wire.receive()
    if said is None:
        os._exit(0)
    if said["type"] == "serve":
        from quetzalcore.hypervisor.guest.branches import serve  # noqa: PLC0415 -- few VMs fork

        said = serve()
        if said is None:
            os._exit(0)
    one_task.run(said)
    os._exit(0)
