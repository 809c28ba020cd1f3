from __future__ import annotations

import numpy as np

from quetzalcore.geophysics.quality import assess
from quetzalcore.geophysics.survey import Survey


def test_one_wrong_reading_is_a_spike_and_no_culture() -> None:
    rng = np.random.default_rng(4)
    lines, stations = 6, 200
    along = np.tile(np.arange(stations) * 6.0, lines)
    tmi = 10.0 * np.sin(along / 300.0) + 0.05 * rng.normal(size=along.size)
    tmi[[450, 900]] += 300.0
    survey = Survey(
        easting_m=np.repeat(np.arange(lines) * 100.0, stations),
        northing_m=along,
        tmi_nt=tmi,
        line=np.repeat(np.arange(lines, dtype=np.int32), stations),
        line_names=tuple(f"L{i}" for i in range(lines)),
    )
    report = assess(survey)
    assert report.spikes.tolist() == [450, 900]
    assert report.culture == ()
