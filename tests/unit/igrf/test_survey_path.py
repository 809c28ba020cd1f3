"""The survey path: within its bound of the exact sum, wherever and however the survey lies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.igrf import SurveyField, SurveyTotal, field, survey_field, survey_total
from quetzalcore.geophysics.igrf.chebyshev import coefficients, nodes, shorten
from quetzalcore.geophysics.igrf.horner import evaluate
from quetzalcore.geophysics.igrf.interpolant import for_components, for_total
from quetzalcore.geophysics.igrf.remainder import Axis, Box, choose_degrees, lebesgue

Floats = NDArray[np.float64]
Place = tuple[Floats, Floats, Floats, Floats]

N = 2100  # above the count from which the polynomial is tried


def survey(
    *,
    extent_km: float = 40.0,
    lon: float = 140.7,
    lat: float = -21.9,
    year: float = 2024.5,
    span_y: float = 0.0,
    n: int = N,
) -> Place:
    """Scatter points over a square, heights over 1 km, in the order of time."""
    rng = np.random.default_rng(0)
    half = extent_km / 111.2 / 2
    spread = np.sort(rng.uniform(0, span_y, n)) if span_y else np.zeros(())
    return (
        lon + rng.uniform(-half, half, n) / np.cos(np.radians(lat)),
        lat + rng.uniform(-half, half, n),
        rng.uniform(0, 1000, n),
        year + spread,
    )


def check(
    place: Place, *, bound_nt: float = 0.01, method: str = "polynomial"
) -> tuple[SurveyTotal, SurveyField]:
    """Compare both answers with the exact sum and return them."""
    truth = field(*place)
    total = survey_total(*place, bound_nt=bound_nt)
    parts = survey_field(*place, bound_nt=bound_nt)
    assert total.method == parts.method == method
    assert total.bound_nt <= bound_nt
    assert parts.bound_nt <= bound_nt
    assert np.abs(total.total_nt - truth.total_nt).max() <= total.bound_nt
    for name in ("easting_nt", "northing_nt", "upward_nt"):
        assert np.abs(getattr(parts, name) - getattr(truth, name)).max() <= parts.bound_nt
    return total, parts


@pytest.mark.parametrize("extent_km", [0.5, 40.0, 300.0, 2000.0])
def test_the_bound_holds_at_every_extent(extent_km: float) -> None:
    check(survey(extent_km=extent_km))


@pytest.mark.parametrize("span_y", [0.08, 4.0])
def test_the_bound_holds_while_time_passes(span_y: float) -> None:
    check(survey(year=2020.1, span_y=span_y))


def test_the_bound_is_used_and_a_tighter_one_costs_more_terms() -> None:
    loose, _ = check(survey(), bound_nt=1.0)
    tight, _ = check(survey(), bound_nt=1e-4)
    assert loose.terms < tight.terms


def test_a_survey_across_an_epoch_is_split_there() -> None:
    total, parts = check(survey(n=2 * N, year=2024.9, span_y=0.2))
    assert total.nodes > 0
    assert parts.terms > 0


def test_part_of_a_survey_that_is_small_is_done_exactly_or_by_polynomial_within_the_bound() -> None:
    place = survey(n=N, year=2024.999, span_y=0.002)
    answer = survey_total(*place)
    assert np.abs(answer.total_nt - field(*place).total_nt).max() <= max(answer.bound_nt, 1e-9)


def test_a_survey_across_the_date_line_is_one_survey() -> None:
    lon, lat, height, year = survey(lon=180.0, lat=10.0)
    wrapped = np.where(lon > 180, lon - 360, lon)
    check((wrapped, lat, height, year))


def test_a_survey_near_the_equator_and_one_near_a_pole_keep_the_bound() -> None:
    check(survey(lat=0.0, lon=-50.0))
    check(survey(lat=85.0, lon=10.0))


def test_a_point_outside_the_sampled_box_is_found_and_the_answer_stays_right() -> None:
    lon, lat, height, year = survey(n=9000)
    lat[1] += 1.0  # not in the sample
    height[3] = 20_000.0
    check((lon, lat, height, year))


@pytest.mark.parametrize("which", range(4), ids=["longitude", "latitude", "height", "year"])
@pytest.mark.parametrize("towards", [-1.0, 1.0])
def test_one_stray_in_any_coordinate_is_never_answered_outside_the_bound(
    which: int, towards: float
) -> None:
    columns = [column.copy() for column in survey(n=9001, span_y=0.1)]
    assert len(columns[0]) // 4096 == 2  # the box is guessed from every second point
    columns[which][4501] += towards * (3.0, 3.0, 30_000.0, 0.4)[which]
    check((columns[0], columns[1], columns[2], columns[3]))


@pytest.mark.kernels
@pytest.mark.parametrize("which", range(4))
def test_the_reach_is_that_of_the_farthest_coordinate(which: int) -> None:
    one = Axis(centre=0.0, half=1.0)
    unit = Box(year=one, height_m=one, longitude_deg=one, latitude_deg=one)
    columns = tuple(np.linspace(-0.5, 0.5, 5) for _ in range(4))
    columns[which][3] = -1.5
    constant = shorten(np.ones((1, 1, 1, 1)), 0.0)
    year, height, longitude, latitude = columns
    _, reach = evaluate((constant,), unit, (year, height, longitude, latitude), root=False)
    assert reach == 1.5


def test_few_points_or_the_whole_globe_are_summed_exactly() -> None:
    few = survey_total(10.0, 50.0, 0.0, 2020.0)
    assert (few.method, few.bound_nt, few.nodes, few.terms) == ("exact", 0.0, 1, 0)
    assert few.total_nt == pytest.approx(float(field(10.0, 50.0, 0.0, 2020.0).total_nt))
    rng = np.random.default_rng(3)
    globe = (rng.uniform(-180, 180, N), rng.uniform(-90, 90, N), np.zeros(N), 2020.0)
    truth = field(*globe)
    np.testing.assert_allclose(survey_field(*globe).easting_nt, truth.easting_nt, atol=1e-8)
    np.testing.assert_allclose(survey_total(*globe).total_nt, truth.total_nt, rtol=1e-12)


def test_a_bound_near_rounding_is_met_by_the_exact_sum() -> None:
    answer = survey_total(*survey(), bound_nt=1e-9)
    assert answer.method == "exact"
    assert survey_field(*survey(), bound_nt=1e-9).method == "exact"


@pytest.mark.parametrize("which", range(4))
def test_nan_anywhere_gives_nan_only_there(which: int) -> None:
    place = survey(span_y=0.1)
    place[which][7] = np.nan
    for total in (survey_total(*place).total_nt, survey_field(*place).total_nt):
        assert np.isnan(total[7])
        assert np.isfinite(np.delete(total, 7)).all()


def test_nothing_known_gives_nan_and_nothing_given_gives_nothing() -> None:
    nan = np.full(N, np.nan)
    assert np.isnan(survey_total(nan, nan, nan, nan).total_nt).all()
    assert np.isnan(survey_total(nan, np.zeros(N), nan, 2020.0).total_nt).all()
    assert survey_total([], [], [], 2020.0).total_nt.size == 0


def test_shapes_come_back() -> None:
    lon, lat, height, year = survey(n=2 * N)
    lon, lat, height = lon.reshape(2, N), lat.reshape(2, N), height.reshape(2, N)
    assert survey_total(lon, lat, height, year).total_nt.shape == (2, N)
    assert survey_field(lon, lat, height, year).easting_nt.shape == (2, N)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({1: np.linspace(80, 91, N)}, "latitude"),
        ({3: np.array(1890.0)}, "1890"),
        ({3: np.linspace(2029, 2031, N)}, "2031"),
        ({2: np.full(N, -4e6)}, "core"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_words(
    change: dict[int, Floats], words: str
) -> None:
    lon, lat, height, year = (change.get(i, part) for i, part in enumerate(survey()))
    with pytest.raises(BadParameter, match=words):
        survey_total(lon, lat, height, year)


@pytest.mark.parametrize("bound", [0.0, -1.0, np.nan])
def test_a_bound_must_be_positive(bound: float) -> None:
    with pytest.raises(BadParameter, match="bound_nt"):
        survey_field(*survey(), bound_nt=bound)


def box(half_deg: float, *, half_m: float = 500.0, half_y: float = 0.0) -> Box:
    return Box(
        year=Axis(centre=2022.0, half=half_y),
        height_m=Axis(centre=500.0, half=half_m),
        longitude_deg=Axis(centre=20.0, half=half_deg),
        latitude_deg=Axis(centre=40.0, half=half_deg),
    )


def test_smaller_boxes_and_looser_tolerances_need_lower_degrees() -> None:
    small = choose_degrees(box(0.1), power=1, tolerance=1e-3).degrees
    large = choose_degrees(box(3.0), power=1, tolerance=1e-3).degrees
    loose = choose_degrees(box(3.0), power=1, tolerance=1.0).degrees
    assert small[2] < large[2]
    assert small[3] < large[3]
    assert loose[2] < large[2]
    assert choose_degrees(box(1.0, half_y=1.0), power=2, tolerance=1.0).degrees[0] == 2


@pytest.mark.parametrize("half_deg", [0.2, 2.0, 8.0])
def test_the_proven_remainder_covers_the_interpolant_s_true_error(half_deg: float) -> None:
    choice = choose_degrees(box(half_deg), power=1, tolerance=1e-3)
    assert choice.remainder <= 1e-2
    interpolant = for_components(box(half_deg), 0.01)
    assert interpolant is not None
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(-1, 1, (2, 400)) * half_deg + np.array([[20.0], [40.0]])
    height = rng.uniform(0, 1000, 400)
    values, reach = evaluate(
        interpolant.polynomials, interpolant.box, (np.empty(0), height, lon, lat), root=False
    )
    assert reach <= 1
    truth = field(lon, lat, height, 2022.0)
    assert np.abs(values[2] - truth.upward_nt).max() <= interpolant.bound_nt


@pytest.mark.kernels
def test_the_square_root_of_the_polynomial_is_the_intensity_and_nan_stays_nan() -> None:
    interpolant = for_total(box(0.2), 0.01)
    assert interpolant is not None
    place = np.array([[400.0, 19.9, 40.1], [900.0, np.nan, 40.0], [100.0, 20.2, 39.8]]).T
    columns = (np.empty(0), *place.copy())
    (total,), reach = evaluate(interpolant.polynomials, interpolant.box, columns, root=True)
    truth = field(place[1], place[2], place[0], 2022.0).total_nt
    assert reach == pytest.approx(1.0)
    assert np.isnan(total[1])
    assert np.abs((total - truth)[[0, 2]]).max() <= interpolant.bound_nt


def test_no_interpolant_is_built_where_none_is_proven_or_none_pays() -> None:
    assert for_total(box(90.0), 0.01) is None
    assert for_components(box(90.0), 0.01) is None
    assert for_components(box(1.0, half_m=6e6), 0.01) is None
    assert for_total(box(5.0), 1e9) is None  # the square's lower bound is lost
    assert for_total(box(1.0, half_m=6.4e6), 0.01) is None
    assert for_components(box(1.0, half_m=6.4e6), 0.01) is None  # the box holds the Earth's centre


@pytest.mark.kernels
def test_interpolation_reproduces_a_polynomial_exactly() -> None:
    x, y = nodes(4), nodes(3)
    values = (x**3)[:, None] - 2 * (y**2)[None, :] + 0.5
    polynomial = shorten(coefficients(values[:, :, None, None]), 0.0)
    expected = np.zeros((4, 3, 1))
    expected[3, 0, 0], expected[0, 2, 0], expected[0, 0, 0] = 1.0, -2.0, 0.5
    np.testing.assert_allclose(polynomial.powers[:, :, :, 0], expected, atol=1e-14)


@pytest.mark.kernels
def test_dropped_terms_are_paid_for() -> None:
    rng = np.random.default_rng(0)
    series = rng.normal(size=(2, 3, 4, 9)) * 0.3 ** np.indices((2, 3, 4, 9)).sum(axis=0)
    whole, short = shorten(series, 0.0), shorten(series, 0.05)
    assert short.terms < whole.terms
    assert 0 < short.dropped <= 0.05
    first, second, third, fourth = rng.uniform(-1, 1, (4, 500))
    columns = (first, second, third, fourth)
    one = Axis(centre=0.0, half=1.0)
    unit = Box(year=one, height_m=one, longitude_deg=one, latitude_deg=one)
    (a, b), reach = evaluate((whole, short), unit, columns, root=False)
    assert reach == max(np.abs(column).max() for column in columns)
    assert np.abs(a - b).max() <= short.dropped + whole.rounding + short.rounding
    angles = [np.arccos(column) for column in columns]
    direct = sum(
        series[index] * np.prod([np.cos(d * x) for d, x in zip(index, angles, strict=True)], axis=0)
        for index in np.ndindex(series.shape)
    )
    np.testing.assert_allclose(a, direct, atol=1e-12)


def test_dropping_everything_leaves_zero() -> None:
    nothing = shorten(np.full((1, 1, 2, 2), 1e-9), 1.0)
    assert nothing.powers.shape == (1, 1, 1, 4)
    assert not nothing.powers.any()


def test_the_lebesgue_bound_covers_the_true_constant() -> None:
    x = np.linspace(-1, 1, 2001)
    for degree in (0, 1, 4, 9):
        at = nodes(degree + 1)
        basis = [
            np.prod([(x - at[j]) / (at[i] - at[j]) for j in range(degree + 1) if j != i], axis=0)
            * np.ones_like(x)
            for i in range(degree + 1)
        ]
        assert np.abs(basis).sum(axis=0).max() <= lebesgue(degree) + 1e-12
