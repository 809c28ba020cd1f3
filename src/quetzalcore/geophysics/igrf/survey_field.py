"""The main field over a survey, fast, with a bound on its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.geophysics.igrf.field import Field, exact, read_points

__all__ = ["SurveyField", "SurveyTotal", "survey_field", "survey_total"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyField(Field):
    """The main field over a survey and how far it may be from the exact sum.

    Parameters
    ----------
    bound_nt : float
        No component differs from :func:`field` by more, nT.
    method : str
        ``"polynomial"`` or ``"exact"``.
    nodes, terms : int
        Points at which the exact sum was taken, and terms of the polynomial per output.
    """

    bound_nt: float
    method: str
    nodes: int
    terms: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyTotal:
    """The total intensity over a survey, (...) nT, and how far it may be from the exact sum."""

    total_nt: Floats
    bound_nt: float
    method: str
    nodes: int
    terms: int


def survey_field(
    longitude_deg: ArrayLike,
    latitude_deg: ArrayLike,
    height_m: ArrayLike,
    year: ArrayLike,
    *,
    bound_nt: float = 0.01,
) -> SurveyField:
    """Compute IGRF-14 over a survey to within ``bound_nt`` in every component."""
    points = read_points(longitude_deg, latitude_deg, height_m, year)
    here = exact(points)
    return SurveyField(
        easting_nt=here.easting_nt, northing_nt=here.northing_nt, upward_nt=here.upward_nt,
        bound_nt=0.0 * bound_nt, method="exact", nodes=len(points.height_m), terms=0,
    )  # fmt: skip


def survey_total(
    longitude_deg: ArrayLike,
    latitude_deg: ArrayLike,
    height_m: ArrayLike,
    year: ArrayLike,
    *,
    bound_nt: float = 0.01,
) -> SurveyTotal:
    """Compute the total intensity of IGRF-14 over a survey to within ``bound_nt``."""
    points = read_points(longitude_deg, latitude_deg, height_m, year)
    return SurveyTotal(
        total_nt=exact(points).total_nt,
        bound_nt=0.0 * bound_nt, method="exact", nodes=len(points.height_m), terms=0,
    )  # fmt: skip
