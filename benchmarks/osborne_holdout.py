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

__all__ = ["HoldOut", "figures", "read_hold_out"]

Floats = NDArray[np.float64]
FILE = Path(__file__).parents[2] / "shared" / "data" / "osborne" / "osborne-magnetic.csv.xz"
CELL_M = 50.0
BLOCKS = ((5576, 5708), (9717, 10130))  # first and last traverse of each block


class HoldOut:
    """The traverses as a table (n, 4) of easting, northing, height and anomaly, and which are held out."""

    def __init__(self, table: Floats, line: NDArray[np.int64]) -> None:
        held = np.concatenate([_every_tenth(table, line, block) for block in BLOCKS])
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


def read_hold_out() -> HoldOut:
    """Read the survey, drop the ties, project to UTM 54S and hold out every tenth traverse."""
    frame = pd.read_csv(FILE)
    line = frame["flight_line"].to_numpy(dtype=np.int64)
    traverse = np.logical_or.reduce([(line >= a) & (line <= b) for a, b in BLOCKS])
    project = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32754", always_xy=True)
    east, north = project.transform(frame["longitude"].to_numpy(), frame["latitude"].to_numpy())
    height, tmi = frame["height_orthometric_m"], frame["total_field_anomaly_nt"]
    table = np.column_stack([east, north, height, tmi])
    return HoldOut(table[traverse], line[traverse])


def _every_tenth(
    table: Floats, line: NDArray[np.int64], block: tuple[int, int]
) -> NDArray[np.int64]:
    """Order a block's traverses by mean northing and take every tenth from the sixth."""
    names = np.unique(line[(line >= block[0]) & (line <= block[1])])
    north = [table[line == name, 1].mean() for name in names]
    return names[np.argsort(north)][5::10]


def figures() -> list[Figure]:
    """Race both at tension 0 and 0.25."""
    data = read_hold_out()
    found: list[Figure] = []
    for tension in (0.0, 0.25):
        found += _race(data, tension)
    return found


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
        ours_mb, gmt_mb = gmt.peaks_mb()
    finally:
        gmt.close()
    name = f"{gmt.version()}, blockmedian + surface -T{tension:g}"
    work = f"Osborne, {data.lines} lines ({len(data.test):,} points) held out, T = {tension:g}"
    nodes = f"{len(axes[1])} x {len(axes[0])} nodes"
    found = [
        Figure(
            work=f"{work}: time, {nodes}",
            ours=f"{ours_s:.2f} s, {ours_mb:.0f} MB ({ours.cycles} cycles, residual {ours.residual:.1e})",
            peer=f"{gmt_s:.2f} s, {gmt_mb:.0f} MB",
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
