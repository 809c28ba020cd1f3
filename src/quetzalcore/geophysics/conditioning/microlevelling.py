"""Microlevelling: what is left along lines after levelling, taken off without a grid."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning.crossing import Crossovers, crossovers
from quetzalcore.geophysics.conditioning.neighbours import ordered_traverses
from quetzalcore.geophysics.conditioning.step import StepResult, measure
from quetzalcore.geophysics.quality.geometry import rotate
from quetzalcore.geophysics.quality.lines import LineSummary
from quetzalcore.geophysics.quality.noise import MAD_TO_SIGMA
from quetzalcore.geophysics.quality.profiles import Profiles
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["microlevel"]

_BINS_PER_SPACING = 1.0
_ALONG = 20.0  # line spacings
_ACROSS = 4.0  # line spacings
_LIMIT = 2.5  # robust deviations of the correction itself
_ROUNDS = 3


def microlevel(
    survey: Survey,
    lines: tuple[LineSummary, ...],
    *,
    along_m: float | None = None,
    across_m: float | None = None,
    limit_nt: float | None = None,
) -> StepResult:
    """Take off what is long along the lines and short across them: the signature of line noise.

    Works on the lines themselves, with no grid between: bin means of every traverse on one ruler, low
    passed along the lines, high passed across them (residual from a Whittaker smoother, robust), the
    result limited in size, smoothed along the line once more, and subtracted from the readings
    by interpolation. Anything shorter along the line than about ``along_m`` stays as it was. Geology that
    is longer than ``along_m`` along the lines and narrower than ``across_m`` across them looks
    the same as line noise: ``limit_nt`` is what protects it. Where there are ties, their crossovers
    judge the step, and a warning says when they fit worse after it.

    Parameters
    ----------
    along_m : float, optional
        Wavelengths along the line longer than this are candidates, metres; default twenty line spacings.
    across_m : float, optional
        Wavelengths across the lines shorter than this are, metres; default four line spacings.
    limit_nt : float, optional
        Largest correction, nT; by default 2.5 robust deviations of the correction.

    Raises
    ------
    BadSurvey
        If fewer than five traverses run side by side.
    BadParameter
        If a wavelength or limit is not positive.

    References
    ----------
    Minty, B. R. S. (1991). Simple micro-levelling for aeromagnetic data. Exploration Geophysics,
    22(4), 591-592.
    Ferraccioli, F., Gambetta, M., & Bozzo, E. (1998). Microlevelling procedures applied to regional
    aeromagnetic data: an example from the Transantarctic Mountains (Antarctica). Geophysical
    Prospecting, 46(2), 177-196.
    """
    _, spacing = ordered_traverses(survey, lines, bin_m=1e3)
    along = along_m if along_m is not None else _ALONG * spacing
    across = across_m if across_m is not None else _ACROSS * spacing
    _check_positive({"along_m": along, "across_m": across, "limit_nt": limit_nt})
    if not np.isfinite(spacing) or sum(line.kind == "traverse" for line in lines) < 5:  # noqa: PLR2004
        raise BadSurvey(
            "fewer than five traverses run side by side: there is nothing to microlevel against",
            hint="skip microlevelling",
        )
    profiles, _ = ordered_traverses(survey, lines, bin_m=spacing / _BINS_PER_SPACING)
    error, limit = _line_noise(profiles, spacing, (along, across), limit_nt)
    details = {"along_m": along, "across_m": across, "limit_nt": limit, "line_spacing_m": spacing}
    tmi = survey.tmi_nt - _on_rows(survey, profiles, error)
    facts, warnings = _judged(survey, lines, tmi)
    return measure(
        "microlevel", survey, tmi_nt=tmi, details={**details, **facts}, warnings=warnings
    )


def _check_positive(given: dict[str, float | None]) -> None:
    for name, value in given.items():
        if value is not None and value <= 0.0:
            raise BadParameter(f"{name} is {value:g}", hint="give a positive value")


def _judged(
    survey: Survey, lines: tuple[LineSummary, ...], tmi_nt: Floats
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Ask the ties, which were not touched, whether the traverses fit them better than before."""
    both = [crossovers(each, lines) for each in (survey, survey.with_tmi(tmi_nt))]
    if not len(both[0]):
        return {}, ()
    before, after = (float(np.mean(np.abs(_ties_free(found)))) for found in both)
    facts = {"crossover_before_nt": before, "crossover_after_nt": after}
    if after <= before:
        return facts, ()
    said = (
        f"ties and traverses disagree more after microlevelling ({before:.2f} to {after:.2f} nT): "
        "it took off geology rather than line noise"
    )
    return facts, (said,)


