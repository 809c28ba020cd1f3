"""Every mistake in a file is one sentence that says what, where and what to do."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard

from quetzalcore.errors import BadParameter, BadSurvey, BadTable, UnreadableInput, UserMistake
from quetzalcore.formats import (
    Limits,
    ReadOptions,
    inspect,
    read_chunks,
    read_survey,
    require_griddable,
)

Write = Callable[..., Path]
Table = Callable[..., str]
Rows = Callable[..., list[str]]


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"there is no file .*nowhere.csv: check the path"):
        read_survey(tmp_path / "nowhere.csv")


def test_a_folder_is_no_survey(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="this is a folder: name one file in it"):
        read_survey(tmp_path)


def test_a_file_that_may_not_be_read_says_so(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(
        UnreadableInput, match=r"cannot be opened .Permission denied.: check its perm"
    ):
        read_survey(path)


def test_an_empty_file_is_refused(write: Write) -> None:
    with pytest.raises(UnreadableInput, match="the file is empty"):
        read_survey(write(""))
    with pytest.raises(BadTable, match="there are no rows"):
        read_survey(write("\n\n# nothing\n"))


def test_an_archive_of_nothing_is_refused(write: Write) -> None:
    with pytest.raises(UnreadableInput, match="nothing in the archive"):
        read_survey(write(gzip.compress(b""), "survey.csv.gz"))


def test_a_header_alone_is_refused(write: Write) -> None:
    with pytest.raises(BadTable, match="the file has a header only"):
        read_survey(write("line,longitude,latitude,tmi_nt\n"))
    with pytest.raises(BadTable, match="no row holds numbers"):
        read_survey(write("line,longitude,latitude,tmi_nt\na,b,c,d\ne,f,g,h\n"))


def test_a_table_without_a_magnetic_column_lists_its_numeric_columns(write: Write) -> None:
    path = write("longitude,latitude,depth\n140.1,-21.9,3\n140.2,-21.9,4\n")
    with pytest.raises(
        BadTable, match=r"numeric columns: longitude, latitude, depth.*column tmi=NAM"
    ):
        read_survey(path)
    assert "no numeric column is a magnetic reading" in str(inspect(path).problem)


def test_a_magnetic_column_of_words_is_refused(write: Write) -> None:
    path = write("longitude,latitude,note\n140.1,-21.9,high\n140.2,-21.9,low\n")
    with pytest.raises(BadTable, match="column note does not hold numbers"):
        read_survey(path, ReadOptions(columns={"tmi": "note"}))


def test_a_table_without_a_position_is_refused(write: Write) -> None:
    with pytest.raises(BadTable, match=r"no columns give the position.*longitude=NAME"):
        read_survey(write("id,depth,tmi\n1,2,3\n2,3,4\n"))


@pytest.mark.parametrize(
    ("scale", "unit"), [(1e-3, "uT"), (1e-9, "T"), (1e-6, "mT"), (1e-5, "gauss"), (1e3, "pT")]
)
def test_a_field_without_a_unit_that_looks_like_another_is_asked_about(
    write: Write, scale: float, unit: str
) -> None:
    readings = (50_000.0 + 20.0 * np.arange(30)) * scale
    body = "".join(f"140.{k:03d},-21.9,{value!r}\n" for k, value in enumerate(readings.tolist()))
    with pytest.raises(BadTable, match=f"look like {unit}, not nT: say so with --unit"):
        read_survey(write("longitude,latitude,mag\n" + body))
    named = read_survey(write(f"longitude,latitude,mag ({unit})\n" + body)).survey
    np.testing.assert_allclose(named.tmi_nt, readings / scale, rtol=1e-12)
    told = read_survey(write("longitude,latitude,mag\n" + body), ReadOptions(units={"tmi": unit}))
    np.testing.assert_allclose(told.survey.tmi_nt, readings / scale, rtol=1e-12)


def test_gamma_is_nanotesla(write: Write) -> None:
    read = read_survey(write("x,y,mag_gammas\n1000,2000,50000\n1100,2000,50100\n"))
    assert read.survey.tmi_nt.tolist() == [50_000.0, 50_100.0]


def test_a_unit_that_is_no_field_is_refused(write: Write, table: Table) -> None:
    with pytest.raises(BadParameter, match="'feet' is no unit of a magnetic field"):
        read_survey(write(table()), ReadOptions(units={"tmi": "feet"}))


def test_swapped_longitude_and_latitude_are_noticed(write: Write) -> None:
    path = write("latitude,longitude,tmi\n140.5,-21.9,1\n140.6,-21.9,2\n")
    with pytest.raises(BadSurvey, match=r"swapped.*say --column longitude=latitude --column latit"):
        read_survey(path)
    options = ReadOptions(columns={"longitude": "latitude", "latitude": "longitude"})
    assert read_survey(path, options).survey.crs == "EPSG:32754"


def test_metres_called_degrees_and_degrees_called_metres_are_noticed(write: Write) -> None:
    metres = "longitude,latitude,tmi\n500000,7500000,1\n500100,7500000,2\n"
    with pytest.raises(BadSurvey, match=r"look like metres .* and are called degrees"):
        read_survey(write(metres))
    degrees = "easting,northing,tmi\n140.5,-21.9,1\n140.6,-21.9,2\n"
    with pytest.raises(BadSurvey, match=r"look like degrees .* and are called metres"):
        read_survey(write(degrees))


def test_an_unknown_reference_system_is_refused(write: Write) -> None:
    with pytest.raises(BadParameter, match="the reference system 'EPSG:1' is not known"):
        read_survey(write("x,y,tmi\n1e5,2e5,1\n2e5,3e5,2\n"), ReadOptions(crs="EPSG:1"))


def test_mixed_delimiters_are_refused_with_the_first_such_row(write: Write, rows: Rows) -> None:
    body = [row if k % 3 else row.replace(",", ";") for k, row in enumerate(rows(), start=1)]
    path = write("line,longitude,latitude,height,tmi_nt\n" + "\n".join(body))
    with pytest.raises(BadTable, match=r"row 4: rows use different delimiters: ',' and ';'"):
        read_survey(path)


def test_a_few_rows_under_another_delimiter_are_rejected_by_number(
    write: Write, rows: Rows
) -> None:
    body = rows(100)
    body[49] = body[49].replace(",", ";")
    read = read_survey(write("line,longitude,latitude,height,tmi_nt\n" + "\n".join(body)))
    assert [(r.row, r.reason) for r in read.rejected.first] == [
        (51, "1 fields where 5 are expected")
    ]
    assert len(read.survey) == 99


def test_a_column_of_nothing_but_gaps_is_refused(write: Write) -> None:
    body = "".join(f"140.{k},-21.9,nan\n" for k in range(1, 9))
    with pytest.raises(BadSurvey, match=r"column tmi: every reading is missing"):
        read_survey(write("longitude,latitude,tmi\n" + body))


def test_no_position_at_all_is_refused(write: Write) -> None:
    body = "".join(f"*,-21.9,{k}\n" for k in range(1, 9))
    with pytest.raises(BadSurvey, match="no row can be used"):
        read_survey(write("longitude,latitude,tmi\n" + body))


def test_one_line_cannot_be_gridded(write: Write, table: Table) -> None:
    one = read_survey(write(table(lines=1))).survey
    with pytest.raises(BadSurvey, match="all readings lie on one line"):
        require_griddable(one)
    require_griddable(read_survey(write(table(lines=2))).survey)
    few = read_survey(write(table(6))).survey
    with pytest.raises(BadSurvey, match="the survey has 6 readings"):
        require_griddable(few)


def test_duplicate_rows_are_counted_and_kept_aloud(write: Write, table: Table, rows: Rows) -> None:
    read = read_survey(write(table() + "\n".join(rows()[-3:]) + "\n"))
    assert len(read.survey) == 23
    assert any(note.startswith("3 rows repeat another row's") for note in read.notes)
    assert not any("repeat" in note for note in read_survey(write(table())).notes)


def test_a_date_is_none_or_the_one_given(write: Write, table: Table) -> None:
    read = read_survey(write(table()))
    assert read.date is None
    told = read_survey(write(table()), ReadOptions(date="2021-05-06"))
    assert str(told.date) == "2021-05-06"
    with pytest.raises(BadParameter, match="'6 May' is not a date: write it as YYYY-MM-DD"):
        read_survey(write(table()), ReadOptions(date="6 May"))


def test_binary_junk_is_refused(write: Write) -> None:
    junk = np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    with pytest.raises(UserMistake):
        read_survey(write(junk))
    with pytest.raises(UnreadableInput, match="this is binary data and not a table"):
        read_survey(write(bytes(range(32)) * 100))


def test_a_nul_byte_rejects_its_row(write: Write, rows: Rows) -> None:
    body = rows()
    body[3] = body[3].replace("-", "\x00", 1)
    read = read_survey(write("line,longitude,latitude,height,tmi_nt\n" + "\n".join(body)))
    assert [(r.row, r.reason) for r in read.rejected.first] == [(5, "NUL byte in the row")]


def test_rows_that_do_not_parse_are_counted_and_named(write: Write, rows: Rows) -> None:
    body = rows(100)
    body[10] = "110,140.5,oops,3,4"
    body[20] = "110,140.5"
    body[30] = "110,,-21.9,3,4"
    body[40] = "110,0,0,3,4"
    body[60] = "110,140.5,-21.9,oops,4"  # a height that is no number leaves the reading
    read = read_survey(write("line,longitude,latitude,height,tmi_nt\n" + "\n".join(body)))
    assert [(r.row, r.reason) for r in read.rejected.first] == [
        (12, "column latitude: 'oops' is not a number"),
        (22, "2 fields where 5 are expected"),
        (32, "no position"),
        (42, "position 0, 0"),
    ]
    assert read.rejected.first[0].text == "110,140.5,oops,3,4"
    assert read.rejected.count == 4
    assert len(read.survey) == 96
    height = read.survey.height_m
    assert height is not None
    assert np.isnan(height).sum() == 1


def test_a_huge_row_is_refused(write: Write, table: Table) -> None:
    path = write(table() + "9" * 5000)
    with pytest.raises(BadTable, match="row 22: a row is longer than 1,000 bytes"):
        read_survey(path, ReadOptions(limits=Limits(max_row_bytes=1000)))


def test_text_that_is_not_utf8_is_read_and_said(write: Write, table: Table) -> None:
    text = table().replace("longitude", "Länge_longitude", 1)
    read = read_survey(write(text.encode("latin-1")))
    assert read.notes[0] == "the text is not UTF-8 and was read as cp1252"
    assert len(read.survey) == 20
    wide = read_survey(write(table().encode("utf-16")))
    assert wide.layout.encoding == "utf-16"
    assert len(wide.survey) == 20


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("gz", gzip.compress),
        ("xz", lzma.compress),
        ("zst", zstandard.compress),
        ("zip", lambda data: _zipped({"s.csv": data})),
    ],
)
def test_a_truncated_archive_is_named(
    write: Write, table: Table, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(table(2000).encode())
    assert len(read_survey(write(packed, f"s.csv.{suffix}")).survey) == 2000
    with pytest.raises(UnreadableInput, match=f"{suffix} archive .*copy or download it again"):
        read_survey(write(packed[: len(packed) // 2], f"s.csv.{suffix}"))


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst", "zip"])
def test_a_damaged_archive_is_named(write: Write, table: Table, suffix: str) -> None:
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "xz": lzma.compress,
        "zst": zstandard.compress,
        "zip": lambda data: _zipped({"s.csv": data}),
    }
    packed = bytearray(pack[suffix](table(2000).encode()))
    middle = len(packed) // 2
    packed[middle : middle + 40] = b"\xff" * 40
    with pytest.raises(UserMistake):
        read_survey(write(bytes(packed), f"s.csv.{suffix}"))


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst", "zip"])
def test_a_bomb_is_refused_before_it_goes_off(write: Write, suffix: str) -> None:
    bomb = b"0," * (20 << 20)
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "xz": lambda data: lzma.compress(data, preset=0),
        "zst": zstandard.compress,
        "zip": lambda data: _zipped({"s.csv": data}),
    }
    path = write(pack[suffix](b"x,y,tmi\n1,2,3\n" * 30_000 + bomb), f"s.csv.{suffix}")
    with pytest.raises(UnreadableInput, match="looks like a decompression bomb"):
        read_survey(path, ReadOptions(limits=Limits(max_row_bytes=1 << 30)))
    with pytest.raises(UnreadableInput, match="looks like a decompression bomb"):
        read_survey(path, ReadOptions(limits=Limits(max_decompressed_bytes=10_000)))


@pytest.mark.parametrize(
    "name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "C:/evil.csv"]
)
def test_a_path_that_leaves_the_archive_is_refused(write: Write, table: Table, name: str) -> None:
    with pytest.raises(UnreadableInput, match="a path that leaves it"):
        read_survey(write(_zipped({name: table().encode()}), "s.zip"))


def test_an_archive_must_hold_one_table(write: Write, table: Table) -> None:
    data = table().encode()
    with pytest.raises(UnreadableInput, match=r"must hold one table and holds a\.csv, b\.csv"):
        read_survey(write(_zipped({"a.csv": data, "b.csv": data}), "s.zip"))
    with pytest.raises(UnreadableInput, match="holds nothing"):
        read_survey(write(_zipped({}), "s.zip"))
    litter = {"__MACOSX/._a.csv": b"x", ".DS_Store": b"x", "a.csv": data, "README.txt": b"hello"}
    assert len(read_survey(write(_zipped(litter), "s.zip")).survey) == 20


def test_an_encrypted_archive_is_refused(write: Write, table: Table) -> None:
    packed = bytearray(_zipped({"a.csv": table().encode()}))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableInput, match="is encrypted: pack it without a password"):
        read_survey(write(bytes(packed), "s.zip"))


def test_an_override_must_name_a_column_and_a_role(write: Write, table: Table) -> None:
    with pytest.raises(BadTable, match=r"there is no column 'mag': use one of: line, longitude"):
        read_survey(write(table()), ReadOptions(columns={"tmi": "mag"}))
    with pytest.raises(BadParameter, match="there is no column role 'field'"):
        ReadOptions(columns={"field": "mag"})
    with pytest.raises(BadParameter, match="is not one character"):
        ReadOptions(delimiter="::")


def test_rows_that_cannot_be_cut_are_refused(write: Write) -> None:
    with pytest.raises(BadTable, match="rows cannot be cut into columns: name the delimiter"):
        read_survey(write("1\n2\n3\n"))


def test_chunks_raise_the_same_errors(write: Write) -> None:
    with pytest.raises(BadTable, match="no columns give the position"):
        list(read_chunks(write("id,depth,tmi\n1,2,3\n2,3,4\n")))


def test_a_position_beyond_the_globe_is_left_out_aloud(write: Write, table: Table) -> None:
    read = read_survey(write(table() + "110,140.5,95.0,300,5\n"))
    assert [(r.row, r.reason) for r in read.rejected.first] == [(22, "position beyond the globe")]
    assert len(read.survey) == 20


def test_times_give_the_date(write: Write) -> None:
    read = read_survey(write("lon,lat,tmi,time\n140.1,-21,5,1600000000\n140.2,-21,6,1600000001\n"))
    assert str(read.date) == "2020-09-13"


def test_a_table_without_rows_or_without_usable_ones_says_which(write: Write) -> None:
    text = "line,easting,northing,tmi\n1,,,50000\n2,,,50010\n3,,,50020\n"
    with pytest.raises(BadSurvey, match=r"no row can be used \(row 2: no position\)"):
        read_survey(write(text))


def test_numbers_with_thousands_separators_are_shown_to_be_text(write: Write) -> None:
    text = "line,easting,northing,tmi\n" + '1,"470,000.0","7,560,000.0",50000\n' * 20
    with pytest.raises(BadTable, match=r"easting \(text\), northing \(text\), tmi"):
        read_survey(write(text))
