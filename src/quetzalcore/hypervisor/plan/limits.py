"""A spec as control group limits: which file gets which number, for version 1 and version 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quetzalcore.hypervisor.spec import VMSpec

__all__ = ["GroupLimits", "group_limits", "settings_v1", "settings_v2"]

_MIB = 1024**2
_PERIOD_US = 100_000
_LAUNCHER_PIDS = 4  # the runtime's own processes live in the machine's group too


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """Limits in the kernel's units."""

    cpu_quota_us: int
    cpu_period_us: int
    memory_bytes: int
    pids: int


def group_limits(spec: VMSpec) -> GroupLimits:
    """Turn a spec into limits.

    What a machine writes to ``/out`` is memory, so its group gets ``scratch_mib`` on top of
    ``memory_mib``: filling ``/out`` alone ends in "no space left", never in an out-of-memory kill.
    """
    return GroupLimits(
        cpu_quota_us=max(1000, round(spec.cpus * _PERIOD_US)),
        cpu_period_us=_PERIOD_US,
        memory_bytes=(spec.memory_mib + spec.scratch_mib) * _MIB,
        pids=spec.pids + _LAUNCHER_PIDS,
    )


def settings_v1(limits: GroupLimits, memory_now: int) -> Sequence[tuple[str, str, str]]:
    """Give (controller, file, value) in the order to write them; swap counts as memory.

    Version 1 wants memory <= memory + swap at every moment, so the order depends on the present limit.
    """
    memory = ("memory", "memory.limit_in_bytes", str(limits.memory_bytes))
    with_swap = ("memory", "memory.memsw.limit_in_bytes", str(limits.memory_bytes))
    pair = (memory, with_swap) if limits.memory_bytes <= memory_now else (with_swap, memory)
    return (
        ("cpu", "cpu.cfs_period_us", str(limits.cpu_period_us)),
        ("cpu", "cpu.cfs_quota_us", str(limits.cpu_quota_us)),
        *pair,
        ("pids", "pids.max", str(limits.pids)),
    )


def settings_v2(limits: GroupLimits) -> Sequence[tuple[str, str, str]]:
    """Give (controller, file, value) in the order to write them; no swap."""
    return (
        ("cpu", "cpu.max", f"{limits.cpu_quota_us} {limits.cpu_period_us}"),
        ("memory", "memory.max", str(limits.memory_bytes)),
        ("memory", "memory.swap.max", "0"),
        ("pids", "pids.max", str(limits.pids)),
    )
