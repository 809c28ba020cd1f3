from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import spectral
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.targets import (
    Anomaly,
    BodyShape,
    DepthMeaning,
    DepthSolutions,
    Polarity,
    pick_anomalies,
)

pytestmark = pytest.mark.kernels

MAIN: dict[str, Any] = {"inclination_deg": -53.0, "declination_deg": 6.0, "field_nt": 50_000.0}
Floats = NDArray[np.float64]
FIELD_NT = 50_000.0
INCLINATION_DEG, DECLINATION_DEG = -53.0, 6.0
INDUCING_A_M = FIELD_NT * 1e-9 / (4e-7 * np.pi)


def direction(inclination_deg: float, declination_deg: float) -> Floats:
    """Give a unit vector (easting, northing, upward)."""
    i, d = np.radians([inclination_deg, declination_deg])
    return np.array([np.cos(i) * np.sin(d), np.cos(i) * np.cos(d), -np.sin(i)])


@dataclass(eq=False)
class Scene:
    """A grid to which bodies are added; ``truth`` keeps them."""

    cells: int = 160
    cell_m: float = 50.0
    noise_nt: float = 0.5
    truth: list[tuple[float, float, float, Floats]] = field(default_factory=list)

    def __post_init__(self) -> None:
        place_m: Floats = np.asarray(np.arange(self.cells) * self.cell_m, dtype=np.float64)
        self.easting_m = 500_000.0 + place_m
        self.northing_m = 7_500_000.0 + place_m
        rng = np.random.default_rng(42)
        self.tmi_nt: Floats = rng.normal(0.0, self.noise_nt, (self.cells, self.cells))
        self.main = direction(INCLINATION_DEG, DECLINATION_DEG)

    def add_ball(
        self,
        east_m: float,
        north_m: float,
        *,
        depth_m: float,
        radius_m: float,
        susceptibility_si: float,
        remanent_a_m: Floats | None = None,
    ) -> None:
        """Add a uniform sphere at (east, north) from the grid's corner."""
        magnetization = susceptibility_si * INDUCING_A_M * self.main
        if remanent_a_m is not None:
            magnetization = magnetization + remanent_a_m
        self.truth.append((east_m, north_m, depth_m, magnetization))
        moment = magnetization * 4.0 / 3.0 * np.pi * radius_m**3
        self.tmi_nt = self.tmi_nt + self._dipole(east_m, north_m, depth_m, moment)

    def add_column(
        self,
        east_m: float,
        north_m: float,
        *,
        top_m: float,
        bottom_m: float,
        width_m: float,
        length_m: float,
        susceptibility_si: float,
        strike_deg: float = 0.0,
    ) -> None:
        """Add an upright prism as a sum of dipoles no further apart than half its depth."""
        magnetization = susceptibility_si * INDUCING_A_M * self.main
        self.truth.append((east_m, north_m, top_m, magnetization))
        strike = np.radians(strike_deg)
        layers = int(np.ceil((bottom_m - top_m) / (0.4 * top_m)))
        across = int(np.ceil(width_m / (0.4 * top_m)))
        along = int(np.ceil(length_m / (0.4 * top_m)))
        volume = width_m * length_m * (bottom_m - top_m) / (layers * across * along)
        for depth in top_m + (np.arange(layers) + 0.5) * (bottom_m - top_m) / layers:
            for u in ((np.arange(across) + 0.5) / across - 0.5) * width_m:
                for v in ((np.arange(along) + 0.5) / along - 0.5) * length_m:
                    self.tmi_nt = self.tmi_nt + self._dipole(
                        east_m + u * np.cos(strike) + v * np.sin(strike),
                        north_m - u * np.sin(strike) + v * np.cos(strike),
                        depth,
                        magnetization * volume,
                    )

    def _dipole(self, east_m: float, north_m: float, depth_m: float, moment: Floats) -> Floats:
        x = self.easting_m[None, :] - 500_000.0 - east_m
        y = self.northing_m[:, None] - 7_500_000.0 - north_m
        r = np.sqrt(x * x + y * y + depth_m**2)
        towards = (moment[0] * x + moment[1] * y + moment[2] * depth_m) / r
        along = (self.main[0] * x + self.main[1] * y + self.main[2] * depth_m) / r
        return np.asarray(100.0 * (3.0 * towards * along - moment @ self.main) / r**3)

    def grids(self) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
        """Give total field, analytic signal and the field reduced to the pole."""
        tmi = make_grid(self.tmi_nt, self.easting_m, self.northing_m, name="tmi", unit="nT")
        prepared = spectral.prepare(tmi)
        reduced = spectral.reduce_to_pole(prepared, INCLINATION_DEG, DECLINATION_DEG)
        return tmi, spectral.analytic_signal(prepared), reduced


