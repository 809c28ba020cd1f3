"""What the report says about methods, where they come from, and what to distrust."""

from __future__ import annotations

from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord

__all__ = ["METHODS", "REFERENCES", "distrust"]

METHODS = (
    (
        "Conditioning. Spikes are found by fourth differences and replaced by interpolation. The base "
        "station's departure from its datum is subtracted, then the main field (IGRF-14) at each "
        "station's place, height and time. Ties and traverses are adjusted to one another at their "
        "crossovers by robust least squares; what remains along lines is removed by microlevelling with "
        "limited amplitude."
    ),
    (
        "Gridding. Readings are reduced to block medians and interpolated by minimum curvature with "
        "tension (Briggs 1974; Smith and Wessel 1990), or fitted by equivalent sources where the height "
        "varies (Dampney 1969; Soler and Uieda 2021). Cells far from data are blank."
    ),
    (
        "Transforms. All share one Fourier transform of the padded grid. Reduction to the pole limits "
        "its amplitude at low inclinations; tilt, its gradient and the theta map are taken at the pole."
    ),
    (
        "Depth. Euler deconvolution (Reid et al. 1990) solves position, depth and base level in moving "
        "windows for several structural indices; tilt-depth (Salem et al. 2007) and local wavenumber "
        "(Thurston and Smith 1997) assume vertical contacts."
    ),
    (
        "Targets. Anomalies are picked over a range of scales, described by simple bodies fitted to the "
        "field, and ranked. Probabilities of source classes follow from published ranges of "
        "susceptibility and remanence and from geometry; they are not calibrated against drilling."
    ),
)

REFERENCES = (
    "Briggs, I. C. (1974). Machine contouring using minimum curvature. Geophysics 39, 39-48.",
    "Dampney, C. N. G. (1969). The equivalent source technique. Geophysics 34, 39-53.",
    (
        "Reid, A. B., Allsop, J. M., Granser, H., Millett, A. J. & Somerton, I. W. (1990). Magnetic "
        "interpretation in three dimensions using Euler deconvolution. Geophysics 55, 80-91."
    ),
    (
        "Salem, A., Williams, S., Fairhead, J. D., Ravat, D. & Smith, R. (2007). Tilt-depth method. The "
        "Leading Edge 26, 1502-1505."
    ),
    (
        "Smith, W. H. F. & Wessel, P. (1990). Gridding with continuous curvature splines in tension. "
        "Geophysics 55, 293-305."
    ),
    (
        "Soler, S. R. & Uieda, L. (2021). Gradient-boosted equivalent sources. Geophysical Journal "
        "International 227, 1768-1783."
    ),
    (
        "Spector, A. & Grant, F. S. (1970). Statistical models for interpreting aeromagnetic data. "
        "Geophysics 35, 293-302."
    ),
    (
        "Thurston, J. B. & Smith, R. S. (1997). Automatic conversion of magnetic data to depth, dip, and "
        "susceptibility contrast using the SPI method. Geophysics 62, 807-813."
    ),
)

_ALWAYS = (
    (
        "Magnetics constrain magnetization, depth and geometry. They do not name a mineral or a grade: "
        "hematite, pyrite, chalcopyrite and gold are all but invisible to them."
    ),
    (
        "Probabilities of source classes are uncalibrated: no drilling stands behind them. Use them to "
        "order questions, not to answer them."
    ),
    (
        "Between lines the grid is interpolation: a body narrower than the line spacing may be missed, "
        "or drawn as a string of beads."
    ),
)
_BELOW_SENSOR = (
    "Depths are below the sensor, not below ground: neither clearance heights nor a ground model "
    "were given. Subtract the sensor's height above ground before drilling."
)
_NO_LEVELLING = (
    "The data were not levelled against ties in this run: stripes along lines may be errors of "
    "acquisition."
)
_NO_DIURNAL = (
    "Readings of a total field were not corrected with a base station: slow changes along lines may "
    "be the Sun's, not the ground's."
)


def distrust(records: tuple[StageRecord, ...], *, below_ground: bool) -> tuple[str, ...]:
    """Choose the cautions that this run calls for, the general ones first."""
    done = {record.stage for record in records if record.outcome is Outcome.DONE}
    said = list(_ALWAYS)
    if "depth" in done and not below_ground:
        said.append(_BELOW_SENSOR)
    if "levelling" not in done:
        said.append(_NO_LEVELLING)
    if "igrf" in done and "diurnal" not in done:
        said.append(_NO_DIURNAL)
    return tuple(said)
