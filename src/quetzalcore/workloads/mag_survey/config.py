"""Every parameter of the main job, as one frozen tree: ``survey.toml`` is this tree.

Defaults are chosen so that a survey needs no option beyond what its file cannot tell. The tree, with
everything that was assumed filled in, goes into ``result.json`` and makes the run repeatable.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["STAGES", "HeightRoleName", "InputConfig", "Stage", "SurveyConfig"]

HeightRoleName = Literal["ellipsoidal", "orthometric", "clearance"]  # of geophysics, which is heavy


class Stage(StrEnum):
    """The steps that may be skipped by name, in the order in which they run."""

    DESPIKE = "despike"
    LAG = "lag"
    COMPENSATION = "compensation"
    HEADING = "heading"
    DIURNAL = "diurnal"
    IGRF = "igrf"
    LEVELLING = "levelling"
    MICROLEVELLING = "microlevelling"
    GRADIENTS = "gradients"
    TRANSFORMS = "transforms"
    DEPTH = "depth"
    TARGETS = "targets"
    MAPS = "maps"
    REPORT = "report"


STAGES = tuple(Stage)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputConfig(_Part):
    """How the file is to be understood; None means: guess, and say what was guessed."""

    columns: dict[str, str] = Field(default_factory=dict, description="role = column name")
    units: dict[str, str] = Field(default_factory=dict, description="role = unit")
    delimiter: str | None = None
    crs: str | None = Field(default=None, description="CRS of projected input, as EPSG:32754")
    date: dt.date | None = Field(default=None, description="Date of the survey (UTC)")
    height_role: HeightRoleName | None = None
    base_station: Path | None = None
    calibration: Path | None = Field(default=None, description="Compensation flight, same format")
    dem: Path | None = Field(default=None, description="Ground elevation grid, orthometric metres")
    geoid_height_m: float | None = Field(
        default=None,
        ge=-120,
        le=100,
        description="Geoid above ellipsoid, added to orthometric heights",
    )


class FieldConfig(_Part):
    """Direction of the main field from true north; default: IGRF at the survey's centre and date."""

    inclination_deg: float | None = Field(default=None, ge=-90, le=90)
    declination_deg: float | None = Field(default=None, ge=-180, le=180)
    intensity_nt: float | None = Field(default=None, gt=0)
    date: dt.date | None = Field(
        default=None, description="Date the direction is taken for, where the survey has none"
    )


class DespikeConfig(_Part):
    """Spikes are fourth differences beyond ``threshold`` robust standard deviations."""

    threshold: float = Field(default=8.0, gt=0)


class LagConfig(_Part):
    """Sensor lag; None means: estimate from opposite headings, refuse where that says nothing."""

    lag_s: float | None = None


class DiurnalConfig(_Part):
    """The base station's datum; None means: its median."""

    datum_nt: float | None = None


class MicrolevellingConfig(_Part):
    """Microlevelling is kept only where it narrows the crossovers, unless ``always`` is set."""

    always: bool = False


class IgrfConfig(_Part):
    """Interpolation error allowed in the main field."""

    bound_nt: float = Field(default=0.01, gt=0)


class GradientConfig(_Part):
    """Measured gradient channels, by the file's own names; readings to starboard positive, nT/m."""

    transverse: str | None = None


class GridConfig(_Part):
    """How lines become a grid."""

    method: Literal["minimum-curvature", "equivalent-sources"] = "minimum-curvature"
    cell_size_m: float | None = Field(default=None, gt=0, description="Default: line spacing / 4")
    tension: float = Field(default=0.0, ge=0, lt=1)
    blank_distance_m: float | None = Field(
        default=None, gt=0, description="Default: 1.5 times the line spacing"
    )
    ties: bool = Field(
        default=False,
        description="Whether ties are gridded too: what is left of their misfit shows as beads",
    )


class TransformConfig(_Part):
    """Heights and bands of the transforms."""

    upward_m: float | None = Field(default=None, gt=0, description="Default: 4 cells")
    regional_m: float | None = Field(
        default=None, gt=0, description="Continuation that leaves the regional; default: 40 cells"
    )


class DepthConfig(_Part):
    """Windows and structural indices of the depth estimates."""

    window_cells: int = Field(default=15, ge=5, le=101)
    structural_indices: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0)


class TargetConfig(_Part):
    """Which anomalies become drill targets."""

    top_n: int = Field(default=20, ge=1, le=1000)
    min_anomaly_nt: float | None = Field(default=None, ge=0, description="Default: from the noise")
    commodity: str | None = None
    geology: str | None = None


class ReportConfig(_Part):
    """What stands on the cover."""

    title: str | None = None
    client: str | None = None


class SurveyConfig(_Part):
    """The whole job."""

    skip: tuple[Stage, ...] = ()
    threads: int | None = Field(default=None, ge=1)
    input: InputConfig = InputConfig()
    field: FieldConfig = FieldConfig()
    despike: DespikeConfig = DespikeConfig()
    lag: LagConfig = LagConfig()
    diurnal: DiurnalConfig = DiurnalConfig()
    igrf: IgrfConfig = IgrfConfig()
    microlevelling: MicrolevellingConfig = MicrolevellingConfig()
    gradients: GradientConfig = GradientConfig()
    grid: GridConfig = GridConfig()
    transforms: TransformConfig = TransformConfig()
    depth: DepthConfig = DepthConfig()
    targets: TargetConfig = TargetConfig()
    report: ReportConfig = ReportConfig()

    def runs(self, stage: Stage) -> bool:
        """Tell whether ``stage`` is wanted."""
        return stage not in self.skip
