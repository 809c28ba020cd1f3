"""Removal of the aircraft's own field (Tolles-Lawson), from a calibration flight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quetzalcore.errors import BadParameter, BadSurvey
from quetzalcore.geophysics.conditioning.step import StepResult, measure
from quetzalcore.geophysics.survey import Floats, Survey

__all__ = ["Compensation", "compensate", "fit_compensation", "tolles_lawson_terms"]

_PAD = 3  # times the filter's order and sections: what filtfilt needs on each side
_FLUXGATE = ("flux_x", "flux_y", "flux_z")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compensation:
    """Coefficients of the aircraft's field.

    Parameters
    ----------
    coefficients : (p,) float64
        One for each term of :func:`tolles_lawson_terms`, nT.
    terms : int
        16 or 18.
    channels : tuple of three str
        The fluxgate channels that they belong to.
    field_nt : float
        Field that induced and eddy terms are scaled by.
    mean_nt : float
        Mean of the model over the calibration flight, nT, left in the data.
    before_nt, after_nt : float
        Deviation of the band-passed reading in the calibration flight before and after, nT.
    ridge : float
        Ridge parameter, relative to each term's own variance.
    """

    coefficients: Floats
    terms: int
    channels: tuple[str, str, str]
    field_nt: float
    mean_nt: float
    before_nt: float
    after_nt: float
    ridge: float

    @property
    def improvement_ratio(self) -> float:
        """Give ``before_nt / after_nt``."""
        return self.before_nt / self.after_nt if self.after_nt > 0.0 else float("inf")


def fit_compensation(
    calibration: Survey,
    *,
    channels: tuple[str, str, str] = _FLUXGATE,
    terms: int = 18,
    band_hz: tuple[float, float] = (0.1, 0.6),
    ridge: float = 1e-5,
) -> Compensation:
    """Fit the Tolles-Lawson model to a calibration flight.

    The flight holds a box of headings with pitches, rolls and yaws at high altitude, where the
    Earth's field is smooth. Reading and model terms are band-passed alike, so that slow geology
    and diurnal stay out, and the coefficients are found by ridge regression on standardised terms.

    Parameters
    ----------
    calibration : Survey
        With ``time_s`` at an even rate and the three fluxgate channels; ``tmi_nt`` uncompensated. NaN
        is not allowed.
    channels : tuple of three str
        Names of the fluxgate channels: any unit, sensor axes fixed to the aircraft.
    terms : {16, 18}
        18 = 3 permanent + 6 induced + 9 eddy; 16 leaves out one induced and one eddy term, which the
        unit length of the direction makes dependent.
    band_hz : tuple of float
        Pass band of the manoeuvres, Hz.
    ridge : float
        Relative ridge parameter.

    Raises
    ------
    BadSurvey
        If channels or time are missing, NaN, too short, or the aircraft hardly turned.
    BadParameter
        If ``terms`` or ``band_hz`` is out of range.

    References
    ----------
    Tolles, W. E. (1955). Magnetic field compensation system. US Patent 2,706,801.
    Leliak, P. (1961). Identification and evaluation of magnetic-field sources of magnetic airborne
    detector equipped aircraft. IRE Transactions on Aerospace and Navigational Electronics, ANE-8(3),
    95-105.
    Leach, B. W. (1979). Automatic aeromagnetic compensation. National Research Council of Canada,
    Report LTR-FR-69.
    """
    if ridge <= 0.0:
        raise BadParameter(f"the ridge parameter is {ridge:g}", hint="give a small positive number")
    rate = _rate_hz(calibration)
    field_nt = float(np.mean(calibration.tmi_nt))
    matrix = tolles_lawson_terms(
        calibration, channels=channels, terms=terms, field_nt=field_nt, rate_hz=rate
    )
    passed = _band_pass(np.column_stack([matrix, calibration.tmi_nt]), rate, band_hz)
    design, reading = passed[:, :-1], passed[:, -1]
    scale = design.std(axis=0)
    if not (scale > 0.0).all():
        raise BadSurvey(
            "the aircraft did not turn enough to tell its field apart",
            hint="use a flight with pitches, rolls and yaws on four headings",
        )
    scaled = design / scale
    normal = scaled.T @ scaled + ridge * len(reading) * np.eye(terms)
    coefficients = np.linalg.solve(normal, scaled.T @ reading) / scale
    return Compensation(
        coefficients=coefficients,
        terms=terms,
        channels=channels,
        field_nt=field_nt,
        mean_nt=float((matrix @ coefficients).mean()),
        before_nt=float(reading.std()),
        after_nt=float((reading - design @ coefficients).std()),
        ridge=ridge,
    )


def compensate(survey: Survey, compensation: Compensation) -> StepResult:
    """Subtract the aircraft's field from every reading.

    The model's mean over the calibration flight is left in, so that the level stays. Needs the same
    channels at an even rate; rows whose fluxgate is NaN become NaN.

    Raises
    ------
    BadSurvey
        If channels or time are missing.
    """
    matrix = tolles_lawson_terms(
        survey,
        channels=compensation.channels,
        terms=compensation.terms,
        field_nt=compensation.field_nt,
        rate_hz=_rate_hz(survey),
    )
    tmi = survey.tmi_nt - (matrix @ compensation.coefficients - compensation.mean_nt)
    details = {
        "terms": compensation.terms,
        "ridge": compensation.ridge,
        "calibration_before_nt": compensation.before_nt,
        "calibration_after_nt": compensation.after_nt,
        "improvement_ratio": compensation.improvement_ratio,
    }
    lost = int((np.isnan(tmi) & ~np.isnan(survey.tmi_nt)).sum())
    said = (f"{lost} rows without a fluxgate reading lost their reading",) if lost else ()
    return measure("compensate", survey, tmi_nt=tmi, details=details, warnings=said)


def tolles_lawson_terms(
    survey: Survey,
    *,
    channels: tuple[str, str, str],
    terms: int,
    field_nt: float,
    rate_hz: float,
) -> Floats:
    """Return the model's terms, (n, p), for unit coefficients in nT.

    With direction cosines (l, m, n) of the Earth's field on the aircraft's axes: permanent l, m, n;
    induced l2, lm, ln, m2, mn, n2; eddy l l', l m', l n', m l', ... n n', with derivatives by time.
    Induced and eddy terms are scaled by ``tmi / field_nt``.
    """
    if terms not in {16, 18}:
        raise BadParameter(f"{terms} Tolles-Lawson terms", hint="choose 16 or 18")
    cosine = _direction_cosines(survey, channels)
    rate = np.empty_like(cosine)
    for _, rows in survey.line_slices():
        part = cosine[rows]
        rate[rows] = np.gradient(part, 1.0 / rate_hz, axis=0) if len(part) > 1 else 0.0
    strength = (survey.tmi_nt / field_nt)[:, None]
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    induced = np.column_stack([cosine[:, i] * cosine[:, j] for i, j in pairs]) * strength
    eddy = np.column_stack([cosine[:, i] * rate[:, j] for i in range(3) for j in range(3)])
    eddy = eddy * strength
    if terms == 16:  # noqa: PLR2004 -- l2 + m2 + n2 = 1 and l l' + m m' + n n' = 0
        induced, eddy = induced[:, :-1], eddy[:, :-1]
    return np.column_stack([cosine, induced, eddy])


def _direction_cosines(survey: Survey, channels: tuple[str, str, str]) -> Floats:
    missing = [name for name in channels if name not in survey.channels]
    if missing:
        raise BadSurvey(
            f"the survey has no fluxgate channel {', '.join(missing)}",
            hint="name the three fluxgate channels",
        )
    vector = np.column_stack([survey.channels[name] for name in channels])
    length = np.sqrt((vector * vector).sum(axis=1, keepdims=True))
    return vector / np.where(length > 0.0, length, np.nan)


def _rate_hz(survey: Survey) -> float:
    if survey.time_s is None:
        raise BadSurvey("compensation needs the survey's time", hint="name the time column")
    tick = np.diff(survey.time_s)
    usual = float(np.median(tick[tick > 0.0])) if (tick > 0.0).any() else 0.0
    if usual <= 0.0:
        raise BadSurvey("the survey's time does not advance", hint="check the time column")
    return 1.0 / usual


def _band_pass(columns: Floats, rate_hz: float, band_hz: tuple[float, float]) -> Floats:
    from scipy.signal import butter, sosfiltfilt  # noqa: PLC0415 -- slow import

    low, high = band_hz
    if not 0.0 < low < high < rate_hz / 2.0:
        raise BadParameter(
            f"the band is {low:g} to {high:g} Hz at {rate_hz:g} readings a second",
            hint=f"give 0 < low < high < {rate_hz / 2.0:g} Hz",
        )
    if len(columns) < 10 * _PAD or not np.isfinite(columns).all():
        raise BadSurvey(
            f"the calibration flight has {len(columns)} rows, or rows without a reading",
            hint="give a few minutes of uninterrupted readings",
        )
    filters = butter(4, (low, high), btype="bandpass", fs=rate_hz, output="sos")
    passed: Floats = sosfiltfilt(filters, columns - columns.mean(axis=0), axis=0)
    return passed