@pytest.fixture
def scene() -> Scene:
    """Give an empty scene, 8 by 8 km."""
    return Scene()


def _pick(scene: Scene, **more: Any) -> tuple[Anomaly, ...]:  # noqa: ANN401 -- any argument
    tmi, signal, reduced = scene.grids()
    return pick_anomalies(tmi, signal, reduced, **MAIN, noise_nt=scene.noise_nt, **more)


def _nearest(found: tuple[Anomaly, ...], scene: Scene, index: int) -> tuple[Anomaly, float]:
    east, north = scene.truth[index][:2]
    distance = [
        np.hypot(a.easting_m - 500_000.0 - east, a.northing_m - 7_500_000.0 - north) for a in found
    ]
    return found[int(np.argmin(distance))], float(min(distance))


def _error_deg(anomaly: Anomaly, magnetization: Floats) -> float:
    found = direction(anomaly.magnetization_inclination_deg, anomaly.magnetization_declination_deg)
    cosine = found @ magnetization / np.linalg.norm(magnetization)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def test_every_body_is_found_described_and_nothing_else(scene: Scene) -> None:
    scene.add_ball(1600, 1600, depth_m=200, radius_m=80, susceptibility_si=0.1)
    scene.add_ball(5600, 1600, depth_m=400, radius_m=200, susceptibility_si=0.05)
    reversed_a_m = -3 * 0.05 * INDUCING_A_M * scene.main
    scene.add_ball(
        1600, 5600, depth_m=250, radius_m=120, susceptibility_si=0.05, remanent_a_m=reversed_a_m
    )
    turned = 4 * 0.05 * INDUCING_A_M * direction(-10.0, 100.0)
    scene.add_ball(
        5600, 5600, depth_m=300, radius_m=150, susceptibility_si=0.05, remanent_a_m=turned
    )
    found = _pick(scene)
    assert 4 <= len(found) <= 6
    for index, (_, _, depth_m, magnetization) in enumerate(scene.truth):
        anomaly, distance = _nearest(found, scene, index)
        assert distance < 50.0
        assert anomaly.depth_m == pytest.approx(depth_m, rel=0.15)
        assert anomaly.depth_interval_m[0] < depth_m < anomaly.depth_interval_m[1]
        assert anomaly.shape is BodyShape.BALL
        assert _error_deg(anomaly, magnetization) < 5.0
        low, high = anomaly.susceptibility_interval_si
        assert low < np.linalg.norm(magnetization) / INDUCING_A_M < high
    assert [_nearest(found, scene, k)[0].polarity for k in range(4)] == [
        Polarity.POSITIVE,
        Polarity.POSITIVE,
        Polarity.NEGATIVE,
        Polarity.DIPOLAR,
    ]
    assert [a.id for a in found] == list(range(1, len(found) + 1))
    amplitudes = [a.amplitude_nt for a in found]
    assert amplitudes == sorted(amplitudes, reverse=True)


def test_a_deep_column_gives_the_depth_of_its_top_and_its_width(scene: Scene) -> None:
    scene.add_column(
        4000, 4000, top_m=200, bottom_m=1400, width_m=300, length_m=300, susceptibility_si=0.03
    )
    anomaly, distance = _nearest(_pick(scene), scene, 0)
    assert distance < 50.0
    assert anomaly.depth_m == pytest.approx(200, rel=0.25)
    assert anomaly.shape in {BodyShape.BLOCK, BodyShape.PIPE}
    assert anomaly.source_width_m == pytest.approx(300, rel=0.35)
    assert 0.5 < anomaly.susceptibility_si / 0.03 < 2.0
    assert _error_deg(anomaly, scene.truth[0][3]) < 15.0


