"""Chances of crossing a body and of seeing it, against closed forms and thrown bodies."""

from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.economics import (
    Shape,
    Target,
    amplitude_nt,
    crossing_probability,
    detection_probability,
)
from quetzalcore.geophysics.economics.detection import _mean

CIRCLE = Target(length_m=120.0)
LINE = Target(shape=Shape.LINE, length_m=180.0, radius_m=20.0)
RECTANGLE = Target(shape=Shape.RECTANGLE, length_m=120.0, width_m=60.0)


def thrown(target: Target, spacing_m: float, rng: np.random.Generator) -> float:
    """Throw bodies at random places and azimuths on lines at every multiple of the spacing."""
    n = 400_000
    azimuth = rng.uniform(0, np.pi, n)
    centre = rng.uniform(0, spacing_m, n)
    if target.shape is Shape.CIRCLE:
        half = np.full(n, target.length_m / 2)
    else:
        across = target.length_m * np.abs(np.sin(azimuth))
        half = (across + target.width_m * np.abs(np.cos(azimuth))) / 2
    return float(np.mean((centre - half <= 0) | (centre + half >= spacing_m)))


def test_crossing_follows_the_published_formulas() -> None:
    assert crossing_probability(CIRCLE, 200.0) == pytest.approx(120 / 200)
    assert crossing_probability(LINE, 200.0) == pytest.approx(2 * 180 / (np.pi * 200))
    assert crossing_probability(RECTANGLE, 200.0) == pytest.approx(2 * 180 / (np.pi * 200))
    assert crossing_probability(CIRCLE, 50.0) == 1.0


@pytest.mark.parametrize("target", [CIRCLE, LINE, RECTANGLE])
def test_crossing_agrees_with_thrown_bodies_that_are_shorter_than_the_spacing(
    target: Target,
) -> None:
    simulated = thrown(target, 200.0, np.random.default_rng(1955))
    assert crossing_probability(target, 200.0) == pytest.approx(simulated, abs=0.003)


def test_the_amplitude_above_a_sphere_is_the_closed_form() -> None:
    sphere = Target(length_m=100.0, depth_to_centre_m=100.0, susceptibility_si=0.1)
    above = amplitude_nt(
        sphere, np.zeros(1), sensor_height_m=0.0, field_nt=50_000.0, inclination_deg=90.0
    )
    assert above[0] == pytest.approx(403.226, abs=1e-3)  # with self-demagnetisation
    equator = amplitude_nt(
        sphere, np.zeros(1), sensor_height_m=0.0, field_nt=50_000.0, inclination_deg=0.0
    )
    assert equator[0] == pytest.approx(403.226 / 2, abs=1e-3)


def test_the_amplitude_falls_with_offset_and_with_height() -> None:
    offsets = np.linspace(0, 150, 20)  # farther out the negative lobe takes over
    low = amplitude_nt(CIRCLE, offsets, sensor_height_m=10.0, inclination_deg=90.0)
    high = amplitude_nt(CIRCLE, offsets, sensor_height_m=60.0, inclination_deg=90.0)
    assert (np.diff(low) < 0).all()
    assert high[0] < low[0]


def test_a_strong_body_is_seen_wherever_it_is_crossed_and_an_invisible_one_by_chance_only() -> None:
    strong = detection_probability(CIRCLE, 200.0, noise_nt=1e-3)
    assert strong.visible_if_crossed == pytest.approx(1.0)
    assert strong.combined == pytest.approx(0.6)
    assert strong.without_crossing == pytest.approx(1.0)
    weak = Target(length_m=120.0, susceptibility_si=1e-12)
    by_chance = detection_probability(weak, 200.0, threshold=2.0)
    assert by_chance.visible_if_crossed == pytest.approx(0.0227501, abs=1e-6)
    assert by_chance.combined == pytest.approx(0.6 * 0.0227501, abs=1e-6)


def test_at_the_threshold_half_are_seen() -> None:
    tiny = Target(length_m=1e-3, radius_m=20.0, depth_to_centre_m=100.0)
    height = amplitude_nt(tiny, np.zeros(1), sensor_height_m=30.0)[0]
    answer = detection_probability(tiny, 200.0, noise_nt=float(height) / 3)
    assert answer.visible_if_crossed == pytest.approx(0.5, abs=1e-6)
    assert answer.amplitude_nt == pytest.approx(height)


def test_the_integral_over_offsets_agrees_with_thrown_offsets() -> None:
    body = Target(length_m=150.0, depth_to_centre_m=80.0, susceptibility_si=0.003)
    rng = np.random.default_rng(3)
    offsets = rng.uniform(0, 100.0, 20_000)  # of the nearest of lines 200 m apart
    height = amplitude_nt(body, offsets, sensor_height_m=30.0)
    seen = height + rng.normal(0, 2.0, offsets.size) > 3 * 2.0
    answer = detection_probability(body, 200.0, noise_nt=2.0)
    assert 0.1 < answer.without_crossing < 0.9
    assert answer.without_crossing == pytest.approx(float(seen.mean()), abs=0.02)
    assert answer.combined == pytest.approx(float((seen & (offsets <= 75)).mean()), abs=0.02)


def test_a_line_or_rectangle_has_its_own_sphere_and_plan_area() -> None:
    assert pytest.approx(np.sqrt(7200 / np.pi)) == RECTANGLE.sphere_radius_m
    assert RECTANGLE.plan_area_m2 == 7200
    assert LINE.plan_area_m2 == pytest.approx(np.pi * 400)
    assert CIRCLE.plan_area_m2 == pytest.approx(np.pi * 3600)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Target(length_m=0.0), "length_m"),
        (lambda: Target(shape=Shape.LINE), "radius_m"),
        (lambda: Target(shape=Shape.RECTANGLE), "width_m"),
        (lambda: Target(depth_to_centre_m=float("nan")), "depth"),
        (lambda: crossing_probability(CIRCLE, 0.0), "line_spacing_m"),
        (lambda: detection_probability(CIRCLE, 100.0, noise_nt=0.0), "noise_nt"),
    ],
)
def test_impossible_bodies_and_lines_are_refused(build: object, words: str) -> None:
    assert callable(build)
    with pytest.raises(BadParameter, match=words):
        build()


def test_offsets_are_averaged_by_simpson_s_rule_which_is_exact_for_cubics() -> None:
    x = np.linspace(0.0, 1.0, 9)
    assert _mean(4.0 * x**3 + 3.0 * x**2) == pytest.approx(2.0, abs=1e-12)
