"""Colour maps: perceptually uniform, safe for colour-blind eyes, one per kind of quantity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from quetzalcore.reporting.stretch import Stretch

__all__ = ["COLOURS", "MapStyle", "Palette", "Scaling", "from_oklab", "style_for", "to_oklab"]

COLOURS = 256

# Ottosson, B. (2020). A perceptual color space for image processing.
# https://bottosson.github.io/posts/oklab/
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


# Violet, blue, green, gold, cream: lightness rises evenly, so that order survives any colour vision
# and a grey print; between these places in Oklab it is walked at constant speed.
_QUETZAL = np.array(
    [
        [0.270, 0.074, -0.118],
        [0.323, 0.051, -0.172],
        [0.372, 0.013, -0.208],
        [0.425, -0.026, -0.175],
        [0.475, -0.049, -0.101],
        [0.527, -0.071, -0.057],
        [0.580, -0.095, -0.014],
        [0.630, -0.122, 0.035],
        [0.683, -0.142, 0.102],
        [0.735, -0.107, 0.143],
        [0.785, -0.064, 0.153],
        [0.838, -0.027, 0.155],
        [0.887, 0.001, 0.121],
        [0.940, 0.009, 0.051],
    ]
)


class Palette(StrEnum):
    """Our own ``quetzal``, and Crameri's scientific colour maps (doi:10.5281/zenodo.1243862)."""

    QUETZAL = "quetzal"

    BATLOW = "batlow"
    LAPAZ = "lapaz"
    HAWAII = "hawaii"
    ROMA = "roma_r"
    VIK = "vik"
    ROMA_CYCLIC = "romaO"

    def colours(self) -> NDArray[np.float64]:
        """Return (256, 3) sRGB from 0 to 1."""
        if self is Palette.QUETZAL:
            return _walk(_QUETZAL)
        from cmcrameri import cm  # noqa: PLC0415 -- registers maps with matplotlib when imported

        return np.asarray(getattr(cm, self.value)(np.linspace(0, 1, COLOURS))[:, :3])


class Scaling(StrEnum):
    """How values are spread over the colours."""

    EQUALISED = "equalised"
    SYMMETRIC = "symmetric"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapStyle:
    """How one kind of quantity is coloured.

    Parameters
    ----------
    palette : Palette
    scaling : Scaling
    limits : (float, float), optional
        Needed by ``Scaling.FIXED``, in the grid's unit.
    marks : tuple of float
        Values that a fixed colour bar labels; empty leaves the choice to the bar.
    """

    palette: Palette
    scaling: Scaling = Scaling.EQUALISED
    limits: tuple[float, float] = (0.0, 1.0)
    marks: tuple[float, ...] = ()

    def stretch(self, values: NDArray[np.floating]) -> Stretch:
        """Fit the stretch to a grid's values; NaN is left out.

        Raises
        ------
        BadParameter
            If no value is finite, or fixed limits are not increasing.
        """
        if self.scaling is Scaling.FIXED:
            Stretch.equalised(values)  # an empty map is refused whatever its scaling
            return Stretch.fixed(*self.limits, marks=self.marks)
        if self.scaling is Scaling.SYMMETRIC:
            return Stretch.symmetric(values)
        return Stretch.equalised(values)


_FIELD = MapStyle(palette=Palette.QUETZAL)
_SIGNED = MapStyle(palette=Palette.VIK, scaling=Scaling.SYMMETRIC)
_ANGLE = MapStyle(
    palette=Palette.ROMA,
    scaling=Scaling.FIXED,
    limits=(-90.0, 90.0),
    marks=(-90.0, -60.0, -45.0, -30.0, 0.0, 30.0, 45.0, 60.0, 90.0),
)
_RATIO = MapStyle(
    palette=Palette.LAPAZ,
    scaling=Scaling.FIXED,
    limits=(0.0, 1.0),
    marks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
)
_STYLES = {
    "tilt": _ANGLE,
    "theta": _RATIO,
    "residual": _SIGNED,
    "derivative": _SIGNED,
    "difference": _SIGNED,
    "correction": _SIGNED,
}


def style_for(quantity: str) -> MapStyle:
    """Choose the style by the name of a quantity, as in ``"tmi"``, ``"tilt"``, ``"dz_derivative"``.

    Angles of tilt run from -90 to 90, theta from 0 to 1; what a residual, derivative, difference
    or correction is named is diverging about zero; everything else is sequential and equalised.
    """
    name = quantity.lower()
    if name.startswith("tilt") and "derivative" in name:
        return _FIELD
    return next((style for key, style in _STYLES.items() if key in name), _FIELD)


def _walk(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Go from place to place in Oklab in 256 equal steps, (256, 3) sRGB."""
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    way = np.concatenate([[0.0], np.cumsum(steps)])
    even = np.linspace(0.0, way[-1], COLOURS)
    return from_oklab(np.column_stack([np.interp(even, way, axis) for axis in places.T]))


def to_oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) sRGB, 0 to 1, into Oklab lightness, green-red and blue-yellow."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 -- IEC 61966-2-1
    return np.asarray(np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T)


def from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) Oklab into sRGB, clipped to 0 to 1."""
    linear = ((lab @ np.linalg.inv(_TO_LAB).T) ** 3) @ np.linalg.inv(_TO_LMS).T
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)  # noqa: PLR2004 -- as above
