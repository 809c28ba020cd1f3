from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from quetzalcore.errors import BadOutput
from quetzalcore.workloads.mag_survey.folder import artifacts, whole_folder


def write(folder: Path, text: str, *names: str) -> None:
    """Write a result that says ``text`` and owns the files ``names``, which are made too."""
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    told = {"text": text, "artifacts": [{"name": name} for name in names]}
    (folder / "result.json").write_text(json.dumps(told))


def read(folder: Path) -> str:
    return str(json.loads((folder / "result.json").read_text())["text"])


def test_the_folder_appears_only_when_the_work_is_done(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with whole_folder(target) as scratch:
        write(scratch, "1")
        assert not target.exists()
    assert read(target) == "1"
    assert [p.name for p in target.parent.iterdir()] == ["out"]


def test_a_failure_leaves_nothing_behind_and_an_earlier_result_untouched(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with whole_folder(target) as scratch:
        write(scratch, "first")
    with pytest.raises(IsADirectoryError), whole_folder(target) as scratch:
        scratch.write_text("a folder is no file")
    assert read(target) == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_run_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with whole_folder(target) as scratch:
        write(scratch, "first", "old.tif", "grids/old.tif")
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


def test_a_note_among_an_earlier_runs_products_is_not_deleted(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as scratch:
        write(scratch, "first", "grids/tmi.tif")
    (tmp_path / "out" / "grids" / "note.txt").touch()
    with (
        pytest.raises(BadOutput, match=r"grids/note\.txt"),
        whole_folder(tmp_path / "out"),
    ):
        pass
    assert read(tmp_path / "out") == "first"


def test_a_result_that_cannot_be_read_makes_nothing_ours(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("thesis")
    with pytest.raises(BadOutput, match="not an earlier run's products"), whole_folder(tmp_path):
        pass


def test_the_working_folder_may_be_filled_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("first", "second"):
        with whole_folder(Path()) as scratch:
            write(scratch, text, "grids/tmi.tif")
        assert read(Path.cwd()) == text
        assert sorted(os.listdir()) == ["grids", "result.json"]  # noqa: PTH208 -- hidden ones too


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".quetzal-killed" / "grids").mkdir(parents=True)
    (tmp_path / ".quetzal-killed" / "grids" / "tmi.tif").touch()
    with whole_folder(tmp_path) as scratch:
        write(scratch, "1")
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(BadOutput, match=r"No space left on device.*make room"),
        whole_folder(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


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
