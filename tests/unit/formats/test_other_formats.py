"""Geosoft XYZ, ASEG-GDF2, Parquet and GeoPackage to a survey."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quetzalcore.errors import BadTable, UnreadableInput
from quetzalcore.formats import (
    ReadOptions,
    Role,
    inspect,
    read_survey,
    write_points_geopackage,
    write_points_parquet,
)

Write = Callable[..., Path]

XYZ = """/ made for a test
/ X Y Z mag_raw mag_lev
Line 100
500000 7500000 80 50001.5 1.5
500010 7500000 * 50002.5 2.5
/ a comment
500020 7500000 82 * *
Tie 200
500010 7499990 80 50003.5 3.5
500010 oops 80 50003.5 3.5
500010 7500010 80 50004.5 4.5
"""
DFN = """DEFN   ST=RECD,RT=COMM;RT:A4;COMMENTS:A76
DEFN 1 ST=RECD,RT=DATA;RT:A4;LINE:I6:NAME=Line number
DEFN 2 ST=RECD,RT=;EAST:F10.1:NULL=-9999.9,UNIT=m,NAME=easting
DEFN 3 ST=RECD,RT=;NORTH:F11.1:UNIT=m,NAME=northing
DEFN 4 ST=RECD,RT=;MAG:F10.2:NULL=-9999.99,UNIT=nT,NAME=tmi
DEFN 5 ST=RECD,RT=;SPEC:2F4.0:UNIT=CPS
DEFN 6 ST=RECD,RT=;END DEFN
"""
DAT_ROWS = [
    (100, 5e5, 7.5e6, 50001.25),
    (100, 5e5 + 10, 7.5e6, -9999.99),
    (110, 5e5, 7.5e6 + 50, 3.5),
]


def _dat(*, stripped: bool = False, separator: str = "") -> str:
    widths = (6, 10, 11, 10, 4, 4)
    text = ""
    for line, x, y, value in DAT_ROWS:
        cells = [f"{line}", f"{x:.1f}", f"{y:.1f}", f"{value:.2f}", "7", "8"]
        row = separator.join(cells) if separator else "".join(
            cell.rjust(width) for cell, width in zip(cells, widths, strict=True)
        )  # fmt: skip
        text += (row.lstrip() if stripped else row) + "\n"
    return text


def test_xyz_lines_ties_comments_and_dummies(write: Write) -> None:
    read = read_survey(write(XYZ, "survey.xyz"), ReadOptions(crs="EPSG:32754"))
    assert read.layout.format == "geosoft-xyz"
    assert read.survey.line_names == ("L100", "T200")
    np.testing.assert_array_equal(read.survey.tmi_nt, [1.5, 2.5, np.nan, 3.5, 4.5])
    assert read.survey.height_m is not None
    assert np.isnan(read.survey.height_m[1])
    assert [(r.row, r.reason) for r in read.rejected.first] == [
        (10, "column Y: 'oops' is not a number")
    ]


def test_xyz_without_names_is_known_by_number(write: Write) -> None:
    text = "LINE 7\n1e5,2e5,50000\n2e5,2e5,50001\n"
    path = write(text, "survey.xyz")
    read = read_survey(
        path,
        ReadOptions(columns={"easting": "column 1", "northing": "column 2", "tmi": "column 3"}),
    )
    assert read.survey.line_names == ("L7",)
    assert len(read.survey) == 2
    with pytest.raises(BadTable, match="no rows under the line headers"):
        read_survey(write("Line 7\n", "survey.xyz"))


@pytest.mark.parametrize(
    ("dat", "note"),
    [
        (_dat(), None),
        (
            _dat(stripped=True),
            "rows are shorter than their definition: blanks were put back in front",
        ),
        (_dat(separator="\t"), "rows do not keep to their definition: they were cut at blanks"),
    ],
)
def test_asegdf2_is_read_as_defined_or_as_it_is(write: Write, dat: str, note: str | None) -> None:
    write(DFN, "survey.dfn")
    write("PROJGDA94 / Map Grid of Australia zone 54", "survey.met")
    read = read_survey(write("COMM a comment\n" + dat + "\n", "survey.DAT"))
    assert read.layout.format == "aseg-gdf2"
    assert (note in read.notes) if note else read.notes[0].startswith("positions are")
    assert read.survey.crs == "EPSG:28354"
    assert read.survey.line_names == ("100", "110")
    np.testing.assert_array_equal(read.survey.tmi_nt, [50001.25, np.nan, 3.5])
    assert read.survey.channels["SPEC[1]"].tolist() == [8.0, 8.0, 8.0]


def test_asegdf2_may_be_named_by_its_definition_or_zipped(write: Write) -> None:
    definition = write(DFN, "survey.dfn")
    with pytest.raises(UnreadableInput, match=r"no \.dat file beside this definition"):
        read_survey(definition)
    write(_dat(), "survey.dat")
    assert len(read_survey(definition).survey) == 3
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("in/survey.dfn", DFN)
        archive.writestr("in/survey.dat", _dat())
    assert read_survey(write(buffer.getvalue(), "s.zip")).layout.format == "aseg-gdf2"


def test_asegdf2_that_does_not_fit_its_definition_is_refused(write: Write) -> None:
    write(DFN, "survey.dfn")
    with pytest.raises(BadTable, match="rows do not fit their definition of 6 fields in 45"):
        read_survey(write("a b c\nd e f\n", "survey.dat"))
    with pytest.raises(BadTable, match="there are no rows"):
        read_survey(write("COMM\n", "survey.dat"))
    write(DFN.replace("F10.2", "Q10"), "survey.dfn")
    with pytest.raises(BadTable, match="row 5: field MAG has the format 'Q10'"):
        read_survey(write(_dat(), "survey.dat"))
    write("nothing", "survey.dfn")
    with pytest.raises(BadTable, match="the definition has no data fields"):
        read_survey(write(_dat(), "survey.dat"))


def _points() -> dict[str, np.ndarray]:
    return {
        "line": np.array(["1", "1", "2"], dtype=object),
        "easting_m": np.array([5e5, 5.001e5, 5e5]),
        "northing_m": np.array([7.5e6, 7.5e6, 7.501e6]),
        "tmi_nt": np.array([1.0, np.nan, 3.0]),
    }


def test_parquet_and_geopackage_points_are_surveys(tmp_path: Path) -> None:
    write_points_parquet(_points(), tmp_path / "p.parquet", metadata={"crs": "EPSG:32754"})
    write_points_geopackage(_points(), tmp_path / "p.gpkg", crs="EPSG:32754")
    for name in ("p.parquet", "p.gpkg"):
        survey = read_survey(tmp_path / name).survey
        assert survey.crs == "EPSG:32754"
        assert survey.line_names == ("1", "2")
        np.testing.assert_array_equal(survey.easting_m, _points()["easting_m"])
        np.testing.assert_array_equal(survey.northing_m, _points()["northing_m"])
        np.testing.assert_array_equal(survey.tmi_nt, [1.0, np.nan, 3.0])
    (tmp_path / "p.zip").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(tmp_path / "p.gpkg", "p.gpkg")
    assert len(read_survey(tmp_path / "p.zip").survey) == 3
    assert inspect(tmp_path / "p.gpkg").roles["easting"] == "easting"


def test_geographic_geopackage_points_are_projected(tmp_path: Path) -> None:
    columns = {
        "easting_m": np.array([140.5, 140.6]),
        "northing_m": np.array([-21.9, -21.9]),
        "tmi_nt": np.array([1.0, 2.0]),
    }
    write_points_geopackage(columns, tmp_path / "p.gpkg", crs="EPSG:4326")
    survey = read_survey(tmp_path / "p.gpkg").survey
    assert survey.crs == "EPSG:32754"
    assert survey.longitude_deg is not None
    assert survey.longitude_deg.tolist() == [140.5, 140.6]


@pytest.mark.parametrize("name", ["p.parquet", "p.gpkg"])
def test_truncated_columnar_files_are_named(tmp_path: Path, name: str) -> None:
    write_points_parquet(_points(), tmp_path / "p.parquet")
    write_points_geopackage(_points(), tmp_path / "p.gpkg", crs="EPSG:32754")
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:60])
    with pytest.raises(UnreadableInput, match="file is truncated or damaged"):
        read_survey(tmp_path / name)


def test_a_geopackage_of_other_shapes_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415 -- only here
    import pyogrio  # noqa: PLC0415 -- only here

    line = bytes.fromhex(
        "0102000000020000000000000000000000000000000000000000000000000000f03f0000000000000840"
    )
    line = line[:9] + np.array([0.0, 0.0, 1.0, 3.0]).tobytes()
    shapes = pa.table({"geometry": pa.array([line], pa.binary()), "tmi": [1.0]})
    pyogrio.write_arrow(
        shapes, tmp_path / "l.gpkg", driver="GPKG", geometry_name="geometry",
        geometry_type="LineString", crs="EPSG:32754",
    )  # fmt: skip
    with pytest.raises(BadTable, match="holds LineString and not points"):
        read_survey(tmp_path / "l.gpkg")


MAGNETIC = {
    "AeroMag_MuppetTown_2009": (1050, "EPSG:28355", "MAG_LEV"),
    "GroundMag_Bedrock_6000BC": (304, "EPSG:28356", "Mag_final"),
    "GroundMag_HillValley_1985": (2055, "EPSG:28356", "Mag_mlev"),
    "Mag_Gondwana_200Ma": (254, "EPSG:32754", "Mag_Final"),
    "Mag_HillValley_1985": (1047, "EPSG:28355", "FINALMAG"),
}


@pytest.mark.parametrize("name", MAGNETIC)
def test_the_asegdf2_magnetic_examples_are_surveys(shared_data: Path, name: str) -> None:
    stations, crs, channel = MAGNETIC[name]
    read = read_survey(shared_data / "asegdf2" / f"Example_{name}.dat")
    assert (len(read.survey), read.survey.crs, read.roles[Role.TMI].column) == (
        stations,
        crs,
        channel,
    )


def test_every_asegdf2_example_can_be_inspected(shared_data: Path) -> None:
    counts = {
        path.stem: inspect(path).rows for path in sorted((shared_data / "asegdf2").glob("*.dat"))
    }
    assert len(counts) == 10
    assert min(counts.values()) >= 50


def test_a_description_that_contradicts_the_files_own_longitudes_is_not_believed(
    shared_data: Path,
) -> None:
    read = read_survey(shared_data / "asegdf2" / "Example_Mag_Gondwana_200Ma.dat")
    assert any("EPSG:28355, which lies" in note for note in read.notes)
    assert str(read.date) == "1995-05-21"


def test_titles_named_line_are_no_line_header(write: Write) -> None:
    read = read_survey(write("LINE EAST NORTH MAG\n1 1e5 2e5 50000\n2 1e5 3e5 50001\n", "s.txt"))
    assert read.layout.format == "whitespace"
    assert read.survey.line_names == ("1", "2")


def test_rows_keep_their_numbers_under_comments_and_blank_rows(write: Write) -> None:
    write(DFN, "survey.dfn")
    rows = _dat().splitlines()
    broken = rows[1].replace("500010.0", "    oops")
    dat = "\n".join(["COMM a", rows[0], "", broken, "COMM b", *[rows[2]] * 30]) + "\n"
    read = read_survey(write(dat, "survey.dat"))
    assert [(r.row, r.reason) for r in read.rejected.first] == [
        (4, "column EAST: 'oops' is not a number")
    ]
    assert read.survey.tmi_nt.tolist() == [50001.25, *[3.5] * 30]


def test_xyz_lines_go_on_in_the_next_block(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(XYZ, "survey.xyz")
    whole = read_survey(path, ReadOptions(crs="EPSG:32754"))
    for size in (40, 64, 100):
        monkeypatch.setattr("quetzalcore.formats.blocks.text_blocks.__kwdefaults__", {"size": size})
        cut = read_survey(path, ReadOptions(crs="EPSG:32754"))
        assert cut.survey.line_names == whole.survey.line_names
        np.testing.assert_array_equal(cut.survey.line, whole.survey.line)
        np.testing.assert_array_equal(cut.survey.tmi_nt, whole.survey.tmi_nt)
        assert cut.rejected == whole.rejected
