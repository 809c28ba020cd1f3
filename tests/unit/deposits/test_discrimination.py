from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits import (
    Evidence,
    Petrophysics,
    class_probabilities,
    discriminate,
    discriminate_all,
    load_priors,
)
from quetzalcore.geophysics.deposits.petrophysics import GEOMETRIES
from quetzalcore.geophysics.deposits.sampling import draw_magnetization, even_numbers

pytestmark = pytest.mark.kernels


@pytest.fixture(scope="module")
def petrophysics() -> Petrophysics:
    return load_priors()


def test_no_evidence_gives_the_prior_back(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior(commodity="nickel")
    found = class_probabilities(Evidence(), petrophysics, prior=prior)
    assert found[0] == pytest.approx(prior.array(), abs=1e-12)


def test_probabilities_sum_to_one_and_come_sorted(petrophysics: Petrophysics) -> None:
    found = discriminate(
        Evidence(apparent_susceptibility_si=0.05, width_m=300, aspect_ratio=2.0),
        petrophysics,
        prior=petrophysics.with_prior(),
    )
    assert sum(each.probability for each in found) == pytest.approx(1.0)
    assert [e.probability for e in found] == sorted((e.probability for e in found), reverse=True)
    assert {each.status for each in found} == {"uncalibrated"}
    assert "unknown" in {each.name for each in found}


@pytest.mark.parametrize(
    ("evidence", "name"),
    [
        (Evidence(apparent_susceptibility_si=3.0, width_m=120, length_m=250), "magnetite_iron_ore"),
        (
            Evidence(
                apparent_susceptibility_si=0.02, width_m=20, length_m=8000, geometry=["sheet"]
            ),
            "mafic_dyke",
        ),
        (
            Evidence(apparent_susceptibility_si=0.01, width_m=200, length_m=220, geometry=["pipe"]),
            "kimberlite_pipe",
        ),
        (Evidence(width_m=4, depth_m=1.5, culture=1.0), "cultural"),
        (Evidence(apparent_susceptibility_si=2e-4, width_m=1500), "nonmagnetic_sediment"),
        (Evidence(apparent_susceptibility_si=8.0, depth_m=2500.0, width_m=9000.0), "unknown"),
    ],
)
def test_a_textbook_case_goes_to_its_class(
    petrophysics: Petrophysics, evidence: Evidence, name: str
) -> None:
    found = discriminate(evidence, petrophysics, prior=petrophysics.with_prior())
    assert found[0].name == name


def test_missing_evidence_is_marginalised(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    without = class_probabilities(Evidence(width_m=100.0), petrophysics, prior=prior)
    as_nan = class_probabilities(
        Evidence(width_m=100.0, depth_m=np.nan, culture=np.nan, geometry=[""]),
        petrophysics,
        prior=prior,
    )
    assert as_nan == pytest.approx(without, abs=1e-12)


def test_many_at_once_equal_one_by_one(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    chi, angle = [0.001, 0.1, np.nan], [10.0, 120.0, 60.0]
    together = discriminate_all(
        Evidence(apparent_susceptibility_si=chi, magnetization_angle_deg=angle),
        petrophysics,
        prior=prior,
    )
    for k in range(3):
        alone = discriminate(
            Evidence(apparent_susceptibility_si=chi[k], magnetization_angle_deg=angle[k]),
            petrophysics,
            prior=prior,
        )
        assert [e.name for e in together[k]] == [e.name for e in alone]
        assert [e.probability for e in together[k]] == pytest.approx(
            [e.probability for e in alone], abs=1e-12
        )


def test_length_and_aspect_say_what_width_and_aspect_do(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    by_width = class_probabilities(
        Evidence(width_m=50.0, aspect_ratio=20.0), petrophysics, prior=prior
    )
    by_length = class_probabilities(
        Evidence(length_m=1000.0, aspect_ratio=20.0), petrophysics, prior=prior
    )
    assert by_length == pytest.approx(by_width, abs=1e-12)


def test_a_length_alone_still_speaks(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    long = class_probabilities(Evidence(length_m=15_000.0), petrophysics, prior=prior)[0]
    assert long[petrophysics.names.index("cultural")] < 0.2 * prior.array()[-2]


def test_a_strong_angle_points_to_remanent_rocks(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    turned = class_probabilities(
        Evidence(magnetization_angle_deg=110.0, angle_sigma_deg=10.0), petrophysics, prior=prior
    )[0]
    granite = petrophysics.names.index("felsic_intrusive")
    pyrrhotite = petrophysics.names.index("pyrrhotite_sulphide")
    assert (
        turned[pyrrhotite] / turned[granite]
        > 5 * prior.array()[pyrrhotite] / prior.array()[granite]
    )


def test_a_measured_koenigsberger_ratio_speaks(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    high = class_probabilities(
        Evidence(koenigsberger=30.0, koenigsberger_sigma_dex=0.1), petrophysics, prior=prior
    )[0]
    assert high[petrophysics.names.index("pyrrhotite_sulphide")] > prior.array()[4]
    assert high[petrophysics.names.index("felsic_intrusive")] < 0.01


def test_more_draws_move_nothing_that_matters(
    petrophysics: Petrophysics, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = Evidence(apparent_susceptibility_si=[0.003, 0.05, 0.7], magnetization_angle_deg=40.0)
    prior = petrophysics.with_prior()
    few = class_probabilities(evidence, petrophysics, prior=prior)
    monkeypatch.setattr("quetzalcore.geophysics.deposits.discrimination._DRAWS", 8192)
    many = class_probabilities(evidence, petrophysics, prior=prior)
    assert np.abs(few - many).max() < 0.02


def test_induced_and_remanent_magnetisation_add_as_vectors(petrophysics: Petrophysics) -> None:
    pyrrhotite = petrophysics.classes[petrophysics.names.index("pyrrhotite_sulphide")]
    drawn = draw_magnetization(pyrrhotite, np.array([[0.5, 0.5, 0.5, 0.99, 0.5]]))
    chi = np.sqrt(0.01 * 0.7)  # medians; remanence at a right angle: arccos(0)
    q = np.sqrt(50.0)
    assert drawn.koenigsberger[0] == pytest.approx(q)
    assert drawn.apparent_susceptibility_si[0] == pytest.approx(chi * np.sqrt(1 + q * q))
    assert drawn.angle_deg[0] == pytest.approx(np.degrees(np.arctan(q)))


def test_even_numbers_fill_the_cube() -> None:
    points = even_numbers(1024, 5)
    assert points.mean(axis=0) == pytest.approx(np.full(5, 0.5), abs=0.01)
    assert np.all((points > 0) & (points < 1))
    for axis in points.T:
        assert np.histogram(axis, bins=16, range=(0, 1))[0] == pytest.approx(64, abs=4)


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (Evidence(width_m=[1.0, 2.0], depth_m=[1.0, 2.0, 3.0]), "lengths"),
        (Evidence(width_m=-1.0), "width_m is not positive"),
        (Evidence(magnetization_angle_deg=200.0), "outside 0 to 180"),
        (Evidence(geometry=["blob"]), "no geometry is named blob"),
    ],
)
def test_evidence_that_makes_no_sense_is_refused(
    petrophysics: Petrophysics, evidence: Evidence, message: str
) -> None:
    with pytest.raises(BadParameter, match=message):
        discriminate(evidence, petrophysics, prior=petrophysics.with_prior())


def test_one_answer_is_refused_for_two_anomalies(petrophysics: Petrophysics) -> None:
    with pytest.raises(BadParameter, match="2 anomalies"):
        discriminate(Evidence(width_m=[1, 2]), petrophysics, prior=petrophysics.with_prior())


def test_a_prior_of_another_table_is_refused(petrophysics: Petrophysics) -> None:
    fewer = Petrophysics(classes=petrophysics.classes[:3], commodity_factors={}, geology_factors={})
    with pytest.raises(BadParameter, match="other classes"):
        discriminate(Evidence(), petrophysics, prior=fewer.with_prior())


@pytest.mark.parametrize("shape", GEOMETRIES)
def test_an_observed_shape_is_right_in_seven_of_ten_cases(
    petrophysics: Petrophysics, shape: str
) -> None:
    prior = petrophysics.with_prior()
    found = class_probabilities(Evidence(geometry=[shape]), petrophysics, prior=prior)[0]
    shares = np.array([source.geometry[shape] for source in petrophysics.classes])
    expected = prior.array() * (0.7 * shares + 0.3 / len(GEOMETRIES))
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-9)