def test_a_dyke_is_one_sheet_along_its_strike(scene: Scene) -> None:
    scene.add_column(
        4000, 4000, top_m=150, bottom_m=600, width_m=100, length_m=3000,
        susceptibility_si=0.04, strike_deg=30.0,
    )  # fmt: skip
    found = _pick(scene)
    anomaly, distance = _nearest(found, scene, 0)
    assert len(found) <= 3
    assert distance < 100.0
    assert anomaly.shape is BodyShape.SHEET
    assert anomaly.strike_deg == pytest.approx(30.0, abs=4.0)
    assert anomaly.length_m == pytest.approx(3000, rel=0.25)
    assert anomaly.depth_m == pytest.approx(150, rel=0.25)
    assert anomaly.susceptibility_interval_si[0] < 0.04 < anomaly.susceptibility_interval_si[1]


def test_the_outline_is_closed_and_surrounds_the_source(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=300, radius_m=150, susceptibility_si=0.1)
    anomaly = _pick(scene)[0]
    outline = np.array(anomaly.outline)
    assert np.array_equal(outline[0], outline[-1])
    x, y = outline[:, 0] - anomaly.easting_m, outline[:, 1] - anomaly.northing_m
    turns = np.diff(np.unwrap(np.arctan2(y, x))).sum()
    assert abs(turns) == pytest.approx(2 * np.pi)
    shoelace = 0.5 * abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    assert shoelace == pytest.approx(anomaly.area_m2, rel=1e-9)


def test_depths_are_below_the_reference_that_is_handed_in(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=300, radius_m=150, susceptibility_si=0.1)
    anomaly = _pick(scene, sensor_height_m=80.0, depth_reference="ground")[0]
    assert anomaly.depth_m == pytest.approx(220, rel=0.1)
    assert anomaly.depth_reference == "ground"


def test_other_methods_depths_are_combined(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=300, radius_m=150, susceptibility_si=0.1)
    here = DepthSolutions(
        method="euler",
        easting_m=np.array([504_000.0, 504_020.0, 510_000.0]),
        northing_m=np.array([7_504_000.0, 7_503_990.0, 7_504_000.0]),
        depth_below_sensor_m=np.array([350.0, 370.0, 5.0]),
        sigma_m=np.array([30.0, 30.0, 1.0]),
    )
    anomaly = _pick(scene, depth_solutions=(here,))[0]
    methods = {each.method: each for each in anomaly.depth_methods}
    assert methods["euler"].count == 2
    assert methods["euler"].depth_m == 360.0
    assert 300.0 < anomaly.depth_m < 360.0


def test_only_depths_to_what_the_body_is_measured_to_are_combined(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=300, radius_m=150, susceptibility_si=0.1)
    found = [
        DepthSolutions(
            method=meaning,
            easting_m=np.array([504_000.0]),
            northing_m=np.array([7_504_000.0]),
            depth_below_sensor_m=np.array([depth_m]),
            meaning=meaning,
        )
        for meaning, depth_m in ((DepthMeaning.TOP, 150.0), (DepthMeaning.CENTRE, 310.0))
    ]
    anomaly = _pick(scene, depth_solutions=found)[0]
    assert [each.method for each in anomaly.depth_methods] == ["fit of a ball", "centre"]


def test_culture_is_flagged_where_it_was_seen(scene: Scene) -> None:
    scene.add_ball(2000, 4000, depth_m=200, radius_m=100, susceptibility_si=0.1)
    scene.add_ball(6000, 4000, depth_m=200, radius_m=100, susceptibility_si=0.1)
    found = _pick(scene, culture=lambda easting_m, _northing_m: easting_m < 504_000.0)
    assert _nearest(found, scene, 0)[0].culture
    assert not _nearest(found, scene, 1)[0].culture


def test_no_more_than_asked_for_and_none_too_weak_are_returned(scene: Scene) -> None:
    for k, chi in enumerate((0.02, 0.05, 0.2)):
        scene.add_ball(1500 + 2500 * k, 4000, depth_m=200, radius_m=100, susceptibility_si=chi)
    assert len(_pick(scene, max_anomalies=2)) == 2
    strongest = _pick(scene)[0].amplitude_nt
    assert len(_pick(scene, min_amplitude_nt=0.9 * strongest)) == 1


