"""What is simulated: the flight, the ground, the bodies, and every error of acquisition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.simulation.bodies import Body, box, pipe, sheet

__all__ = ["AcquisitionErrors", "Field", "SimulationPlan", "default_plan"]

Array = NDArray[np.float64]

_CENTRE_EASTING_M = 470_000.0
_CENTRE_NORTHING_M = 7_560_000.0
_POSITIVE = (
    "extent_m",
    "line_spacing_m",
    "tie_spacing_m",
    "speed_ms",
    "sample_rate_hz",
    "clearance_m",
    "base_interval_s",
)
_NOTHING = np.zeros((0, 6))


class Field(Protocol):
    """The main field at points, as ``quetzalcore.geophysics.igrf.field`` returns it."""

    @property
    def total_nt(self) -> Array:
        """Give the intensity, nT."""
        ...

    @property
    def inclination_deg(self) -> Array:
        """Give the angle below the horizontal, degrees."""
        ...

    @property
    def declination_deg(self) -> Array:
        """Give the angle east of true north, degrees."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionErrors:
    """What a real acquisition adds to the field; zero switches an error off.

    Parameters
    ----------
    noise_nt : float
        Standard deviation of white noise.
    diurnal_nt : float
        Amplitude of the daily variation.
    micropulsation_nt : float
        Root mean square of pulsations with periods of 20 to 150 s.
    heading_nt : float
        Added on a northward heading and subtracted on a southward one (cosine of the heading).
    level_nt : float
        Standard deviation of each line's own level; half as much again drifts along the line.
    lag_s : float
        What is recorded at a time was sensed this much earlier.
    spike_share : float
        Share of readings that are spikes.
    spike_nt : float
        Typical size of a spike.
    """

    noise_nt: float = 0.1
    diurnal_nt: float = 25.0
    micropulsation_nt: float = 0.5
    heading_nt: float = 1.5
    level_nt: float = 2.0
    lag_s: float = 0.5
    spike_share: float = 3e-4
    spike_nt: float = 150.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulationPlan:
    """A survey to be simulated over a square area.

    Parameters
    ----------
    bodies : tuple of Body
    centre_easting_m, centre_northing_m : float
        Of the area, on the axes of ``crs``.
    crs : str
        Projected coordinate reference system.
    extent_m : float
        Side of the area.
    line_spacing_m, tie_spacing_m : float
        Lines run north-south, ties east-west.
    speed_ms, sample_rate_hz : float
    turn_s : float
        Between lines.
    clearance_m : float
        Above the ground, on average.
    ground_m, relief_m : float
        Mean ellipsoidal height of the ground, and the standard deviation of its relief.
    start_time_s : float
        Seconds since 1970-01-01T00:00 UTC.
    year : float
        Decimal year of the main field.
    base_interval_s : float
        Between readings of the base station.
    errors : AcquisitionErrors
    geology_nt : float
        Standard deviation of the field of weak lenses in the cover, at the mean clearance.
    regional_nt : float
        The same of the basement.
    culture : int
        Number of cultural features: a pipeline, then clusters of buildings.
    main_field : callable
        ``main_field(longitude_deg, latitude_deg, height_m, year) -> Field``, ellipsoidal heights.

    Raises
    ------
    BadParameter
        If a length, a rate or a time between readings is not positive, or the area is narrower than
        the spacing of lines or ties.
    """

    bodies: tuple[Body, ...]
    main_field: Callable[[Array, Array, Array, float], Field]
    centre_easting_m: float = _CENTRE_EASTING_M
    centre_northing_m: float = _CENTRE_NORTHING_M
    crs: str = "EPSG:32754"
    extent_m: float = 6_000.0
    line_spacing_m: float = 100.0
    tie_spacing_m: float = 1_000.0
    speed_ms: float = 60.0
    sample_rate_hz: float = 10.0
    turn_s: float = 90.0
    clearance_m: float = 60.0
    ground_m: float = 340.0
    relief_m: float = 18.0
    start_time_s: float = 1_715_637_600.0  # 2024-05-13T22:00 UTC: morning in Queensland
    year: float = 2024.364
    base_interval_s: float = 1.0
    errors: AcquisitionErrors = field(default_factory=AcquisitionErrors)
    geology_nt: float = 2.5
    regional_nt: float = 12.0
    culture: int = 2

    def __post_init__(self) -> None:
        """Check that the plan can be flown."""
        for name in _POSITIVE:
            value = getattr(self, name)
            if not value > 0:
                raise BadParameter(f"{name} is {value}", hint=f"give a {name} above 0")
        widest = max(self.line_spacing_m, self.tie_spacing_m)
        if self.extent_m < widest:
            raise BadParameter(
                f"extent_m is {self.extent_m} and lines or ties are {widest} m apart",
                hint="make the area at least as wide as the spacing",
            )


