"""A task's vGPU inside the VM; imported only where the device is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from quetzalcore.vgpu import VGPU, Enforcement, Lease

__all__ = ["leased"]


@contextmanager
def leased(said: Mapping[str, Any], usage: dict[str, object]) -> Iterator[None]:
    """Open the lease while the task runs, and leave in ``usage`` what the device did."""
    lease = Lease(
        cores=said["cores"],
        memory_mib=said["memory_mib"],
        enforced_by=Enforcement(said["enforced_by"]),
    )
    with VGPU.open(lease) as device:
        try:
            yield
        finally:
            usage.update(
                device=device.device.name,
                enforced_by=lease.enforced_by.value,
                **asdict(device.usage()),
            )
