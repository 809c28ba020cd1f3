"""One device API for numerical code: today this host's CPU, its threads and its compiler."""

from __future__ import annotations

from quetzalcore.vgpu.compile import fast_kernel, inline_kernel, kernel
from quetzalcore.vgpu.cpu import CpuDevice
from quetzalcore.vgpu.device import Device, Usage
from quetzalcore.vgpu.lease import VGPU, Calibration, Enforcement, Lease
from quetzalcore.vgpu.pairs import PairFunction
from quetzalcore.vgpu.threads import for_slices, limit_workers, map_threads, worker_count

__all__ = [
    "VGPU",
    "Calibration",
    "CpuDevice",
    "Device",
    "Enforcement",
    "Lease",
    "PairFunction",
    "Usage",
    "fast_kernel",
    "for_slices",
    "inline_kernel",
    "kernel",
    "limit_workers",
    "map_threads",
    "worker_count",
]