def _ties_free(found: Crossovers) -> Floats:
    misfit = found.misfit_nt.copy()
    for tie in np.unique(found.tie):
        misfit[found.tie == tie] -= np.median(misfit[found.tie == tie])
    return misfit


def _line_noise(
    profiles: Profiles, spacing: float, wavelengths_m: tuple[float, float], limit_nt: float | None
) -> tuple[Floats, float]:
    """Return the line noise in every bin, (k, m) nT (0 where unknown), and its limit, nT."""
    along, across = wavelengths_m
    known = np.isfinite(profiles.tmi_nt)
    low = _low_pass(profiles.tmi_nt, known, along / profiles.bin_m)
    error = np.zeros(low.shape)
    limit = limit_nt
    for _ in range(_ROUNDS):
        rough = low - _smooth_across(low - error, profiles.across_m, known, across / spacing)
        if limit is None:
            spread = MAD_TO_SIGMA * float(np.median(np.abs(rough[known])))
            limit = max(_LIMIT * spread, 1e-9)
        error = np.where(known, np.clip(rough, -limit, limit), 0.0)
    return _low_pass(error, known, along / profiles.bin_m), float(limit or 0.0)


def _low_pass(values: Floats, known: Bools, wavelength_bins: float) -> Floats:
    """Average along the lines with a Gaussian that halves ``wavelength_bins``; unknown bins give 0."""
    from scipy.ndimage import gaussian_filter1d  # noqa: PLC0415 -- slow import

    # the Gaussian's response exp(-2 (pi sigma / wavelength)^2) is a half at sigma = 0.187 wavelengths
    sigma = max(0.187 * wavelength_bins, 1e-3)
    total = gaussian_filter1d(np.where(known, values, 0.0), sigma, axis=1, mode="constant")
    weight = gaussian_filter1d(known.astype(np.float64), sigma, axis=1, mode="constant")
    return np.where(known, total / np.maximum(weight, 1e-9), 0.0)


def _smooth_across(
    values: Floats, across_m: Floats, known: Bools, wavelength_lines: float
) -> Floats:
    """Smooth every column over the lines present in it: penalised third differences (Whittaker)."""
    from scipy.linalg import solveh_banded  # noqa: PLC0415 -- slow import

    # response 1 / (1 + w (2 sin(pi / wavelength))^6) is a half at the wavelength
    weight = 1.0 / (2.0 * np.sin(np.pi / wavelength_lines)) ** 6
    smooth = values.copy()
    for column in range(values.shape[1]):
        rows = np.flatnonzero(known[:, column])
        if len(rows) < 5:  # noqa: PLR2004 -- fewer make no trend to differ from
            continue
        rows = rows[np.argsort(across_m[rows, column], kind="stable")]
        smooth[rows, column] = solveh_banded(
            _bands(len(rows), weight), values[rows, column], lower=False, check_finite=False
        )
    return smooth


def _bands(count: int, weight: float) -> Floats:
    """Give I + weight D'D for third differences D, upper banded (4, count)."""
    taps = (1.0, -3.0, 3.0, -1.0)
    bands = np.zeros((len(taps), count))
    for (i, tap), (j, other) in combinations_with_replacement(enumerate(taps), 2):
        bands[3 - (j - i), j : j + count - 3] += weight * tap * other
    bands[3] += 1.0
    return bands


def _on_rows(survey: Survey, profiles: Profiles, error: Floats) -> Floats:
    """Interpolate the line noise from bin centres to the rows, (n,) nT; 0 on other lines."""
    out = np.zeros(len(survey))
    centre = profiles.origin_m + (np.arange(error.shape[1]) + 0.5) * profiles.bin_m
    for i, (start, stop) in enumerate(zip(profiles.runs.start, profiles.runs.stop, strict=True)):
        rows = slice(int(start), int(stop))
        there = np.isfinite(profiles.tmi_nt[i])
        if there.any():
            along, _ = rotate(
                survey.easting_m[rows], survey.northing_m[rows], axis_deg=profiles.axis_deg
            )
            out[rows] = np.interp(along, centre[there], error[i][there])
    return out
