"""Gridding a million line points to 1000 x 1000 nodes, against GMT blockmedian + surface."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmarks.race import Figure, interleave
from quetzalcore.geophysics.gridding import minimum_curvature

__all__ = ["Gmt", "Peaks", "figures", "peak_and_output", "peak_mb"]

Floats = NDArray[np.float64]
CELL_M = 25.0
AXIS_M: Floats = np.arange(1000, dtype=np.float64) * CELL_M
_OURS = """
import sys
from pathlib import Path
import numpy as np
from quetzalcore.geophysics.gridding import minimum_curvature


def rss_kb(field):
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index(field + ":") + 1])


table = np.fromfile(sys.argv[1]).reshape(-1, 3)
west, east, south, north, cell, tension = map(float, sys.argv[2:])
axes = tuple(a + np.arange(round((b - a) / cell) + 1) * cell for a, b in ((west, east), (south, north)))
columns = np.ascontiguousarray(table.T)
del table
minimum_curvature(*columns[:, ::50], axes=axes, tension=tension)  # loads the kernels
before_kb = rss_kb("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
minimum_curvature(*columns, axes=axes, tension=tension)
print((rss_kb("VmHWM") - before_kb) * 1024 / 1e6)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Peak memory: of our whole process, what the call alone added to it, and of GMT, MB."""

    process_mb: float
    added_mb: float
    gmt_mb: float


class Gmt:
    """GMT blockmedian + surface on binary files in memory."""

    def __init__(self, table: Floats, axes: tuple[Floats, Floats], *, tension: float) -> None:
        shm = Path("/dev/shm")  # noqa: S108 -- GMT's files are kept in memory: its best setting
        self.folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
        self.points = self.folder / "points.bin"
        np.ascontiguousarray(table).tofile(self.points)
        east, north = axes
        self.bounds = (east[0], east[-1], north[0], north[-1], east[1] - east[0], tension)
        region = "-R" + "/".join(f"{edge:.10g}" for edge in self.bounds[:4])
        self.place = (region, f"-I{self.bounds[4]:.10g}")
        self.blocks, self.grid = self.folder / "blocks.bin", self.folder / "grid.nc"

    def reduce(self) -> tuple[str, ...]:
        """Give the command that writes block medians to standard output."""
        return ("gmt", "blockmedian", str(self.points), "-bi3d", "-bo3d", *self.place)

    def fit(self) -> tuple[str, ...]:
        """Give the command that fits the surface, at its default convergence."""
        tension = f"-T{self.bounds[5]:g}"
        return ("gmt", "surface", str(self.blocks), "-bi3d", *self.place, tension, f"-G{self.grid}")

    def run(self) -> None:
        """Grid the points."""
        with self.blocks.open("wb") as out:
            subprocess.run(self.reduce(), stdout=out, check=True, cwd=self.folder)
        subprocess.run(self.fit(), check=True, cwd=self.folder)

    def values(self) -> Floats:
        """Read the grid, row 0 southernmost."""
        with xr.open_dataset(self.grid) as opened:
            return np.asarray(opened["z"].to_numpy(), dtype=np.float64)

    def peaks_mb(self) -> Peaks:
        """Measure peak memory of our process (reading the same file) and of GMT's larger one."""
        ours = (sys.executable, "-c", _OURS, str(self.points), *(f"{b:.17g}" for b in self.bounds))
        process, printed = peak_and_output(ours, self.folder)
        gmt = max(peak_mb(command, self.folder) for command in (self.reduce(), self.fit()))
        return Peaks(process_mb=process, added_mb=float(printed), gmt_mb=gmt)

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder)

    @staticmethod
    def version() -> str:
        """Name GMT with its version."""
        found = subprocess.run(("gmt", "--version"), capture_output=True, text=True, check=True)
        return f"GMT {found.stdout.strip()}"


def peak_mb(command: tuple[str, ...], folder: Path | None = None) -> float:
    """Run a command, in a folder where one is given, and return its peak resident memory in MB."""
    return peak_and_output(command, folder)[0]


