"""Shapes have the volume that they say, and strike turns them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.geophysics.forward import dipole_tmi, direction, prism_field, sphere_moment
from quetzalcore.geophysics.simulation import Body, MagneticField, box, pipe, sheet
from quetzalcore.geophysics.simulation.bodies import body_field, magnetization_am
from quetzalcore.geophysics.simulation.world import total_field_anomaly_nt

Floats = NDArray[np.float64]

EARTH = MagneticField(inclination_deg=-53.0, declination_deg=6.0, total_nt=50_000.0)


def _volume(parts_m: Floats) -> float:
    return float(np.prod(parts_m[:, 1::2] - parts_m[:, ::2], axis=1).sum())


def _body(**given: Any) -> Body:  # noqa: ANN401 -- any field of Body
    plain: dict[str, Any] = {
        "name": "b",
        "kind": "prism",
        "easting_m": 0.0,
        "northing_m": 0.0,
        "depth_to_top_m": 50.0,
        "depth_to_centre_m": 100.0,
        "susceptibility_si": 0.1,
        "source_class": "unknown",
        "parts_m": np.zeros((0, 6)),
    }
    return Body(**(plain | given))


def _along_a_line(body: Body, *, ground_m: float = 0.0) -> Floats:
    east = np.linspace(-300, 300, 61)
    return body_field(
        body,
        EARTH,
        ground_m=ground_m,
        easting_m=east,
        northing_m=0.3 * east + 20,
        upward_m=np.full(61, 60.0 + ground_m),
    )


def test_shapes_have_their_volumes() -> None:
    assert _volume(box(20, 30, top_m=5, height_m=10)) == pytest.approx(6000)
    upright = sheet(20, 300, dip_deg=90, top_m=10, height_m=100)
    assert _volume(upright) == pytest.approx(20 * 300 * 100)
    dipping = sheet(20, 300, dip_deg=30, top_m=10, height_m=100)
    assert _volume(dipping) == pytest.approx(40 * 300 * 100)
    assert _volume(pipe(50, top_m=10, height_m=200)) == pytest.approx(np.pi * 50**2 * 200, rel=1e-9)


def test_tops_lie_at_their_depth_and_dips_go_right() -> None:
    dipping = sheet(20, 300, dip_deg=45, top_m=10, height_m=100)
    assert dipping[:, 5].max() == -10
    assert dipping[:, 4].min() == -110
    assert (np.diff(dipping[:, 0]) > 0).all()


def test_a_tapering_pipe_narrows_downward() -> None:
    tapered = pipe(50, top_m=10, height_m=200, taper=0.5)
    width = [np.ptp(tapered[tapered[:, 5] == top][:, :2]) for top in np.unique(tapered[:, 5])]
    assert (np.diff(width) > 0).all()
    assert max(width) < 100


def test_strike_turns_a_body_clockwise() -> None:
    long_north = box(40, 200, top_m=50, height_m=100)
    turned = _along_a_line(_body(parts_m=long_north, strike_deg=90.0))
    long_east = _along_a_line(_body(parts_m=box(200, 40, top_m=50, height_m=100)))
    np.testing.assert_allclose(turned, long_east, atol=1e-9)
    eighth = _along_a_line(_body(parts_m=long_north, strike_deg=45.0))
    other = _along_a_line(_body(parts_m=long_north, strike_deg=-45.0))
    # The line runs towards the north-east: it feels a body that lies along it farther.
    assert np.abs(eighth[2, -10:]).mean() > np.abs(other[2, -10:]).mean()


def test_a_sphere_is_the_dipole_with_self_demagnetisation() -> None:
    body = _body(kind="sphere", radius_m=50.0, susceptibility_si=0.3)
    field = _along_a_line(body, ground_m=340.0)
    moment = sphere_moment(
        50,
        0.3,
        inclination_deg=-53,
        declination_deg=6,
        field_nt=50_000,
        self_demagnetisation=True,
    )
    east = np.linspace(-300, 300, 61)
    projected = dipole_tmi(
        east,
        0.3 * east + 20,
        60.0,
        [[0, 0, -100]],
        [moment],
        inclination_deg=-53,
        declination_deg=6,
    )
    np.testing.assert_allclose(total_field_anomaly_nt(EARTH, field), projected, rtol=0.02, atol=0.5)


def test_remanence_adds_in_its_own_direction() -> None:
    reversed_body = _body(
        koenigsberger=2.0, remanence_inclination_deg=53.0, remanence_declination_deg=186.0
    )
    induced = magnetization_am(_body(), EARTH)
    np.testing.assert_allclose(magnetization_am(reversed_body, EARTH), -induced, atol=1e-12)


def test_the_total_field_anomaly_is_the_change_of_length() -> None:
    field = np.array([[300.0, -4000.0], [20.0, 1000.0], [-50.0, 9000.0]])
    main = 50_000 * direction(-53.0, 6.0)
    expected = np.linalg.norm(main[:, None] + field, axis=0) - 50_000
    np.testing.assert_allclose(total_field_anomaly_nt(EARTH, field), expected, atol=1e-9)


def test_a_prism_body_is_the_prism_below_its_ground() -> None:
    parts = box(40, 200, top_m=50, height_m=100)
    body = _body(parts_m=parts)
    east = np.linspace(-300, 300, 61)
    expected = prism_field(east, 0.3 * east + 20, 60.0, parts, [magnetization_am(body, EARTH)])
    np.testing.assert_allclose(_along_a_line(body, ground_m=340.0), expected, atol=1e-9)
