from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits import (
    GEOMETRIES,
    Lognormal,
    Petrophysics,
    Prior,
    load_priors,
)

pytestmark = pytest.mark.kernels

NAMED = {
    "magnetite_iron_ore", "banded_iron_formation", "magnetite_copper_gold", "ultramafic_nickel",
    "pyrrhotite_sulphide", "kimberlite_pipe", "mafic_dyke", "mafic_volcanic", "felsic_intrusive",
    "nonmagnetic_sediment", "cultural", "unknown",
}  # fmt: skip
SMALL = """
[[class]]
name = "unknown"
title = "Unknown"
prior = 1.0
geometry = { equant = 1 }
width_m = [1, 10]
aspect = [1, 2]
depth_m = [1, 10]
culture_flag = 0.1
commodities = []
source = "judgement"
[[rock]]
class = "unknown"
rock = "any"
share = 1.0
susceptibility_si = [0.001, 1.0]
koenigsberger = [0.1, 10]
parallel_share = 0.5
source = "judgement"
"""


@pytest.fixture(scope="module")
def petrophysics() -> Petrophysics:
    return load_priors()


def test_every_class_of_the_product_is_there(petrophysics: Petrophysics) -> None:
    assert set(petrophysics.names) == NAMED


def test_every_row_names_its_source(petrophysics: Petrophysics) -> None:
    for source in petrophysics.classes:
        assert source.source
        assert source.rocks
        assert all(rock.source for rock in source.rocks)


def test_shares_of_shapes_sum_to_one(petrophysics: Petrophysics) -> None:
    for source in petrophysics.classes:
        assert set(source.geometry) == set(GEOMETRIES)
        assert sum(source.geometry.values()) == pytest.approx(1.0)


def test_massive_magnetite_is_as_susceptible_as_published(petrophysics: Petrophysics) -> None:
    ore = next(c for c in petrophysics.classes if c.name == "magnetite_iron_ore").rocks[0]
    assert 1.0 <= 10.0**ore.susceptibility_si.mean_dex <= 5.7  # Hunt et al. 1995: 1 to 5.7


def test_a_lognormal_keeps_its_percentiles() -> None:
    quantity = Lognormal(p05=0.01, p95=1.0)
    sample = 10.0 ** np.random.default_rng(1).normal(quantity.mean_dex, quantity.sigma_dex, 100_000)
    assert np.quantile(sample, [0.05, 0.95]) == pytest.approx([0.01, 1.0], rel=0.05)


@pytest.mark.parametrize("pair", [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_percentiles_out_of_order_are_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(BadParameter, match="0 < p05 < p95"):
        Lognormal(p05=pair[0], p95=pair[1])


def _share(prior: Prior, name: str) -> float:
    return dict(zip(prior.names, prior.probability, strict=True))[name]


def test_a_commodity_raises_the_classes_that_host_it(petrophysics: Petrophysics) -> None:
    base, iron = petrophysics.with_prior(), petrophysics.with_prior(commodity="iron")
    assert _share(iron, "magnetite_iron_ore") > 2 * _share(base, "magnetite_iron_ore")
    assert iron.array().sum() == pytest.approx(1.0)


def test_geology_and_commodity_multiply(petrophysics: Petrophysics) -> None:
    both = petrophysics.with_prior(commodity="copper", geology="iocg_province")
    ratio = _share(both, "magnetite_copper_gold") / _share(both, "mafic_dyke")
    base = petrophysics.with_prior()
    assert ratio == pytest.approx(
        16 * _share(base, "magnetite_copper_gold") / _share(base, "mafic_dyke")
    )


def test_given_weights_replace_whole_weights(petrophysics: Petrophysics) -> None:
    only = petrophysics.with_prior(weights=dict.fromkeys(NAMED - {"mafic_dyke"}, 0.0))
    assert _share(only, "mafic_dyke") == 1.0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"commodity": "cheese"}, "no commodity is named 'cheese'"),
        ({"geology": "moon"}, "no geology is named 'moon'"),
        ({"weights": {"cheese": 1.0}}, "no class is named cheese"),
        ({"weights": {"unknown": -1.0}}, "at least 0"),
    ],
)
def test_a_prior_that_makes_no_sense_is_refused(
    petrophysics: Petrophysics, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadParameter, match=message):
        petrophysics.with_prior(**asked)


def test_a_table_of_ones_own_is_read() -> None:
    assert load_priors(SMALL).names == ("unknown",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[", "not TOML"),
        ("rock = []", "incomplete"),
        (SMALL.replace("share = 1.0", ""), "incomplete"),
        (SMALL.replace("[0.001, 1.0]", "[0.001]"), "incomplete"),
        (SMALL.replace('"unknown"', '"known"'), "no class named unknown"),
    ],
)
def test_a_broken_table_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        load_priors(text)
