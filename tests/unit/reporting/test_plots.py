from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quetzalcore.errors import BadParameter
from quetzalcore.reporting import (
    ClassProbability,
    Picture,
    SpectrumSegment,
    Trace,
    draw_class_bars,
    draw_crossovers,
    draw_profile,
    draw_reliability,
    draw_spectrum,
)
from quetzalcore.reporting.house import ACCENT, SERIES, fitted_pt

X = np.linspace(0, 5000, 200)


def has_colour(picture: Picture, colour: str) -> bool:
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(picture.pixels.astype(int) - rgb).max(axis=2) < 3).any())


def test_a_profile_draws_every_trace_and_survives_gaps_and_hostile_names() -> None:
    raw = np.sin(X)
    raw[50:60] = np.nan
    picture = draw_profile(
        X,
        ((Trace(name="raw $1$", values_nt=raw), Trace(name="\u6f22", values_nt=X)),) * 2,
        title="Line <script> $",
    )
    assert has_colour(picture, SERIES[0])
    assert has_colour(picture, SERIES[1])
    assert not picture.continuous


def test_a_trace_of_another_length_is_refused() -> None:
    with pytest.raises(BadParameter, match="trace raw has 3 values for 200 places"):
        draw_profile(X, ((Trace(name="raw", values_nt=np.zeros(3)),),), title="L")


def test_a_segment_falls_by_twice_its_depth() -> None:
    piece = SpectrumSegment(low_rad_per_m=0.0, high_rad_per_m=0.01, intercept=5.0, depth_m=100.0)
    assert piece.log_power(0.0) - piece.log_power(0.01) == pytest.approx(2 * 100 * 0.01)


def test_a_spectrum_leaves_out_what_has_no_logarithm() -> None:
    wavenumber = np.linspace(1e-4, 1e-2, 50)
    power = np.exp(-200 * wavenumber)
    power[:3] = [0.0, -1.0, np.nan]
    piece = SpectrumSegment(low_rad_per_m=1e-3, high_rad_per_m=9e-3, intercept=0.0, depth_m=100.0)
    picture = draw_spectrum(wavenumber, power, (piece,), title="Spectrum")
    assert has_colour(picture, SERIES[0])


def test_crossovers_draw_before_and_after() -> None:
    rng = np.random.default_rng(1)
    before = np.append(rng.normal(20, 10, 500), np.nan)
    wide = draw_crossovers(before, before / 5, title="Crossovers")
    same = draw_crossovers(before, before, title="Crossovers")
    assert wide.size_px == same.size_px
    assert not np.array_equal(wide.pixels, same.pixels)


def test_identical_crossovers_still_have_bins() -> None:
    assert draw_crossovers(np.zeros(5), np.zeros(5), title="Zero").pixels.std() > 0


def test_no_crossovers_are_refused() -> None:
    with pytest.raises(BadParameter, match="no crossovers"):
        draw_crossovers(np.array([1.0]), np.array([np.nan]), title="None")


@pytest.mark.parametrize("brier", [None, 0.1])
def test_a_reliability_diagram_leaves_out_empty_bins(brier: float | None) -> None:
    p = np.array([0.1, 0.5, np.nan])
    picture = draw_reliability(p, p, np.array([10.0, 5.0, 0.0]), title="Reliability", brier=brier)
    assert has_colour(picture, ACCENT)


@pytest.mark.parametrize("calibrated", [True, False])
def test_class_bars_are_as_long_as_the_probability(calibrated: bool) -> None:  # noqa: FBT001 -- parametrised
    classes = tuple(
        ClassProbability(name=n, probability=p) for n, p in (("a$", 0.8), ("b" * 60, 0.2))
    )
    picture = draw_class_bars(classes, title="Classes", calibrated=calibrated)
    rgb = [int(ACCENT[i : i + 2], 16) for i in (1, 3, 5)]
    widths = (np.abs(picture.pixels.astype(int) - rgb).max(axis=2) < 3).sum(axis=1)
    drawn = sorted(set(widths[widths > 50].tolist()))
    assert drawn[-1] / drawn[0] == pytest.approx(4.0, rel=0.05)


def test_line_art_is_kept_without_loss_and_maps_as_jpeg(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    assert Picture(pixels=pixels).encode()[0] == "image/png"
    assert Picture(pixels=pixels, continuous=True).encode()[1][:2] == b"\xff\xd8"
    with Image.open(Picture(pixels=pixels).write_png(tmp_path / "a.png")) as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_text_shrinks_only_as_far_as_it_must() -> None:
    assert fitted_pt("short", 14.0, room_in=5.0) == 14.0
    assert fitted_pt("", 14.0, room_in=0.1) == 14.0
    tight = fitted_pt("w" * 100, 14.0, room_in=5.0)
    assert 2.0 < tight < 14.0
    assert fitted_pt("w" * 100, 14.0, room_in=5.0, bold=True) < tight
