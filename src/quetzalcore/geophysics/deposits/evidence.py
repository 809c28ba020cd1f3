"""What was observed about anomalies, in the terms that source classes are described in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits.petrophysics import GEOMETRIES

__all__ = ["Evidence"]

Floats = NDArray[np.float64]
_COLUMNS = (
    "apparent_susceptibility_si",
    "susceptibility_sigma_dex",
    "koenigsberger",
    "koenigsberger_sigma_dex",
    "magnetization_angle_deg",
    "angle_sigma_deg",
    "width_m",
    "length_m",
    "aspect_ratio",
    "depth_m",
    "culture",
)
_POSITIVE = (
    "apparent_susceptibility_si", "susceptibility_sigma_dex", "koenigsberger",
    "koenigsberger_sigma_dex", "angle_sigma_deg", "width_m", "length_m", "aspect_ratio",
)  # fmt: skip
_MIN_DEPTH_M = 0.1  # a depth estimate at or above the ground counts as this


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Observations of n anomalies; each is a number, an array of shape (n,), or None.

    None and NaN mean "not observed": that quantity is marginalised, it neither helps nor hurts any
    class.

    Parameters
    ----------
    apparent_susceptibility_si : float or (n,)
        Magnitude of the total magnetisation over the inducing field's strength, SI. It contains
        remanence.
    susceptibility_sigma_dex : float or (n,)
        Its standard deviation in decades.
    koenigsberger, koenigsberger_sigma_dex : float or (n,)
        Ratio of remanent to induced magnetisation, from samples, and its standard deviation, decades.
    magnetization_angle_deg, angle_sigma_deg : float or (n,)
        Angle between total magnetisation and inducing field, 0 to 180 degrees, and its standard
        deviation.
    width_m, length_m : float or (n,)
        Of the source, metres, the length not below the width.
    aspect_ratio : float or (n,)
        Length over width, where either is unknown.
    depth_m : float or (n,)
        Below ground, metres.
    size_sigma_dex : float
        Standard deviation of width, length and aspect ratio, decades.
    depth_sigma_dex : float
        Standard deviation of depth, decades.
    culture : float or (n,)
        1 where quality control flags culture, 0 where it looked and found none.
    geometry : sequence of str or None
        Observed shape, one of ``GEOMETRIES``; "" means not observed.
    """

    apparent_susceptibility_si: ArrayLike | None = None
    susceptibility_sigma_dex: ArrayLike | None = None
    koenigsberger: ArrayLike | None = None
    koenigsberger_sigma_dex: ArrayLike | None = None
    magnetization_angle_deg: ArrayLike | None = None
    angle_sigma_deg: ArrayLike | None = None
    width_m: ArrayLike | None = None
    length_m: ArrayLike | None = None
    aspect_ratio: ArrayLike | None = None
    depth_m: ArrayLike | None = None
    culture: ArrayLike | None = None
    size_sigma_dex: float = 0.25
    depth_sigma_dex: float = 0.15
    geometry: Sequence[str] | None = None

    def columns(self) -> dict[str, Floats]:
        """Give every numeric observation as (n,) float64, NaN where not observed.

        Raises
        ------
        BadParameter
            If lengths differ, a quantity that must be positive is not, or an angle is outside 0 to
            180 degrees.
        """
        given = {
            name: np.atleast_1d(np.asarray(value, dtype=np.float64))
            for name in _COLUMNS
            if (value := getattr(self, name)) is not None
        }
        lengths = {len(values) for values in given.values()} | (
            set() if self.geometry is None else {len(self.geometry)}
        )
        count = max(lengths, default=1)
        if lengths - {1, count}:
            raise BadParameter(
                f"evidence columns have lengths {sorted(lengths)}",
                hint="give one value for all anomalies or one for each",
            )
        missing = np.full(count, np.nan)
        table = {name: np.broadcast_to(given.get(name, missing), count).copy() for name in _COLUMNS}
        _check(table)
        table["depth_m"] = np.maximum(table["depth_m"], _MIN_DEPTH_M)
        return table

    def shapes(self, count: int) -> NDArray[np.intp]:
        """Give the index of each observed shape in ``GEOMETRIES``, (n,); -1 where not observed."""
        names = [""] * count if self.geometry is None else list(self.geometry)
        names = names * count if len(names) == 1 else names
        bad = sorted(set(names) - {"", *GEOMETRIES})
        if bad:
            raise BadParameter(
                f"no geometry is named {', '.join(bad)}", hint=f"use one of {', '.join(GEOMETRIES)}"
            )
        return np.array([GEOMETRIES.index(name) if name else -1 for name in names], dtype=np.intp)


def _check(table: dict[str, Floats]) -> None:
    for name in _POSITIVE:
        if (table[name] <= 0).any():
            raise BadParameter(f"some {name} is not positive", hint="use NaN for not observed")
    angle = table["magnetization_angle_deg"]
    if ((angle < 0) | (angle > 180)).any():  # noqa: PLR2004 -- half a turn
        raise BadParameter(
            "a magnetisation angle is outside 0 to 180 degrees",
            hint="give the angle between total magnetisation and inducing field",
        )
