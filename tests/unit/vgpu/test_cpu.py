"""The CPU device: host memory is device memory, transforms invert, precision stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.vgpu import CpuDevice, limit_workers


def test_arrays_are_the_hosts_own() -> None:
    device = CpuDevice()
    values = np.ones((3, 4))
    assert device.array(values) is values
    assert device.to_host(values) is values


def test_arrays_become_contiguous_and_real() -> None:
    device = CpuDevice()
    assert device.array(np.ones((4, 6), dtype=np.float32)[:, ::2]).flags.c_contiguous
    assert device.array(np.ones(3, dtype=np.float32)).dtype == np.float32
    assert device.array(np.ones(3, dtype=np.int16)).dtype == np.float64


@pytest.mark.parametrize(
    ("dtype", "spectrum", "rtol"),
    [(np.float64, np.complex128, 1e-12), (np.float32, np.complex64, 1e-5)],
)
@pytest.mark.parametrize("shape", [(8, 10), (7, 9), (2, 6, 5)])
def test_transforms_invert_and_keep_their_precision(
    dtype: type[np.float64 | np.float32],
    spectrum: type[np.complex128 | np.complex64],
    rtol: float,
    shape: tuple[int, ...],
) -> None:
    device = CpuDevice()
    values: NDArray[Any] = np.random.default_rng(0).normal(size=shape).astype(dtype)
    transformed = device.rfft2(values)
    assert transformed.dtype == spectrum
    assert transformed.shape == (*shape[:-1], shape[-1] // 2 + 1)
    np.testing.assert_allclose(transformed[..., 0, 0], values.sum(axis=(-2, -1)), rtol=10 * rtol)
    back = device.irfft2(transformed, (shape[-2], shape[-1]))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, values, atol=10 * rtol)
    assert device.usage().transforms == 2


def test_its_name_says_how_many_threads_it_may_use() -> None:
    with limit_workers(3):
        assert CpuDevice().name == "cpu (3 threads)"
