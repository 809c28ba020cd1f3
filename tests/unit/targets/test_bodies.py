from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.geophysics.targets.body import Ball, Block, FieldSample, dipole_fields
from quetzalcore.geophysics.targets.fitting import fit_body
from quetzalcore.geophysics.targets.magnetization import direction_of, field_vector, polarity_of
from quetzalcore.geophysics.targets.prism import prism_fields

pytestmark = pytest.mark.kernels


def test_a_vertical_dipole_on_axis_gives_the_textbook_value() -> None:
    down = field_vector(90.0, 0.0)
    unit = dipole_fields(np.zeros(1), np.zeros(1), 100.0, down)
    assert (unit @ (1e6 * down))[0] == pytest.approx(200.0)


def test_a_prism_gives_the_published_values() -> None:
    main = field_vector(65.0, 25.0)
    magnetization = 0.025 * 50_000e-9 / (4e-7 * np.pi) * main
    columns = prism_fields(
        np.array([0.0, -30.0, 140.0]),
        np.array([0.0, -70.0, 300.0]),
        depth_m=230.0,
        width_m=200.0,
        length_m=200.0,
        height_m=200.0,
        field=main,
    )
    assert columns @ magnetization == pytest.approx([31.5551, 37.4188, -5.1], abs=2e-4)


def test_a_small_prism_far_away_is_a_dipole() -> None:
    main = field_vector(-40.0, 12.0)
    x, y = np.array([0.0, 300.0, -500.0]), np.array([100.0, -200.0, 50.0])
    columns = prism_fields(
        x, y, depth_m=990.0, width_m=20.0, length_m=20.0, height_m=20.0, field=main
    )
    assert columns / 8000.0 == pytest.approx(dipole_fields(x, y, 1000.0, main), rel=2e-3)


def test_a_sensor_straight_above_a_corner_is_finite() -> None:
    columns = prism_fields(
        np.array([100.0, -100.0]),
        np.array([100.0, 50.0]),
        depth_m=50.0,
        width_m=200.0,
        length_m=200.0,
        height_m=100.0,
        field=field_vector(-53.0, 6.0),
    )
    near = prism_fields(
        np.array([100.01, -100.01]),
        np.array([100.01, 50.0]),
        depth_m=50.0,
        width_m=200.0,
        length_m=200.0,
        height_m=100.0,
        field=field_vector(-53.0, 6.0),
    )
    assert columns == pytest.approx(near, rel=1e-2, abs=1e-2)


def test_a_block_turned_with_its_strike_sees_the_same_field() -> None:
    grid = np.arange(-400.0, 401.0, 100.0)
    east, north = (each.ravel() for each in np.meshgrid(grid, grid))
    angle = np.radians(35.0)
    turned_east = east * np.cos(angle) + north * np.sin(angle)
    turned_north = -east * np.sin(angle) + north * np.cos(angle)
    fields = []
    for x, y, strike, declination in (
        (east, north, 0.0, 10.0),
        (turned_east, turned_north, 35.0, 45.0),
    ):
        main = field_vector(-53.0, declination)
        block = _block(strike_deg=strike, main=main)
        sample = FieldSample(
            easting_m=x, northing_m=y, tmi_nt=np.zeros(len(x)), spacing_m=100.0, noise_nt=1.0
        )
        fields.append(block.fields(sample, block.expected) @ main)
    assert fields[0] == pytest.approx(fields[1], rel=1e-9)


def _block(*, strike_deg: float, main: np.ndarray) -> Block:
    return Block(
        easting_m=0.0,
        northing_m=0.0,
        depth_m=150.0,
        width_m=100.0,
        height_m=300.0,
        length_m=500.0,
        strike_deg=strike_deg,
        field=main,
    )


def _sample(*, noise_nt: float = 1.0, depth_m: float = 220.0) -> tuple[FieldSample, np.ndarray]:
    """A dipole of known moment, on a base level and slope."""
    main, moment = field_vector(-53.0, 6.0), 3e6 * field_vector(20.0, -70.0)
    line = np.arange(-800.0, 801.0, 100.0)
    east, north = (each.ravel() for each in np.meshgrid(line, line))
    field = dipole_fields(east - 40.0, north + 60.0, depth_m, main) @ moment
    field = field + 37.0 + 0.01 * east - 0.02 * north
    field = field + np.random.default_rng(2).normal(0.0, noise_nt, len(field))
    sample = FieldSample(
        easting_m=east, northing_m=north, tmi_nt=field, spacing_m=100.0, noise_nt=noise_nt
    )
    return sample, moment


def test_the_fit_finds_place_depth_and_moment_in_spite_of_base_and_slope() -> None:
    sample, moment = _sample()
    main = field_vector(-53.0, 6.0)
    fit = fit_body(Ball(easting_m=0.0, northing_m=0.0, depth_m=350.0, field=main), sample)
    assert fit.point[:2] == pytest.approx([40.0, -60.0], abs=5.0)
    assert fit.depth_m == pytest.approx(220.0, rel=0.02)
    assert fit.moment == pytest.approx(moment, rel=0.1, abs=1e5)
    assert fit.explained > 0.9
    found = direction_of(fit, main)
    assert found.inclination_deg == pytest.approx(20.0, abs=5.0)
    assert found.declination_deg == pytest.approx(-70.0, abs=5.0)
    assert found.resolved


def test_stated_depth_uncertainty_grows_with_noise() -> None:
    main = field_vector(-53.0, 6.0)
    sigmas = []
    for noise in (0.5, 5.0):
        sample, _ = _sample(noise_nt=noise)
        fit = fit_body(Ball(easting_m=0.0, northing_m=0.0, depth_m=200.0, field=main), sample)
        assert abs(fit.depth_m - 220.0) < 4.0 * fit.depth_sigma_m + 1.0
        sigmas.append(fit.depth_sigma_m)
    assert 5.0 < sigmas[1] / sigmas[0] < 20.0


def test_a_flat_field_explains_nothing() -> None:
    line = np.arange(-500.0, 501.0, 100.0)
    east, north = (each.ravel() for each in np.meshgrid(line, line))
    sample = FieldSample(
        easting_m=east, northing_m=north, tmi_nt=np.zeros(len(east)), spacing_m=100.0, noise_nt=1.0
    )
    main = field_vector(-53.0, 6.0)
    fit = fit_body(Ball(easting_m=0.0, northing_m=0.0, depth_m=200.0, field=main), sample)
    assert fit.explained == 0.0


@pytest.mark.parametrize(
    ("high", "low", "name"), [(10, 2, "positive"), (2, 10, "negative"), (6, 5, "dipolar")]
)
def test_without_a_direction_the_reduced_field_names_the_polarity(
    high: float, low: float, name: str
) -> None:
    assert polarity_of(None, high, low) == name
