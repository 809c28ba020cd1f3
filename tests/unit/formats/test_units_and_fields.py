"""Units in names, and what readings look like."""

from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import Where
from quetzalcore.formats.field import FieldUnit, check_field_unit, looks_like
from quetzalcore.formats.roles import guess_roles, plain_name
from quetzalcore.formats.table import Column
from quetzalcore.formats.units import find_unit, unit_in_name


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("TMI (nT)", "nT"),
        ("height[m]", "m"),
        ("total_field_anomaly_nt", "nt"),
        ("alt_ft", "ft"),
        ("TMI (final) (nT)", "nT"),
        ("mag", None),
        ("atom", None),
    ],
)
def test_a_unit_is_found_in_a_name(name: str, unit: str | None) -> None:
    assert unit_in_name(name) == unit


def test_the_micro_sign_and_the_greek_letter_are_one_unit() -> None:
    assert find_unit("\u00b5T") == find_unit("\u03bcT") == find_unit("uT")
    assert find_unit("parsec") is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((48_000.0, 50_000.0, 52_000.0), "a total field"),
        ((-2748.0, 78.0, 5598.0), "an anomaly"),
        ((np.nan, np.nan, np.nan), "nothing"),
        ((1e6, 2e6, 3e6), "neither"),
    ],
)
def test_readings_look_like_what_their_size_allows(
    values: tuple[float, float, float], words: str
) -> None:
    assert looks_like(*values).startswith(words)


def test_a_wide_spread_around_fifty_is_an_anomaly_and_not_microtesla() -> None:
    unnamed = FieldUnit(symbol="nT", factor=1.0, named=False)
    check_field_unit(np.linspace(21.0, 69.0, 50), unnamed, "mag", Where())
    check_field_unit(np.full(5, np.nan), unnamed, "mag", Where())


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        ("Line Easting Northing Radalt Mag", "line easting northing height tmi"),
        ("FLTLINE X Y Z TMI", "line easting northing height tmi"),
        ("lon lat elevation magnetic_field timestamp", "longitude latitude height tmi time"),
        (
            "LONGGDA94 LATGDA94 EASTMGA56 NORTHMGA56 MAG_LEV",
            "longitude latitude easting northing tmi",
        ),
        ("GDA94LON GDA94LAT GPS_HT MAGCOMP DATE", "longitude latitude height tmi date"),
        (
            "Longitude_WGS84 Latitude_WGS84 alt_msl TotalField UTC",
            "longitude latitude height tmi time",
        ),
    ],
)
def test_usual_headers_are_understood(names: str, roles: str) -> None:
    columns = tuple(Column(name=name) for name in names.split())
    found = {g.column: role.value for role, g in guess_roles(columns, {}, Where()).items()}
    assert found == dict(zip(names.split(), roles.split(), strict=True))


@pytest.mark.parametrize(
    "name",
    ["IGRF", "Diurnal", "fluxx", "mag_x", "Mag_lock", "tmi_rtp", "mag_1vd", "base_mag", "image"],
)
def test_what_is_no_total_field_is_not_taken_for_one(name: str) -> None:
    assert not guess_roles((Column(name=name),), {}, Where())


def test_a_unit_that_does_not_fit_rules_a_role_out() -> None:
    degrees = Column(name="EAST", unit="deg", alias="GDA_LONG")
    assert [role.value for role in guess_roles((degrees,), {}, Where())] == ["longitude"]
    assert plain_name("TMI (nT) ") == "tmi"
