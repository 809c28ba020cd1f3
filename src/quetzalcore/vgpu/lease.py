"""A leased device: what was granted, who enforces it, and how fast it was measured to be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quetzalcore.errors import BadParameter
from quetzalcore.vgpu.arithmetic import scalar
from quetzalcore.vgpu.cpu import CpuDevice
from quetzalcore.vgpu.device import Device, Usage
from quetzalcore.vgpu.meter import Meter, metering
from quetzalcore.vgpu.pairs import PairFunction
from quetzalcore.vgpu.threads import for_slices, limit_workers

__all__ = ["VGPU", "Calibration", "Enforcement", "Lease"]

LOGICAL_LANES = 8192  # 256 blocks of 32 lanes


class Enforcement(StrEnum):
    """What holds a lease to its limits."""

    MIG = "mig"
    MPS = "mps"
    CGROUP = "cgroup"
    ADVISORY = "advisory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A share of one device.

    Parameters
    ----------
    cores : int
        Threads that kernels may use, at least 1.
    memory_mib : int
        Memory that the holder may use, at least 1.
    enforced_by : Enforcement
        What enforces the memory. ``ADVISORY`` means that nothing does.

    Raises
    ------
    BadParameter
        If cores or memory are less than 1.
    """

    cores: int
    memory_mib: int
    enforced_by: Enforcement = Enforcement.ADVISORY

    def __post_init__(self) -> None:
        """Check that something is leased."""
        if self.cores < 1 or self.memory_mib < 1:
            raise BadParameter(
                f"the lease is for {self.cores} cores and {self.memory_mib} MiB",
                hint="lease at least 1 core and 1 MiB",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Measured rates of a device under its lease; never a specification.

    Parameters
    ----------
    gflops : float
        10^9 multiplications and additions a second, single precision, from registers and cache.
    memory_gbs : float
        10^9 bytes a second, read and written, in a triad over arrays that no cache holds.
    fft_gflops : float
        Rate of a forward and inverse real transform of 1024 x 1024 in single precision, counted in
        the usual way as 2.5 N log2 N operations each.
    """

    gflops: float
    memory_gbs: float
    fft_gflops: float


class VGPU:
    """A device under a lease: arrays, transforms and pair sums, held to the leased cores."""

    # The launch width that kernels are written for; it says nothing about speed.
    logical_lanes = LOGICAL_LANES

    def __init__(self, lease: Lease, device: Device, *, clock: Callable[[], float]) -> None:
        self.lease = lease
        self.device = device
        self._clock = clock

    @classmethod
    @contextmanager
    def open(
        cls, lease: Lease, *, clock: Callable[[], float] = time.perf_counter
    ) -> Iterator[VGPU]:
        """Open the CPU under a lease; inside the block kernels use no more than its cores.

        Whatever transforms, sums pairs or runs kernels inside the block counts as its usage.
        """
        meter = Meter(clock)
        with limit_workers(lease.cores), metering(meter):
            yield cls(lease, CpuDevice(clock=clock, meter=meter), clock=clock)

    def usage(self) -> Usage:
        """Report what was done since it was opened."""
        return self.device.usage()

    def calibrate(self, *, repeats: int = 3) -> Calibration:
        """Measure the device: the best of ``repeats`` runs each, about half a second in all."""

        def best(work: Callable[[], object]) -> float:
            work()
            return min(self._timed(work) for _ in range(repeats))

        with metering(None):  # so that usage() counts the holder's work only
            scratch = CpuDevice(clock=self._clock)
            return Calibration(
                gflops=_arithmetic_gflop() / best(lambda: _arithmetic(scratch)),
                memory_gbs=_triad(best),
                fft_gflops=_transform(scratch, best),
            )

    def _timed(self, work: Callable[[], object]) -> float:
        start = self._clock()
        work()
        return self._clock() - start


_PAIRS = 4096
_TRIAD = 1 << 23
_SIDE = 1024
_FLOPS_A_PAIR = 32


@scalar
def _multiply_add(x: float, y: float) -> tuple[float]:
    """Do 32 operations in four chains, as wide as the machine has lanes for."""
    a = x
    b = x + y
    c = x - y
    d = y
    a = a * y + x
    b = b * y + x
    c = c * y + x
    d = d * y + x
    a = a * y + x
    b = b * y + x
    c = c * y + x
    d = d * y + x
    a = a * y + x
    b = b * y + x
    c = c * y + x
    d = d * y + x
    a = a * y + b
    c = c * y + d
    return (a * y + c,)


_ARITHMETIC = PairFunction(
    function=_multiply_add, target_axes=(None,), source_axes=(None,), outputs=1
)


def _arithmetic_gflop() -> float:
    return _PAIRS * _PAIRS * _FLOPS_A_PAIR * 1e-9


def _arithmetic(device: Device) -> None:
    values = np.linspace(-0.5, 0.5, _PAIRS)
    device.pairsum(_ARITHMETIC, [values], [values], dtype=np.float32)


def _triad(best: Callable[[Callable[[], object]], float]) -> float:
    a, b = np.ones(_TRIAD), np.ones(_TRIAD)

    def add(start: int, stop: int) -> None:
        np.add(a[start:stop], b[start:stop], out=a[start:stop])

    return 3 * a.nbytes * 1e-9 / best(lambda: for_slices(_TRIAD, add))


def _transform(device: Device, best: Callable[[Callable[[], object]], float]) -> float:
    field = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    operations = 2 * 2.5 * field.size * np.log2(field.size)
    seconds = best(lambda: device.irfft2(device.rfft2(field), field.shape))
    return float(operations * 1e-9 / seconds)
