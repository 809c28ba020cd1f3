"""One survey's quality at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.quality.clearance import Clearance, find_clearance
from quetzalcore.geophysics.quality.coverage import (
    Gap,
    coverage_grid,
    covered_area_km2,
    duplicate_rows,
    find_gaps,
)
from quetzalcore.geophysics.quality.culture import CultureFlag, CultureKind, flag_culture
from quetzalcore.geophysics.quality.geometry import Runs, pieces_of, runs_of, step_lengths_m
from quetzalcore.geophysics.quality.lines import LineKind, LineSummary, classify_lines
from quetzalcore.geophysics.quality.noise import fourth_difference_nt, run_noise_nt, spike_rows
from quetzalcore.geophysics.quality.spacing import BlockSpacing, block_spacings, line_spacing_m
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["QualityReport", "assess"]

_KM = 1e-3
_NOISY_NT = 1.0  # fourth-difference noise above this is poor for an airborne survey
_UNEVEN_HEIGHT = 0.3  # of the median clearance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QualityReport:
    """What :func:`assess` found.

    Parameters
    ----------
    lines : tuple of LineSummary
        Every run of a line.
    stations, readings : int
        Rows, and rows with a reading.
    line_km, tie_km : float
        Length of traverses and of ties, without the gaps in them, km.
    area_km2 : float
        Area covered, km2.
    line_spacing_m, station_spacing_m : float
        Medians, metres; NaN where they cannot be told.
    blocks : tuple of BlockSpacing
        Spacing of each block of traverses.
    duplicates, spikes : (k,) intp
        Rows (from 0).
    gaps : tuple of Gap
        Jumps and silences within lines.
    noise_nt : float
        Median of the lines' noise, nT.
    height_m, speed_m_s : mapping of str to float
        min, median, max, std; empty where unknown.
    height_role : str
        What heights are measured from, or "".
    coverage : xarray.DataArray
        Distance to the nearest reading, metres.
    clearance_m : float
        Usual height above the ground that culture was sought from, metres: measured, or assumed
        (a warning says so).
    culture : tuple of CultureFlag
        Places to look at.
    warnings : tuple of str
        What to distrust, one sentence each.
    """

    lines: tuple[LineSummary, ...]
    stations: int
    readings: int
    line_km: float
    tie_km: float
    area_km2: float
    line_spacing_m: float
    station_spacing_m: float
    blocks: tuple[BlockSpacing, ...]
    duplicates: NDArray[np.intp]
    spikes: NDArray[np.intp]
    gaps: tuple[Gap, ...]
    noise_nt: float
    height_m: Mapping[str, float]
    height_role: str
    speed_m_s: Mapping[str, float]
    coverage: xr.DataArray
    clearance_m: float
    culture: tuple[CultureFlag, ...]
    warnings: tuple[str, ...]


def assess(survey: Survey, lines: tuple[LineSummary, ...] | None = None) -> QualityReport:
    """Measure a survey's quality; nothing is changed or deleted.

    Parameters
    ----------
    survey : Survey
        Rows of a line contiguous and in the order of acquisition. NaN readings count as missing.
    lines : tuple of LineSummary, optional
        From :func:`classify_lines` on the same survey; made here where it is not given.

    Raises
    ------
    BadSurvey
        If no row has a reading.
    """
    readings = int(np.isfinite(survey.tmi_nt).sum())
    if readings == 0:
        raise BadSurvey("no row has a reading", hint="check which column holds the total field")
    lines = classify_lines(survey) if lines is None else lines
    runs = runs_of(survey)
    traverses = _of_kind(runs, lines, LineKind.TRAVERSE)
    pieces = pieces_of(survey, runs)
    difference = fourth_difference_nt(survey.tmi_nt, pieces)
    noise = run_noise_nt(difference, runs)
    spikes = spike_rows(difference, runs)
    spacing = line_spacing_m(survey, traverses)
    step = _station_spacing_m(survey, runs)
    clearance = find_clearance(survey, line_spacing_m=spacing)
    cell = spacing if np.isfinite(spacing) else 10.0 * step
    found = QualityReport(
        lines=lines,
        stations=len(survey),
        readings=readings,
        line_km=_flown_km(survey, runs, traverses),
        tie_km=_flown_km(survey, runs, _of_kind(runs, lines, LineKind.TIE)),
        area_km2=covered_area_km2(survey, line_spacing_m=cell),
        line_spacing_m=spacing,
        station_spacing_m=step,
        blocks=block_spacings(survey, traverses),
        duplicates=duplicate_rows(survey),
        spikes=spikes,
        gaps=find_gaps(survey, runs),
        noise_nt=float(np.median(noise[~np.isnan(noise)])) if (~np.isnan(noise)).any() else np.nan,
        height_m=_spread(survey.height_m),
        height_role=survey.height_role.value if survey.height_role else "",
        speed_m_s=_spread(_speed_m_s(survey, runs)),
        coverage=coverage_grid(survey, cell_m=cell / 2.0),
        clearance_m=clearance.usual_m,
        culture=flag_culture(
            survey, pieces, clearance=clearance, spikes=spikes, line_spacing_m=spacing
        ),
        warnings=(),
    )
    return _warned(found, clearance)


def _of_kind(runs: Runs, lines: tuple[LineSummary, ...], kind: LineKind) -> Bools:
    wanted = [line.index for line in lines if line.kind is kind]
    return np.isin(runs.line, wanted)


def _flown_km(survey: Survey, runs: Runs, wanted: Bools) -> float:
    pieces = pieces_of(survey, runs)
    of_run = np.searchsorted(runs.stop, pieces.start, side="right")
    return float(pieces.length_m[wanted[of_run]].sum()) * _KM


def _station_spacing_m(survey: Survey, runs: Runs) -> float:
    step = step_lengths_m(survey.easting_m, survey.northing_m)
    inside = np.ones(len(step), dtype=bool)
    inside[runs.stop[:-1] - 1] = False
    return float(np.median(step[inside])) if inside.any() else float("nan")


def _speed_m_s(survey: Survey, runs: Runs) -> Floats | None:
    if survey.time_s is None:
        return None
    tick = np.diff(survey.time_s)
    inside = tick > 0.0
    inside[runs.stop[:-1] - 1] = False
    return step_lengths_m(survey.easting_m, survey.northing_m)[inside] / tick[inside]


def _spread(values: Floats | None) -> Mapping[str, float]:
    known = values[np.isfinite(values)] if values is not None else np.zeros(0)
    if not len(known):
        return MappingProxyType({})
    return MappingProxyType(
        {
            "min": float(known.min()),
            "median": float(np.median(known)),
            "max": float(known.max()),
            "std": float(known.std()),
        }
    )


def _warned(report: QualityReport, clearance: Clearance) -> QualityReport:
    """Add one sentence for each thing that a reader of the results should know."""
    linear = sum(flag.kind is CultureKind.LINEAR for flag in report.culture)
    ties = sum(line.kind is LineKind.TIE for line in report.lines)
    spacings = ", ".join(
        f"{block.spacing_m:.0f} m ({block.first_line} to {block.last_line})"
        for block in report.blocks
    )
    missing = report.stations - report.readings
    said = {
        f"{missing} rows have no reading": missing,
        f"{len(report.duplicates)} rows repeat an earlier position of their line": len(
            report.duplicates
        ),
        f"{len(report.gaps)} gaps within lines": len(report.gaps),
        f"{len(report.spikes)} rows look like spikes": len(report.spikes),
        "there are no tie lines: the lines cannot be levelled by crossovers": ties == 0,
        f"line spacing differs between blocks: {spacings}": len(report.blocks) > 1,
        f"the noise of {report.noise_nt:.2f} nT is high": report.noise_nt > _NOISY_NT,
        f"{linear} of {len(report.culture)} short anomalies from about the ground line up "
        "across lines as fences, pipelines and thin dykes do": linear,
        f"{len(report.culture)} places are flagged as culture for a height above ground of "
        f"{clearance.usual_m:.0f} m, which is assumed": bool(report.culture)
        and not clearance.source,
        "heights vary much: grid with equivalent sources": _uneven(report.height_m),
    }
    return replace(report, warnings=tuple(text for text, true in said.items() if true))


def _uneven(height_m: Mapping[str, float]) -> bool:
    return bool(height_m) and height_m["std"] > _UNEVEN_HEIGHT * abs(height_m["median"])
