from __future__ import annotations

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits import (
    EvidenceNoise,
    Petrophysics,
    brier_score,
    class_probabilities,
    load_priors,
    reliability,
    synthetic_geology,
    synthetic_reliability,
)

pytestmark = pytest.mark.kernels


@pytest.fixture(scope="module")
def petrophysics() -> Petrophysics:
    return load_priors()


def test_a_perfect_forecast_scores_zero_and_a_wrong_one_two() -> None:
    truth = np.array([0, 1])
    assert brier_score(np.eye(2), truth) == 0.0
    assert brier_score(np.eye(2)[::-1], truth) == 2.0


def test_bins_count_every_statement() -> None:
    stated = np.array([[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.75, 0.25]])
    found = reliability(stated, np.array([0, 0, 0, 1]), bins=4)
    assert sum(each.count for each in found.bins) == stated.size
    assert found.bins[3].observed_share == pytest.approx(0.75)
    assert found.bins[1].observed_share == pytest.approx(0.25)
    assert found.bins[0].count == 0
    assert np.isnan(found.bins[0].observed_share)
    assert found.accuracy == 0.75
    assert found.brier == pytest.approx(found.brier_of_prior)


def test_probabilities_come_true_as_often_as_they_say_on_synthetic_geology(
    petrophysics: Petrophysics,
) -> None:
    found = synthetic_reliability(
        petrophysics, prior=petrophysics.with_prior(), rng=np.random.default_rng(7), count=1500
    )
    for each in found.bins:
        spread = np.sqrt(0.25 / max(each.count, 1))
        assert each.mean_probability == pytest.approx(each.observed_share, abs=0.03 + 3 * spread)
    assert found.brier < 0.75 * found.brier_of_prior
    assert found.status == "uncalibrated"
    assert "no drilled or mapped labels" in found.note


def test_a_wrong_prior_shows_in_the_score(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    evidence, truth = synthetic_geology(
        petrophysics, prior=prior, count=800, rng=np.random.default_rng(3)
    )
    right = class_probabilities(evidence, petrophysics, prior=prior)
    biased = class_probabilities(
        evidence, petrophysics, prior=petrophysics.with_prior(weights={"kimberlite_pipe": 5.0})
    )
    assert brier_score(right, truth) < brier_score(biased, truth)


def test_the_same_seed_gives_the_same_geology(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    first, second = (
        synthetic_geology(petrophysics, prior=prior, count=50, rng=np.random.default_rng(5))
        for _ in range(2)
    )
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(
        first[0].columns()["width_m"], second[0].columns()["width_m"], equal_nan=True
    )


def test_less_noise_separates_better(petrophysics: Petrophysics) -> None:
    prior = petrophysics.with_prior()
    clear = EvidenceNoise(
        susceptibility_sigma_dex=0.1, angle_sigma_deg=5.0, size_sigma_dex=0.05,
        depth_sigma_dex=0.05, missing_share=0.0,
    )  # fmt: skip
    scores = []
    for noise in (clear, EvidenceNoise(missing_share=0.6)):
        evidence, truth = synthetic_geology(
            petrophysics, prior=prior, count=800, rng=np.random.default_rng(11), noise=noise
        )
        scores.append(brier_score(class_probabilities(evidence, petrophysics, prior=prior), truth))
    assert scores[0] < scores[1] - 0.1


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(BadParameter, match="do not match"):
        reliability(np.ones((2, 2)), np.array([0]))
