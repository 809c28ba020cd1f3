"""Depths to magnetic sources from grids: Euler deconvolution, tilt-depth, local wavenumber.

Every depth is below the sensor's plane, positive down; below ground it is less by the clearance.
"""

from __future__ import annotations

from quetzalcore.geophysics.depth.clusters import SourceClusters, cluster
from quetzalcore.geophysics.depth.euler import (
    EulerCentres,
    EulerSolutions,
    EulerTolerance,
    euler,
)
from quetzalcore.geophysics.depth.tilt_depth import TiltDepth, tilt_depth
from quetzalcore.geophysics.depth.wavenumber import SpiDepth, local_wavenumber, wavenumber_depth

__all__ = [
    "EulerCentres",
    "EulerSolutions",
    "EulerTolerance",
    "SourceClusters",
    "SpiDepth",
    "TiltDepth",
    "cluster",
    "euler",
    "local_wavenumber",
    "tilt_depth",
    "wavenumber_depth",
]
