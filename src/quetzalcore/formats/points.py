"""Points with attributes: survey columns, depth solutions, targets; to CSV, Parquet, GeoPackage, GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.formats.atomic import whole_file
from quetzalcore.formats.crs import to_lonlat
from quetzalcore.geophysics.survey import Floats

__all__ = [
    "PointColumns",
    "write_points_csv",
    "write_points_geojson",
    "write_points_geopackage",
    "write_points_parquet",
]

PointColumns = Mapping[str, NDArray[Any]]
_DECIMALS = 7  # of a degree: a centimetre
_X, _Y = "easting_m", "northing_m"


def write_points_csv(columns: PointColumns, path: str | Path) -> None:
    """Write columns as CSV with a header; NaN as an empty cell.

    Raises
    ------
    BadParameter
        If columns differ in length.
    BadOutput
        If ``path`` cannot be written.
    """
    with whole_file(path) as draft:
        pa_csv.write_csv(_table(columns), draft, pa_csv.WriteOptions(quoting_style="needed"))


def write_points_parquet(
    columns: PointColumns, path: str | Path, *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write columns as Parquet (zstd); ``metadata`` goes into the file's schema.

    Raises
    ------
    BadParameter, BadOutput
        As :func:`write_points_csv`.
    """
    table = _table(columns).replace_schema_metadata(dict(metadata or {}))
    with whole_file(path) as draft:
        pq.write_table(table, draft, compression="zstd")


def write_points_geopackage(
    columns: PointColumns, path: str | Path, *, crs: str | None, layer: str = "points"
) -> None:
    """Write columns as GeoPackage points at ``easting_m, northing_m``.

    Raises
    ------
    BadParameter
        If columns differ in length or have no easting and northing.
    BadOutput
        If ``path`` cannot be written.
    """
    import pyogrio  # noqa: PLC0415 -- GDAL's vector part is slow to load and few need it

    table = _table(columns)
    places = _point_wkb(*_places(columns))
    with whole_file(path) as draft:
        pyogrio.write_arrow(
            table.append_column("geometry", places),
            draft,
            driver="GPKG",
            layer=layer,
            geometry_name="geometry",
            geometry_type="Point",
            crs=crs,
        )


def write_points_geojson(columns: PointColumns, path: str | Path, *, crs: str) -> None:
    """Write columns as GeoJSON (RFC 7946): longitude and latitude on WGS 84, NaN as null.

    Raises
    ------
    BadParameter, BadOutput
        As :func:`write_points_geopackage`.
    """
    longitude, latitude = to_lonlat(*_places(columns), crs)
    rows = _table(columns).to_pylist()
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [round(lon, _DECIMALS), round(lat, _DECIMALS)],
            },
            "properties": row,
        }
        for lon, lat, row in zip(longitude.tolist(), latitude.tolist(), rows, strict=True)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False)
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _table(columns: PointColumns) -> Any:  # noqa: ANN401 -- PyArrow has no types
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadParameter(
            f"columns differ in length: {lengths}", hint="give every column the same length"
        )
    arrays = {
        name: pa.array(values.tolist() if values.dtype == object else values, from_pandas=True)
        for name, values in columns.items()
    }
    return pa.table(arrays)


def _places(columns: PointColumns) -> tuple[Floats, Floats]:
    if _X not in columns or _Y not in columns:
        raise BadParameter(f"points need {_X} and {_Y}", hint="add these columns")
    return np.asarray(columns[_X], np.float64), np.asarray(columns[_Y], np.float64)


def _point_wkb(x: Floats, y: Floats) -> Any:  # noqa: ANN401 -- PyArrow has no types
    """Well-known binary of points: byte order, type 1, two doubles."""
    points = np.zeros(len(x), dtype=[("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")])
    points["order"], points["kind"], points["x"], points["y"] = 1, 1, x, y
    offsets = np.arange(len(x) + 1, dtype=np.int32) * points.itemsize
    return pa.Array.from_buffers(
        pa.binary(), len(x), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(points.tobytes())]
    )
