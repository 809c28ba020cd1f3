"""IGRF-14 at a million points: the exact sum against ppigrf, and the survey path against the exact sum."""

from __future__ import annotations

import datetime as dt
import time

import numpy as np
import ppigrf

from benchmarks.race import Figure, interleave, peer_version
from quetzalcore.geophysics import igrf

_POINTS = 1_000_000
_PEER_POINTS = 200_000  # it takes 2 GB for these; its time is scaled linearly, which it follows
_DATE = dt.datetime(2024, 7, 2)  # noqa: DTZ001 -- ppigrf takes dates without a zone
_EXACT_BAR = 100.0
_SURVEY_BAR = 10.0
_BOUND_NT = 0.01


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


def _points(extent_km: float, weeks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, object]:
    """Scatter points over a square near Osborne, heights over 1 km, in the order of time."""
    rng = np.random.default_rng(22)
    half_deg = extent_km / 111.2 / 2
    lon = 140.7 + rng.uniform(-half_deg, half_deg, _POINTS) / np.cos(np.radians(22))
    lat = -22.0 + rng.uniform(-half_deg, half_deg, _POINTS)
    year = 2024.4 + np.sort(rng.uniform(0, weeks / 52, _POINTS)) if weeks else 2024.4
    return lon, lat, rng.uniform(0, 1000, _POINTS), year


def _survey_total(extent_km: float, *, weeks: int) -> Figure:
    place = _points(extent_km, weeks)
    answer = igrf.survey_total(*place, bound_nt=_BOUND_NT)
    error = float(np.abs(answer.total_nt - igrf.field(*place).total_nt).max())
    times = interleave(
        lambda: igrf.survey_total(*place, bound_nt=_BOUND_NT),
        lambda: igrf.field(*place).total_nt,
        runs=9,
    )
    return _figure("total", extent_km, weeks, times, error, answer.bound_nt)


def _survey_field(extent_km: float, *, weeks: int) -> Figure:
    place = _points(extent_km, weeks)
    answer = igrf.survey_field(*place, bound_nt=_BOUND_NT)
    truth = igrf.field(*place)
    error = max(
        float(np.abs(answer.easting_nt - truth.easting_nt).max()),
        float(np.abs(answer.northing_nt - truth.northing_nt).max()),
        float(np.abs(answer.upward_nt - truth.upward_nt).max()),
    )
    times = interleave(
        lambda: igrf.survey_field(*place, bound_nt=_BOUND_NT),
        lambda: igrf.field(*place),
        runs=9,
    )
    return _figure("three components", extent_km, weeks, times, error, answer.bound_nt)


def _figure(
    what: str,
    extent_km: float,
    weeks: int,
    times: tuple[float, float, float],
    error: float,
    bound: float,
) -> Figure:
    ours, peer, ratio = times
    dates = f"{weeks} weeks" if weeks else "one date"
    bar = _SURVEY_BAR if what == "total" else 1.0  # surveys remove the total; the rest is a bonus
    return Figure(
        work=f"IGRF-14 survey path, {what}, 1e6 points in {extent_km:.0f} km, {dates}; "
        f"error {error:.4f} nT, proven {bound:.4f} nT",
        ours=f"{ours * 1e3:.1f} ms",
        peer=f"{peer * 1e3:.0f} ms",
        peer_name="our exact sum",
        ratio=ratio,
        bar=f"{bar:.0f}x and the bound",
        met=ratio >= bar and error <= bound <= _BOUND_NT,
    )
