"""An anomaly as the rest of the survey's walk sees it: where, how large, how deep, magnetised how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter

__all__ = ["Anomaly", "BodyShape", "DepthEstimate", "DepthMeaning", "DepthSolutions", "Polarity"]

Floats = NDArray[np.float64]


class Polarity(StrEnum):
    """How a source's magnetisation lies to the inducing field.

    ``positive``: within 60 degrees of it; ``negative``: over 120 degrees; ``dipolar``: between, so
    that high and low are comparable even after reduction to the pole.
    """

    POSITIVE = "positive"
    NEGATIVE = "negative"
    DIPOLAR = "dipolar"


class BodyShape(StrEnum):
    """The simple bodies that an anomaly is compared with.

    ``ball``: a dipole, as any uniform sphere is (depth is to the centre); ``block``, ``pipe``,
    ``sheet``: an upright prism, compact, compact and much higher than wide, or long (depth is to the
    top); ``unresolved``: none of them explains the field.
    """

    BALL = "ball"
    BLOCK = "block"
    PIPE = "pipe"
    SHEET = "sheet"
    UNRESOLVED = "unresolved"


class DepthMeaning(StrEnum):
    """What a depth is measured to."""

    TOP = "top"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthSolutions:
    """Depths that another method found, to be used where they fall inside an anomaly's outline.

    Parameters
    ----------
    method : str
        For example "euler", "tilt-depth", "local wavenumber".
    easting_m, northing_m : (n,) float64
        On the grid's axes.
    depth_below_sensor_m : (n,) float64
        Below the plane of the grids, metres. NaN and depths at or above the plane are left out.
    sigma_m : (n,) float64, optional
        One standard deviation, metres.
    meaning : DepthMeaning, optional
        What the depths are measured to: they are used for anomalies whose shape has the same, and
        where no shape is resolved. None: for every anomaly.
    """

    method: str
    easting_m: Floats
    northing_m: Floats
    depth_below_sensor_m: Floats
    sigma_m: Floats | None = None
    meaning: DepthMeaning | None = None

    def __post_init__(self) -> None:
        """Check that the columns are one table."""
        columns = [self.northing_m, self.depth_below_sensor_m]
        columns += [] if self.sigma_m is None else [self.sigma_m]
        if any(len(column) != len(self.easting_m) for column in columns):
            raise BadParameter(
                f"the columns of the {self.method} depths differ in length",
                hint="give every column the same length",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthEstimate:
    """One method's depth for one anomaly, below the depth reference, with one standard deviation."""

    method: str
    depth_m: float
    sigma_m: float
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One anomaly and what can be said of its source. NaN means "not resolved".

    Parameters
    ----------
    id : int
        From 1, the strongest first.
    polarity : Polarity
    shape : BodyShape
        The simple body that explains the field best.
    easting_m, northing_m : float
        Centre of the source.
    amplitude_nt : float
        Highest minus lowest total field around the source, nT; always positive.
    outline : tuple of (float, float)
        Closed polygon (easting, northing), the first point repeated at the end, at half the peak
        of the analytic signal.
    area_m2 : float
        Inside the outline.
    length_m, width_m, strike_deg : float
        Axes of the outline; strike from grid north, 0 to 180 degrees, of the long axis.
    source_width_m, source_length_m : float
        Of the body, with the spread that depth adds to the outline taken away. The field of a ball
        does not depend on its size: then the middle of what its depth allows.
    depth_m, depth_interval_m : float, (float, float)
        Below ``depth_reference``, to what ``shape`` says; the interval holds about 80 %.
    depth_reference : str
    depth_methods : tuple of DepthEstimate
        What was combined.
    susceptibility_si, susceptibility_interval_si : float, (float, float)
        Apparent: magnitude of total magnetisation over the inducing field. It contains remanence.
        Of an unresolved source, the range that the amplitude alone allows.
    magnetization_inclination_deg, magnetization_declination_deg : float
        Direction of total magnetisation, declination from grid north.
    remanence_angle_deg, remanence_angle_sigma_deg : float
        Angle between total magnetisation and inducing field, and one standard deviation.
    fit : float
        Share of the field's variance around the source that the body explains, 0 to 1.
    scale_m : float
        Standard deviation of the blob in scale space.
    culture : bool
        Flagged by quality control.
    reasons : tuple of str
        How the numbers came about, and what to distrust.
    cut_by : str
        What cuts the outline off: ``window`` where it runs on into a stronger neighbour, ``grid's
        edge``, or nothing.
    """

    id: int
    polarity: Polarity
    shape: BodyShape
    easting_m: float
    northing_m: float
    amplitude_nt: float
    outline: tuple[tuple[float, float], ...]
    area_m2: float
    length_m: float
    width_m: float
    strike_deg: float
    source_width_m: float
    source_length_m: float
    depth_m: float
    depth_interval_m: tuple[float, float]
    depth_reference: str
    depth_methods: tuple[DepthEstimate, ...]
    susceptibility_si: float
    susceptibility_interval_si: tuple[float, float]
    magnetization_inclination_deg: float
    magnetization_declination_deg: float
    remanence_angle_deg: float
    remanence_angle_sigma_deg: float
    fit: float
    scale_m: float
    culture: bool
    reasons: tuple[str, ...]
    cut_by: str = ""

    @property
    def is_flank(self) -> bool:
        """Tell whether this is the side of a stronger neighbour: cut off, and no body fits."""
        return self.shape is BodyShape.UNRESOLVED and self.cut_by == "window"
