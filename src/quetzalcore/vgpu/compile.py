"""How kernels are compiled: one typed door to Numba, so that every kernel has the same rules.

Kernels are serial and release the GIL; parallelism is slices over a thread pool
(:mod:`quetzalcore.vgpu.threads`). Numba's own parallel loops abort the process when two Python
threads enter them under the workqueue layer and do not survive a fork under OpenMP: see
``docs/decisions/0002-kernels-and-threads.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

__all__ = ["fast_kernel", "inline_kernel", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")

# Reassociation lets LLVM use SIMD for sums. NaN and infinity keep their meaning (NaN is "no data").
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with strict IEEE arithmetic, without the GIL, cached on disk."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast("Callable[P, R]", compiled)


def fast_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with reassociated (SIMD) sums; NaN and infinity still propagate."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)(function)
    return cast("Callable[P, R]", compiled)


def inline_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a scalar function so that it is always inlined into the kernel that calls it."""
    compiled = numba.njit(
        cache=True, nogil=True, error_model="numpy", fastmath=_FAST, inline="always"
    )(function)
    return cast("Callable[P, R]", compiled)
