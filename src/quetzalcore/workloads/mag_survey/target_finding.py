"""Grids and depths to anomalies, source classes and drill targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from quetzalcore.formats.crs import to_lonlat
from quetzalcore.geophysics import deposits, gridding, targets
from quetzalcore.geophysics.deposits import ClassProbability
from quetzalcore.geophysics.quality import GROUND_CLEARANCES, QualityReport
from quetzalcore.geophysics.survey import Floats
from quetzalcore.workloads.mag_survey.config import TargetConfig
from quetzalcore.workloads.mag_survey.depths import DepthSet
from quetzalcore.workloads.mag_survey.grids import TransformSet
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.mag_survey.scene import Scene

__all__ = ["Surface", "TargetSet", "assemble_targets", "find_targets"]

_CULTURE_LINES = 0.5  # how near to a flagged place an anomaly may be culture, in line spacings
_CULTURE_SHARE = 0.15  # of an anomaly's amplitude, which holds the geology around it too
_DIPOLE_INDEX, _DYKE_INDEX = 2.5, 1.5  # structural indices: 3 dipole, 1 dyke, 0 contact
_NO_PLACE = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetSet:
    """Everything that was found.

    ``places`` are longitude and latitude of each drill target, NaN without a CRS; ``elevation_m``
    of the ground there, NaN where it is unknown; ``titles`` are the classes' names for people.
    """

    anomalies: tuple[targets.Anomaly, ...]
    classes: tuple[tuple[ClassProbability, ...], ...]
    drill: tuple[targets.DrillTarget, ...]
    excluded: tuple[targets.Exclusion, ...]
    places: tuple[tuple[float, float], ...]
    elevation_m: tuple[float, ...]
    convergence_deg: float
    prior: deposits.Prior
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """Where targets may lie: the grid of the anomaly, where grid north points, how high the ground is."""

    grid: xr.DataArray
    convergence_deg: float
    elevation_m: Callable[[Floats, Floats], Floats]


def find_targets(
    scene: Scene,
    transforms: TransformSet,
    depths: DepthSet | None,
    *,
    config: TargetConfig,
    priors_text: str | None,
) -> tuple[TargetSet, StageRecord]:
    """Pick, describe, discriminate and rank.

    Raises
    ------
    BadParameter
        If the commodity or the geological setting is unknown.
    """
    survey, quality, field, ground = scene.survey, scene.quality, scene.field, scene.ground
    petrophysics = deposits.load_priors(priors_text)
    petrophysics.with_prior(commodity=config.commodity, geology=config.geology)  # refuses early
    below_ground = "ground" in ground.reference
    clearance = ground.clearance_m(survey.easting_m[::100], survey.northing_m[::100])
    anomalies = targets.pick_anomalies(
        transforms.grids["residual"],
        transforms.grids["analytic_signal"],
        transforms.grids["rtp"],
        inclination_deg=field.inclination_deg,
        declination_deg=field.grid_declination_deg,
        noise_nt=max(quality.noise_nt, 1e-3),
        field_nt=field.intensity_nt,
        min_amplitude_nt=config.min_anomaly_nt,
        sensor_height_m=float(np.median(clearance)) if below_ground else 0.0,
        depth_reference="ground" if below_ground else "the sensor",
        depth_solutions=_other_depths(depths),
    )
    anomalies = _with_culture(anomalies, quality, below_ground=below_ground)
    found = assemble_targets(
        anomalies,
        Surface(
            grid=transforms.grids["tmi"],
            convergence_deg=field.convergence_deg,
            elevation_m=ground.elevation_m,
        ),
        config=config,
        petrophysics=petrophysics,
    )
    record = StageRecord(
        stage="targets",
        outcome=Outcome.DONE,
        parameters={
            "anomalies": len(anomalies),
            "targets": len(found.drill),
            "excluded": len(found.excluded),
            "commodity": config.commodity or "any",
            "geology": config.geology or "any",
        },
    )
    return found, record


def assemble_targets(
    anomalies: tuple[targets.Anomaly, ...],
    surface: Surface,
    *,
    config: TargetConfig,
    petrophysics: deposits.Petrophysics,
) -> TargetSet:
    """Discriminate and rank anomalies, and place the targets; sources beyond the grid are excluded.

    Raises
    ------
    BadParameter
        If the commodity or the geological setting is unknown.
    """
    prior = petrophysics.with_prior(commodity=config.commodity, geology=config.geology)
    classes = targets.classify(anomalies, petrophysics=petrophysics, prior=prior)
    inside = _surveyed(anomalies, surface.grid)
    ranking = targets.assess(
        [anomaly for anomaly, here in zip(anomalies, inside, strict=True) if here],
        [each for each, here in zip(classes, inside, strict=True) if here],
        top_n=config.top_n,
        min_anomaly_nt=config.min_anomaly_nt or 0.0,
        commodity=config.commodity,
        petrophysics=petrophysics,
    )
    outside = tuple(
        targets.Exclusion(anomaly_id=anomaly.id, reason="its source lies outside the survey")
        for anomaly, here in zip(anomalies, inside, strict=True)
        if not here
    )
    return TargetSet(
        anomalies=anomalies,
        classes=classes,
        drill=ranking.targets,
        excluded=(*outside, *ranking.excluded),
        places=_places(ranking.targets, surface.grid.attrs.get("crs")),
        elevation_m=_elevations(ranking.targets, surface.elevation_m),
        convergence_deg=surface.convergence_deg,
        prior=prior,
        titles={each.name: each.title for each in petrophysics.classes},
    )


def _surveyed(anomalies: tuple[targets.Anomaly, ...], grid: xr.DataArray) -> list[bool]:
    """Tell which sources lie where the grid has data; a body fitted at the rim may lie beyond."""
    values = gridding.sample(
        grid,
        np.array([anomaly.easting_m for anomaly in anomalies]),
        np.array([anomaly.northing_m for anomaly in anomalies]),
        method="bilinear",
    )
    return [bool(inside) for inside in np.isfinite(values)]


def _other_depths(depths: DepthSet | None) -> tuple[targets.DepthSolutions, ...]:
    """Give Euler's clusters: those of dipoles to balls, those of contacts and dykes to the rest.

    Tilt-depth and local wavenumber assume contacts: over dykes, pipes and spheres they come out at
    about half the depth, so they are mapped but do not vote on targets.
    """
    if depths is None:
        return ()
    found = depths.clusters
    kinds = {
        targets.DepthMeaning.CENTRE: found.structural_index >= _DIPOLE_INDEX,
        targets.DepthMeaning.TOP: found.structural_index <= _DYKE_INDEX,
    }
    return tuple(
        targets.DepthSolutions(
            method=f"Euler ({meaning})",
            easting_m=found.easting_m[kind],
            northing_m=found.northing_m[kind],
            depth_below_sensor_m=found.depth_m[kind],
            sigma_m=found.depth_spread_m[kind],
            meaning=meaning,
        )
        for meaning, kind in kinds.items()
    )


def _with_culture(
    anomalies: tuple[targets.Anomaly, ...], quality: QualityReport, *, below_ground: bool
) -> tuple[targets.Anomaly, ...]:
    """Mark anomalies that flagged culture explains: at the place, strong enough, and as shallow.

    A body deep under a pipeline or a house is still a body. So an anomaly is culture only if a flag
    of at least 0.15 of its amplitude lies within half a line spacing of its outline or middle, and
    its depth interval reaches up to where flagged sources are (an unresolved depth does).
    """
    if not quality.culture:
        return anomalies
    tree = cKDTree([(flag.easting_m, flag.northing_m) for flag in quality.culture])
    flagged_nt = np.array([flag.amplitude_nt for flag in quality.culture])
    above_ground_m = 0.0 if below_ground else quality.clearance_m
    deepest_m = (GROUND_CLEARANCES - 1.0) * quality.clearance_m + above_ground_m

    def is_culture(anomaly: targets.Anomaly) -> bool:
        places = [*anomaly.outline, (anomaly.easting_m, anomaly.northing_m)]
        near = tree.query_ball_point(places, _CULTURE_LINES * quality.line_spacing_m)
        rows = sorted(set().union(*near))
        strongest_nt = flagged_nt[rows].max(initial=0.0)
        deep = anomaly.depth_interval_m[0] > deepest_m
        return bool(rows and strongest_nt >= _CULTURE_SHARE * anomaly.amplitude_nt and not deep)

    return tuple(replace(anomaly, culture=is_culture(anomaly)) for anomaly in anomalies)


def _places(
    found: tuple[targets.DrillTarget, ...], crs: str | None
) -> tuple[tuple[float, float], ...]:
    if crs is None or not found:
        return tuple(_NO_PLACE for _ in found)
    longitude, latitude = to_lonlat(
        np.array([target.easting_m for target in found]),
        np.array([target.northing_m for target in found]),
        crs,
    )
    return tuple(zip(longitude.tolist(), latitude.tolist(), strict=True))


def _elevations(
    found: tuple[targets.DrillTarget, ...], elevation_m: Callable[[Floats, Floats], Floats]
) -> tuple[float, ...]:
    if not found:
        return ()
    elevation = elevation_m(
        np.array([target.easting_m for target in found]),
        np.array([target.northing_m for target in found]),
    )
    return tuple(elevation.tolist())
