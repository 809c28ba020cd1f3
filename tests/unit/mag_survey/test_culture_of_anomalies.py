from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from quetzalcore.geophysics.quality import CultureFlag, CultureKind, QualityReport, assess
from quetzalcore.geophysics.survey import Survey
from quetzalcore.geophysics.targets import Anomaly, BodyShape, DepthEstimate, Polarity
from quetzalcore.workloads.mag_survey.target_finding import _with_culture

ANOMALY = Anomaly(
    id=1,
    polarity=Polarity.POSITIVE,
    shape=BodyShape.BALL,
    easting_m=500.0,
    northing_m=500.0,
    amplitude_nt=40.0,
    outline=((450.0, 450.0), (550.0, 450.0), (500.0, 550.0), (450.0, 450.0)),
    area_m2=5_000.0,
    length_m=100.0,
    width_m=80.0,
    strike_deg=0.0,
    source_width_m=20.0,
    source_length_m=20.0,
    depth_m=10.0,
    depth_interval_m=(0.0, 40.0),
    depth_reference="ground",
    depth_methods=(DepthEstimate(method="fit of a ball", depth_m=70.0, sigma_m=20.0),),
    susceptibility_si=0.3,
    susceptibility_interval_si=(0.15, 0.6),
    magnetization_inclination_deg=-53.0,
    magnetization_declination_deg=6.0,
    remanence_angle_deg=5.0,
    remanence_angle_sigma_deg=8.0,
    fit=0.98,
    scale_m=50.0,
    culture=False,
    reasons=(),
)
FLAG = CultureFlag(
    kind=CultureKind.ISOLATED,
    line="5",
    first_row=0,
    last_row=9,
    easting_m=500.0,
    northing_m=590.0,
    amplitude_nt=20.0,
    distance_m=60.0,
)


@pytest.fixture(scope="module")
def quality() -> QualityReport:
    """Assess lines 100 m apart (so that 60 m of clearance are assumed), with one flag put in."""
    along = np.tile(10.0 * np.arange(101), 11)
    across = np.repeat(100.0 * np.arange(11), 101)
    found = assess(
        Survey(
            easting_m=across,
            northing_m=along,
            tmi_nt=np.zeros(len(along)),
            line=np.repeat(np.arange(11, dtype=np.int32), 101),
            line_names=tuple(str(i) for i in range(11)),
        )
    )
    assert isinstance(found.coverage, xr.DataArray)
    assert (found.line_spacing_m, found.clearance_m, found.culture) == (100.0, 60.0, ())
    return replace(found, culture=(FLAG,))


def is_culture(anomaly: Anomaly, quality: QualityReport, *, below_ground: bool = True) -> bool:
    (marked,) = _with_culture((anomaly,), quality, below_ground=below_ground)
    assert replace(marked, culture=anomaly.culture) == anomaly
    return marked.culture


def test_a_shallow_anomaly_at_a_flag_of_its_strength_is_culture(quality: QualityReport) -> None:
    assert is_culture(ANOMALY, quality)


def test_an_anomaly_half_a_line_spacing_away_is_not(quality: QualityReport) -> None:
    there = replace(FLAG, northing_m=601.0)
    assert not is_culture(ANOMALY, replace(quality, culture=(there,)))


def test_a_deep_body_under_a_house_is_still_a_body(quality: QualityReport) -> None:
    assert is_culture(replace(ANOMALY, depth_interval_m=(23.0, 90.0)), quality)
    assert not is_culture(replace(ANOMALY, depth_interval_m=(25.0, 90.0)), quality)


def test_depths_below_the_sensor_have_the_clearance_in_them(quality: QualityReport) -> None:
    deep = replace(ANOMALY, depth_interval_m=(80.0, 90.0))
    assert not is_culture(deep, quality)
    assert is_culture(deep, quality, below_ground=False)
    deeper = replace(ANOMALY, depth_interval_m=(90.0, 120.0))
    assert not is_culture(deeper, quality, below_ground=False)


def test_a_strong_anomaly_is_not_explained_by_a_weak_flag(quality: QualityReport) -> None:
    assert not is_culture(replace(ANOMALY, amplitude_nt=400.0), quality)
    strong = replace(FLAG, amplitude_nt=300.0)
    assert is_culture(
        replace(ANOMALY, amplitude_nt=400.0), replace(quality, culture=(FLAG, strong))
    )


def test_an_unresolved_depth_does_not_clear_an_anomaly(quality: QualityReport) -> None:
    unknown = replace(ANOMALY, depth_m=np.nan, depth_interval_m=(np.nan, np.nan))
    (marked,) = _with_culture((unknown,), quality, below_ground=True)
    assert marked.culture


def test_without_flags_nothing_is_culture(quality: QualityReport) -> None:
    assert not is_culture(ANOMALY, replace(quality, culture=()))
