"""Pick anomalies on scale space, outline them, and describe what may lie under each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.targets.anomaly import Anomaly, DepthSolutions
from quetzalcore.geophysics.targets.describing import Setting, Window, describe, take_window
from quetzalcore.geophysics.targets.outline import Frame, Region, grow_region
from quetzalcore.geophysics.targets.scale_space import Blob, find_blobs
from quetzalcore.vgpu import map_threads

__all__ = ["CultureMask", "pick_anomalies"]

Floats = NDArray[np.float64]
CultureMask = Callable[[Floats, Floats], NDArray[np.bool_]]
_NOISE_TIMES = 5.0
_CANDIDATES = 3  # times the number asked for that are outlined: not all are above the least
_SIGMA_TO_WIDTH = 2.4  # of a Gaussian at half its peak
_FEWEST_CELLS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    blob: Blob
    region: Region
    window: Window


def pick_anomalies(
    tmi: xr.DataArray,
    analytic_signal: xr.DataArray,
    rtp: xr.DataArray,
    *,
    inclination_deg: float,
    declination_deg: float,
    noise_nt: float,
    field_nt: float = 50_000.0,
    min_amplitude_nt: float | None = None,
    sensor_height_m: float = 0.0,
    depth_reference: str = "the sensor",
    depth_solutions: Sequence[DepthSolutions] = (),
    culture: CultureMask | None = None,
    largest_m: float = 3000.0,
    max_anomalies: int = 200,
) -> tuple[Anomaly, ...]:
    """Find, outline and describe anomalies, the strongest first.

    Blobs of the analytic signal over position and scale are candidates (it peaks over a compact
    source however that is magnetised, so that positive, negative and dipolar anomalies are found
    alike). Each is outlined at half its peak; a blob inside a stronger one's outline belongs to it.
    A ball or pipe (or line or sheet, where the outline is long) is fitted to the total field
    around it and gives place, depth, moment and direction with uncertainties.

    Parameters
    ----------
    tmi : (n, m) grid, nT
        Residual total-field anomaly (regional removed).
    analytic_signal : (n, m) grid, nT/m
    rtp : (n, m) grid, nT
        Reduced to the pole; only names the polarity where the fit cannot.
    inclination_deg, declination_deg : float
        Of the main field; inclination positive down, declination from grid north.
    noise_nt : float
        Noise of ``tmi``, one standard deviation, nT.
    field_nt : float
        Strength of the main field, nT.
    min_amplitude_nt : float, optional
        Weaker anomalies (highest minus lowest ``tmi``) are not reported; default 5 ``noise_nt``.
    sensor_height_m : float
        Height of the grids' plane above the depth reference, metres.
    depth_reference : str
        What depths are measured below, in words.
    depth_solutions : sequence of DepthSolutions
        Depths from other methods, combined with the fit's.
    culture : callable, optional
        ``culture(easting_m, northing_m)`` says where quality control saw culture.
    largest_m : float
        Sources wider than this are regional geology and are not looked for, metres.
    max_anomalies : int
        At most so many are returned, those of the largest amplitude.

    Returns
    -------
    tuple of Anomaly

    Raises
    ------
    BadParameter
        If the grids' shapes differ, or a number is out of range.

    Notes
    -----
    NaN in any grid is no data: nothing is picked there, and windows that are mostly NaN give no fit.
    """
    _check(tmi, analytic_signal, rtp, noise_nt=noise_nt, field_nt=field_nt)
    setting = Setting(
        frame=Frame.of(tmi),
        tmi_nt=tmi.to_numpy(),
        rtp_nt=rtp.to_numpy(),
        inclination_deg=inclination_deg,
        declination_deg=declination_deg,
        field_nt=field_nt,
        noise_nt=noise_nt,
        sensor_height_m=sensor_height_m,
        depth_reference=depth_reference,
        depth_solutions=tuple(depth_solutions),
    )
    values = np.where(np.isfinite(tmi.to_numpy()), analytic_signal.to_numpy(), np.nan)
    blobs = find_blobs(
        values, largest_sigma_cells=largest_m / _SIGMA_TO_WIDTH / setting.frame.cell_m
    )
    least = _NOISE_TIMES * noise_nt if min_amplitude_nt is None else min_amplitude_nt
    limit = _CANDIDATES * max_anomalies
    candidates = [
        each
        for each in _outlined(values, blobs, setting, widest_m=largest_m, limit=limit)
        if each.window.amplitude_nt >= least
    ]
    candidates.sort(key=lambda each: -each.window.amplitude_nt)

    def described(numbered: tuple[int, _Candidate]) -> Anomaly:
        number, each = numbered
        anomaly = describe(each.blob, each.region, each.window, setting, number=number)
        return replace(anomaly, culture=_is_culture(anomaly, culture))

    return tuple(map_threads(described, enumerate(candidates[:max_anomalies], start=1)))


def _outlined(
    values: Floats, blobs: Sequence[Blob], setting: Setting, *, widest_m: float, limit: int
) -> list[_Candidate]:
    """Outline blobs from the strongest on; a cell belongs to the first that takes it."""
    owner = np.zeros(values.shape, dtype=np.int32)
    regions: list[tuple[Blob, Region]] = []
    for blob in blobs:
        i = min(round(blob.row), values.shape[0] - 1)
        j = min(round(blob.column), values.shape[1] - 1)
        if len(regions) == limit:
            break
        if owner[i, j]:
            continue
        region = grow_region(values, blob.row, blob.column, sigma_cells=blob.sigma_cells)
        if region is None or region.width_cells * setting.frame.cell_m > widest_m:
            continue
        if not _is_own(region, owner):
            continue
        regions.append((blob, region))
        owned = owner[region.rows, region.columns]
        owned[region.mask & (owned == 0)] = len(regions)
    return [
        _Candidate(blob=blob, region=region, window=window)
        for number, (blob, region) in enumerate(regions, start=1)
        if (window := take_window(region, setting, owner, number)) is not None
    ]


def _is_own(region: Region, owner: NDArray[np.int32]) -> bool:
    """Tell an anomaly from the flank of a stronger one: most of its cells are still free."""
    taken = np.count_nonzero(owner[region.rows, region.columns][region.mask])
    size = np.count_nonzero(region.mask)
    return bool(
        size >= _FEWEST_CELLS and taken <= 0.3 * size
    )  # a third: outlines of neighbours touch


def _is_culture(anomaly: Anomaly, culture: CultureMask | None) -> bool:
    if culture is None:
        return False
    places = np.array([*anomaly.outline, (anomaly.easting_m, anomaly.northing_m)])
    return bool(culture(places[:, 0], places[:, 1]).any())


def _check(
    tmi: xr.DataArray,
    analytic_signal: xr.DataArray,
    rtp: xr.DataArray,
    *,
    noise_nt: float,
    field_nt: float,
) -> None:
    if not tmi.shape == analytic_signal.shape == rtp.shape:
        raise BadParameter(
            f"the grids' shapes are {tmi.shape}, {analytic_signal.shape} and {rtp.shape}",
            hint="give three grids on the same nodes",
        )
    if not (noise_nt >= 0.0 and field_nt > 0.0):
        raise BadParameter(
            f"noise is {noise_nt} nT and the main field {field_nt} nT",
            hint="give a noise of at least 0 and a positive field",
        )
