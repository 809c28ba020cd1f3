"""A smooth ground to fly over: random waves, longer ones higher."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Terrain", "random_terrain"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terrain:
    """Ground height as a sum of plane waves; all arrays have shape (k,)."""

    mean_m: float
    easting_per_m: Array
    northing_per_m: Array
    phase_rad: Array
    amplitude_m: Array

    def height_m(self, easting_m: Array, northing_m: Array) -> Array:
        """Return the ellipsoidal height of the ground at (n,) points."""
        height = np.full(np.shape(easting_m), self.mean_m)
        for ke, kn, phase, amplitude in zip(
            self.easting_per_m, self.northing_per_m, self.phase_rad, self.amplitude_m, strict=True
        ):
            height += amplitude * np.cos(ke * easting_m + kn * northing_m + phase)
        return height


def random_terrain(
    rng: np.random.Generator, *, mean_m: float, relief_m: float, waves: int = 40
) -> Terrain:
    """Draw a ground with standard deviation ``relief_m`` and wavelengths from 0.8 to 8 km."""
    wavelength = np.exp(rng.uniform(np.log(800.0), np.log(8000.0), waves))
    azimuth = rng.uniform(0, 2 * np.pi, waves)
    weight = wavelength / np.sqrt((wavelength**2).sum() / 2)
    return Terrain(
        mean_m=mean_m,
        easting_per_m=2 * np.pi / wavelength * np.sin(azimuth),
        northing_per_m=2 * np.pi / wavelength * np.cos(azimuth),
        phase_rad=rng.uniform(0, 2 * np.pi, waves),
        amplitude_m=relief_m * weight,
    )
