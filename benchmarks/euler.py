"""Euler deconvolution of every window of a grid against harmonica's fit, window by window."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr

from benchmarks.race import Figure, interleave, peer_version
from quetzalcore.geophysics import depth, spectral
from quetzalcore.geophysics.grid import make_grid

_SIZE = 1000
_CELL_M = 50.0
_WINDOW = 15
_SUBSET = 2000
_INDEX = 3
_BAR = 50.0


def figures() -> list[Figure]:
    """Race 15 x 15 windows at all 985 x 985 positions; harmonica's time is scaled from 2000."""
    grids = _fields()
    _agree(grids)
    windows = (_SIZE - _WINDOW + 1) ** 2
    mine, theirs, ratio = interleave(
        lambda: _ours(grids, _INDEX), lambda: _harmonica(grids, _subset()), runs=5
    )
    scale = windows / _SUBSET
    start = time.perf_counter()
    _ours(grids, (0.0, 1.0, 2.0, 3.0))
    four = time.perf_counter() - start
    ratio *= scale
    return [
        Figure(
            work=f"Euler, {_WINDOW} x {_WINDOW} windows, all {windows:,} positions of"
            f" {_SIZE} x {_SIZE}, SI {_INDEX}, all kept ({four:.2f} s with SI 0 to 3)",
            ours=f"{mine:.3f} s ({windows / mine / 1e6:.2f} M windows/s)",
            peer=f"{theirs * scale:.1f} s ({_SUBSET / theirs / 1e3:.1f} k windows/s)",
            peer_name=f"{peer_version('harmonica')}, measured on {_SUBSET} windows and scaled",
            ratio=ratio,
            bar=f"at least {_BAR:g}x",
            met=ratio >= _BAR,
        )
    ]


def _fields() -> tuple[xr.DataArray, ...]:
    noise = np.random.default_rng(11).standard_normal((_SIZE, _SIZE))
    axis = _CELL_M * np.arange(_SIZE, dtype=np.float64)
    grid = make_grid(noise, axis, axis, name="tmi", unit="nT")
    field = 1e3 * spectral.upward_continue(spectral.prepare(grid), 400.0).rename("tmi")
    made = spectral.transform(spectral.prepare(field), ("dx", "dy", "dz"))
    return field, made["dx"], made["dy"], made["dz"]


def _ours(
    grids: tuple[xr.DataArray, ...], index: float | tuple[float, ...]
) -> depth.EulerSolutions:
    return depth.euler(
        grids[0],
        grids[1],
        grids[2],
        grids[3],
        structural_index=index,
        window_cells=_WINDOW,
        centres=depth.EulerCentres.ALL,
        tolerance=None,
    )


def _subset() -> list[tuple[int, int]]:
    corners = np.random.default_rng(3).integers(0, _SIZE - _WINDOW + 1, (_SUBSET, 2))
    return [(int(j), int(i)) for j, i in corners]


def _harmonica(grids: tuple[xr.DataArray, ...], corners: list[tuple[int, int]]) -> np.ndarray:
    """Fit each window as its documentation does, with arrays sliced beforehand from NumPy."""
    import harmonica  # noqa: PLC0415 -- a peer, not a dependency

    values = [grid.to_numpy() for grid in grids]
    easting, northing = np.meshgrid(grids[0]["easting"], grids[0]["northing"])
    upward = np.zeros_like(easting)
    found = np.empty((len(corners), 3))
    for n, (j, i) in enumerate(corners):
        window = np.s_[j : j + _WINDOW, i : i + _WINDOW]
        fit = harmonica.EulerDeconvolution(_INDEX)
        fit.fit(
            (easting[window], northing[window], upward[window]), tuple(v[window] for v in values)
        )
        found[n] = fit.location_
    return found


def _agree(grids: tuple[xr.DataArray, ...]) -> None:
    """Refuse to race unless both find the same sources in the subset."""
    corners = _subset()
    theirs = _harmonica(grids, corners)
    ours = _ours(grids, _INDEX)
    row = np.array([j for j, _ in corners])
    column = np.array([i for _, i in corners])
    place = row * (_SIZE - _WINDOW + 1) + column
    assert (ours.window_row[place] == row + _WINDOW // 2).all()
    mine = np.stack([ours.easting_m[place], ours.northing_m[place], -ours.depth_m[place]], axis=1)
    assert np.abs(mine - theirs).max() < 0.1, np.abs(mine - theirs).max()  # metres
