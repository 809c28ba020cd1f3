"""From an anomaly field to anomalies, their source classes and ranked drill targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quetzalcore.geophysics import deposits, targets
from quetzalcore.workloads.interpretation.field import AnomalyField
from quetzalcore.workloads.interpretation.params import AnomalyFieldParams
from quetzalcore.workloads.mag_survey.config import TargetConfig, TransformConfig
from quetzalcore.workloads.mag_survey.grids import transform_grid
from quetzalcore.workloads.mag_survey.target_finding import (
    Surface,
    TargetSet,
    assemble_targets,
)

__all__ = ["interpret"]


def interpret(
    field: AnomalyField,
    params: AnomalyFieldParams,
    *,
    config: TargetConfig,
    priors_text: str | None,
    tell: Callable[[str, float], None],
) -> TargetSet:
    """Pick, describe, discriminate and rank, as ``mag_survey`` does.

    Raises
    ------
    BadParameter
        If the commodity or the geological setting is unknown.
    """
    petrophysics = deposits.load_priors(priors_text)
    petrophysics.with_prior(commodity=config.commodity, geology=config.geology)  # refuses early
    tell("transform", 0.2)
    transforms, _ = transform_grid(field.grid, field.field, TransformConfig())
    tell("targets", 0.6)
    anomalies = targets.pick_anomalies(
        transforms.grids["residual"],
        transforms.grids["analytic_signal"],
        transforms.grids["rtp"],
        inclination_deg=field.field.inclination_deg,
        declination_deg=field.field.grid_declination_deg,
        noise_nt=field.noise_nt,
        field_nt=field.field.intensity_nt,
        min_amplitude_nt=config.min_anomaly_nt,
        sensor_height_m=params.sensor_height_m or 0.0,
        depth_reference="the sensor" if params.sensor_height_m is None else "ground",
    )
    return assemble_targets(
        anomalies,
        Surface(
            grid=field.grid,
            convergence_deg=field.field.convergence_deg,
            elevation_m=lambda easting_m, _northing_m: np.full(len(easting_m), np.nan),
        ),
        config=config,
        petrophysics=petrophysics,
    )
