"""Leases, and what a device under one reports."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.vgpu import (
    VGPU,
    CpuDevice,
    Enforcement,
    Lease,
    Usage,
    for_slices,
    map_threads,
    worker_count,
)


@pytest.mark.parametrize(("cores", "memory_mib"), [(0, 1), (1, 0)])
def test_a_lease_of_nothing_is_refused(cores: int, memory_mib: int) -> None:
    with pytest.raises(BadParameter, match="at least 1 core"):
        Lease(cores=cores, memory_mib=memory_mib)


def test_a_lease_says_that_nothing_enforces_it_unless_told() -> None:
    assert Lease(cores=1, memory_mib=64).enforced_by is Enforcement.ADVISORY


def test_kernels_are_held_to_the_leased_cores_while_it_is_open() -> None:
    before = worker_count()
    with VGPU.open(Lease(cores=3, memory_mib=64)):
        assert worker_count() == 3
    assert worker_count() == before


def test_usage_is_the_devices_own() -> None:
    with VGPU.open(Lease(cores=1, memory_mib=64)) as vgpu:
        vgpu.device.rfft2(np.zeros((4, 4)))
        assert vgpu.usage().transforms == 1


def test_usage_counts_what_any_device_and_kernel_does_under_the_lease() -> None:
    ticks = itertools.count()
    with VGPU.open(Lease(cores=2, memory_mib=64), clock=lambda: float(next(ticks))) as vgpu:
        other = CpuDevice()
        other.rfft2(np.zeros((4, 4)))
        assert vgpu.usage() == Usage(busy_s=1.0, transforms=1, pairs=0)
        map_threads(lambda _: other.rfft2(np.zeros((4, 4))), range(5))
        # However many run at once, and within the loop over threads: one stretch of time.
        assert vgpu.usage() == Usage(busy_s=2.0, transforms=6, pairs=0)
        for_slices(10, lambda _start, _stop: None)
        assert vgpu.usage().busy_s == 3.0
    other.rfft2(np.zeros((4, 4)))
    assert vgpu.usage().transforms == 6
    assert other.usage().transforms == 7


def test_the_launch_width_is_fixed() -> None:
    assert VGPU.logical_lanes == 8192


@pytest.mark.kernels
def test_calibration_divides_work_by_the_clock_and_leaves_usage_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quetzalcore.vgpu.lease._PAIRS", 8)
    monkeypatch.setattr("quetzalcore.vgpu.lease._TRIAD", 1000)
    monkeypatch.setattr("quetzalcore.vgpu.lease._SIDE", 16)
    ticks = itertools.count()
    with VGPU.open(Lease(cores=1, memory_mib=64), clock=lambda: float(next(ticks))) as vgpu:
        measured = vgpu.calibrate(repeats=1)
        assert vgpu.usage().pairs == 0
    # Every run takes a few ticks: one for the timer, one or two for the device's own.
    assert 8 * 8 * 32e-9 / 3 <= measured.gflops <= 8 * 8 * 32e-9
    assert measured.memory_gbs == pytest.approx(24_000e-9)
    assert 2 * 2.5 * 256 * 8 * 1e-9 / 5 <= measured.fft_gflops <= 2 * 2.5 * 256 * 8 * 1e-9
