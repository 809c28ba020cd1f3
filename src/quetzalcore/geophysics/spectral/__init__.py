"""Transforms of a grid in the wavenumber domain, all on one shared and padded FFT.

:func:`prepare` fills, detrends, pads and transforms once; every other function takes what it gives.
Declinations are from grid north.
"""

from __future__ import annotations

from quetzalcore.geophysics.spectral.continuation import (
    band_pass,
    regional_residual,
    upward_continue,
    vertical_integral,
)
from quetzalcore.geophysics.spectral.derivatives import (
    Gradient,
    analytic_signal,
    derivative_easting,
    derivative_northing,
    derivative_upward,
    gradient,
    theta_map,
    tilt,
    tilt_gradient,
    total_horizontal_derivative,
)
from quetzalcore.geophysics.spectral.panels import reduce_to_pole_panels
from quetzalcore.geophysics.spectral.pole import (
    at_pole,
    pseudogravity,
    reduce_to_equator,
    reduce_to_pole,
)
from quetzalcore.geophysics.spectral.power import (
    DepthSegment,
    RadialSpectrum,
    radial_power_spectrum,
    spectral_depth,
)
from quetzalcore.geophysics.spectral.prepared import PreparedGrid, Wavenumbers, prepare
from quetzalcore.geophysics.spectral.transforms import FieldDirection, Transform, transform

__all__ = [
    "DepthSegment",
    "FieldDirection",
    "Gradient",
    "PreparedGrid",
    "RadialSpectrum",
    "Transform",
    "Wavenumbers",
    "analytic_signal",
    "at_pole",
    "band_pass",
    "derivative_easting",
    "derivative_northing",
    "derivative_upward",
    "gradient",
    "prepare",
    "pseudogravity",
    "radial_power_spectrum",
    "reduce_to_equator",
    "reduce_to_pole",
    "reduce_to_pole_panels",
    "regional_residual",
    "spectral_depth",
    "theta_map",
    "tilt",
    "tilt_gradient",
    "total_horizontal_derivative",
    "transform",
    "upward_continue",
    "vertical_integral",
]
