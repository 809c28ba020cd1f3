"""The main field over a survey, fast, with a bound on its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.igrf.coefficients import FIRST_YEAR, model
from quetzalcore.geophysics.igrf.extent import bounding_box, guess_box, unwrapped
from quetzalcore.geophysics.igrf.horner import evaluate
from quetzalcore.geophysics.igrf.interpolant import Interpolant, for_components, for_total
from quetzalcore.geophysics.igrf.main_field import Field, Points, check_points, exact, shape_points
from quetzalcore.geophysics.igrf.remainder import Box

__all__ = ["SurveyField", "SurveyTotal", "survey_field", "survey_total"]

Floats = NDArray[np.float64]
Build = Callable[[Box, float], Interpolant | None]

_FEW_POINTS = 2000  # the exact sum is done with them before the polynomial is built


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyField(Field):
    """The main field over a survey and how far it may be from the exact sum.

    Parameters
    ----------
    bound_nt : float
        No component differs from :func:`field` by more, nT; 0 where all points were summed exactly.
    method : str
        ``"polynomial"``, ``"exact"``, or both where a survey crosses an epoch of the model.
    nodes, terms : int
        Points at which the exact sum was taken, and terms of the longest polynomial.
    """

    bound_nt: float
    method: str
    nodes: int
    terms: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurveyTotal:
    """The total intensity over a survey, (...) nT, and how far it may be from the exact sum.

    ``bound_nt, method, nodes, terms`` are as in :class:`SurveyField`.
    """

    total_nt: Floats
    bound_nt: float
    method: str
    nodes: int
    terms: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answer:
    outputs: tuple[Floats, ...]
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
    """Compute IGRF-14 over a survey to within ``bound_nt`` in every component.

    A polynomial in longitude, latitude, height and time stands for the field in the survey's box.
    Where that is no gain (few points, thousands of kilometres, a bound near rounding) the exact sum
    is taken.

    Parameters
    ----------
    longitude_deg, latitude_deg, height_m, year : array_like
        As in :func:`field`. NaN anywhere gives NaN there.
    bound_nt : float
        Greatest difference from :func:`field` that is allowed, nT, positive.

    Returns
    -------
    SurveyField
        With ``bound_nt`` the difference that is guaranteed.

    Raises
    ------
    BadParameter
        If a latitude, a height, a year or the bound is out of range.
    """
    points = _asked(longitude_deg, latitude_deg, height_m, year, bound_nt)

    def precisely(some: Points) -> tuple[Floats, ...]:
        here = exact(some)
        return here.easting_nt, here.northing_nt, here.upward_nt

    answer = _over_survey(points, bound_nt, build=for_components, precisely=precisely)
    east, north, up = (values.reshape(points.shape) for values in answer.outputs)
    return SurveyField(
        easting_nt=east,
        northing_nt=north,
        upward_nt=up,
        bound_nt=answer.bound_nt,
        method=answer.method,
        nodes=answer.nodes,
        terms=answer.terms,
    )


def survey_total(
    longitude_deg: ArrayLike,
    latitude_deg: ArrayLike,
    height_m: ArrayLike,
    year: ArrayLike,
    *,
    bound_nt: float = 0.01,
) -> SurveyTotal:
    """Compute the total intensity of IGRF-14 over a survey to within ``bound_nt``.

    About three times as fast as :func:`survey_field`, whose parameters, errors and treatment of NaN
    it shares; the bound is on the intensity.
    """
    points = _asked(longitude_deg, latitude_deg, height_m, year, bound_nt)

    def precisely(some: Points) -> tuple[Floats, ...]:
        return (exact(some).total_nt,)

    answer = _over_survey(points, bound_nt, build=for_total, precisely=precisely)
    return SurveyTotal(
        total_nt=answer.outputs[0].reshape(points.shape),
        bound_nt=answer.bound_nt,
        method=answer.method,
        nodes=answer.nodes,
        terms=answer.terms,
    )


def _asked(
    longitude_deg: ArrayLike,
    latitude_deg: ArrayLike,
    height_m: ArrayLike,
    year: ArrayLike,
    bound_nt: float,
) -> Points:
    if not bound_nt > 0:
        raise BadParameter(
            f"bound_nt is {bound_nt}", hint="give a positive bound in nT, for example 0.01"
        )
    return shape_points(longitude_deg, latitude_deg, height_m, year)


def _over_survey(
    points: Points,
    bound_nt: float,
    *,
    build: Build,
    precisely: Callable[[Points], tuple[Floats, ...]],
) -> _Answer:
    """Try a box guessed from a sample, which reads the points once; then do it with care."""
    if len(points.height_m) >= _FEW_POINTS:
        quick = _in_box(points, guess_box(points), bound_nt, build)
        if quick is not None:
            return quick
    check_points(points)
    if len(points.height_m) < _FEW_POINTS:
        return _exactly(points, precisely)
    straight = unwrapped(points)
    return _joined(
        straight,
        [
            (rows, _in_box(some, bounding_box(some), bound_nt, build) or _exactly(some, precisely))
            for rows, some in _by_interval(straight)
        ],
    )


def _in_box(points: Points, box: Box | None, bound_nt: float, build: Build) -> _Answer | None:
    """Answer by polynomial, or None where there is none or the points do not lie in the box."""
    interpolant = None if box is None else build(box, bound_nt)
    if interpolant is None:
        return None
    outputs, reach = evaluate(
        interpolant.polynomials,
        interpolant.box,
        points.columns,
        root=build is for_total,
    )
    if reach > 1:
        return None
    return _Answer(
        outputs=outputs,
        bound_nt=interpolant.bound_nt,
        method="polynomial",
        nodes=interpolant.nodes,
        terms=interpolant.terms,
    )


def _exactly(points: Points, precisely: Callable[[Points], tuple[Floats, ...]]) -> _Answer:
    outputs = tuple(np.reshape(values, -1) for values in precisely(points))
    return _Answer(
        outputs=outputs, bound_nt=0.0, method="exact", nodes=len(points.height_m), terms=0
    )


def _by_interval(points: Points) -> list[tuple[NDArray[np.bool_], Points]]:
    """Split points where the model changes its slope in time; points without a date join the first."""
    known = points.year[np.isfinite(points.year)]
    first = known.min() if known.size else FIRST_YEAR
    interval = model().interval(np.nan_to_num(points.year, nan=first))
    everywhere = np.ones(len(points.height_m), dtype=bool)
    names = np.unique(interval)
    if len(names) == 1:
        return [(everywhere, points)]
    return [(interval == name, points.rows(interval == name)) for name in names]


def _joined(points: Points, parts: list[tuple[NDArray[np.bool_], _Answer]]) -> _Answer:
    if len(parts) == 1:
        return parts[0][1]
    outputs = tuple(np.empty(len(points.height_m)) for _ in parts[0][1].outputs)
    for rows, answer in parts:
        for whole, values in zip(outputs, answer.outputs, strict=True):
            whole[rows] = values
    answers = [answer for _, answer in parts]
    return _Answer(
        outputs=outputs,
        bound_nt=max(answer.bound_nt for answer in answers),
        method=" and ".join(sorted({answer.method for answer in answers})),
        nodes=sum(answer.nodes for answer in answers),
        terms=max(answer.terms for answer in answers),
    )
