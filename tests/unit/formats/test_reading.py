"""Delimited text to a survey, what was assumed on the way, and what an inspection shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyproj
import pytest

from quetzalcore.errors import BadTable
from quetzalcore.formats import (
    ChannelState,
    Limits,
    ReadOptions,
    Role,
    inspect,
    read_chunks,
    read_survey,
    write_survey_csv,
    write_survey_parquet,
)
from quetzalcore.geophysics.survey import HeightRole, Survey

Write = Callable[..., Path]
Table = Callable[..., str]


def test_the_original_four_columns_need_no_option(write: Write) -> None:
    body = "".join(f"-21.{900 + k},140.5{k % 7},{300 + k},{50_000.5 + k}\n" for k in range(50))
    read = read_survey(write("latitude,longitude,elevation,magnetic_field\n" + body))
    assert read.survey.crs == "EPSG:32754"
    assert read.survey.tmi_nt[0] == 50_000.5
    assert read.survey.height_role is HeightRole.ORTHOMETRIC
    assert any("does not say what heights are measured from" in note for note in read.notes)
    assert any("it is a total field" in note for note in read.notes)
    ellipsoidal = read_survey(
        write("latitude,longitude,elevation,magnetic_field\n" + body),
        ReadOptions(height_role=HeightRole.ELLIPSOIDAL),
    )
    assert ellipsoidal.survey.height_role is HeightRole.ELLIPSOIDAL


def test_geographic_positions_are_projected_as_pyproj_projects_them(
    write: Write, table: Table
) -> None:
    survey = read_survey(write(table())).survey
    there = pyproj.Transformer.from_crs(4326, 32754, always_xy=True)
    easting, northing = there.transform(survey.longitude_deg, survey.latitude_deg)
    np.testing.assert_allclose(survey.easting_m, easting, atol=1e-6)
    np.testing.assert_allclose(survey.northing_m, northing, atol=1e-6)
    assert survey.line_names == ("100", "110")
    assert survey.height_role is HeightRole.ORTHOMETRIC


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " ", "   "])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_delimiter_and_line_end_gives_the_same_survey(
    write: Write, table: Table, delimiter: str, newline: str
) -> None:
    plain = read_survey(write(table())).survey
    other = read_survey(write(table().replace(",", delimiter).replace("\n", newline))).survey
    assert other.line_names == plain.line_names
    np.testing.assert_array_equal(other.tmi_nt, plain.tmi_nt)
    np.testing.assert_array_equal(other.easting_m, plain.easting_m)


def test_the_delimiter_may_be_told(write: Write, table: Table) -> None:
    path = write(table().replace(",", "~"))
    assert len(read_survey(path, ReadOptions(delimiter="~")).survey) == 20


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_decimal_comma_in_every_column_is_no_delimiter(write: Write, mark: str) -> None:
    rows = [f"{k // 30},0|{470000 + k},5|{7560000 + k},5|51000,25" for k in range(60)]
    text = "\n".join(["line|easting|northing|tmi_nt", *rows]).replace("|", mark)
    survey = read_survey(write(text)).survey
    assert len(survey) == 60
    assert survey.easting_m[0] == 470000.5
    assert survey.tmi_nt[0] == 51000.25


def test_a_decimal_comma_is_understood(write: Write, table: Table) -> None:
    read = read_survey(write(table().replace(",", ";").replace(".", ",")))
    assert "numbers use a decimal comma" in read.notes
    assert read.survey.tmi_nt[0] == -120.5
    broken = table().replace(",", ";").replace(".", ",").replace("140,5030", "oops")
    assert read_survey(write(broken)).survey.tmi_nt[0] == -120.5


def test_quotes_comments_units_and_blank_lines_are_no_trouble(
    write: Write, rows: Callable[..., list[str]]
) -> None:
    quoted = ['"' + row.replace(",", '","') + '"' for row in rows()]
    text = '# EPSG:4283\n\n"line","Lon","Lat","Z","TMI"\n(-),(deg),(deg),(m),(nT)\n'
    read = read_survey(
        write(text + "\n".join(quoted[:10]) + "\n\n# half\n" + "\n".join(quoted[10:]))
    )
    assert len(read.survey) == 20
    assert read.rejected.count == 0
    assert read.layout.header_row == 3
    assert read.layout.columns[4].unit == "nT"
    assert any("on EPSG:4283" in note for note in read.notes)


def test_a_header_in_a_comment_is_found(write: Write, rows: Callable[..., list[str]]) -> None:
    read = read_survey(write("# made today\n# line,lon,lat,z,tmi\n" + "\n".join(rows())))
    assert read.layout.header_row == 2
    assert len(read.survey) == 20


def test_columns_without_a_header_are_named_by_number(
    write: Write, rows: Callable[..., list[str]]
) -> None:
    path = write("\n".join(rows()))
    with pytest.raises(BadTable, match="no columns give the position"):
        read_survey(path)
    named = {"line": "1", "longitude": "2", "latitude": "3", "tmi": "5"}
    read = read_survey(path, ReadOptions(columns=named))
    assert len(read.survey) == 20
    assert read.roles[Role.TMI].reason == "you said so"


def test_repeated_and_empty_names_are_told_apart(write: Write) -> None:
    read = read_survey(write("lon,lat,tmi,tmi,\n140.1,-21,1,2,3\n140.2,-21,3,4,5\n"))
    assert [c.name for c in read.layout.columns] == ["lon", "lat", "tmi", "tmi (2)", "column 5"]
    assert read.survey.channels["column 5"].tolist() == [3.0, 5.0]


def test_dummies_are_missing_and_said(write: Write) -> None:
    body = (
        "140.1,-21,-99999\n140.2,-21,5\n140.3,-21,1e32\n140.4,-21,*\n140.5,-21,-7777\n140.6,-21,9\n"
    )
    read = read_survey(write("lon,lat,tmi\n" + body), ReadOptions(missing=(-7777.0,)))
    np.testing.assert_array_equal(read.survey.tmi_nt, [np.nan, 5, np.nan, np.nan, np.nan, 9])
    assert "column tmi: 1 values of -99999 were taken as missing" in read.notes
    assert "column tmi: 1 values of -7777 were taken as missing" in read.notes
    assert "column tmi: 1 values of inf were taken as missing" in read.notes


def test_rows_of_a_line_are_brought_together_in_order(write: Write) -> None:
    body = "A,140.1,-21,1\nB,140.1,-22,2\nA,140.2,-21,3\n"
    read = read_survey(write("line,lon,lat,tmi\n" + body))
    assert read.survey.tmi_nt.tolist() == [1.0, 3.0, 2.0]
    assert read.survey.line_names == ("A", "B")
    assert any("brought together" in note for note in read.notes)


def test_projected_positions_take_their_system_from_the_option(write: Write) -> None:
    path = write(
        "easting,northing,altitude_ft,mag\n500000,7500000,100,50000\n500100,7500000,100,50010\n"
    )
    local = read_survey(path)
    assert local.survey.crs is None
    assert any("local frame" in note for note in local.notes)
    survey = read_survey(path, ReadOptions(crs="EPSG:32754")).survey
    assert survey.easting_m.tolist() == [500000.0, 500100.0]
    assert survey.longitude_deg is not None
    assert survey.longitude_deg[0] == pytest.approx(141.0)
    assert survey.height_m is not None
    assert survey.height_m[0] == pytest.approx(30.48)


def test_a_grid_in_feet_is_carried_to_metres(write: Write) -> None:
    path = write("x,y,mag\n6500000,1900000,50000\n6500100,1900000,50010\n")
    survey = read_survey(path, ReadOptions(crs="EPSG:2229")).survey  # California 5, US survey feet
    assert survey.crs == "EPSG:32611"
    assert np.hypot(*np.diff([survey.easting_m, survey.northing_m])[:, 0]) == pytest.approx(
        100 * 0.3048006, rel=1e-3
    )


def test_the_most_processed_channel_is_chosen_by_name_and_the_others_are_shown(
    write: Write,
) -> None:
    path = write(
        "x,y,mag_raw,mag_comp,mag_diurnal,mag_lev,diurnal\n1e5,2e5,50001,50002,50003,-7,49000\n2e5,2e5,50001,50002,50003,-6,49000\n"
    )
    read = read_survey(path)
    assert read.roles[Role.TMI].column == "mag_lev"
    assert read.state is ChannelState.LEVELLED
    shown = {c.name: (c.state, c.chosen) for c in inspect(path).magnetic_channels}
    assert shown == {
        "mag_raw": ("raw", False),
        "mag_comp": ("compensated", False),
        "mag_lev": ("levelled", True),
    }
    raw = read_survey(path, ReadOptions(columns={"tmi": "MAG_RAW"}, channels=("mag_lev",)))
    assert raw.state is ChannelState.RAW
    assert list(raw.survey.channels) == ["mag_lev"]


def test_chunks_together_are_the_survey(
    write: Write, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quetzalcore.formats.blocks._BLOCK_BYTES", 256)
    monkeypatch.setattr("quetzalcore.formats.blocks.text_blocks.__kwdefaults__", {"size": 256})
    path = write(table(100))
    chunks = list(read_chunks(path))
    assert len(chunks) > 3
    whole = read_survey(path).survey
    np.testing.assert_array_equal(np.concatenate([c.tmi_nt for c in chunks]), whole.tmi_nt)
    np.testing.assert_array_equal(np.concatenate([c.easting_m for c in chunks]), whole.easting_m)
    np.testing.assert_array_equal(np.concatenate([c.line for c in chunks]), whole.line)
    assert chunks[-1].line_names == whole.line_names
    thinned = read_survey(path, ReadOptions(limits=Limits(max_stations=30)))
    assert len(thinned.survey) <= 30
    assert any("every 4 consecutive ones of a line were averaged" in n for n in thinned.notes)
    assert thinned.survey.tmi_nt.mean() == pytest.approx(whole.tmi_nt.mean(), abs=1.0)


def test_a_survey_written_is_the_survey_read(tmp_path: Path, write: Write, table: Table) -> None:
    survey = read_survey(write(table())).survey
    write_survey_csv(survey, tmp_path / "s.csv")
    write_survey_parquet(survey, tmp_path / "s.parquet")
    for name in ("s.csv", "s.parquet"):
        again = read_survey(tmp_path / name).survey
        assert again.crs == survey.crs
        assert again.line_names == survey.line_names
        assert again.height_role == survey.height_role
        np.testing.assert_allclose(again.easting_m, survey.easting_m, atol=1e-6)
        np.testing.assert_array_equal(again.tmi_nt, survey.tmi_nt)


def test_a_survey_without_longitudes_still_needs_no_option_to_be_read_again(tmp_path: Path) -> None:
    survey = Survey(
        easting_m=np.array([5e5, 5.1e5]), northing_m=np.array([7.5e6, 7.5e6]), tmi_nt=np.array([1.0, 2.0]),
        line=np.zeros(2, np.int32), line_names=("7",), crs="EPSG:32754", time_s=np.array([1.6e9, 1.6e9 + 1]),
    )  # fmt: skip
    write_survey_csv(survey, tmp_path / "s.csv")
    again = read_survey(tmp_path / "s.csv")
    np.testing.assert_allclose(again.survey.easting_m, survey.easting_m, atol=1e-6)
    assert again.survey.time_s is not None
    assert again.survey.time_s.tolist() == [1.6e9, 1.6e9 + 1]
    assert str(again.date) == "2020-09-13"


def test_an_inspection_is_json_and_shows_the_first_rows(write: Write, table: Table) -> None:
    text = (
        table()
        .replace("line,", "pilot,line,")
        .replace("\n100", "\nAnn,100")
        .replace("\n110", "\n,110")
    )
    seen = inspect(write(text))
    plain = json.loads(json.dumps(seen.to_json()))
    assert plain["rows"] == 20
    assert plain["lines"] == 2
    assert plain["preview"][0] == ["Ann", "100", "140.5", "-21.9", "360", "-120.5"]
    assert plain["roles"]["tmi"] == "tmi_nt"
    assert plain["columns"][0]["dtype"] == "text"
    assert plain["columns"][0]["missing"] == 10
    assert plain["columns"][5] == {
        "name": "tmi_nt", "alias": "", "dtype": "number", "unit": "nt", "role": "tmi",
        "reason": "'tmi_nt' names the total magnetic field", "minimum": -120.5, "median": -116.0,
        "maximum": -111.5, "missing": 0,
    }  # fmt: skip
    assert plain["crs"] == "EPSG:32754"
    assert plain["problem"] is None


def test_an_inspection_warns_of_what_was_left_out(write: Write, table: Table) -> None:
    seen = inspect(write(table() + "1,2\n"))
    assert "1 rows were left out: wrong number of fields" in seen.warnings
    gaps = "lon,lat,tmi,empty\n" + "".join(f"140.{k},-21,{k},\n" for k in range(10, 20))
    assert "column empty: 10 of 10 values are missing" in inspect(write(gaps)).warnings


def test_osborne_needs_no_option(shared_data: Path) -> None:
    read = read_survey(shared_data / "osborne" / "osborne-magnetic.csv.xz")
    assert len(read.survey) == 990_987
    assert len(read.survey.line_names) == 307
    assert read.survey.crs == "EPSG:32754"
    assert read.survey.height_role is HeightRole.ORTHOMETRIC
    assert read.rejected.count == 0
    assert (read.survey.tmi_nt.min(), read.survey.tmi_nt.max()) == (-2748.0, 5598.0)


def test_rows_without_a_line_name_are_counted_aloud(write: Write) -> None:
    rows = [f"{'' if k % 10 == 0 else k // 30},{470000 + k},{7560000 + k},51000" for k in range(60)]
    read = read_survey(write("\n".join(["line,easting,northing,tmi_nt", *rows])))
    assert len(read.survey) == 60
    assert "6 rows name no line: they are kept as line ?" in read.notes
