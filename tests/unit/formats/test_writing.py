"""Grids and points to files and back; whole or not at all."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import netCDF4
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import rasterio
import xarray as xr

from quetzalcore.errors import BadOutput, BadParameter, UnreadableInput
from quetzalcore.formats import (
    read_grid,
    write_geotiff,
    write_geotiffs,
    write_netcdf,
    write_points_csv,
    write_points_geojson,
    write_points_geopackage,
    write_points_parquet,
)
from quetzalcore.formats.atomic import whole_file
from quetzalcore.geophysics.grid import make_grid


def _grid(
    rows: int = 7, columns: int = 5, *, name: str = "tmi", crs: str | None = "EPSG:32754"
) -> xr.DataArray:
    values = np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)
    values[2, 3] = np.nan
    return make_grid(
        values,
        500_000.0 + 50.0 * np.arange(columns, dtype=np.float64),
        7_500_000.0 + 40.0 * np.arange(rows, dtype=np.float64),
        name=name,
        unit="nT",
        long_name="total magnetic intensity",
        crs=crs,
    )


POINTS = {
    "easting_m": np.array([500_000.0, 500_100.0]),
    "northing_m": np.array([7_500_000.0, 7_500_000.0]),
    "depth_m": np.array([120.5, np.nan]),
    "kind": np.array(["dyke, thin", None], dtype=object),
    "count": np.array([3, 4]),
}


def test_a_geotiff_is_cloud_optimised_and_says_what_it_holds(tmp_path: Path) -> None:
    write_geotiff(_grid(1300, 1100), tmp_path / "tmi.tif")
    with rasterio.open(tmp_path / "tmi.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2, 4]
        assert file.dtypes == ("float32",)
        assert np.isnan(file.nodata)
        assert file.crs.to_epsg() == 32754
        assert (file.descriptions[0], file.units[0]) == ("tmi", "nT")
        assert file.bounds.left == 500_000.0 - 25.0
        assert file.bounds.bottom == 7_500_000.0 - 20.0
        values = file.read(1)
        assert values[-1, 0] == 0.0  # the south-west cell is in the file's last row


@pytest.mark.parametrize("crs", ["EPSG:32754", None])
def test_grids_come_back_as_they_were(tmp_path: Path, crs: str | None) -> None:
    grid = _grid(crs=crs)
    write_geotiffs({tmp_path / "a.tif": grid})
    write_netcdf([grid], tmp_path / "a.nc")
    for name in ("a.tif", "a.nc"):
        xr.testing.assert_identical(read_grid(tmp_path / name), grid.astype(np.float32))


def test_several_grids_share_one_netcdf_by_the_conventions(tmp_path: Path) -> None:
    write_netcdf([_grid(), _grid(name="rtp")], tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert file.Conventions == "CF-1.11"
        assert file["tmi"].grid_mapping == "crs"
        assert file["crs"].grid_mapping_name == "transverse_mercator"
        assert file["easting"].standard_name == "projection_x_coordinate"
        assert file["tmi"].units == "nT"
    assert read_grid(tmp_path / "a.nc", "rtp").name == "rtp"
    with pytest.raises(UnreadableInput, match="it holds the grids tmi, rtp: name one of them"):
        read_grid(tmp_path / "a.nc")
    write_netcdf({"other": _grid()}, tmp_path / "b.nc")
    assert read_grid(tmp_path / "b.nc").name == "other"


def test_grids_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="there is no grid to write"):
        write_netcdf([], tmp_path / "a.nc")
    with pytest.raises(BadParameter, match="two grids have one name"):
        write_netcdf([_grid(), _grid()], tmp_path / "a.nc")
    with pytest.raises(BadParameter, match="grid rtp lies on other axes than tmi"):
        write_netcdf([_grid(), _grid(8, name="rtp")], tmp_path / "a.nc")


def test_what_is_no_grid_is_refused(tmp_path: Path) -> None:
    for name in ("a.tif", "a.nc"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(UnreadableInput, match="that can be read"):
            read_grid(tmp_path / name)
    profile = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "float32"}
    turned = rasterio.Affine(1.0, 0.5, 0.0, 0.5, -1.0, 0.0)
    with rasterio.open(tmp_path / "t.tif", "w", transform=turned, **profile) as file:
        file.write(np.zeros((2, 2), np.float32), 1)
    with pytest.raises(UnreadableInput, match="rotated or upside down"):
        read_grid(tmp_path / "t.tif")


def test_points_as_csv_keep_every_digit_and_quote_commas(tmp_path: Path) -> None:
    write_points_csv(POINTS | {"x": np.array([0.1 + 0.2, 1e-17])}, tmp_path / "p.csv")
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["kind"] == "dyke, thin"
    assert rows[1]["depth_m"] == ""
    assert [float(row["x"]) for row in rows] == [0.1 + 0.2, 1e-17]


def test_points_as_parquet_keep_types_and_metadata(tmp_path: Path) -> None:
    write_points_parquet(POINTS, tmp_path / "p.parquet", metadata={"crs": "EPSG:32754"})
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.schema.metadata[b"crs"] == b"EPSG:32754"
    assert table["depth_m"].to_pylist() == [120.5, None]
    assert table["count"].to_pylist() == [3, 4]


def test_points_as_geopackage_have_places_and_a_system(tmp_path: Path) -> None:
    write_points_geopackage(POINTS, tmp_path / "p.gpkg", crs="EPSG:32754", layer="targets")
    info = pyogrio.read_info(tmp_path / "p.gpkg", layer="targets")
    assert (info["crs"], info["geometry_type"], info["features"]) == ("EPSG:32754", "Point", 2)
    np.testing.assert_allclose(
        info["total_bounds"], (500_000.0, 7_500_000.0, 500_100.0, 7_500_000.0)
    )


def test_points_as_geojson_are_longitude_and_latitude_with_nulls(tmp_path: Path) -> None:
    write_points_geojson(POINTS, tmp_path / "p.geojson", crs="EPSG:32754")
    content = json.loads((tmp_path / "p.geojson").read_text())
    assert "crs" not in content
    first, second = content["features"]
    assert first["geometry"]["coordinates"][0] == pytest.approx(141.0, abs=1e-7)
    assert first["geometry"]["coordinates"][1] == pytest.approx(-22.6, abs=0.05)
    assert second["properties"]["depth_m"] is None
    assert second["properties"]["count"] == 4


def test_points_without_places_or_of_uneven_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="points need easting_m and northing_m"):
        write_points_geojson({"a": np.zeros(2)}, tmp_path / "p.geojson", crs="EPSG:32754")
    with pytest.raises(BadParameter, match="columns differ in length"):
        write_points_csv({"a": np.zeros(2), "b": np.zeros(3)}, tmp_path / "p.csv")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with whole_file(target) as draft:
            draft.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadOutput, match=r"nowhere/a.csv: it cannot be written"):
        write_points_csv(POINTS, tmp_path / "nowhere" / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadOutput, match="it cannot be written"):
        write_points_csv(POINTS, tmp_path / "folder.csv")


def test_written_files_may_be_read_by_others(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write_points_csv(POINTS, tmp_path / "p.csv")
    assert stat.S_IMODE((tmp_path / "p.csv").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
