"""Prisms and dipoles against choclo, called from a parallel Numba loop over the points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import choclo
import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks.race import Figure, interleave, peer_version
from quetzalcore.geophysics.forward import (
    dipole_field,
    direction,
    induced_magnetization,
    prism_field,
    prism_tmi,
)

Array = NDArray[Any]
Columns = tuple[Array, Array, Array]

_EARTH: dict[str, Any] = {"inclination_deg": 65.0, "declination_deg": 25.0}
_POINTS, _PRISMS = 20_000, 100
_DIPOLES = 20_000


def figures() -> list[Figure]:
    """Race the prism's total field and three components, and the dipole sum."""
    rng = np.random.default_rng(1)
    points = _survey_points(rng, _POINTS)
    prisms = _mesh(rng)
    return [
        _tmi(points, prisms, np.float64, bar=10.0),
        _tmi(points, prisms, np.float32, bar=10.0),
        _components(points, prisms),
        _dipole_sum(rng),
    ]


def _survey_points(rng: np.random.Generator, count: int) -> Columns:
    return (
        470_000 + rng.uniform(-3000, 3000, count),
        7_560_000 + rng.uniform(-3000, 3000, count),
        60 + rng.uniform(-10, 10, count),
    )


def _mesh(rng: np.random.Generator) -> Array:
    west = 470_000 + rng.uniform(-3000, 3000, _PRISMS)
    south = 7_560_000 + rng.uniform(-3000, 3000, _PRISMS)
    top = -rng.uniform(20, 800, _PRISMS)
    return np.column_stack([west, west + 100, south, south + 100, top - 100, top])


def _tmi(
    points: Columns, prisms: Array, dtype: type[np.float64 | np.float32], *, bar: float
) -> Figure:
    magnetization = induced_magnetization(0.05, **_EARTH, field_nt=50_000.0)[0]
    loop = _choclo_tmi()
    along = direction(65.0, 25.0)

    def ours() -> Array:
        return prism_tmi(*points, prisms, 0.05, **_EARTH, dtype=dtype)

    def peer() -> Array:
        out = np.zeros(_POINTS)
        loop(points, prisms, magnetization, along, out)
        return out

    assert np.abs(ours() - peer()).max() < 1e-3
    mine, theirs, ratio = interleave(ours, peer)
    pairs = _POINTS * _PRISMS / 1e6
    return Figure(
        work=f"prism TMI, {np.dtype(dtype).name}, {_POINTS} points x {_PRISMS} prisms",
        ours=f"{pairs / mine:.0f} M pairs/s",
        peer=f"{pairs / theirs:.1f} M pairs/s",
        peer_name=f"{peer_version('choclo')} magnetic_field, float64, prange",
        ratio=ratio,
        bar=f"at least {bar:.0f}x, aim for 20x",
        met=ratio >= bar,
    )


def _components(points: Columns, prisms: Array) -> Figure:
    magnetization = np.array([1.0, 2.0, 3.0])
    loop = _choclo_field()

    def ours() -> Array:
        return np.array(prism_field(*points, prisms, magnetization))

    def peer() -> Array:
        out = np.zeros((3, _POINTS))
        loop(points, prisms, magnetization, out)
        return out

    assert np.abs(ours() - peer()).max() < 1e-3
    mine, theirs, ratio = interleave(ours, peer)
    pairs = _POINTS * _PRISMS / 1e6
    return Figure(
        work=f"prism, three components, float64, {_POINTS} points x {_PRISMS} prisms",
        ours=f"{pairs / mine:.0f} M pairs/s",
        peer=f"{pairs / theirs:.1f} M pairs/s",
        peer_name=f"{peer_version('choclo')} magnetic_field, prange",
        ratio=ratio,
        bar="at least 10x",
        met=ratio >= 10.0,
    )


def _dipole_sum(rng: np.random.Generator) -> Figure:
    points = _survey_points(rng, _DIPOLES)
    places = np.column_stack(_survey_points(rng, _DIPOLES))
    places[:, 2] -= 500
    moments = rng.normal(size=(_DIPOLES, 3)) * 1e6
    loop = _choclo_dipoles()

    def ours() -> Array:
        return np.array(dipole_field(*points, places, moments, dtype=np.float32))

    def peer() -> Array:
        out = np.zeros((3, _DIPOLES))
        loop(points, places, moments, out)
        return out

    difference = np.abs(ours() - peer()).max() / np.abs(peer()).max()
    assert difference < 1e-5
    mine, theirs, ratio = interleave(ours, peer, runs=3)
    return Figure(
        work=f"dipole sum, three components, float32, {_DIPOLES} x {_DIPOLES}",
        ours=f"{mine:.3f} s",
        peer=f"{theirs:.3f} s",
        peer_name=f"{peer_version('choclo')} dipole, float64, prange",
        ratio=ratio,
        bar="at least 10x; a hand-written SIMD loop takes 0.079 s on 2 quiet cores",
        met=ratio >= 10.0,
    )


def _choclo_tmi() -> Callable[..., None]:
    field = choclo.prism.magnetic_field

    def loop(at: Columns, prisms: Array, m: Array, along: Array, out: Array) -> None:
        for i in numba.prange(len(at[0])):
            total = 0.0
            for j in range(len(prisms)):
                w, x, s, t, b, c = prisms[j]
                be, bn, bu = field(at[0][i], at[1][i], at[2][i], w, x, s, t, b, c, m[0], m[1], m[2])
                total += along[0] * be + along[1] * bn + along[2] * bu
            out[i] = total * 1e9

    return _parallel(loop)


def _choclo_field() -> Callable[..., None]:
    field = choclo.prism.magnetic_field

    def loop(at: Columns, prisms: Array, m: Array, out: Array) -> None:
        for i in numba.prange(len(at[0])):
            for j in range(len(prisms)):
                w, x, s, t, b, c = prisms[j]
                be, bn, bu = field(at[0][i], at[1][i], at[2][i], w, x, s, t, b, c, m[0], m[1], m[2])
                out[0, i] += be * 1e9
                out[1, i] += bn * 1e9
                out[2, i] += bu * 1e9

    return _parallel(loop)


def _choclo_dipoles() -> Callable[..., None]:
    field = choclo.dipole.magnetic_field

    def loop(at: Columns, places: Array, moments: Array, out: Array) -> None:
        for i in numba.prange(len(at[0])):
            for j in range(len(places)):
                a, b, c = places[j]
                x, y, z = moments[j]
                be, bn, bu = field(at[0][i], at[1][i], at[2][i], a, b, c, x, y, z)
                out[0, i] += be * 1e9
                out[1, i] += bn * 1e9
                out[2, i] += bu * 1e9

    return _parallel(loop)


def _parallel(function: Callable[..., None]) -> Callable[..., None]:
    return cast("Callable[..., None]", numba.njit(parallel=True)(function))
