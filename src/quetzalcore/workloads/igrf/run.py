"""IGRF-14 at the points of a job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from quetzalcore.formats import write_points_csv
from quetzalcore.geophysics import igrf
from quetzalcore.geophysics.survey import Floats
from quetzalcore.workloads.task import TaskContext

__all__ = ["run"]

_INLINE = 1000  # points that the result itself holds; more go into a file
_DIGITS = 4
_GIVEN = ("longitude_deg", "latitude_deg", "height_m")
_MADE = (
    "easting_nt", "northing_nt", "upward_nt", "total_nt", "inclination_deg", "declination_deg",
)  # fmt: skip


def run(task: TaskContext) -> Mapping[str, Any]:
    """Give components, strength and direction at every point."""
    dates = [dt.date.fromisoformat(text) for text in task.params["date"]]
    longitude, latitude, height = given = [
        np.asarray(task.params[name], dtype=np.float64) for name in _GIVEN
    ]
    years = np.array([igrf.decimal_year(date) for date in dates])
    task.progress("field", 0.0)
    field = igrf.field(longitude, latitude, height, years)
    made = {name: np.atleast_1d(np.round(getattr(field, name), _DIGITS)) for name in _MADE}
    count = len(made["total_nt"])
    columns = {
        **{
            name: np.broadcast_to(values, count) for name, values in zip(_GIVEN, given, strict=True)
        },
        "date": np.broadcast_to([date.isoformat() for date in dates], count),
        **made,
    }
    task.progress("field", 1.0)
    return {"model": "IGRF-14", "count": count, **_told(task, columns)}


def _told(task: TaskContext, columns: dict[str, np.ndarray]) -> dict[str, Any]:
    if len(columns["date"]) <= _INLINE:
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        return {"points": [dict(zip(columns, row, strict=True)) for row in rows], "artifact": None}
    write_points_csv(columns, task.output / "field.csv")
    ranges = {name: _range(columns[name]) for name in _MADE}
    return {"points": [], "artifact": "field.csv", "ranges": ranges}


def _range(values: Floats) -> list[float]:
    return [float(values.min()), float(values.max())]
