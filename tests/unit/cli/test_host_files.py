from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from quetzalcore.cli.host_files import HostFiles, kept_secret
from quetzalcore.cluster.certificates import write_secret
from quetzalcore.errors import BadOutput
from quetzalcore.settings import Settings


def files(folder: Path) -> HostFiles:
    return HostFiles.of(Settings(data_dir=folder / "data"))


def test_only_the_owner_can_look_into_the_data_folder(tmp_path: Path) -> None:
    assert stat.S_IMODE(files(tmp_path).root.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadOutput, match="QUETZAL_DATA_DIR"):
        HostFiles.of(Settings(data_dir=tmp_path / "file" / "data"))


def test_nothing_runs_where_nothing_was_noted(tmp_path: Path) -> None:
    assert files(tmp_path).running() is None


def test_the_noted_process_is_found(tmp_path: Path) -> None:
    host = files(tmp_path)
    host.note("http://127.0.0.1:1", "http://127.0.0.1:2")
    found = host.running()
    assert found is not None
    assert found.pid == os.getpid()
    host.forget()
    assert host.running() is None


def test_a_reused_pid_is_not_taken_for_the_platform(tmp_path: Path) -> None:
    host = files(tmp_path)
    running = host.note("http://127.0.0.1:1", "http://127.0.0.1:2")
    other = {"pid": 1, "started_at": running.started_at + 100, "url": "", "master_url": ""}
    (host.run / "platform.json").write_text(json.dumps(other))
    assert host.running() is None


def test_half_a_note_means_nothing_runs(tmp_path: Path) -> None:
    host = files(tmp_path)
    (host.run / "platform.json").write_text("{")
    assert host.running() is None


def test_a_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = kept_secret(path, "")
    assert len(first) == 64
    assert kept_secret(path, "") == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_that_was_set_is_used(tmp_path: Path) -> None:
    assert kept_secret(tmp_path / "secret", "given") == "given"
    assert not (tmp_path / "secret").exists()


def test_a_secret_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch) -> None:
    there: list[tuple[bool, int]] = []

    def note(descriptor: int) -> None:
        there.append(((tmp_path / "secret").exists(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", note)
    kept_secret(tmp_path / "secret", "")
    write_secret(tmp_path / "token", "t" * 10)
    assert there == [(False, 64), (True, 10)]
