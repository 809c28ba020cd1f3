from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.reporting import MapStyle, Palette, Scaling, style_for
from quetzalcore.reporting.palette import from_oklab, to_oklab

# Deuteranopia and protanopia in linear RGB: Machado, G. M., Oliveira, M. M. & Fernandes, L. A. F.
# (2009). IEEE Trans. Vis. Comput. Graph. 15, 1291-1298, severity 1.0.
DEUTAN = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
PROTAN = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)


@pytest.mark.parametrize("palette", list(Palette))
def test_every_palette_has_256_colours_within_srgb(palette: Palette) -> None:
    colours = palette.colours()
    assert colours.shape == (256, 3)
    assert 0 <= colours.min() <= colours.max() <= 1


def test_white_and_red_have_the_published_oklab_coordinates() -> None:
    lab = to_oklab(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(lab[0], [1, 0, 0], atol=2e-4)
    np.testing.assert_allclose(lab[1], [0.628, 0.225, 0.126], atol=1e-3)


def test_oklab_goes_there_and_back() -> None:
    rgb = np.random.default_rng(1).random((500, 3))
    np.testing.assert_allclose(from_oklab(to_oklab(rgb)), rgb, atol=1e-6)


def test_the_house_palette_rises_evenly_in_lightness_and_walks_at_constant_speed() -> None:
    lab = to_oklab(Palette.QUETZAL.colours())
    assert (np.diff(lab[:, 0]) > 0).all()
    speed = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert speed.max() / speed.min() < 1.3


@pytest.mark.parametrize("eye", [DEUTAN, PROTAN])
def test_the_house_palette_keeps_its_order_for_colour_blind_eyes(eye: NDArray[np.float64]) -> None:
    rgb = Palette.QUETZAL.colours()
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ eye.T, 0, 1)
    seen = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    assert (np.diff(to_oklab(seen)[::8, 0]) > 0).all()


@pytest.mark.parametrize(
    ("quantity", "scaling"),
    [
        ("tmi", Scaling.EQUALISED),
        ("rtp", Scaling.EQUALISED),
        ("analytic_signal", Scaling.EQUALISED),
        ("residual", Scaling.SYMMETRIC),
        ("vertical_derivative", Scaling.SYMMETRIC),
        ("tilt", Scaling.FIXED),
        ("tilt_derivative", Scaling.EQUALISED),
        ("theta", Scaling.FIXED),
    ],
)
def test_the_quantity_chooses_the_scaling(quantity: str, scaling: Scaling) -> None:
    assert style_for(quantity).scaling is scaling


def test_tilt_runs_from_minus_90_to_90_with_45_marked() -> None:
    stretch = style_for("tilt").stretch(np.array([3.0]))
    assert stretch.knots.tolist() == [-90.0, 90.0]
    assert 45.0 in stretch.marks


@pytest.mark.parametrize("scaling", list(Scaling))
def test_every_scaling_refuses_a_grid_without_values(scaling: Scaling) -> None:
    with pytest.raises(BadParameter, match="no finite value"):
        MapStyle(palette=Palette.VIK, scaling=scaling).stretch(np.array([np.nan]))
