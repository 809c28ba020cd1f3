"""Two simple bodies and the field around one anomaly that they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.targets.prism import MU0_OVER_4PI_NT, prism_fields

__all__ = ["Ball", "Block", "Body", "FieldSample", "dipole_fields"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldSample:
    """Total field at k points around one anomaly, in metres from a local origin."""

    easting_m: Floats
    northing_m: Floats
    tmi_nt: Floats
    spacing_m: float
    noise_nt: float


class Body(Protocol):
    """A body as a few numbers: ``(easting, northing, log depth, ...)`` in metres."""

    @property
    def step(self) -> Floats:
        """Length of one step in each number."""
        ...

    @property
    def expected(self) -> Floats:
        """What is expected of each number before the field is seen."""
        ...

    @property
    def spread(self) -> Floats:
        """Standard deviation of that expectation; infinite where there is none."""
        ...

    def fields(self, sample: FieldSample, point: Floats) -> Floats:
        """Return the field, (k, 3) nT, of unit moment (or magnetisation) east, north and up."""
        ...


def dipole_fields(easting_m: Floats, northing_m: Floats, depth_m: float, field: Floats) -> Floats:
    """Return the total field, (k, 3) nT, of dipoles of 1 A m^2 pointing east, north and up.

    The dipole is at the origin, ``depth_m`` below the plane of the points; ``field`` is the main
    field's unit vector (easting, northing, upward).
    """
    square = easting_m**2 + northing_m**2 + depth_m**2
    fifth = 1.0 / (square * square * np.sqrt(square))
    along = 3.0 * (easting_m * field[0] + northing_m * field[1] + depth_m * field[2])
    return MU0_OVER_4PI_NT * np.column_stack(
        [
            (along * easting_m - field[0] * square) * fifth,
            (along * northing_m - field[1] * square) * fifth,
            (along * depth_m - field[2] * square) * fifth,
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ball:
    """A dipole: ``(easting, northing, log depth of the centre)``. Any uniform sphere is one."""

    easting_m: float
    northing_m: float
    depth_m: float
    field: Floats

    @property
    def step(self) -> Floats:
        """One depth sideways, a factor e in depth."""
        return np.array([self.depth_m, self.depth_m, 1.0])

    @property
    def expected(self) -> Floats:
        """Return the first guess."""
        return np.array([self.easting_m, self.northing_m, np.log(self.depth_m)])

    @property
    def spread(self) -> Floats:
        """Nothing is expected: the field decides."""
        return np.full(3, np.inf)

    def fields(self, sample: FieldSample, point: Floats) -> Floats:
        """Return the field of unit moments, (k, 3) nT per A m^2."""
        return dipole_fields(
            sample.easting_m - point[0],
            sample.northing_m - point[1],
            float(np.exp(point[2])),
            self.field,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """An upright prism along strike: ``(easting, northing, log depth of top, width, height, length)``.

    The three sizes are logarithms too. With ``longer_m`` the length is not free: the prism is as much
    longer than wide, as the outline of a compact source is.
    """

    easting_m: float
    northing_m: float
    depth_m: float
    width_m: float
    height_m: float
    length_m: float
    strike_deg: float
    field: Floats
    longer_m: float | None = None

    @property
    def step(self) -> Floats:
        """One depth sideways, factors of e in depth and size."""
        return np.array([self.depth_m, self.depth_m, 1.0, 1.0, 1.0, 1.0])

    @property
    def expected(self) -> Floats:
        """Return the first guess."""
        sizes = np.log([self.depth_m, self.width_m, self.height_m, self.length_m])
        return np.array([self.easting_m, self.northing_m, *sizes])

    @property
    def spread(self) -> Floats:
        """Depth within a factor of 3, width 2, height 4, length 1.3: the field rarely tells them all."""
        return np.array([np.inf, np.inf, np.log(3.0), np.log(2.0), np.log(4.0), np.log(1.3)])

    def length_at(self, point: Floats) -> float:
        """Return the length, metres, that the numbers say."""
        if self.longer_m is None:
            return float(np.exp(point[5]))
        return float(np.exp(point[3])) + self.longer_m

    @property
    def turn(self) -> Floats:
        """Rotation from (easting, northing, upward) to (across, along, upward)."""
        strike = np.radians(self.strike_deg)
        c, s = np.cos(strike), np.sin(strike)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])

    def fields(self, sample: FieldSample, point: Floats) -> Floats:
        """Return the field of unit magnetisations, (k, 3) nT per A/m."""
        turn = self.turn
        east, north = sample.easting_m - point[0], sample.northing_m - point[1]
        depth, width, height = np.exp(point[2:5])
        framed = prism_fields(
            turn[0, 0] * east + turn[0, 1] * north,
            turn[1, 0] * east + turn[1, 1] * north,
            depth_m=depth,
            width_m=width,
            length_m=self.length_at(point),
            height_m=height,
            field=turn @ self.field,
        )
        return framed @ turn
