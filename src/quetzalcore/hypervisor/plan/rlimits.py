"""Limits of single processes: a second line behind control groups, the only one of a plain process."""

from __future__ import annotations

import math

from quetzalcore.hypervisor.spec import VMSpec

__all__ = ["rlimits", "walled_rlimits"]

_MIB = 1024**2
_OPEN_FILES = 4096
_DATA_ALLOWANCE_MIB = (
    1024  # thread stacks and arenas are counted by RLIMIT_DATA before they are touched
)


def rlimits(spec: VMSpec) -> dict[str, tuple[int, int]]:
    """Give (soft, hard) by name; each holds for one process, not for the machine."""
    cpu_s = math.ceil(spec.wall_s * max(1.0, spec.cpus)) + 1
    return {
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_NOFILE": (_OPEN_FILES, _OPEN_FILES),
        "RLIMIT_FSIZE": (spec.scratch_mib * _MIB,) * 2,
        "RLIMIT_DATA": ((spec.memory_mib + _DATA_ALLOWANCE_MIB) * _MIB,) * 2,
        "RLIMIT_CPU": (cpu_s, cpu_s + 5),
    }


def walled_rlimits() -> dict[str, tuple[int, int]]:
    """Give what a walled machine needs besides its group: no core dump, which the host would write."""
    return {"RLIMIT_CORE": (0, 0), "RLIMIT_NOFILE": (_OPEN_FILES, _OPEN_FILES)}
