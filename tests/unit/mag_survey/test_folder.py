from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from quetzalcore.errors import BadOutput
from quetzalcore.workloads.mag_survey.folder import artifacts, whole_folder


def write(folder: Path, text: str) -> None:
    (folder / "result.json").write_text(text)


def test_the_folder_appears_only_when_the_work_is_done(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with whole_folder(target) as scratch:
        write(scratch, "1")
        assert not target.exists()
    assert (target / "result.json").read_text() == "1"
    assert [p.name for p in target.parent.iterdir()] == ["out"]


def test_a_failure_leaves_nothing_behind_and_an_earlier_result_untouched(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with whole_folder(target) as scratch:
        write(scratch, "first")
    with pytest.raises(IsADirectoryError), whole_folder(target) as scratch:
        scratch.write_text("a folder is no file")
    assert (target / "result.json").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_run_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with whole_folder(target) as scratch:
        write(scratch, "first")
        (scratch / "old.tif").touch()
    with whole_folder(target) as scratch:
        write(scratch, "second")
    assert [p.name for p in target.iterdir()] == ["result.json"]


def test_somebody_elses_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(BadOutput, match="not an earlier run's products"), whole_folder(tmp_path):
        pass
    with (
        pytest.raises(BadOutput, match=r"thesis\.txt is a file"),
        whole_folder(tmp_path / "thesis.txt"),
    ):
        pass
    with (
        pytest.raises(BadOutput, match="cannot be written"),
        whole_folder(tmp_path / "thesis.txt" / "below"),
    ):
        pass


def test_artifacts_are_listed_with_type_size_and_digest(tmp_path: Path) -> None:
    (tmp_path / "grids").mkdir()
    (tmp_path / "grids" / "tmi.tif").write_bytes(b"abc")
    (tmp_path / "noted").write_bytes(b"")
    first, second = artifacts(tmp_path)
    assert (first.name, first.size, first.media_type) == (
        "grids/tmi.tif", 3, "image/tiff; application=geotiff",
    )  # fmt: skip
    assert first.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert second.media_type == "application/octet-stream"