def default_plan(
    *, main_field: Callable[[Array, Array, Array, float], Field] | None = None
) -> SimulationPlan:
    """Plan a survey of 6 by 6 km near Osborne, Queensland, over nine bodies of many kinds.

    Parameters
    ----------
    main_field : callable, optional
        As in :class:`SimulationPlan`; IGRF-14 by default.
    """
    if main_field is None:
        from quetzalcore.geophysics import igrf  # noqa: PLC0415 -- only where it is used

        main_field = igrf.field
    return SimulationPlan(
        bodies=_default_bodies(_CENTRE_EASTING_M, _CENTRE_NORTHING_M), main_field=main_field
    )


def _default_bodies(east: float, north: float) -> tuple[Body, ...]:
    return (
        Body(
            name="Ironbark",
            kind="prism",
            easting_m=east - 1850,
            northing_m=north + 1650,
            depth_to_top_m=60,
            depth_to_centre_m=260,
            susceptibility_si=0.18,
            source_class="magnetite_iron_ore",
            parts_m=box(180, 320, top_m=60, height_m=400),
            strike_deg=20,
        ),
        Body(
            name="Brolga",
            kind="prism",
            easting_m=east + 1500,
            northing_m=north + 1900,
            depth_to_top_m=140,
            depth_to_centre_m=390,
            susceptibility_si=0.07,
            source_class="magnetite_copper_gold",
            parts_m=box(260, 260, top_m=140, height_m=500),
            strike_deg=345,
        ),
        Body(
            name="Galah",
            kind="sphere",
            easting_m=east - 350,
            northing_m=north + 2150,
            depth_to_top_m=50,
            depth_to_centre_m=130,
            susceptibility_si=0.12,
            source_class="ultramafic_nickel",
            parts_m=_NOTHING,
            radius_m=80,
        ),
        Body(
            name="Kurrajong",
            kind="sphere",
            easting_m=east + 2000,
            northing_m=north - 1500,
            depth_to_top_m=220,
            depth_to_centre_m=420,
            susceptibility_si=0.05,
            source_class="mafic_volcanic",
            parts_m=_NOTHING,
            radius_m=200,
        ),
        Body(
            name="Wallaby dyke",
            kind="dyke",
            easting_m=east - 1900,
            northing_m=north - 900,
            depth_to_top_m=25,
            depth_to_centre_m=225,
            susceptibility_si=0.04,
            source_class="mafic_dyke",
            parts_m=sheet(25, 1800, dip_deg=75, top_m=25, height_m=400),
            strike_deg=35,
        ),
        Body(
            name="Brigalow dyke",
            kind="dyke",
            easting_m=east + 300,
            northing_m=north - 2150,
            depth_to_top_m=40,
            depth_to_centre_m=240,
            susceptibility_si=0.02,
            source_class="mafic_dyke",
            parts_m=sheet(30, 1500, dip_deg=80, top_m=40, height_m=400),
            strike_deg=110,
            koenigsberger=3.0,
            remanence_inclination_deg=65.0,
            remanence_declination_deg=170.0,
        ),
        Body(
            name="Bilby pipe",
            kind="pipe",
            easting_m=east + 150,
            northing_m=north + 350,
            depth_to_top_m=30,
            depth_to_centre_m=230,
            susceptibility_si=0.025,
            source_class="kimberlite_pipe",
            parts_m=pipe(90, top_m=30, height_m=400, taper=0.5),
        ),
        Body(
            name="Quoll lode",
            kind="dyke",
            easting_m=east + 1700,
            northing_m=north + 250,
            depth_to_top_m=70,
            depth_to_centre_m=195,
            susceptibility_si=0.012,
            source_class="pyrrhotite_sulphide",
            parts_m=sheet(30, 350, dip_deg=60, top_m=70, height_m=250),
            strike_deg=330,
            koenigsberger=6.0,
            remanence_inclination_deg=-20.0,
            remanence_declination_deg=60.0,
        ),
        Body(
            name="Emu stock",
            kind="prism",
            easting_m=east - 350,
            northing_m=north - 900,
            depth_to_top_m=110,
            depth_to_centre_m=310,
            susceptibility_si=0.012,
            source_class="felsic_intrusive",
            parts_m=box(300, 300, top_m=110, height_m=400),
        ),
    )
