"""From a grid to coloured, shaded pixels: sun, hue-true shading, and antialiased resizing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.reporting.palette import COLOURS, Palette, from_oklab, to_oklab
from quetzalcore.reporting.stretch import Stretch

__all__ = ["Sun", "hillshade", "raster"]

_SHADES = 64
_STEEP = 97.0  # percentile of the gradient that is shown as a slope of _STEEP_SLOPE
_STEEP_SLOPE = 1.2
_GRADIENT_SAMPLE = 200_000
_DARKEST, _LIGHTEST = 0.45, 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Sun:
    """Where the light of a shaded relief comes from.

    Parameters
    ----------
    azimuth_deg : float
        Direction towards the sun, clockwise from grid north.
    inclination_deg : float
        Height of the sun over the horizon, above 0 and below 90.
    strength : float
        From 0 (no shading) to 1 (strong).
    """

    azimuth_deg: float = 315.0
    inclination_deg: float = 45.0
    strength: float = 0.55

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not (0 < self.inclination_deg < 90 and 0 <= self.strength <= 1):  # noqa: PLR2004 -- degrees
            raise BadParameter(
                f"a sun at inclination {self.inclination_deg} deg with strength {self.strength}",
                hint="give an inclination between 0 and 90 and a strength from 0 to 1",
            )


def hillshade(
    values: NDArray[np.float32], cell_m: tuple[float, float], *, sun: Sun
) -> NDArray[np.float32]:
    """Return the light that each cell receives beyond flat ground, from -1 (shadow) to 1 (glare).

    Parameters
    ----------
    values : (n, m) float32
        Any unit; row 0 is the southernmost. Heights are scaled so that the 97th percentile of the
        gradient becomes a slope of 1.2. NaN gives 0 there and in its neighbours.
    cell_m : (float, float)
        Cell size (northing, easting), metres.
    sun : Sun
        Lambert's law is applied with this direction; ``strength`` is not.
    """
    north, east = np.gradient(values, np.float32(cell_m[0]), np.float32(cell_m[1]))
    steepness = np.hypot(north, east)
    thinned = steepness.ravel()[:: max(1, steepness.size // _GRADIENT_SAMPLE)]
    thinned = thinned[np.isfinite(thinned)]
    steep = float(np.percentile(thinned, _STEEP)) if thinned.size else 0.0
    if steep <= 0.0:
        return np.zeros_like(values)
    scale = np.float32(_STEEP_SLOPE / steep)
    azimuth, height = np.deg2rad(sun.azimuth_deg), np.deg2rad(sun.inclination_deg)
    towards_east = np.float32(scale * np.cos(height) * np.sin(azimuth))
    towards_north = np.float32(scale * np.cos(height) * np.cos(azimuth))
    up = np.float32(np.sin(height))
    light = up - towards_east * east - towards_north * north
    light /= np.sqrt(1 + (scale * steepness) ** 2)
    light = np.where(light >= up, (light - up) / (1 - up), (light - up) / up)
    return np.asarray(np.nan_to_num(np.clip(light, -1, 1), nan=0.0), dtype=np.float32)


def raster(
    grid: xr.DataArray, stretch: Stretch, palette: Palette, *, sun: Sun, size_px: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the grid as (height, width, 4) RGBA pixels, north up; NaN is transparent.

    Parameters
    ----------
    grid : xr.DataArray
        Dims (northing, easting). Twice as fine as the pixels or finer: averaged first (NaN left out).
        Then shaded at that resolution and resized with antialiasing.
    size_px : (int, int)
        Width and height of the result.
    """
    cell = spacing_m(grid)
    factor = max(1, min(grid.shape[1] // size_px[0], grid.shape[0] // size_px[1]))
    values = _block_mean(grid.to_numpy().astype(np.float32, copy=False), factor)
    light = hillshade(values, (cell[0] * factor, cell[1] * factor), sun=sun)
    rgba = _colour(stretch(values), light, table=_table(palette, sun.strength))
    image = Image.fromarray(rgba[::-1])
    finer = values.shape[1] >= size_px[0]
    how = Image.Resampling.LANCZOS if finer else Image.Resampling.BICUBIC
    return np.asarray(image.resize(size_px, how))


def _colour(
    position: NDArray[np.float32], light: NDArray[np.float32], *, table: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    valid = np.isfinite(position)
    colour = (np.where(valid, position, 0) * (COLOURS - 1) + 0.5).astype(np.intp)
    shade = ((light + 1) * (0.5 * (_SHADES - 1)) + 0.5).astype(np.intp)
    shade *= COLOURS
    shade += colour
    shade[~valid] = len(table) - 1
    return np.take(table.view(np.uint32).ravel(), shade).view(np.uint8).reshape(*shade.shape, 4)


@lru_cache(maxsize=32)
def _table(palette: Palette, strength: float) -> NDArray[np.uint8]:
    """Shade every colour of a palette, (shades * colours + 1, 4); the last row is transparent.

    Shadow lowers lightness, and chroma by the root of that, so that pale colours do not go grey;
    glare mixes towards white. Both keep the hue in Oklab: a shaded colour still reads as its value.
    """
    lab = to_oklab(palette.colours())
    light = strength * np.linspace(-1.0, 1.0, _SHADES)[:, None, None]
    white = np.array([1.0, 0.0, 0.0])
    shadow = 1 + _DARKEST * np.minimum(light, 0)
    dark = lab * np.concatenate([shadow, np.sqrt(shadow), np.sqrt(shadow)], axis=-1)
    shaded = dark + (white - dark) * (_LIGHTEST * np.maximum(light, 0))
    rgb = from_oklab(shaded).reshape(-1, 3)
    table = np.full((len(rgb) + 1, 4), 255, dtype=np.uint8)
    table[:-1, :3] = np.round(rgb * 255)
    table[-1] = (255, 255, 255, 0)
    return table


def _block_mean(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average blocks of ``factor`` x ``factor`` cells; a block without data stays NaN."""
    if factor == 1:
        return values
    rows, columns = (size // factor for size in values.shape)
    blocks = values[: rows * factor, : columns * factor]
    blocks = blocks.reshape(rows, factor, columns, factor)
    finite = np.isfinite(blocks)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, blocks, 0).sum(axis=(1, 3), dtype=np.float32)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(count > 0, total / count, np.nan), dtype=np.float32)
