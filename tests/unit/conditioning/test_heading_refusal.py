from __future__ import annotations

import numpy as np

from quetzalcore.geophysics.conditioning import correct_heading
from quetzalcore.geophysics.quality import classify_lines
from quetzalcore.geophysics.survey import Survey


def test_too_few_opposite_neighbours_are_said_in_words() -> None:
    along = np.arange(200) * 10.0
    survey = Survey(
        easting_m=np.repeat([0.0, 100.0, 200.0], 200),
        northing_m=np.concatenate([along, along[::-1], along]),
        tmi_nt=np.tile(np.sin(along / 200.0), 3),
        line=np.repeat(np.arange(3, dtype=np.int32), 200),
        line_names=("1", "2", "3"),
    )
    step = correct_heading(survey, classify_lines(survey))
    assert step.rows_changed == 0
    assert "no heading offset was applied: only" in step.warnings[0]
    assert "inf" not in step.warnings[0]
