from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from pyproj import CRS

from quetzalcore.reporting.coordinates import (
    crs_name,
    draw_coordinates,
    draw_graticule,
    round_ticks,
)
from quetzalcore.reporting.house import new_figure


def frame(west: float, east: float, south: float, north: float) -> Axes:
    axes = new_figure(6.0, 5.0).add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set(xlim=(west, east), ylim=(south, north))
    return axes


def test_small_areas_are_labelled_in_metres_with_thousands_apart() -> None:
    axes = frame(500_000, 502_000, 7_500_000, 7_501_500)
    draw_coordinates(axes)
    assert axes.get_xlabel() == "Easting (m)"
    assert "501\N{NARROW NO-BREAK SPACE}000" in [t.get_text() for t in axes.get_xticklabels()]


def test_large_areas_are_labelled_in_kilometres() -> None:
    axes = frame(450_000, 480_000, 7_550_000, 7_590_000)
    draw_coordinates(axes)
    assert axes.get_ylabel() == "Northing (km)"
    assert "460" in [t.get_text() for t in axes.get_xticklabels()]


def test_a_northing_in_the_corner_is_not_labelled_over_the_eastings() -> None:
    axes = frame(500_000, 502_000, 7_500_000, 7_501_500)
    draw_coordinates(axes)
    assert axes.get_yticklabels()[0].get_text() == ""


def test_a_frame_between_ticks_draws_without_labels() -> None:
    axes = new_figure(0.4, 0.4).add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set(xlim=(0.9, 9.1), ylim=(0.9, 9.1))
    draw_coordinates(axes)
    assert len(axes.get_xticks()) <= 2


def test_round_ticks_lie_within_their_range() -> None:
    assert round_ticks(3.0, 27.0, about=5).tolist() == [5, 10, 15, 20, 25]


def test_the_graticule_stands_where_the_projection_says() -> None:
    axes = frame(450_000, 550_000, 7_000_000, 7_080_000)
    draw_graticule(axes, "EPSG:32723")
    texts = {text.get_text(): text for text in axes.texts if isinstance(text, Annotation)}
    assert texts["45°W"].xy == pytest.approx(
        (0.5, 1.0), abs=1e-6
    )  # the central meridian of zone 23
    assert any(name.endswith("°S") for name in texts)


def test_a_projection_that_does_not_reach_here_gets_no_graticule() -> None:
    axes = frame(1e9, 1.1e9, 1e9, 1.1e9)
    draw_graticule(axes, "EPSG:32723")
    assert not axes.texts


@pytest.mark.parametrize(
    ("crs", "name"),
    [
        ("EPSG:32754", "WGS 84 / UTM zone 54S (EPSG:32754)"),
        ("+proj=utm +zone=54 +south +datum=WGS84", "+proj=utm +zone=54 +south +datum=WGS84"),
        (CRS.from_epsg(32754).to_wkt(), "WGS 84 / UTM zone 54S"),
        ("the mine's own grid", "the mine's own grid"),
    ],
)
def test_a_coordinate_system_goes_by_its_name(crs: str, name: str) -> None:
    assert crs_name(crs) == name


def test_labels_have_the_decimals_they_need() -> None:
    axes = frame(0.0, 1.2, 0.0, 1.0)
    draw_coordinates(axes)
    labels = [t.get_text() for t in axes.get_xticklabels()]
    assert len(set(labels)) == len(labels)
    np.testing.assert_allclose([float(x) for x in labels], axes.get_xticks())
