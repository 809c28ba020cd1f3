"""Held-out traverses of the Osborne survey, against GMT blockmedian + surface."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from numpy.typing import NDArray

from benchmarks.gridding import Gmt
from benchmarks.race import Figure, interleave
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.gridding import grid_axes, minimum_curvature, sample

__all__ = ["HoldOut", "figures", "read_hold_out", "read_traverses"]

Floats = NDArray[np.float64]
FILE = Path(__file__).parents[2] / "shared" / "data" / "osborne" / "osborne-magnetic.csv.xz"
CELL_M = 50.0
OTHERS = (1, 3, 8)  # the sixth set was looked at while weights were chosen
BLOCKS = ((5576, 5708), (9717, 10130))  # first and last traverse of each block


class HoldOut:
    """The traverses as a table (n, 4) of easting, northing, height and anomaly, and which are held out."""

    def __init__(self, table: Floats, line: NDArray[np.int64], *, first: int) -> None:
        held = np.concatenate([_every_tenth(table, line, block, first) for block in BLOCKS])
        out = np.isin(line, held)
        self.train = table[~out]
        self.test = table[out]
        self.lines = len(held)

    def errors_nt(
        self, grid: xr.DataArray, method: Literal["bilinear", "bicubic"] = "bilinear"
    ) -> tuple[float, float]:
        """Return RMS and median absolute error of a grid at the held-out points, nT."""
        error = sample(grid, self.test[:, 0], self.test[:, 1], method=method) - self.test[:, 3]
        return float(np.sqrt(np.mean(error**2))), float(np.median(np.abs(error)))


def read_hold_out(first: int = 6) -> HoldOut:
    """Read the traverses and hold out every tenth of each block, from the ``first`` (1 to 10)."""
    table, line = read_traverses()
    return HoldOut(table, line, first=first)


def read_traverses() -> tuple[Floats, NDArray[np.int64]]:
    """Read the survey, drop the ties and project to UTM 54S: (n, 4) as above, and the line numbers."""
    frame = pd.read_csv(FILE)
    line = frame["flight_line"].to_numpy(dtype=np.int64)
    traverse = np.logical_or.reduce([(line >= a) & (line <= b) for a, b in BLOCKS])
    project = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32754", always_xy=True)
    east, north = project.transform(frame["longitude"].to_numpy(), frame["latitude"].to_numpy())
    height, tmi = frame["height_orthometric_m"], frame["total_field_anomaly_nt"]
    table = np.column_stack([east, north, height, tmi])
    return table[traverse], line[traverse]


def _every_tenth(
    table: Floats, line: NDArray[np.int64], block: tuple[int, int], first: int
) -> NDArray[np.int64]:
    """Order a block's traverses by mean northing and take every tenth from the first that is asked for."""
    names = np.unique(line[(line >= block[0]) & (line <= block[1])])
    north = [table[line == name, 1].mean() for name in names]
    return names[np.argsort(north)][first - 1 :: 10]


def figures() -> list[Figure]:
    """Race both on the set that SCIENCE.md names, then compare errors on sets that it does not."""
    table, line = read_traverses()
    found: list[Figure] = []
    for tension in (0.0, 0.25):
        found += _race(HoldOut(table, line, first=6), tension)
        found += _others(table, line, tension)
    return found


def _others(table: Floats, line: NDArray[np.int64], tension: float) -> list[Figure]:
    """Compare errors on the other sets, each alone and all their points together."""
    found: list[Figure] = []
    pooled: list[NDArray[np.float64]] = []
    for first in OTHERS:
        data = HoldOut(table, line, first=first)
        both = _errors_of_both(
            data, grid_axes(table[:, 0], table[:, 1], cell_size_m=CELL_M), tension
        )
        pooled.append(both)
        found += _compare(
            both, f"Osborne, every 10th traverse from number {first} held out", tension
        )
    name = f"Osborne, the held-out sets from numbers {', '.join(map(str, OTHERS))} together"
    return found + _compare(np.concatenate(pooled, axis=1), name, tension)


def _errors_of_both(data: HoldOut, axes: tuple[Floats, Floats], tension: float) -> Floats:
    """Return errors (2, n) nT at the held-out points: ours and GMT's, bilinear."""
    east, north, _, tmi = np.ascontiguousarray(data.train.T)
    gmt = Gmt(data.train[:, [0, 1, 3]], axes, tension=tension)
    try:
        gmt.run()
        peer = make_grid(gmt.values(), *axes, name="tmi", unit="nT")
    finally:
        gmt.close()
    ours = minimum_curvature(east, north, tmi, axes=axes, tension=tension).grid
    places = np.ascontiguousarray(data.test[:, :2].T)
    return np.stack([sample(grid, *places) for grid in (ours, peer)]) - data.test[:, 3]


def _compare(errors: Floats, name: str, tension: float) -> list[Figure]:
    pairs = {
        "RMS": np.sqrt(np.mean(errors**2, axis=1)),
        "median absolute": np.median(np.abs(errors), axis=1),
    }
    return [
        Figure(
            work=f"{name}, T = {tension:g}: {what} error, bilinear",
            ours=f"{ours:.3f} nT",
            peer=f"{theirs:.3f} nT",
            peer_name=f"{Gmt.version()}, blockmedian + surface -T{tension:g}",
            ratio=theirs / ours,
            bar="at or below GMT",
            met=bool(ours <= theirs),
        )
        for what, (ours, theirs) in pairs.items()
    ]


def _race(data: HoldOut, tension: float) -> list[Figure]:
    both = np.concatenate([data.train, data.test])
    axes = grid_axes(both[:, 0], both[:, 1], cell_size_m=CELL_M)
    east, north, _, tmi = np.ascontiguousarray(data.train.T)
    gmt = Gmt(data.train[:, [0, 1, 3]], axes, tension=tension)
    try:
        ours_s, gmt_s, ratio = interleave(
            lambda: minimum_curvature(east, north, tmi, axes=axes, tension=tension),
            gmt.run,
            runs=3,
        )
        ours = minimum_curvature(east, north, tmi, axes=axes, tension=tension)
        peer = make_grid(gmt.values(), *axes, name="tmi", unit="nT")
        peaks = gmt.peaks_mb()
    finally:
        gmt.close()
    name = f"{gmt.version()}, blockmedian + surface -T{tension:g}"
    work = f"Osborne, {data.lines} lines ({len(data.test):,} points) held out, T = {tension:g}"
    nodes = f"{len(axes[1])} x {len(axes[0])} nodes"
    found = [
        Figure(
            work=f"{work}: time, {nodes}",
            ours=f"{ours_s:.2f} s, {peaks.process_mb:.0f} MB of which the call added {peaks.added_mb:.0f}"
            f" ({ours.cycles} cycles, residual {ours.residual:.1e})",
            peer=f"{gmt_s:.2f} s, {peaks.gmt_mb:.0f} MB",
            peer_name=name,
            ratio=ratio,
            bar="not slower than GMT",
            met=ratio >= 1.0,
        )
    ]
    methods: tuple[Literal["bilinear", "bicubic"], ...] = ("bilinear", "bicubic")
    for method in methods:
        mine, theirs = data.errors_nt(ours.grid, method), data.errors_nt(peer, method)
        found += [
            Figure(
                work=f"{work}: {what} error, {method}",
                ours=f"{a:.3f} nT",
                peer=f"{b:.3f} nT",
                peer_name=name,
                ratio=b / a,
                bar="at or below GMT",
                met=a <= b,
            )
            for what, a, b in zip(("RMS", "median absolute"), mine, theirs, strict=True)
        ]
    return found
