"""The environment of a guest: nothing of the host's, and as many threads as it has cores."""

from __future__ import annotations

import math

from quetzalcore.hypervisor.spec import VMSpec

__all__ = ["environment"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def environment(
    spec: VMSpec,
    *,
    inputs: str = "/in",
    outputs: str = "/out",
    scratch: str = "/tmp",  # noqa: S108 -- the machine's own
) -> dict[str, str]:
    """Give the variables of a guest; its folders are ``QUETZAL_IN`` and ``QUETZAL_OUT``."""
    threads = str(max(1, math.ceil(spec.cpus)))
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{scratch}/matplotlib",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "QUETZAL_IN": inputs,
        "QUETZAL_OUT": outputs,
        **dict.fromkeys(_THREADS, threads),
    }
