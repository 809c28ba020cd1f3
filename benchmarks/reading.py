"""Reading surveys and writing grids: time and memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyproj

from benchmarks.race import Figure, interleave, peer_version
from quetzalcore.formats import read_chunks, read_survey, write_geotiffs
from quetzalcore.geophysics.grid import make_grid

_OSBORNE = Path(__file__).parents[2] / "shared/data/osborne/osborne-magnetic.csv.xz"
_ROWS = 1_000_000
_MANY_ROWS = 20_000_000
_HELD = 20_000_000  # the default of Limits.max_stations
_MIB = 1 << 20


def figures() -> list[Figure]:
    """Measure reading 1e6 and 2e7 rows, Osborne, and writing fifteen grids."""
    with tempfile.TemporaryDirectory() as folder:
        found = [_against_pandas(Path(folder)), *_large(Path(folder)), _fifteen_grids(Path(folder))]
    if _OSBORNE.is_file():
        found.append(_osborne())
    return found


def _write_rows(path: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    step = 1_000_000
    with path.open("wb") as file:
        for start in range(0, rows, step):
            index = np.arange(start, start + step)
            within = index % 10_000
            table = pa.table({
                "line": 1000 + index // 10_000,
                "longitude": np.round(140.0 + within * 1e-4, 6),
                "latitude": np.round(-22.0 + index // 10_000 * 1e-3, 6),
                "height_orthometric_m": np.round(400.0 + rng.normal(0.0, 10.0, step), 2),
                "tmi_nt": np.round(50_000.0 + rng.normal(0.0, 100.0, step), 3),
            })  # fmt: skip
            pa_csv.write_csv(table, file, pa_csv.WriteOptions(include_header=start == 0))


def _against_pandas(folder: Path) -> Figure:
    path = folder / "million.csv"
    _write_rows(path, _ROWS)

    def peer() -> None:
        frame = pd.read_csv(path, engine="pyarrow")
        there = pyproj.Transformer.from_crs(4326, 32753, always_xy=True)
        there.transform(frame["longitude"].to_numpy(), frame["latitude"].to_numpy())

    ours, theirs, ratio = interleave(lambda: read_survey(path), peer)
    return Figure(
        work="read 1e6 rows of CSV into projected metres",
        ours=f"{ours:.2f} s",
        peer=f"{theirs:.2f} s",
        peer_name=f"{peer_version('pandas')} engine pyarrow + {peer_version('pyproj')}, no checks",
        ratio=ratio,
        bar="under 2 s",
        met=ours < 2.0,
    )


def _large(folder: Path) -> list[Figure]:
    path = folder / "many.csv"
    _write_rows(path, _MANY_ROWS)
    empty = _child("idle", path)[1]
    chunk_s, chunk_mib = _child("chunks", path)
    whole_s, whole_mib = _child("whole", path)
    a_station = (whole_mib - empty) * _MIB / _MANY_ROWS
    at_most = empty + a_station * _HELD / _MIB
    return [
        Figure(
            work="2e7 rows of CSV, chunk by chunk",
            ours=f"{chunk_s:.1f} s, peak {chunk_mib:.0f} MiB (imports {empty:.0f})",
            bar="1e8 rows under 4 GB: memory does not grow with rows",
            met=chunk_mib < 1024,
        ),
        Figure(
            work="2e7 rows of CSV, whole survey",
            ours=(
                f"{whole_s:.1f} s, peak {whole_mib:.0f} MiB = {a_station:.0f} bytes a station; "
                f"{at_most / 1024:.1f} GiB at the 2e7 stations that any file is thinned to"
            ),
            bar="1e8 rows under 4 GB",
            met=at_most < 4 * 1024,
        ),
    ]


def _child(work: str, path: Path) -> tuple[float, float]:
    """Run one reading in a process of its own; give seconds and peak MiB."""
    command = [sys.executable, "-m", "benchmarks.reading", work, str(path)]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(words[0]), float(words[1])


def _read(work: str, path: Path) -> None:
    start = time.perf_counter()
    if work == "chunks":
        for _ in read_chunks(path):
            pass
    elif work == "whole":
        read_survey(path)
    status = Path("/proc/self/status").read_text(encoding="ascii")  # rusage counts the parent's
    peak = float(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(time.perf_counter() - start, peak)


def _fifteen_grids(folder: Path) -> Figure:
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 -- only here

    noise = np.random.default_rng(0).normal(size=(1400, 1400))
    axis = 50.0 * np.arange(1400.0)
    values = (1000.0 * gaussian_filter(noise, 8.0)).astype(np.float32)
    grid = make_grid(values, axis, axis, name="tmi", unit="nT", crs="EPSG:32754")
    grids = {folder / f"{k}.tif": grid for k in range(15)}
    write_geotiffs(grids)
    start = time.perf_counter()
    write_geotiffs(grids)
    took = time.perf_counter() - start
    return Figure(
        work="write fifteen cloud-optimised GeoTIFFs of 1400 x 1400",
        ours=f"{took:.2f} s",
        bar="under 2 s",
        met=took < 2.0,
    )


def _osborne() -> Figure:
    start = time.perf_counter()
    read_survey(_OSBORNE)
    took = time.perf_counter() - start
    return Figure(
        work="read Osborne, 990,987 points from .csv.xz, into projected metres",
        ours=f"{took:.2f} s",
        bar="about 1.5 s",
        met=took < 1.5,
    )


if __name__ == "__main__":
    _read(sys.argv[1], Path(sys.argv[2]))
