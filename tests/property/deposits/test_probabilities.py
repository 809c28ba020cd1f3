from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.geophysics.deposits import Evidence, class_probabilities, load_priors

pytestmark = pytest.mark.kernels

TABLE = load_priors()
OR_NAN = st.just(float("nan"))


@settings(max_examples=50, deadline=None)
@given(
    susceptibility_si=st.floats(1e-7, 1e3) | OR_NAN,
    angle_deg=st.floats(0.0, 180.0) | OR_NAN,
    width_m=st.floats(1e-2, 1e5) | OR_NAN,
    length_m=st.floats(1e-2, 1e6) | OR_NAN,
    depth_m=st.floats(-10.0, 1e4) | OR_NAN,
    culture=st.sampled_from([0.0, 1.0, float("nan")]),
)
def test_any_evidence_gives_probabilities(  # noqa: PLR0917 -- one for each strategy
    susceptibility_si: float,
    angle_deg: float,
    width_m: float,
    length_m: float,
    depth_m: float,
    culture: float,
) -> None:
    found = class_probabilities(
        Evidence(
            apparent_susceptibility_si=susceptibility_si,
            magnetization_angle_deg=angle_deg,
            width_m=width_m,
            length_m=length_m,
            depth_m=depth_m,
            culture=culture,
        ),
        TABLE,
        prior=TABLE.with_prior(),
    )
    assert found.sum() == pytest.approx(1.0)
    assert np.all((found >= 0.0) & (found <= 1.0))