def test_noise_alone_gives_next_to_nothing(scene: Scene) -> None:
    assert len(_pick(scene, min_amplitude_nt=6 * scene.noise_nt)) <= 2


def test_cells_without_data_are_not_picked(scene: Scene) -> None:
    scene.add_ball(2000, 4000, depth_m=250, radius_m=120, susceptibility_si=0.1)
    scene.add_ball(6000, 4000, depth_m=250, radius_m=120, susceptibility_si=0.1)
    tmi, signal, reduced = scene.grids()
    hidden = tmi.copy()
    hidden[:, tmi.sizes["easting"] // 2 :] = np.nan
    found = pick_anomalies(hidden, signal, reduced, **MAIN, noise_nt=0.5)
    assert all(a.easting_m < 504_000.0 for a in found)
    assert _nearest(found, scene, 0)[1] < 50.0


def test_a_body_at_the_grid_edge_says_so(scene: Scene) -> None:
    scene.add_ball(4000, 60, depth_m=300, radius_m=150, susceptibility_si=0.1)
    anomaly, _ = _nearest(_pick(scene), scene, 0)
    assert any("grid's edge" in reason for reason in anomaly.reasons)


def test_where_no_body_fits_the_width_gives_the_depth(scene: Scene) -> None:
    rng = np.random.default_rng(9)
    rough = rng.normal(0.0, 200.0, (12, 12))
    scene.tmi_nt[60:72, 60:72] += rough
    found = _pick(scene, min_amplitude_nt=100.0)
    unresolved = [a for a in found if a.shape is BodyShape.UNRESOLVED]
    assert unresolved
    for anomaly in unresolved:
        bound = anomaly.amplitude_nt / FIELD_NT  # no body's field changes by more than its moment
        low, high = anomaly.susceptibility_interval_si
        assert low == pytest.approx(bound)
        assert high == pytest.approx(25.0 * bound)
        assert anomaly.susceptibility_si == pytest.approx(np.sqrt(low * high))
        assert np.isnan(anomaly.remanence_angle_deg)
        assert anomaly.depth_m > 0
        assert anomaly.depth_methods[0].method == "half width"


def test_grids_of_different_shapes_are_refused(scene: Scene) -> None:
    tmi, signal, reduced = scene.grids()
    with pytest.raises(BadParameter, match="shapes"):
        pick_anomalies(tmi, signal[1:], reduced, **MAIN, noise_nt=1.0)


@pytest.mark.parametrize("change", [{"noise_nt": -1.0}, {"noise_nt": 1.0, "field_nt": 0.0}])
def test_numbers_out_of_range_are_refused(scene: Scene, change: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match="positive field"):
        pick_anomalies(*scene.grids(), **{**MAIN, **change})


def test_depth_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(BadParameter, match="differ in length"):
        DepthSolutions(
            method="euler",
            easting_m=np.zeros(2),
            northing_m=np.zeros(3),
            depth_below_sensor_m=np.zeros(2),
        )


def test_a_source_wider_than_asked_for_is_left_to_the_regional(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=900, radius_m=600, susceptibility_si=0.1)
    assert _nearest(_pick(scene), scene, 0)[1] < 100.0
    assert all(a.width_m <= 500.0 for a in _pick(scene, largest_m=500.0))


def test_methods_without_a_solution_here_are_left_out(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=300, radius_m=150, susceptibility_si=0.1)
    centre: dict[str, Any] = {
        "easting_m": np.array([504_000.0]),
        "northing_m": np.array([7_504_000.0]),
    }
    elsewhere = DepthSolutions(
        method="euler",
        easting_m=np.array([501_000.0]),
        northing_m=np.array([7_504_000.0]),
        depth_below_sensor_m=np.array([300.0]),
    )
    undefined = DepthSolutions(
        method="tilt-depth", **centre, depth_below_sensor_m=np.array([np.nan])
    )
    vague = DepthSolutions(
        method="local wavenumber",
        **centre,
        depth_below_sensor_m=np.array([300.0]),
        sigma_m=np.array([np.nan]),
    )
    anomaly = _pick(scene, depth_solutions=(elsewhere, undefined, vague))[0]
    assert [each.method for each in anomaly.depth_methods] == ["fit of a ball", "local wavenumber"]
    assert anomaly.depth_methods[1].sigma_m == pytest.approx(90.0)


def test_single_precision_grids_serve_as_well(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=300, radius_m=150, susceptibility_si=0.1)
    tmi, signal, reduced = (grid.astype(np.float32) for grid in scene.grids())
    single = pick_anomalies(tmi, signal, reduced, **MAIN, noise_nt=scene.noise_nt)[0]
    assert single.depth_m == pytest.approx(_pick(scene)[0].depth_m, rel=1e-2)


def test_a_grid_that_is_nearly_all_without_data_gives_nothing(scene: Scene) -> None:
    tmi, signal, reduced = scene.grids()
    tmi[:, :] = np.nan
    tmi[80:84, 80:84] = 500.0
    assert not pick_anomalies(tmi, signal, reduced, **MAIN, noise_nt=scene.noise_nt)


def test_the_flank_of_a_stronger_neighbour_is_given_no_body_of_its_own(scene: Scene) -> None:
    scene.add_ball(4000, 4000, depth_m=200, radius_m=150, susceptibility_si=0.5)
    scene.add_ball(4450, 4000, depth_m=200, radius_m=40, susceptibility_si=0.5)
    found = _pick(scene)
    resolved = [a for a in found if a.shape is not BodyShape.UNRESOLVED]
    places = np.array([(a.easting_m, a.northing_m) for a in resolved])
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert (gaps + 1e9 * np.eye(len(places)) > 100.0).all()


@pytest.mark.parametrize("is_block", [False, True])
def test_where_a_ball_and_a_block_fit_alike_the_interval_holds_both_depths(
    scene: Scene,
    is_block: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    if is_block:
        scene.add_column(4000, 4000, top_m=250, bottom_m=450, width_m=200, length_m=200,
                         susceptibility_si=0.05)  # fmt: skip
    else:
        scene.add_ball(4000, 4000, depth_m=350, radius_m=120, susceptibility_si=0.05)
    anomaly, _ = _nearest(_pick(scene), scene, 0)
    low, high = anomaly.depth_interval_m
    assert anomaly.shape is BodyShape.BALL
    assert any("equally well" in reason for reason in anomaly.reasons)
    assert 150 < low < 250
    assert 350 < high < 450


def test_a_ball_that_a_long_thin_body_rules_out_does_not_widen_the_interval(scene: Scene) -> None:
    scene.add_column(4000, 4000, top_m=200, bottom_m=700, width_m=60, length_m=2500,
                     susceptibility_si=0.1, strike_deg=30.0)  # fmt: skip
    anomaly, _ = _nearest(_pick(scene), scene, 0)
    assert anomaly.shape is BodyShape.SHEET
    assert not any("equally well" in reason for reason in anomaly.reasons)
    assert anomaly.depth_interval_m[1] < 2.0 * anomaly.depth_interval_m[0]


@pytest.mark.parametrize(("top_m", "width_m", "length_m"), [(100, 500, 700), (60, 400, 400)])
def test_a_wide_shallow_block_that_rules_a_ball_out_keeps_its_top_in_the_interval(
    scene: Scene, top_m: float, width_m: float, length_m: float
) -> None:
    scene.add_column(4000, 4000, top_m=top_m, bottom_m=450, width_m=width_m, length_m=length_m,
                     susceptibility_si=0.05, strike_deg=20.0)  # fmt: skip
    anomaly, _ = _nearest(_pick(scene), scene, 0)
    assert anomaly.shape is BodyShape.BLOCK
    assert not any("equally well" in reason for reason in anomaly.reasons)
    low, high = anomaly.depth_interval_m
    assert low <= 1.05 * top_m <= high
    assert high < 2.2 * low


def test_a_ball_within_the_noise_leaves_room_for_a_compact_block_above_its_centre(
    scene: Scene,
) -> None:
    scene.add_ball(4000, 4000, depth_m=350, radius_m=120, susceptibility_si=0.05)
    tmi, signal, reduced = scene.grids()
    found = pick_anomalies(tmi, signal, reduced, **MAIN, noise_nt=4.0 * scene.noise_nt)
    anomaly, _ = _nearest(found, scene, 0)
    ball_m = anomaly.depth_methods[0].depth_m
    assert anomaly.depth_interval_m[0] == pytest.approx(0.62 * np.exp(-0.2563103) * ball_m)
