from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics import depth


def _cloud(
    rng: np.random.Generator,
    places: list[tuple[float, ...]],
    *,
    count: int = 40,
    scatter_m: float = 10.0,
) -> depth.EulerSolutions:
    """Scatter solutions around (easting, northing, depth, base)."""
    rows = np.repeat(np.asarray(places, dtype=np.float64), count, axis=0)
    rows[:, :3] += scatter_m * rng.standard_normal((len(rows), 3))
    index = np.zeros(len(rows), dtype=np.int32)
    return depth.EulerSolutions(
        easting_m=rows[:, 0],
        northing_m=rows[:, 1],
        depth_m=rows[:, 2],
        base_level_nt=rows[:, 3],
        structural_index=np.full(len(rows), 2.0),
        uncertainty_m=np.full(len(rows), scatter_m),
        horizontal_uncertainty_m=np.full(len(rows), scatter_m),
        quality=np.ones(len(rows)),
        window_row=index,
        window_column=index,
        window_cells=15,
    )


def test_two_sources_are_two_clusters_at_their_means(rng: np.random.Generator) -> None:
    cloud = _cloud(rng, [(0, 0, 200, 5), (2000, 1000, 600, -3)])
    found = depth.cluster(cloud, radius_m=200.0)
    order = np.argsort(found.depth_m)
    assert len(found) == 2
    np.testing.assert_allclose(found.easting_m[order], [0, 2000], atol=6)
    np.testing.assert_allclose(found.northing_m[order], [0, 1000], atol=6)
    np.testing.assert_allclose(found.depth_m[order], [200, 600], atol=6)
    np.testing.assert_allclose(found.base_level_nt[order], [5, -3])
    np.testing.assert_allclose(found.depth_spread_m, 10.0, rtol=0.4)
    np.testing.assert_allclose(found.horizontal_spread_m, 14.1, rtol=0.4)
    assert found.count.sum() == 80


def test_sources_one_above_the_other_stay_apart(rng: np.random.Generator) -> None:
    cloud = _cloud(rng, [(0, 0, 100, 0), (0, 0, 500, 0)])
    assert len(depth.cluster(cloud, radius_m=200.0)) == 2


def test_the_order_of_solutions_does_not_matter(rng: np.random.Generator) -> None:
    cloud = _cloud(rng, [(0, 0, 200, 5), (800, 0, 250, 5), (0, 900, 300, 5)], scatter_m=60.0)
    again = cloud.select(rng.permutation(len(cloud)))
    a, b = (depth.cluster(c, radius_m=150.0) for c in (cloud, again))
    np.testing.assert_allclose(np.sort(a.depth_m), np.sort(b.depth_m))


def test_stray_solutions_and_negative_depths_are_left_out(rng: np.random.Generator) -> None:
    cloud = _cloud(rng, [(0, 0, 200, 5)])
    stray = _cloud(rng, [(5000, 0, 200, 5)], count=2)
    above = _cloud(rng, [(0, 0, -200, 5)])
    assert len(depth.cluster(stray, radius_m=200.0)) == 0
    assert len(depth.cluster(above, radius_m=200.0)) == 0
    assert len(depth.cluster(cloud, radius_m=200.0)) == 1


def test_contacts_have_no_base_level(rng: np.random.Generator) -> None:
    cloud = _cloud(rng, [(0, 0, 200, np.nan)])
    assert np.isnan(depth.cluster(cloud, radius_m=200.0).base_level_nt).all()


@pytest.mark.parametrize(
    "options", [{"radius_m": 0.0}, {"radius_m": 1.0, "depth_ratio": 1.0}, {"radius_m": 1.0, "least_count": 0}],
    ids=str,
)  # fmt: skip
def test_impossible_boxes_are_refused(rng: np.random.Generator, options: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        depth.cluster(_cloud(rng, [(0, 0, 200, 5)]), **options)
