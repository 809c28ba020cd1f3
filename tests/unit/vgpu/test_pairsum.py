"""The all-pairs sum against a plain double loop, in both precisions and on any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.vgpu import CpuDevice, PairFunction, limit_workers
from quetzalcore.vgpu.arithmetic import angle, scalar, select
from quetzalcore.vgpu.pairs import emit_numba, fingerprint

Real = Any  # np.float64 or np.float32
Floats = NDArray[np.float64]
Scene = tuple[list[Floats], list[Floats]]

pytestmark = pytest.mark.kernels


@scalar
def _gravity(x0: Real, y0: Real, x1: Real, y1: Real, mass: Real) -> tuple[Real, Real]:
    dx = x0 - x1
    dy = y0 - y1
    square = dx * dx + dy * dy
    return select(square > 0, mass / square, mass - mass), dx * mass


GRAVITY = PairFunction(function=_gravity, target_axes=(0, 1), source_axes=(0, 1, None), outputs=2)


@scalar
def _half(x0: Real, x1: Real) -> tuple[Real]:
    return ((x0 - x1) / (x0 + x1),)


@scalar
def _calls_half(x0: Real, x1: Real) -> tuple[Real]:
    return _half(x0, x1)


def _reference(targets: list[Floats], sources: list[Floats]) -> Floats:
    sums = np.zeros((2, len(targets[0])))
    for i, (x0, y0) in enumerate(zip(*targets, strict=True)):
        for x1, y1, mass in zip(*sources, strict=True):
            square = (x0 - x1) ** 2 + (y0 - y1) ** 2
            sums[0, i] += mass / square if square > 0 else 0.0
            sums[1, i] += (x0 - x1) * mass
    return sums


@pytest.fixture
def scene() -> Scene:
    rng = np.random.default_rng(4)
    targets = [rng.uniform(0, 10, 150), rng.uniform(0, 10, 150)]
    sources = [rng.uniform(0, 10, 9), rng.uniform(0, 10, 9), rng.normal(size=9)]
    targets[0][3], targets[1][3] = sources[0][2], sources[1][2]
    return targets, sources


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-4)])
def test_it_agrees_with_a_plain_double_loop(
    scene: Scene, dtype: type[np.float32 | np.float64], rtol: float
) -> None:
    got = CpuDevice().pairsum(GRAVITY, *scene, dtype=dtype)
    expected = _reference(*scene)
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max())


def test_single_precision_survives_coordinates_of_millions(scene: Scene) -> None:
    targets, sources = scene
    far = [t + 7_560_000.0 for t in targets], [s + 7_560_000.0 for s in sources[:2]]
    near = CpuDevice().pairsum(GRAVITY, targets, sources, dtype=np.float32)
    moved = CpuDevice().pairsum(GRAVITY, far[0], [*far[1], sources[2]], dtype=np.float32)
    np.testing.assert_allclose(moved[1], near[1], atol=1e-4 * np.abs(near[1]).max())


def test_the_number_of_threads_changes_no_bit(scene: Scene) -> None:
    answers = []
    for workers in (1, 2, 3):
        with limit_workers(workers):
            answers.append(CpuDevice().pairsum(GRAVITY, *scene))
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


def test_more_sources_than_fit_one_pass_add_up(
    monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    monkeypatch.setattr("quetzalcore.vgpu.cpu._SOURCES_AT_ONCE", 4)
    monkeypatch.setattr("quetzalcore.vgpu.cpu._TARGETS_AT_ONCE", 32)
    got = CpuDevice().pairsum(GRAVITY, *scene)
    np.testing.assert_allclose(got, _reference(*scene), rtol=1e-12)


def test_no_targets_and_no_sources_give_nothing_and_zero(scene: Scene) -> None:
    targets, sources = scene
    nothing = [np.zeros(0)] * 2
    assert CpuDevice().pairsum(GRAVITY, nothing, sources)[0].shape == (0,)
    zero = CpuDevice().pairsum(GRAVITY, targets, [np.zeros(0)] * 3)
    np.testing.assert_array_equal(zero[0], np.zeros(150))


def test_nan_spreads_to_its_own_target_only(scene: Scene) -> None:
    targets, sources = scene
    targets[0][0] = np.nan
    got = CpuDevice().pairsum(GRAVITY, targets, sources)[1]
    assert np.isnan(got[0])
    assert np.isfinite(got[1:]).all()


def test_usage_counts_pairs_and_busy_seconds(scene: Scene) -> None:
    ticks = iter([1.0, 3.5])
    device = CpuDevice(clock=lambda: next(ticks))
    device.pairsum(GRAVITY, *scene)
    assert device.usage().pairs == 150 * 9
    assert device.usage().busy_s == 2.5


def test_a_loop_is_emitted_once_for_each_pair_function() -> None:
    assert emit_numba(GRAVITY) is emit_numba(GRAVITY)


def test_the_fingerprint_sees_what_a_pair_function_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(_calls_half)
    assert before != fingerprint(_half)
    monkeypatch.setitem(_calls_half.__globals__, "_half", _gravity)
    assert fingerprint(_calls_half) != before


def test_the_fingerprint_sees_constants_change(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(angle)
    monkeypatch.setitem(angle.__globals__, "_PI_SINGLE", np.float32(3))
    assert fingerprint(angle) != before
