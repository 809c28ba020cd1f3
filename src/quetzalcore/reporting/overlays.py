"""What may be drawn over a map, as value objects; ``symbols`` draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.survey import Survey

__all__ = [
    "DepthSolutions",
    "FlightLines",
    "MapOverlay",
    "Outlines",
    "TargetSymbol",
    "Targets",
    "TrueBodies",
]

_POINTS_PER_LINE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSymbol:
    """One numbered target, in metres on the map's axes."""

    easting_m: float
    northing_m: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Numbered targets; the first is the most important and is drawn on top."""

    symbols: tuple[TargetSymbol, ...]
    legend: str = "Target (rank)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthSolutions:
    """Depth estimates at points: (n,) float64 arrays in metres; rows with NaN are left out."""

    easting_m: NDArray[np.float64]
    northing_m: NDArray[np.float64]
    depth_m: NDArray[np.float64]
    legend: str = "Depth to source (m)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlightLines:
    """Where the sensor went: one (k, 2) float64 array of easting and northing a line, metres."""

    paths: tuple[NDArray[np.float64], ...]
    legend: str = "Flight line"

    @classmethod
    def from_survey(cls, survey: Survey) -> Self:
        """Take the lines of a survey, thinned to at most about 400 points each."""
        paths = []
        for _, rows in survey.line_slices():
            path = np.column_stack([survey.easting_m[rows], survey.northing_m[rows]])
            step = max(1, len(path) // _POINTS_PER_LINE)
            paths.append(np.concatenate([path[:-1:step], path[-1:]]))
        return cls(paths=tuple(paths))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """Rings around anomalies: (k, 2) float64 arrays of easting and northing, metres."""

    rings: tuple[NDArray[np.float64], ...]
    legend: str = "Anomaly outline"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueBodies:
    """Known bodies of a simulation: their outlines from above and names, for true-against-found."""

    rings: tuple[NDArray[np.float64], ...]
    names: tuple[str, ...] = ()
    legend: str = "True body"


MapOverlay: TypeAlias = Targets | DepthSolutions | FlightLines | Outlines | TrueBodies
