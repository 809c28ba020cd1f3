"""What is written is what is read, whatever it is."""

from __future__ import annotations

import gzip
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from quetzalcore.formats import (
    ReadOptions,
    read_grid,
    read_survey,
    write_geotiff,
    write_netcdf,
    write_survey_csv,
    write_survey_parquet,
)
from quetzalcore.formats.gathering import Part, thin
from quetzalcore.formats.rows import UNIT_SEPARATOR, squeeze_blanks
from quetzalcore.geophysics.grid import make_grid
from quetzalcore.geophysics.survey import HeightRole, Survey

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
READINGS = st.floats(-9000.0, 75_000.0, allow_subnormal=False) | st.just(float("nan"))


@st.composite
def surveys(draw: st.DrawFn) -> Survey:
    """Surveys near 141 E, with gaps, of any height role."""
    n = draw(st.integers(2, 30))
    tmi = draw(stn.arrays(np.float64, n, elements=READINGS))
    tmi[0] = draw(st.floats(100.0, 9000.0))
    line = np.sort(draw(stn.arrays(np.int32, n, elements=st.integers(0, 3))))
    line = np.unique(line, return_inverse=True)[1].astype(np.int32)
    role = draw(st.sampled_from(HeightRole))
    return Survey(
        easting_m=draw(stn.arrays(np.float64, n, elements=st.floats(4e5, 6e5))),
        northing_m=draw(stn.arrays(np.float64, n, elements=st.floats(7e6, 8e6))),
        tmi_nt=tmi,
        line=line,
        line_names=tuple(f"L{k}" for k in range(int(line.max()) + 1)),
        crs="EPSG:32754",
        height_m=draw(stn.arrays(np.float64, n, elements=st.floats(-100.0, 3000.0))),
        height_role=role,
        time_s=1.6e9 + np.arange(n, dtype=np.float64),
    )


@settings(max_examples=25, deadline=None)
@given(survey=surveys(), packer=st.sampled_from(sorted(PACKERS)), parquet=st.booleans())
def test_a_survey_comes_back_from_any_file(survey: Survey, packer: str, *, parquet: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("s.parquet" if parquet else "s.csv")
        if parquet:
            write_survey_parquet(survey, path)
        else:
            write_survey_csv(survey, path)
        packed = path.with_name(path.name + packer)
        packed.write_bytes(PACKERS[packer](path.read_bytes()))
        again = read_survey(packed, ReadOptions(units={"tmi": "nT"})).survey
    np.testing.assert_array_equal(again.tmi_nt, survey.tmi_nt)
    np.testing.assert_array_equal(again.line, survey.line)
    np.testing.assert_allclose(again.easting_m, survey.easting_m, atol=1e-6)
    np.testing.assert_allclose(again.northing_m, survey.northing_m, atol=1e-6)
    assert again.line_names == survey.line_names
    assert again.height_role is survey.height_role
    assert again.height_m is not None
    np.testing.assert_array_equal(again.height_m, survey.height_m)
    assert again.time_s is not None
    np.testing.assert_array_equal(again.time_s, survey.time_s)


@settings(max_examples=25, deadline=None)
@given(
    values=stn.arrays(
        np.float32,
        st.tuples(st.integers(2, 12), st.integers(2, 12)),
        elements=st.floats(-1e6, 1e6, width=32) | st.just(np.float32("nan")),
    ),
    step=st.sampled_from([0.5, 25.0, 50.0, 100.0]),
    suffix=st.sampled_from([".tif", ".nc"]),
)
def test_a_grid_comes_back_from_any_file(values: np.ndarray, step: float, suffix: str) -> None:
    grid = make_grid(
        values,
        5e5 + step * np.arange(values.shape[1], dtype=np.float64),
        7e6 + step * np.arange(values.shape[0], dtype=np.float64),
        name="tmi",
        unit="nT",
        crs="EPSG:32754",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"g{suffix}"
        if suffix == ".tif":
            write_geotiff(grid, path)
        else:
            write_netcdf([grid], path)
        again = read_grid(path)
    np.testing.assert_array_equal(again.to_numpy(), grid.to_numpy())
    np.testing.assert_allclose(again["easting"], grid["easting"], atol=1e-6)
    np.testing.assert_allclose(again["northing"], grid["northing"], atol=1e-6)
    assert (again.name, again.attrs) == (grid.name, grid.attrs)


@given(
    st.lists(st.lists(st.sampled_from(["1", "-2.5", "*", " ", "\t", "ab"]), max_size=8), max_size=6)
)
def test_squeezing_blanks_splits_as_python_splits(rows: list[list[str]]) -> None:
    text = "\n".join("".join(row) for row in rows)
    squeezed = squeeze_blanks(text.encode()).decode()
    expected = "\n".join(UNIT_SEPARATOR.join(row.split()) for row in text.split("\n"))
    assert squeezed == expected


@given(
    lines=st.lists(st.integers(0, 3), min_size=1, max_size=40).map(sorted),
    step=st.integers(1, 5),
)
def test_thinning_keeps_lines_apart_and_means_whole(lines: list[int], step: int) -> None:
    line = np.asarray(lines, dtype=np.int32)
    values = np.arange(len(line), dtype=np.float64)
    thinned = thin(Part(numbers={"v": values}, line=line), step)
    expected = [
        values[line == each][k : k + step].mean()
        for each in np.unique(line)
        for k in range(0, int((line == each).sum()), step)
    ]
    np.testing.assert_allclose(thinned.numbers["v"], expected)
    np.testing.assert_array_equal(np.unique(thinned.line), np.unique(line))
