"""IGRF-14 at a million points: the exact sum against ppigrf, and the survey path against the exact sum."""

from __future__ import annotations

import datetime as dt
import time

import numpy as np
import ppigrf
from numpy.typing import NDArray

from benchmarks.race import Figure, interleave, peer_version
from quetzalcore.geophysics import igrf

_POINTS = 1_000_000
_PEER_POINTS = 200_000  # it takes 2 GB for these; its time is scaled linearly, which it follows
_DATE = dt.datetime(2024, 7, 2)  # noqa: DTZ001 -- ppigrf takes dates without a zone
_EXACT_BAR = 100.0
_SURVEY_BAR = 10.0
_BOUND_NT = 0.01

Floats = NDArray[np.float64]


def figures() -> list[Figure]:
    """Race the exact sum and the survey path."""
    return [
        _exact(),
        _survey_total(40.0, weeks=0),
        _survey_total(300.0, weeks=0),
        _survey_total(40.0, weeks=4),
        _survey_field(40.0, weeks=0),
        _survey_field(40.0, weeks=4),
    ]


def _exact() -> Figure:
    rng = np.random.default_rng(14)
    lon, lat = rng.uniform(-180, 180, _POINTS), rng.uniform(-89, 89, _POINTS)
    height_m = rng.uniform(0, 5000, _POINTS)
    year = igrf.decimal_year(_DATE)
    some = slice(0, _PEER_POINTS)
    begin = time.perf_counter()
    igrf.field(0.0, 0.0, 0.0, year)
    first_s = time.perf_counter() - begin
    ours, peer, ratio = interleave(
        lambda: igrf.field(lon, lat, height_m, year),
        lambda: ppigrf.igrf(lon[some], lat[some], height_m[some] / 1000, _DATE),
        runs=3,
    )
    scale = _POINTS / _PEER_POINTS
    return Figure(
        work=f"IGRF-14 exact, {_POINTS:.0e} random points, one date (first call {first_s:.1f} s)",
        ours=f"{ours * 1e3:.0f} ms",
        peer=f"{peer * scale:.1f} s ({_PEER_POINTS:.0e} points x {scale:.0f})",
        peer_name=peer_version("ppigrf"),
        ratio=ratio * scale,
        bar=f"{_EXACT_BAR:.0f}x",
        met=ratio * scale >= _EXACT_BAR,
    )


def _points(extent_km: float, weeks: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Scatter points over a square near Osborne, heights over 1 km, in the order of time."""
    rng = np.random.default_rng(22)
    half_deg = extent_km / 111.2 / 2
    lon = 140.7 + rng.uniform(-half_deg, half_deg, _POINTS) / np.cos(np.radians(22))
    lat = -22.0 + rng.uniform(-half_deg, half_deg, _POINTS)
    spread = np.sort(rng.uniform(0, weeks / 52, _POINTS)) if weeks else np.zeros(())
    return lon, lat, rng.uniform(0, 1000, _POINTS), 2024.4 + spread


def _survey_total(extent_km: float, *, weeks: int) -> Figure:
    place = _points(extent_km, weeks)
    answer = igrf.survey_total(*place, bound_nt=_BOUND_NT)
    error = _apart(answer.total_nt, igrf.field(*place).total_nt)
    times = interleave(
        lambda: igrf.survey_total(*place, bound_nt=_BOUND_NT),
        lambda: igrf.field(*place).total_nt,
        runs=9,
    )
    return _figure(f"total, {_where(extent_km, weeks)}", times, error, answer.bound_nt, _SURVEY_BAR)


def _survey_field(extent_km: float, *, weeks: int) -> Figure:
    place = _points(extent_km, weeks)
    answer = igrf.survey_field(*place, bound_nt=_BOUND_NT)
    truth = igrf.field(*place)
    error = max(
        _apart(answer.easting_nt, truth.easting_nt),
        _apart(answer.northing_nt, truth.northing_nt),
        _apart(answer.upward_nt, truth.upward_nt),
    )
    times = interleave(
        lambda: igrf.survey_field(*place, bound_nt=_BOUND_NT),
        lambda: igrf.field(*place),
        runs=9,
    )
    where = _where(extent_km, weeks)
    return _figure(f"three components, {where}", times, error, answer.bound_nt)


def _apart(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).max())


def _where(extent_km: float, weeks: int) -> str:
    return f"1e6 points in {extent_km:.0f} km, {f'{weeks} weeks' if weeks else 'one date'}"


def _figure(
    what: str, times: tuple[float, float, float], error: float, bound: float, bar: float = 0.0
) -> Figure:
    """Hold the total, which removes the main field, to a bar; the components only to their bound."""
    ours, peer, ratio = times
    return Figure(
        work=f"IGRF-14 survey path, {what}; error {error:.4f} nT, proven {bound:.4f} nT",
        ours=f"{ours * 1e3:.1f} ms",
        peer=f"{peer * 1e3:.0f} ms",
        peer_name="our exact sum",
        ratio=ratio,
        bar=f"{bar:.0f}x and the bound" if bar else "the bound",
        met=ratio >= bar and error <= bound <= _BOUND_NT,
    )
