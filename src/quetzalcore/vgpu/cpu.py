"""The device that is always there: this host's CPU, through SciPy's FFT."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import scipy.fft

from quetzalcore.vgpu.device import Array, Usage, as_real
from quetzalcore.vgpu.threads import worker_count

__all__ = ["CpuDevice"]

R = TypeVar("R")


class CpuDevice:
    """Host memory is device memory; FFTs use every thread that :func:`worker_count` allows."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._busy_s = 0.0
        self._transforms = 0
        self._pairs = 0

    @property
    def name(self) -> str:
        """Name the device, with the threads it may use."""
        return f"cpu ({worker_count()} threads)"

    def array(self, values: Array) -> Array:
        """Return ``values`` as a contiguous real array (no copy where it already is one)."""
        return as_real(values)

    def to_host(self, values: Array) -> Array:
        """Return ``values``: they are here."""
        return values

    def rfft2(self, values: Array) -> Array:
        """Transform the last two axes of a real array; single precision stays single."""
        self._transforms += 1
        return self._timed(lambda: scipy.fft.rfft2(values, workers=worker_count()))

    def irfft2(self, spectrum: Array, shape: tuple[int, int]) -> Array:
        """Invert :meth:`rfft2`; the spectrum's memory is reused."""
        self._transforms += 1
        return self._timed(
            lambda: scipy.fft.irfft2(spectrum, s=shape, workers=worker_count(), overwrite_x=True)
        )

    def usage(self) -> Usage:
        """Report the seconds, transforms and pairs since this device was made."""
        return Usage(busy_s=self._busy_s, transforms=self._transforms, pairs=self._pairs)

    def _timed(self, work: Callable[[], R]) -> R:
        start = self._clock()
        try:
            return work()
        finally:
            self._busy_s += self._clock() - start
