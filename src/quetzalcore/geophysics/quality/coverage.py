"""Where a survey has data: covered area, distance to the nearest station, duplicates, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.quality.geometry import Runs, gap_rows, step_lengths_m
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["Gap", "coverage_grid", "covered_area_km2", "duplicate_rows", "find_gaps"]

_MOST_CELLS = 1000  # along the longer side
_CLOSE = 2  # cells: holes between lines up to twice this wide are inside the survey
_M2_PER_KM2 = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of a line without readings, from one row to the next that has one.

    Parameters
    ----------
    line : str
        Name of the line.
    first_row, last_row : int
        Rows (from 0) of the last reading before and the first after.
    length_m : float
        Distance between them, metres.
    """

    line: str
    first_row: int
    last_row: int
    length_m: float


def coverage_grid(survey: Survey, *, cell_m: float) -> xr.DataArray:
    """Return the distance from each cell to the nearest cell with a reading, metres.

    Cells are squares of ``cell_m``, made coarser where a side would have over 1000; the distance is
    exact to about one cell. Rows without a reading do not count.
    """
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415 -- slow import

    hit, cell, origin = _occupied(survey, cell_m)
    values = (
        distance_transform_edt(~hit, sampling=cell) if hit.any() else np.full(hit.shape, np.nan)
    )
    return make_grid(
        np.asarray(values, dtype=np.float32),
        origin[0] + cell * np.arange(hit.shape[1], dtype=np.float64),
        origin[1] + cell * np.arange(hit.shape[0], dtype=np.float64),
        name="coverage",
        unit="m",
        long_name="distance to the nearest reading",
        crs=survey.crs,
    )


def covered_area_km2(survey: Survey, *, line_spacing_m: float) -> float:
    """Return the area that lines ``line_spacing_m`` apart cover, km2.

    Cells of half a line spacing that hold a reading, with holes of up to two line spacings
    filled: concave outlines and separate blocks count for what they are, unlike under a hull.
    """
    from scipy.ndimage import binary_closing  # noqa: PLC0415 -- slow import

    hit, cell, _ = _occupied(survey, line_spacing_m / 2.0)
    padded = np.pad(hit, _CLOSE + 1)
    closed = binary_closing(padded, np.ones((2 * _CLOSE + 1, 2 * _CLOSE + 1), dtype=bool))
    return float(closed.sum()) * cell * cell / _M2_PER_KM2


def _occupied(survey: Survey, cell_m: float) -> tuple[Bools, float, tuple[float, float]]:
    """Return which cells hold readings, the cell actually used, and the first cell's centre."""
    e, n = survey.easting_m, survey.northing_m
    low_e, low_n = float(e.min()), float(n.min())
    extent = max(float(e.max()) - low_e, float(n.max()) - low_n)
    cell = max(cell_m, extent / _MOST_CELLS, 1e-3)
    column = np.rint((e - low_e) / cell).astype(np.intp)
    row = np.rint((n - low_n) / cell).astype(np.intp)
    shape = (max(int(row.max()) + 1, 2), max(int(column.max()) + 1, 2))
    hit = np.zeros(shape, dtype=bool)
    known = ~np.isnan(survey.tmi_nt)
    hit[row[known], column[known]] = True
    return hit, cell, (low_e, low_n)


def duplicate_rows(survey: Survey) -> NDArray[np.intp]:
    """Return the rows that repeat the position of an earlier row of the same line, increasing.

    Where time is known it must be the same too (standing still is no duplicate). Lines that cross
    at one printed position are no duplicates.
    """
    columns = [survey.easting_m, survey.northing_m, survey.line.astype(np.float64)]
    if survey.time_s is not None:
        columns.append(survey.time_s)
    key = np.zeros(len(survey), dtype=np.uint64)
    for column in columns:
        bits = (column + 0.0).view(np.uint64)  # + 0.0 makes -0.0 and 0.0 one
        key = (key ^ bits ^ (bits >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(32)
    ordered = np.sort(key)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return np.zeros(0, dtype=np.intp)
    slot = np.minimum(np.searchsorted(twice, key), len(twice) - 1)
    suspects = np.flatnonzero(twice[slot] == key)
    table = np.column_stack([column[suspects] for column in columns])
    _, first = np.unique(table, axis=0, return_index=True)
    return np.delete(suspects, first)


def find_gaps(survey: Survey, runs: Runs) -> tuple[Gap, ...]:
    """Find jumps in position and stretches of NaN longer than five usual steps, in order of rows."""
    gaps = [
        _gap(survey, int(row), int(row) + 1, float(length)) for row, length in _jumps(survey, runs)
    ]
    unknown = np.isnan(survey.tmi_nt)
    if unknown.any():
        gaps += _silent(survey, runs, unknown)
    return tuple(sorted(gaps, key=lambda gap: gap.first_row))


def _jumps(survey: Survey, runs: Runs) -> list[tuple[int, float]]:
    rows = gap_rows(survey, runs)
    step: Floats = step_lengths_m(survey.easting_m, survey.northing_m)[rows]
    return list(zip(rows.tolist(), step.tolist(), strict=True))


def _silent(survey: Survey, runs: Runs, unknown: Bools) -> list[Gap]:
    """Find runs of NaN inside a line that are longer than five rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], unknown.astype(np.int8), [0]])))
    row_run = runs.of_rows()
    gaps = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        first, last = max(int(start) - 1, 0), min(int(stop), len(survey) - 1)
        first = max(first, int(runs.start[row_run[start]]))
        last = min(last, int(runs.stop[row_run[stop - 1]]) - 1)
        if stop - start > 5 and row_run[start] == row_run[stop - 1]:  # noqa: PLR2004 -- as for jumps
            reach = np.hypot(
                survey.easting_m[last] - survey.easting_m[first],
                survey.northing_m[last] - survey.northing_m[first],
            )
            gaps.append(_gap(survey, first, last, float(reach)))
    return gaps


def _gap(survey: Survey, first_row: int, last_row: int, length_m: float) -> Gap:
    name = survey.line_names[survey.line[first_row]]
    return Gap(line=name, first_row=first_row, last_row=last_row, length_m=length_m)
