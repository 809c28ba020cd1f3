"""The one device API that numerical code is written against, whatever is underneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu.pairs import PairFunction

__all__ = ["Device", "Usage"]

Array = NDArray[Any]
DeviceArray = Any  # NumPy on the CPU, CuPy on CUDA: only the device knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a device has done since it was opened.

    Parameters
    ----------
    busy_s : float
        Seconds in which at least one transform, pair sum or threaded kernel ran.
    transforms, pairs : int
        Transforms begun, and pairs of a source and a target summed.
    """

    busy_s: float
    transforms: int
    pairs: int


class Device(Protocol):
    """Arrays, transforms and all-pairs sums on one device; arrays stay there until ``to_host``."""

    @property
    def name(self) -> str:
        """Name the device as a person would, for provenance."""
        ...

    def array(self, values: Array) -> DeviceArray:
        """Copy a host array to the device (a view where device memory is host memory)."""
        ...

    def to_host(self, values: DeviceArray) -> Array:
        """Copy a device array to the host."""
        ...

    def rfft2(self, values: DeviceArray) -> DeviceArray:
        """Transform real (..., n, m) to complex (..., n, m // 2 + 1); float32 stays single."""
        ...

    def irfft2(self, spectrum: DeviceArray, shape: tuple[int, int]) -> DeviceArray:
        """Invert :meth:`rfft2`: the last two axes get ``shape``, the others stay."""
        ...

    def pairsum(
        self,
        pair: PairFunction,
        targets: Sequence[Array],
        sources: Sequence[Array],
        *,
        dtype: type[np.float32 | np.float64] = np.float64,
    ) -> tuple[Array, ...]:
        """Sum ``pair`` over all sources at every target; host arrays in, (n,) float64 sums out."""
        ...

    def usage(self) -> Usage:
        """Report what this device has done since it was opened."""
        ...


def as_real(values: Array) -> Array:
    """Return a contiguous float32 or float64 array; everything else becomes float64."""
    if values.dtype == np.float32:
        return np.ascontiguousarray(values)
    return np.ascontiguousarray(values, dtype=np.float64)
