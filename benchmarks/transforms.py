"""Spectral transforms on one shared FFT against harmonica's one FFT a call."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable

import numpy as np
import xarray as xr

from benchmarks.race import Figure, interleave, peer_version
from quetzalcore.geophysics import spectral
from quetzalcore.geophysics.grid import make_grid

_SIZE = 2000
_CELL_M = 50.0
_DIRECTION = (-35.0, 12.0)
_NAMES = ("rtp", "tilt", "analytic_signal", "upward")
_BAR = 5.0


def figures() -> list[Figure]:
    """Race RTP, tilt, analytic signal and upward continuation on 2000 x 2000 float64."""
    grid = _random_field()
    peer = f"{peer_version('harmonica')}, its four calls, no padding"

    def plain() -> object:
        return _ours(grid, pad_fraction=0.0, detrend=False)

    _agree(grid)
    figures = [
        _race("no padding on either side", plain, lambda: _harmonica(grid), peer),
        _race(
            "both padded by 10 % a side; ours detrended and smoothly filled too (the default)",
            lambda: _ours(grid),
            lambda: _padded_harmonica(grid),
            peer.replace("no padding", "after numpy.pad and with the margin cut off again"),
            bar=0.0,
        ),
    ]
    ours_mib, theirs_mib = _peak_mib(plain), _peak_mib(lambda: _harmonica(grid))
    memory = Figure(
        work=f"the same, peak of NumPy's memory, {_SIZE} x {_SIZE}, no padding",
        ours=f"{ours_mib:.0f} MiB",
        peer=f"{theirs_mib:.0f} MiB",
        peer_name=peer,
        ratio=theirs_mib / ours_mib,
        bar="not more",
        met=ours_mib <= theirs_mib,
    )
    return [*figures, memory]


def _race(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    peer: str,
    *,
    bar: float = _BAR,
) -> Figure:
    mine, other, ratio = interleave(ours, theirs, runs=7)
    return Figure(
        work=f"RTP + tilt + analytic signal + upward, {_SIZE} x {_SIZE} float64; {what}",
        ours=f"{mine:.3f} s",
        peer=f"{other:.3f} s",
        peer_name=peer,
        ratio=ratio,
        bar=f"at least {bar:g}x" if bar else "none, for information",
        met=ratio >= bar,
    )


def _random_field() -> xr.DataArray:
    """Make a field with the spectrum of sources 300 m deep."""
    noise = np.random.default_rng(7).standard_normal((_SIZE, _SIZE))
    axis = _CELL_M * np.arange(_SIZE, dtype=np.float64)
    ready = spectral.prepare(
        make_grid(noise, axis, axis, name="tmi", unit="nT"), pad_fraction=0.0, detrend=False
    )
    return 1e3 * spectral.upward_continue(ready, 300.0).rename("tmi")


def _ours(
    grid: xr.DataArray, *, pad_fraction: float = 0.15, detrend: bool = True
) -> dict[str, xr.DataArray]:
    ready = spectral.prepare(grid, pad_fraction=pad_fraction, detrend=detrend)
    inclination, declination = _DIRECTION
    field = spectral.FieldDirection(inclination_deg=inclination, declination_deg=declination)
    return spectral.transform(ready, _NAMES, field=field, height_m=200.0)


def _harmonica(grid: xr.DataArray) -> dict[str, xr.DataArray]:
    import harmonica  # noqa: PLC0415 -- a peer, not a dependency

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # xrft's own
        return {
            "rtp": harmonica.reduction_to_pole(grid, *_DIRECTION),
            "tilt": harmonica.tilt_angle(grid),
            "analytic_signal": harmonica.total_gradient_amplitude(grid),
            "upward": harmonica.upward_continuation(grid, 200.0),
        }


def _padded_harmonica(grid: xr.DataArray) -> dict[str, xr.DataArray]:
    """Do what a user of harmonica does: pad, call, crop."""
    margin = _SIZE // 10
    axis = _CELL_M * np.arange(-margin, _SIZE + margin, dtype=np.float64)
    values = np.pad(grid.to_numpy(), margin, mode="linear_ramp")
    made = _harmonica(make_grid(values, axis, axis, name="tmi", unit="nT"))
    inner = slice(margin, -margin)
    return {name: product[inner, inner] for name, product in made.items()}


def _agree(grid: xr.DataArray) -> None:
    """Refuse to race unless both do the same work: RTP and continuation to rounding."""
    ours, theirs = _ours(grid, pad_fraction=0.0, detrend=False), _harmonica(grid)
    for name in ("rtp", "upward"):
        difference = np.abs(ours[name].to_numpy() - theirs[name].to_numpy()).max()
        assert difference < 1e-6 * np.abs(theirs[name].to_numpy()).max(), (name, difference)
    # its horizontal derivatives are central differences: the same to a few per cent on this field
    ratio = ours["analytic_signal"].to_numpy() / theirs["analytic_signal"].to_numpy()
    assert abs(np.median(ratio) - 1.0) < 0.05, np.median(ratio)


def _peak_mib(work: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        kept = work()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    del kept
    return peak / 2**20
