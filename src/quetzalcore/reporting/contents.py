"""What a report says, as value objects; ``html`` sets it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quetzalcore.reporting.house import Picture

__all__ = [
    "BodyComparison",
    "ClassProbability",
    "DepthRow",
    "Fact",
    "RejectedRow",
    "ReportFigure",
    "ReportInput",
    "ReportTarget",
    "Stage",
    "StageStatus",
]


class StageStatus(StrEnum):
    """Whether a stage ran."""

    DONE = "done"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and what it is, both as they shall be read, unit included."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the processing.

    Parameters
    ----------
    name : str
    status : StageStatus
    parameters : tuple of Fact
        Every parameter that shaped the numbers.
    changed : str
        What it did to the data, in words or nT; for a skipped stage, why.
    warnings : tuple of str
    """

    name: str
    status: StageStatus = StageStatus.DONE
    parameters: tuple[Fact, ...] = ()
    changed: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportFigure:
    """A picture with its title, a caption, and words for those who cannot see it."""

    title: str
    picture: Picture
    caption: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRow:
    """What one method of depth estimation found; numbers as they shall be read, metres."""

    method: str
    solutions: int
    shallow_m: float
    median_m: float
    deep_m: float
    uncertainty: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProbability:
    """A source class and its probability, 0 to 1."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTarget:
    """One ranked target.

    Parameters
    ----------
    rank : int
    easting_m, northing_m : float
    longitude_deg, latitude_deg : float, optional
    depth_low_m, depth_high_m : float
        Interval of the depth.
    depth_to, depth_below : str
        What the depth leads to ("top", "centre") and what it is measured from ("ground", "sensor").
    amplitude_nt : float
    classes : tuple of ClassProbability
        Most probable first.
    calibrated : bool
        False prints the word "uncalibrated".
    azimuth_deg, dip_deg : float
        Of the proposed hole: azimuth from true north (None for a vertical one), dip below the horizon.
    collar : str
        Where the hole starts, as it shall be read.
    length_m : float, optional
        Length of the proposed hole.
    score : float, optional
        What it was ranked by.
    reasons : tuple of str
    """

    rank: int
    easting_m: float
    northing_m: float
    depth_low_m: float
    depth_high_m: float
    depth_to: str
    depth_below: str
    amplitude_nt: float
    classes: tuple[ClassProbability, ...] = ()
    calibrated: bool = False
    azimuth_deg: float | None
    dip_deg: float
    collar: str
    length_m: float | None = None
    longitude_deg: float | None = None
    latitude_deg: float | None = None
    score: float | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyComparison:
    """A known body of a simulation beside what was found; None where nothing was."""

    name: str
    true_easting_m: float
    true_northing_m: float
    true_depth_m: float
    found_rank: int | None = None
    offset_m: float | None = None
    found_depth_m: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row of the input that was not used, and why."""

    row: int
    reason: str
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportInput:
    """Everything that a report says. Empty parts are left out, except where silence would mislead.

    Parameters
    ----------
    title, subtitle : str
    date : str
        Of the report, as it shall be read; an argument, so that the same input gives the same file.
    version : str
        Of the software.
    cover_map : ReportFigure, optional
        Where it is one of ``maps`` too, it is set only once, on the cover.
    key_facts : tuple of Fact
        Four to eight, for the cover.
    summary : tuple of str
        The findings in a few sentences with numbers, one paragraph each.
    survey : tuple of Fact
    stages : tuple of Stage
    quality : tuple of Fact
    quality_figures, maps, depth_figures, target_figures : tuple of ReportFigure
    depths : tuple of DepthRow
    targets : tuple of ReportTarget
    comparison : tuple of BodyComparison
        True against found, for simulated surveys.
    rejected : tuple of RejectedRow
    rejected_total : int
        How many there were, where ``rejected`` shows the first ones only.
    warnings : tuple of str
        What went on during this run that the reader has to know.
    distrust : tuple of str
        What in this report not to rely on, and why.
    methods : tuple of str
        One paragraph each.
    references : tuple of str
    parameters : tuple of Fact
        Complete, for running again.
    provenance : tuple of Fact
        Input digests, versions, host-independent.
    rerun_command : str
    """

    title: str
    subtitle: str = ""
    date: str = ""
    version: str = ""
    cover_map: ReportFigure | None = None
    key_facts: tuple[Fact, ...] = ()
    summary: tuple[str, ...] = ()
    survey: tuple[Fact, ...] = ()
    stages: tuple[Stage, ...] = ()
    quality: tuple[Fact, ...] = ()
    quality_figures: tuple[ReportFigure, ...] = ()
    maps: tuple[ReportFigure, ...] = ()
    depths: tuple[DepthRow, ...] = ()
    depth_figures: tuple[ReportFigure, ...] = ()
    targets: tuple[ReportTarget, ...] = ()
    target_figures: tuple[ReportFigure, ...] = ()
    comparison: tuple[BodyComparison, ...] = ()
    rejected: tuple[RejectedRow, ...] = ()
    rejected_total: int = 0
    warnings: tuple[str, ...] = ()
    distrust: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    parameters: tuple[Fact, ...] = ()
    provenance: tuple[Fact, ...] = ()
    rerun_command: str = ""
