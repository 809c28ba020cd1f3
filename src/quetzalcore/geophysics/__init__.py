"""Magnetics on arrays: pure functions, no clock, file, log, network or global state.

The rooms, in the order in which a survey walks through them:

``survey``, ``grid``
    The two value objects: line data as columns, and regular grids as ``xarray.DataArray``.
``quality``
    Lines, ties, duplicates, gaps, spikes, noise, spacing, culture.
``igrf``
    The main field, to be removed.
``conditioning``
    Despike, lag, compensation, heading, diurnal, levelling, microlevelling.
``gridding``
    Minimum curvature and equivalent sources.
``spectral``
    Reduction to the pole, derivatives, continuation and the rest, on one shared FFT.
``forward``
    Dipoles and prisms.
``depth``
    Euler, tilt-depth, local wavenumber.
``deposits``
    Source classes and their petrophysics.
``targets``
    Anomalies, their description, and where to drill.
``economics``
    Cost, detection probability and the value of information.
``simulation``
    Surveys with a known truth.

Submodules are imported when first touched, so that ``import quetzalcore.geophysics`` is instant.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = [
    "conditioning",
    "deposits",
    "depth",
    "economics",
    "forward",
    "grid",
    "gridding",
    "igrf",
    "quality",
    "simulation",
    "spectral",
    "survey",
    "targets",
]


def __getattr__(name: str) -> ModuleType:
    """Import a submodule on first use (PEP 562)."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the rooms, for completion."""
    return __all__
