"""The device that is always there: this host's CPU, through SciPy's FFT."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import scipy.fft

from quetzalcore.vgpu.device import Array, Usage, as_real
from quetzalcore.vgpu.meter import Meter, leased_meter
from quetzalcore.vgpu.pairs import PairFunction, emit_numba, localise
from quetzalcore.vgpu.threads import for_slices, worker_count

__all__ = ["CpuDevice"]

_TARGETS_AT_ONCE = 1024  # columns of so many targets stay in the first-level cache
_SOURCES_AT_ONCE = 4096  # single-precision partial sums are no longer than this


class CpuDevice:
    """Host memory is device memory; FFTs use every thread that :func:`worker_count` allows."""

    def __init__(
        self, *, clock: Callable[[], float] = time.perf_counter, meter: Meter | None = None
    ) -> None:
        self._meter = meter or Meter(clock)

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
        with self._running(transforms=1):
            spectrum: Array = scipy.fft.rfft2(values, workers=worker_count())
        return spectrum

    def irfft2(self, spectrum: Array, shape: tuple[int, int]) -> Array:
        """Invert :meth:`rfft2`; the spectrum's memory is reused."""
        with self._running(transforms=1):
            values: Array = scipy.fft.irfft2(
                spectrum, s=shape, workers=worker_count(), overwrite_x=True
            )
        return values

    def pairsum(
        self,
        pair: PairFunction,
        targets: Sequence[Array],
        sources: Sequence[Array],
        *,
        dtype: type[np.float32 | np.float64] = np.float64,
    ) -> tuple[Array, ...]:
        """Sum ``pair`` over all sources at every target, on every thread.

        Parameters
        ----------
        pair : PairFunction
        targets : sequence of (n,) arrays
        sources : sequence of (m,) arrays
            In the order of the pair function's arguments. Positions have a local origin subtracted in
            double precision before they become ``dtype``.
        dtype : type
            Precision of the pairs. Sums over more than 4096 sources are double either way.

        Returns
        -------
        tuple of (n,) float64 arrays
            Independent of the number of threads. NaN in a column spreads to the sums that it enters.
        """
        count = len(targets[0])
        sums = tuple(np.zeros(count) for _ in range(pair.outputs))
        near_targets, near_sources = localise(pair, targets, sources, dtype)
        loop = emit_numba(pair)

        def block(start: int, stop: int) -> None:
            rows = [column[start:stop] for column in near_targets]
            for first in range(0, len(sources[0]), _SOURCES_AT_ONCE):
                part = [np.zeros(stop - start, dtype=dtype) for _ in sums]
                columns = [s[first : first + _SOURCES_AT_ONCE] for s in near_sources]
                with np.errstate(all="ignore"):  # as compiled code does, with the JIT off too
                    loop(*rows, *columns, *part)
                for total, partial in zip(sums, part, strict=True):
                    total[start:stop] += partial

        def blocks(start: int, stop: int) -> None:
            for first in range(start, stop, _TARGETS_AT_ONCE):
                block(first, min(first + _TARGETS_AT_ONCE, stop))

        with self._running(pairs=count * len(sources[0])):
            for_slices(count, blocks, min_slice=64)
        return sums

    def usage(self) -> Usage:
        """Report the seconds, transforms and pairs since this device was made."""
        return self._meter.usage()

    @contextmanager
    def _running(self, *, transforms: int = 0, pairs: int = 0) -> Iterator[None]:
        with ExitStack() as meters:
            for meter in {self._meter, leased_meter() or self._meter}:
                meters.enter_context(meter.running(transforms=transforms, pairs=pairs))
            yield
