"""The report's figures besides the maps: a line, the crossovers, the spectrum."""

from __future__ import annotations

import numpy as np

from quetzalcore.geophysics.survey import Survey
from quetzalcore.reporting import (
    ReportFigure,
    SpectrumSegment,
    Trace,
    draw_crossovers,
    draw_profile,
    draw_spectrum,
)
from quetzalcore.workloads.mag_survey.conditioning import Levelled
from quetzalcore.workloads.mag_survey.grids import TransformSet

__all__ = ["levelling_figure", "profile_figure", "spectrum_figure"]

_PROFILE_POINTS = 4000


def profile_figure(raw: Survey, done: Survey) -> tuple[ReportFigure, ...]:
    """Draw the longest line as it came and as it left, where conditioning changed it."""
    slices = [rows for _, rows in raw.line_slices()]
    if not slices or np.array_equal(raw.tmi_nt, done.tmi_nt, equal_nan=True):
        return ()
    rows = max(slices, key=lambda each: each.stop - each.start)
    name = raw.line_names[int(raw.line[rows.start])]
    steps = np.hypot(np.diff(raw.easting_m[rows]), np.diff(raw.northing_m[rows]))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    thin = slice(None, None, max(1, len(along) // _PROFILE_POINTS))
    title = f"Line {name} before and after conditioning"
    panels = (
        (Trace(name="as read", values_nt=raw.tmi_nt[rows][thin]),),
        (Trace(name="conditioned", values_nt=done.tmi_nt[rows][thin]),),
    )
    return (
        ReportFigure(
            title=title,
            picture=draw_profile(along[thin], panels, title=title),
            caption="The longest line of the survey.",
            alt=f"Two profiles of line {name}, {along[-1] / 1000:.1f} km long",
        ),
    )


def levelling_figure(levelling: Levelled | None) -> tuple[ReportFigure, ...]:
    """Draw the crossovers' misfits before and after levelling, where there was one."""
    if levelling is None or not len(levelling.before_nt):
        return ()
    return (
        ReportFigure(
            title="Crossovers before and after levelling",
            picture=draw_crossovers(
                levelling.before_nt,
                levelling.after_nt,
                title="Crossovers before and after levelling",
            ),
            caption="Differences between traverses and ties where they cross.",
            alt=f"Histogram; robust spread {levelling.result.before.spread_nt:.2f} nT before and "
            f"{levelling.result.after.spread_nt:.2f} nT after",
        ),
    )


def spectrum_figure(transforms: TransformSet | None) -> tuple[ReportFigure, ...]:
    """Draw the radial power spectrum with its straight segments."""
    if transforms is None:
        return ()
    spectrum = transforms.spectrum
    wavenumber, log_power = spectrum.wavenumber_rad_m, spectrum.log_power
    pieces = []
    for segment in transforms.segments:
        inside = (wavenumber >= segment.from_rad_m) & (wavenumber <= segment.to_rad_m)
        level = np.mean(log_power[inside] + 2.0 * segment.depth_m * wavenumber[inside])
        pieces.append(
            SpectrumSegment(
                low_rad_per_m=segment.from_rad_m,
                high_rad_per_m=segment.to_rad_m,
                intercept=float(level),
                depth_m=segment.depth_m,
            )
        )
    depths = " and ".join(
        f"{s.depth_m:,.0f} ± {s.uncertainty_m:,.0f} m" for s in transforms.segments
    )
    return (
        ReportFigure(
            title="Radial power spectrum",
            picture=draw_spectrum(
                wavenumber, np.exp(log_power), tuple(pieces), title="Radial power spectrum"
            ),
            caption="Slopes give mean depths of ensembles of sources below the sensor "
            f"(Spector and Grant, 1970): {depths}."
            if depths
            else "No straight segment was found.",
            alt=f"Logarithm of power against wavenumber; segment depths {depths or 'none'}",
        ),
    )