def peak_and_output(command: tuple[str, ...], folder: Path | None = None) -> tuple[float, str]:
    """Run a command and return its peak memory in MB and its output's last line.

    A small process starts it: a child's peak begins with what its parent held when it forked.
    """
    launcher = (
        "import resource, subprocess, sys;"
        "out = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True).stdout;"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);"
        "print(out[-400:].decode(errors='replace').strip().rpartition('\\n')[2])"
    )
    starter = (sys.executable, "-S", "-c", launcher, *command)
    done = subprocess.run(starter, check=True, capture_output=True, text=True, cwd=folder)
    peak_kb, _, printed = done.stdout.partition("\n")
    return float(peak_kb) * 1024 / 1e6, printed


def field_nt(easting_m: Floats, northing_m: Floats) -> Floats:
    """Return the vertical field of 300 buried dipoles, (n,) nT: what is gridded is known exactly."""
    rng = np.random.default_rng(7)
    total = np.zeros(len(easting_m))
    for _ in range(300):
        x, y = rng.uniform(AXIS_M[0], AXIS_M[-1], 2)
        depth_m = 120.0 * 10.0 ** rng.uniform(0.0, 1.2)
        peak_nt = rng.normal(0.0, 60.0)
        r2 = ((easting_m - x) ** 2 + (northing_m - y) ** 2) / depth_m**2
        total += peak_nt * (1.0 - r2 / 2.0) * (1.0 + r2) ** -2.5
    return total


def survey() -> Floats:
    """Return a survey of 250 wobbling lines 100 m apart, 4000 stations each, 0.5 nT noise: (n, 3)."""
    rng = np.random.default_rng(3)
    along = np.linspace(AXIS_M[0], AXIS_M[-1], 4000)
    lines = []
    for line in range(250):
        phase = rng.uniform(0.0, 2.0 * np.pi)
        across = 50.0 + 100.0 * line + 8.0 * np.sin(along / 900.0 + phase)
        noise = rng.normal(0.0, 0.5, len(along))
        lines.append(np.column_stack([along, across, field_nt(along, across) + noise]))
    return np.concatenate(lines)


def figures() -> list[Figure]:
    """Race both on the same points and nodes, and measure both against the true field."""
    table = survey()
    east, north, tmi = np.ascontiguousarray(table.T)
    axes = (AXIS_M, AXIS_M)
    rows, columns = np.meshgrid(AXIS_M, AXIS_M, indexing="ij")
    truth = field_nt(columns.ravel(), rows.ravel()).reshape(rows.shape)
    gmt = Gmt(table, axes, tension=0.0)
    try:
        ours_s, gmt_s, ratio = interleave(
            lambda: minimum_curvature(east, north, tmi, axes=axes), gmt.run
        )
        result = minimum_curvature(east, north, tmi, axes=axes)
        ours_rms = float(np.sqrt(np.mean((result.grid.to_numpy() - truth) ** 2)))
        gmt_rms = float(np.sqrt(np.mean((gmt.values() - truth) ** 2)))
        peaks = gmt.peaks_mb()
    finally:
        gmt.close()
    peer = f"{gmt.version()}, blockmedian + surface -T0, binary files in memory"
    work = "grid 1,000,000 line points to 1000 x 1000"
    return [
        Figure(
            work=f"{work}: time",
            ours=f"{ours_s:.2f} s ({result.cycles} cycles, residual {result.residual:.1e})",
            peer=f"{gmt_s:.2f} s",
            peer_name=peer,
            ratio=ratio,
            bar="not slower than GMT",
            met=ratio >= 1.0,
        ),
        Figure(
            work=f"{work}: RMS against the true field",
            ours=f"{ours_rms:.3f} nT",
            peer=f"{gmt_rms:.3f} nT",
            peer_name=peer,
            ratio=gmt_rms / ours_rms,
            bar="at or below GMT",
            met=ours_rms <= gmt_rms,
        ),
        Figure(
            work=f"{work}: peak memory of the process",
            ours=f"{peaks.process_mb:.0f} MB, of which the call added {peaks.added_mb:.0f} MB",
            peer=f"{peaks.gmt_mb:.0f} MB",
            peer_name=peer,
            ratio=peaks.gmt_mb / peaks.process_mb,
            bar="under 400 MB",
            met=peaks.process_mb < 400.0,
        ),
    ]
