"""Files to value objects and back: surveys, base stations, grids, points.

``read_survey``, ``read_chunks``, ``inspect``
    Delimited text, Geosoft XYZ, ASEG-GDF2, Parquet, GeoPackage; plain, compressed or zipped.
``read_base_station``
    Time and field of a base station.
``read_grid``, ``write_geotiff``, ``write_netcdf``
    Regular grids.
``write_survey_csv``, ``write_points_csv`` and their sisters
    Line data, depth solutions, targets.
``utm_crs``, ``to_lonlat``, ``meridian_convergence_deg``
    Reference systems.

Every writer writes a file whole or not at all.
"""

from __future__ import annotations

from quetzalcore.formats.base_station import BaseStationFile, read_base_station
from quetzalcore.formats.crs import (
    is_geographic,
    meridian_convergence_deg,
    parse_crs,
    to_lonlat,
    transform,
    utm_crs,
)
from quetzalcore.formats.geotiff import write_geotiff, write_geotiffs
from quetzalcore.formats.grids import read_grid
from quetzalcore.formats.inspection import ColumnReport, Inspection, MagneticChannel, inspect
from quetzalcore.formats.netcdf import write_netcdf
from quetzalcore.formats.options import Limits, ReadOptions, Role
from quetzalcore.formats.points import (
    write_points_csv,
    write_points_geojson,
    write_points_geopackage,
    write_points_parquet,
)
from quetzalcore.formats.rejects import RejectedRow, RejectedRows
from quetzalcore.formats.requirements import require_griddable
from quetzalcore.formats.roles import ChannelState, RoleGuess
from quetzalcore.formats.survey_files import write_survey_csv, write_survey_parquet
from quetzalcore.formats.surveys import ReadSurvey, read_chunks, read_survey
from quetzalcore.formats.table import Column, Layout

__all__ = [
    "BaseStationFile",
    "ChannelState",
    "Column",
    "ColumnReport",
    "Inspection",
    "Layout",
    "Limits",
    "MagneticChannel",
    "ReadOptions",
    "ReadSurvey",
    "RejectedRow",
    "RejectedRows",
    "Role",
    "RoleGuess",
    "inspect",
    "is_geographic",
    "meridian_convergence_deg",
    "parse_crs",
    "read_base_station",
    "read_chunks",
    "read_grid",
    "read_survey",
    "require_griddable",
    "to_lonlat",
    "transform",
    "utm_crs",
    "write_geotiff",
    "write_geotiffs",
    "write_netcdf",
    "write_points_csv",
    "write_points_geojson",
    "write_points_geopackage",
    "write_points_parquet",
    "write_survey_csv",
    "write_survey_parquet",
]
