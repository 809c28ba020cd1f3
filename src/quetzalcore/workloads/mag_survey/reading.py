"""Every input file of a run: the survey, and whatever stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from quetzalcore.errors import BadParameter, BadSurvey, Where
from quetzalcore.formats import (
    ChannelState,
    ReadOptions,
    RejectedRows,
    Role,
    read_base_station,
    read_grid,
    read_survey,
)
from quetzalcore.geophysics.conditioning import BaseStation
from quetzalcore.geophysics.quality import split_lines
from quetzalcore.geophysics.survey import Floats, HeightRole, Survey
from quetzalcore.workloads.mag_survey.config import InputConfig
from quetzalcore.workloads.mag_survey.folder import sha256

__all__ = [
    "InputFile",
    "Inputs",
    "backward_times",
    "fingerprint",
    "read_inputs",
    "read_options",
    "without_strays",
]

_STRAY_SHARE = 0.01
_STRAY_TIMES = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One input as provenance names it."""

    role: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """What was read.

    ``tmi_column`` is the reading's column and ``tmi_state`` how far it was processed by its name;
    ``notes`` is everything that the readers assumed, ``warnings`` is what was left out beyond
    ``rejected``.
    """

    survey: Survey
    file_format: str
    tmi_column: str
    tmi_state: ChannelState
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    rejected: RejectedRows
    base: BaseStation | None
    calibration: Survey | None
    dem: xr.DataArray | None
    files: tuple[InputFile, ...]

    def ground_elevation_m(self, survey: Survey) -> Floats | None:
        """Give the ground's elevation under each station, (n,) m, or None where it is unknown."""
        if self.dem is None:
            return None
        found = self.dem.interp(
            easting=("station", survey.easting_m), northing=("station", survey.northing_m)
        )
        return np.asarray(found.to_numpy(), dtype=np.float64)


def read_options(config: InputConfig) -> ReadOptions:
    """Translate the configuration into what the readers take."""
    return ReadOptions(
        columns=config.columns,
        units=config.units,
        crs=config.crs,
        height_role=None if config.height_role is None else HeightRole(config.height_role),
        delimiter=config.delimiter,
        date=config.date,
    )


def fingerprint(
    source: Path, config: InputConfig, *, priors_file: Path | None = None
) -> tuple[InputFile, ...]:
    """Name every input file with its size and digest.

    Raises
    ------
    BadParameter
        If one does not exist or is a folder.
    """
    roles = {
        "survey": source,
        "base_station": config.base_station,
        "calibration": config.calibration,
        "dem": config.dem,
        "priors": priors_file,
    }
    return tuple(_input_file(role, path) for role, path in roles.items() if path is not None)


def read_inputs(
    source: Path,
    config: InputConfig,
    *,
    expected_digests: Mapping[str, str],
    priors_file: Path | None = None,
) -> Inputs:
    """Read every input.

    Raises
    ------
    UserMistake
        What the readers raise; BadParameter where a file is not the one of the run that is repeated.
    """
    files = fingerprint(source, config, priors_file=priors_file)
    for file in files:
        expected = expected_digests.get(file.role)
        if expected is not None and expected != file.sha256:
            raise BadParameter(
                f"the {file.role} file has changed since the run that is to be repeated",
                hint="restore it, or run without --from",
                where=Where(file=file.path),
            )
    read = read_survey(source, read_options(config))
    base = None if config.base_station is None else read_base_station(config.base_station)
    calibration = config.calibration
    _require_variation(read.survey.tmi_nt)
    survey, notes = read.survey, read.notes
    survey, warnings = without_strays(survey)
    if Role.LINE not in read.roles:
        survey = _with_lines(survey)
        notes = (*notes, f"no line column: split into {len(survey.line_names)} lines by heading")
    return Inputs(
        survey=survey,
        file_format=read.layout.format,
        tmi_column=read.roles[Role.TMI].column,
        tmi_state=read.state,
        notes=notes,
        warnings=(*warnings, *backward_times(survey)),
        rejected=read.rejected,
        base=None if base is None else BaseStation(time_s=base.time_s, tmi_nt=base.tmi_nt),
        calibration=None
        if calibration is None
        else read_survey(calibration, read_options(config)).survey,
        dem=None if config.dem is None else read_grid(config.dem),
        files=files,
    )


def without_strays(survey: Survey) -> tuple[Survey, tuple[str, ...]]:
    """Leave out the few stations that lie absurdly far from all others, and say so.

    One position of 0, 0 on a projected system would else ask for a grid of the whole hemisphere.
    """
    east, north = survey.easting_m, survey.northing_m
    apart_m = np.hypot(east - np.median(east), north - np.median(north))
    near_m = float(np.quantile(apart_m, 1.0 - _STRAY_SHARE))
    far = apart_m > _STRAY_TIMES * near_m
    count = int(far.sum())
    if count == 0 or near_m == 0.0:
        return survey, ()
    first = int(np.flatnonzero(far)[0])
    named = "1 station lies" if count == 1 else f"{count:,} stations lie"
    line = survey.line_names[survey.line[first]]
    warning = (
        f"{named} more than {_STRAY_TIMES:.0f} times farther out than {1.0 - _STRAY_SHARE:.0%} of the "
        f"survey and left out; the first is at {east[first]:,.0f} E, {north[first]:,.0f} N on line {line}"
    )
    return survey.select(~far), (warning,)


def backward_times(survey: Survey) -> tuple[str, ...]:
    """Say where the clock runs backwards within a line whose rows are otherwise in its order."""
    if survey.time_s is None:
        return ()
    same_line = survey.line[1:] == survey.line[:-1]
    step_s = np.diff(survey.time_s)
    back = same_line & (step_s < 0.0)
    forth = same_line & (step_s > 0.0)
    odd = np.intersect1d(survey.line[1:][back], survey.line[1:][forth])
    if not len(odd):
        return ()
    first = survey.line_names[odd[0]]
    lines = "1 line" if len(odd) == 1 else f"{len(odd):,} lines"
    said = f"time runs backwards within {lines} (the first is {first})"
    return (f"{said}: lag, heading and diurnal correction may be wrong there",)


def _require_variation(tmi_nt: Floats) -> None:
    low, high = float(np.fmin.reduce(tmi_nt)), float(np.fmax.reduce(tmi_nt))
    if not low < high:  # NaN too
        what = "no reading is a number" if np.isnan(low) else f"every reading is {low:g} nT"
        raise BadSurvey(what, hint="name the reading with --column tmi=NAME")


def _with_lines(survey: Survey) -> Survey:
    """Split one run of rows into lines by time, jumps and heading."""
    line = split_lines(survey.easting_m, survey.northing_m, time_s=survey.time_s)
    names = tuple(f"L{number + 1}" for number in range(int(line.max()) + 1))
    return replace(survey, line=line, line_names=names)


def _input_file(role: str, path: Path) -> InputFile:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise BadParameter(
            f"the {role} file {what}", hint="check the path", where=Where(file=str(path))
        )
    return InputFile(role=role, path=str(path), size=path.stat().st_size, sha256=sha256(path))
