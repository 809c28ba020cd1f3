"""Gradients: cleaned, compared, and carried to the gridder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning import GradientKind, pseudo_lines, use_gradients
from quetzalcore.geophysics.quality import LineSummary
from quetzalcore.geophysics.survey import Floats, Survey

Lines = tuple[LineSummary, ...]
Truth = Callable[[Floats, Floats], Floats]


@pytest.fixture
def measured(flown: Survey, lines: Lines, truth: Truth) -> Survey:
    """Carry gradients ahead and to starboard, each with a base level that changes with the line."""
    heading = np.radians(np.array([line.heading_deg for line in lines])[flown.line])
    base = 0.01 * np.where(flown.line % 2 == 0, 1.0, -2.0)

    def along(turn: Floats) -> Floats:
        east, north = np.sin(turn), np.cos(turn)
        ahead = truth(flown.easting_m + east, flown.northing_m + north)
        behind = truth(flown.easting_m - east, flown.northing_m - north)
        rate: Floats = (ahead - behind) / 2.0 + base
        return rate

    channels = {
        "ahead": along(heading),
        "starboard": along(heading + np.pi / 2.0),
        "down": base + 0.001 * np.sin(flown.easting_m / 200.0),
    }
    return replace(flown, channels=MappingProxyType(channels))


@pytest.mark.parametrize(
    ("channel", "kind", "close"),
    [
        ("ahead", GradientKind.LONGITUDINAL, 0.999),
        ("starboard", GradientKind.TRANSVERSE, 0.9),
    ],
)
def test_a_gradient_agrees_with_the_total_field_once_its_base_is_off(
    measured: Survey, lines: Lines, channel: str, kind: GradientKind, close: float
) -> None:
    found = use_gradients(measured, lines, channel=channel, kind=kind)
    assert found.correlation > close
    assert found.scale == pytest.approx(1.0, abs=0.15)
    assert found.base_nt_m == pytest.approx(0.01, abs=0.005)
    assert found.spikes == 0
    assert found.warnings == ()


def test_a_wrong_sign_is_said(measured: Survey, lines: Lines) -> None:
    turned = {"ahead": -measured.channels["ahead"]}
    survey = replace(measured, channels=MappingProxyType(turned))
    found = use_gradients(survey, lines, channel="ahead", kind=GradientKind.LONGITUDINAL)
    assert found.correlation < -0.9
    assert "check its sign" in found.warnings[0]


def test_vertical_gradients_lose_their_median_and_are_compared_with_nothing(
    measured: Survey, lines: Lines
) -> None:
    silent = measured.channels["down"].copy()
    silent[measured.line == 3] = np.nan
    survey = replace(measured, channels=MappingProxyType({"down": silent}))
    found = use_gradients(survey, lines, channel="down", kind=GradientKind.VERTICAL)
    assert np.isnan(found.correlation)
    assert abs(float(np.median(found.gradient_nt_m[measured.line == 5]))) < 1e-12
    assert np.isnan(found.gradient_nt_m[measured.line == 3]).all()


def test_spikes_in_a_gradient_are_replaced(measured: Survey, lines: Lines) -> None:
    spiked = measured.channels["ahead"] + np.random.default_rng(1).normal(0, 1e-4, len(measured))
    spiked[500] += 5.0
    survey = replace(measured, channels=MappingProxyType({"ahead": spiked}))
    found = use_gradients(survey, lines, channel="ahead", kind=GradientKind.LONGITUDINAL)
    assert found.spikes == 1
    assert abs(found.gradient_nt_m[500]) < 1.0


def test_one_line_has_no_neighbours_to_compare_with(measured: Survey, lines: Lines) -> None:
    alone = measured.select(measured.line == 0)
    found = use_gradients(alone, lines, channel="starboard", kind=GradientKind.TRANSVERSE)
    assert np.isnan(found.correlation)


def test_values_beside_the_line_follow_the_measured_gradient(
    measured: Survey, lines: Lines, truth: Truth
) -> None:
    found = use_gradients(measured, lines, channel="starboard", kind=GradientKind.TRANSVERSE)
    east, north, value = pseudo_lines(measured, found.gradient_nt_m, offset_m=25.0)
    assert len(value) == 2 * len(measured)
    assert east[0] == pytest.approx(0.0)
    assert north[0] == pytest.approx(25.0)  # port of an eastward line is north
    without = np.concatenate([measured.tmi_nt, measured.tmi_nt])
    error, nothing = value - truth(east, north), without - truth(east, north)
    assert error.std() < 0.35 * nothing.std()


def test_rows_without_a_gradient_give_no_values_beside_them(measured: Survey) -> None:
    gradient = measured.channels["starboard"].copy()
    gradient[:10] = np.nan
    assert len(pseudo_lines(measured, gradient, offset_m=10.0)[0]) == 2 * (len(measured) - 10)


def test_missing_channels_and_bad_offsets_are_refused(measured: Survey, lines: Lines) -> None:
    with pytest.raises(BadSurvey, match="no gradient channel gx"):
        use_gradients(measured, lines, channel="gx", kind=GradientKind.VERTICAL)
    with pytest.raises(BadParameter, match="the offset is 0 m"):
        pseudo_lines(measured, measured.channels["ahead"], offset_m=0.0)
