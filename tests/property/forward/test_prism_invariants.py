"""What holds for every prism and every place."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics.forward import prism_field

coordinate = st.floats(-1000, 1000)
size = st.floats(1, 500)
moment = st.tuples(*[st.floats(-5, 5)] * 3)


@settings(max_examples=60, deadline=None)
@given(st.tuples(coordinate, coordinate, coordinate), st.tuples(size, size, size), moment)
def test_turning_the_axes_turns_the_field(
    point: tuple[float, float, float],
    sizes: tuple[float, float, float],
    m: tuple[float, float, float],
) -> None:
    bounds = [(-s / 2, s / 2) for s in sizes]
    plain = prism_field(point[0], point[1], point[2], [sum(bounds, ())], [m])
    turned_bounds = [sum((bounds[1], bounds[2], bounds[0]), ())]
    turned = prism_field(point[1], point[2], point[0], turned_bounds, [[m[1], m[2], m[0]]])
    np.testing.assert_allclose(turned, [plain[1], plain[2], plain[0]], atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(coordinate, coordinate, coordinate),
    st.tuples(size, size, size),
    moment,
    st.floats(0.05, 0.95),
)
def test_cutting_a_prism_changes_nothing(
    point: tuple[float, float, float],
    sizes: tuple[float, float, float],
    m: tuple[float, float, float],
    share: float,
) -> None:
    e, n, u = (s / 2 for s in sizes)
    cut = -u + 2 * u * share
    x, y, z = point
    whole = np.array(prism_field(x, y, z, [[-e, e, -n, n, -u, u]], [m]))
    parts = np.array(prism_field(x, y, z, [[-e, e, -n, n, -u, cut], [-e, e, -n, n, cut, u]], [m]))
    if abs(point[2] - cut) > 1e-3 and np.isfinite(whole).all() and np.isfinite(parts).all():
        np.testing.assert_allclose(parts, whole, atol=1e-6)
