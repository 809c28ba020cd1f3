from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from quetzalcore.errors import BadSurvey
from quetzalcore.geophysics.survey import HeightRole, Survey


def survey(n: int = 6) -> Survey:
    rows = np.arange(n, dtype=float)
    return Survey(
        easting_m=500_000 + rows,
        northing_m=7_000_000 - rows,
        tmi_nt=np.sin(rows),
        line=np.array([0, 0, 0, 1, 1, 2], dtype=np.int32)[:n],
        line_names=("L10", "L20", "T1"),
        crs="EPSG:32754",
        height_m=rows + 80,
        height_role=HeightRole.CLEARANCE,
        channels=MappingProxyType({"gradient": rows * 2}),
    )


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(BadSurvey, match="column tmi_nt has 2 rows and easting_m has 3"):
        Survey(
            easting_m=np.zeros(3),
            northing_m=np.zeros(3),
            tmi_nt=np.zeros(2),
            line=np.zeros(3, dtype=np.int32),
            line_names=("1",),
        )


def test_positions_that_are_not_finite_are_refused() -> None:
    with pytest.raises(BadSurvey, match="positions are not finite"):
        Survey(
            easting_m=np.array([0.0, np.nan]),
            northing_m=np.zeros(2),
            tmi_nt=np.zeros(2),
            line=np.zeros(2, dtype=np.int32),
            line_names=("1",),
        )


def test_line_slices_cover_every_row_once() -> None:
    assert survey().line_slices() == [(0, slice(0, 3)), (1, slice(3, 5)), (2, slice(5, 6))]
    assert survey().select(np.zeros(6, dtype=bool)).line_slices() == []


def test_selecting_rows_takes_every_column_along() -> None:
    picked = survey().select(np.array([4, 0]))
    assert len(picked) == 2
    assert picked.channels["gradient"].tolist() == [8.0, 0.0]
    assert picked.height_m is not None
    assert picked.height_m.tolist() == [84.0, 80.0]
    assert picked.time_s is None


def test_a_frame_and_back_is_the_same_survey() -> None:
    there = survey()
    back = Survey.from_pandas(there.to_pandas())
    assert back.crs == there.crs
    assert back.height_role is HeightRole.CLEARANCE
    assert back.line_names == there.line_names
    for name, values in there.columns().items():
        np.testing.assert_array_equal(back.columns()[name], values)


def test_rows_of_one_line_are_brought_together_in_order() -> None:
    frame = survey().to_pandas()
    frame["line"] = ["b", "a", "b", "a", "b", "a"]
    back = Survey.from_pandas(frame)
    assert back.line_names == ("b", "a")
    assert (back.easting_m - 500_000).tolist() == [0, 2, 4, 1, 3, 5]


def test_a_frame_without_lines_is_one_line_and_without_readings_is_refused() -> None:
    frame = survey().to_pandas()
    assert Survey.from_pandas(frame.drop(columns="line")).line_names == ("1",)
    with pytest.raises(BadSurvey, match="no column tmi_nt"):
        Survey.from_pandas(frame.drop(columns="tmi_nt"))


def test_another_reading_keeps_everything_else() -> None:
    changed = survey().with_tmi(np.zeros(6))
    assert changed.tmi_nt.tolist() == [0.0] * 6
    assert changed.line_names == survey().line_names
