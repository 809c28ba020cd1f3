"""A survey to CSV or Parquet, so that reading it again gives the same survey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quetzalcore.formats.crs import to_lonlat
from quetzalcore.formats.points import write_points_csv, write_points_parquet
from quetzalcore.geophysics.survey import HeightRole, Survey

__all__ = ["survey_table", "write_survey_csv", "write_survey_parquet"]

_HEIGHT_NAMES = {
    HeightRole.ELLIPSOIDAL: "height_ellipsoidal_m",
    HeightRole.ORTHOMETRIC: "height_orthometric_m",
    HeightRole.CLEARANCE: "height_clearance_m",
    None: "height_m",
}


def survey_table(survey: Survey) -> dict[str, NDArray[Any]]:
    """Return a survey's columns under names that the readers understand without options.

    Easting and northing come with longitude and latitude where the reference system is known; the height's name
    says what it is measured from; ``time_s`` is Unix time.
    """
    names = np.asarray(survey.line_names, dtype=object)
    longitude, latitude = survey.longitude_deg, survey.latitude_deg
    if longitude is None and survey.crs is not None:
        longitude, latitude = to_lonlat(survey.easting_m, survey.northing_m, survey.crs)
    optional: dict[str, NDArray[Any] | None] = {
        "longitude": longitude,
        "latitude": latitude,
        _HEIGHT_NAMES[survey.height_role]: survey.height_m,
        "time_utc_s": survey.time_s,
    }
    return {
        "line": names[survey.line],
        "easting_m": survey.easting_m,
        "northing_m": survey.northing_m,
        **{name: values for name, values in optional.items() if values is not None},
        "tmi_nt": survey.tmi_nt,
        **survey.channels,
    }


def write_survey_csv(survey: Survey, path: str | Path) -> None:
    """Write every station as one row of CSV, all digits kept.

    Raises
    ------
    BadOutput
        If ``path`` cannot be written.
    """
    write_points_csv(survey_table(survey), path)


def write_survey_parquet(survey: Survey, path: str | Path) -> None:
    """Write every station as one row of Parquet; the reference system is in the file's metadata.

    Raises
    ------
    BadOutput
        If ``path`` cannot be written.
    """
    known = {"crs": survey.crs, "height_role": survey.height_role}
    metadata = {key: str(value) for key, value in known.items() if value is not None}
    write_points_parquet(survey_table(survey), path, metadata=metadata)
