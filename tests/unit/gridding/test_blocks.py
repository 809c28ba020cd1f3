"""Axes, block medians, blanking and sampling."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.gridding import (
    blank,
    block_median,
    default_cell_size,
    grid_axes,
    sample,
)

Floats = NDArray[np.float64]
EAST: Floats = np.arange(8, dtype=np.float64) * 10.0
NORTH: Floats = 100.0 + np.arange(6, dtype=np.float64) * 10.0


def _plane() -> xr.DataArray:
    values = 2.0 * EAST[None, :] - 0.5 * NORTH[:, None] + 7.0
    return make_grid(values, EAST, NORTH, name="tmi", unit="nT")


@pytest.mark.parametrize(
    ("line", "station", "cell"),
    [
        (200.0, None, 50.0),
        (250.0, 7.0, 60.0),
        (100.0, None, 25.0),
        (100.0, 40.0, 40.0),
        (3.3, None, 0.8),
    ],
)
def test_a_cell_is_a_quarter_of_the_line_spacing_rounded_down(
    line: float, station: float | None, cell: float
) -> None:
    assert default_cell_size(line, station) == pytest.approx(cell)


@pytest.mark.parametrize(("line", "station"), [(0.0, None), (np.nan, None), (100.0, -1.0)])
def test_spacings_that_are_not_positive_are_refused(line: float, station: float | None) -> None:
    with pytest.raises(BadParameter, match="make no cell"):
        default_cell_size(line, station)


def test_axes_stand_on_whole_multiples_and_enclose_every_point() -> None:
    east, north = grid_axes(
        np.array([13.0, 97.0, np.nan]),
        np.array([-21.0, 5.0, 0.0]),
        cell_size_m=10.0,
        margin_cells=1,
    )
    assert east.tolist() == [float(x) for x in range(0, 111, 10)]
    assert north.tolist() == [-40.0, -30.0, -20.0, -10.0, 0.0, 10.0, 20.0]


def test_a_single_point_still_gets_four_nodes_an_axis() -> None:
    east, north = grid_axes(np.array([5.0]), np.array([0.0]), cell_size_m=10.0)
    assert (len(east), len(north)) == (4, 4)
    assert east[0] <= 5.0 <= east[-1]


def test_axes_refuse_nonsense() -> None:
    point = np.array([0.0])
    for cell_size_m, margin_cells in ((0.0, 0), (np.inf, 0), (1.0, -1)):
        with pytest.raises(BadParameter, match="makes no grid"):
            grid_axes(point, point, cell_size_m=cell_size_m, margin_cells=margin_cells)
    with pytest.raises(BadParameter, match="larger cell size"):
        grid_axes(np.array([0.0, 1e6]), np.array([0.0, 1e6]), cell_size_m=1.0)
    with pytest.raises(BadSurvey, match="no position"):
        grid_axes(np.array([np.nan]), point, cell_size_m=1.0)


def _plain_blocks(
    east: Floats, north: Floats, values: Floats, weights: Floats
) -> dict[tuple[int, int], Floats]:
    """Do slowly what block_median does: a dictionary of cells."""
    cells: dict[tuple[int, int], list[tuple[float, ...]]] = {}
    for x, y, v, w in zip(east, north, values, weights, strict=True):
        key = (int(np.floor((y - 100.0) / 10.0 + 0.5)), int(np.floor(x / 10.0 + 0.5)))
        if 0 <= key[0] < 6 and 0 <= key[1] < 8 and np.isfinite(v) and w > 0:
            cells.setdefault(key, []).append((x, y, v, w))
    return {key: np.array(rows) for key, rows in sorted(cells.items())}


@pytest.mark.kernels
def test_block_medians_agree_with_a_dictionary_of_cells() -> None:
    rng = np.random.default_rng(1)
    east, north = rng.uniform(-10, 90, 300), rng.uniform(90, 165, 300)
    values = rng.normal(size=300)
    values[::17] = np.nan
    blocks = block_median(east, north, values, easting_axis_m=EAST, northing_axis_m=NORTH)
    plain = _plain_blocks(east, north, values, np.ones(300))
    assert list(zip(blocks.row.tolist(), blocks.column.tolist(), strict=True)) == list(plain)
    for k, rows in enumerate(plain.values()):
        assert blocks.count[k] == len(rows) == blocks.weight[k]
        assert blocks.values[k] == pytest.approx(np.median(rows[:, 2]))
        assert blocks.easting_m[k] == pytest.approx(rows[:, 0].mean())
        assert blocks.northing_m[k] == pytest.approx(rows[:, 1].mean())


@pytest.mark.kernels
def test_weights_move_the_median_and_the_position() -> None:
    east, north = np.array([0.0, 2.0, 4.0, 0.0]), np.full(4, 100.0)
    values, weights = np.array([1.0, 2.0, 9.0, 50.0]), np.array([1.0, 1.0, 3.0, 0.0])
    blocks = block_median(
        east, north, values, easting_axis_m=EAST, northing_axis_m=NORTH, weights=weights
    )
    assert blocks.values.tolist() == [9.0]
    assert blocks.count.tolist() == [3]
    assert blocks.easting_m[0] == pytest.approx((0.0 + 2.0 + 12.0) / 5.0)
    even = block_median(
        east[:2],
        north[:2],
        values[:2],
        easting_axis_m=EAST,
        northing_axis_m=NORTH,
        weights=np.ones(2),
    )
    assert even.values.tolist() == [1.5]


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_sampling_reproduces_a_plane_and_is_undefined_outside(
    method: Literal["bilinear", "bicubic"],
) -> None:
    east, north = np.array([0.0, 33.3, 70.0, 71.0]), np.array([100.0, 141.7, 150.0, 120.0])
    values = sample(_plane(), east, north, method=method)
    assert values[:3] == pytest.approx(2.0 * east[:3] - 0.5 * north[:3] + 7.0)
    assert np.isnan(values[3])


def test_bicubic_sampling_is_exact_for_cubics_and_bilinear_is_not() -> None:
    cubic = make_grid(np.tile((EAST / 10.0) ** 3, (6, 1)), EAST, NORTH, name="x", unit="1")
    at = np.array([3.0, 27.0, 68.0])
    truth = (at / 10.0) ** 3
    north = np.full(3, 117.0)
    assert sample(cubic, at, north) == pytest.approx(truth)
    assert np.abs(sample(cubic, at, north, method="bilinear") - truth).max() > 0.1


def test_sampling_beside_a_gap_falls_back_to_the_four_nearest_nodes() -> None:
    holed = _plane().copy()
    holed[0, 0] = np.nan
    values = sample(holed, np.array([15.0, 5.0]), np.array([115.0, 105.0]))
    assert values[0] == pytest.approx(2.0 * 15.0 - 0.5 * 115.0 + 7.0)
    assert np.isnan(values[1])


def test_blanking_keeps_the_neighbourhood_of_data_and_opens_holes() -> None:
    ring = [
        (x, y)
        for x in range(0, 80, 10)
        for y in range(100, 160, 10)
        if x in (0, 70) or y in (100, 150)
    ]
    east, north = np.array(ring, dtype=float).T
    east, north = np.append(east, np.nan), np.append(north, 120.0)
    cut = blank(_plane(), east, north, distance_m=15.0)
    assert np.isfinite(cut.sel(easting=10.0, northing=120.0))
    assert np.isnan(cut.sel(easting=30.0, northing=120.0))
    assert int(np.isnan(cut).sum()) == 8
    assert np.isfinite(cut.sel(easting=70.0, northing=150.0))


def test_blanking_without_data_leaves_nothing_and_a_bad_distance_is_refused() -> None:
    nowhere = np.array([1e6])
    assert np.isnan(blank(_plane(), nowhere, nowhere, distance_m=15.0)).all()
    with pytest.raises(BadParameter, match="blanking distance"):
        blank(_plane(), nowhere, nowhere, distance_m=0.0)
