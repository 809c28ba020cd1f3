from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.ops.supervisor.log_files import RotatingFile, kept_names, read_lines


def written(path: Path, kept: int = 4) -> bytes:
    return b"".join(name.read_bytes() for name in reversed(kept_names(path, kept)) if name.exists())


def test_a_full_log_goes_on_in_a_new_file_between_two_lines(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log", most_bytes=10, kept=2)
    for number in range(5):
        log.write(b"line %d\n" % number)
    assert (tmp_path / "a.log").read_bytes() == b"line 4\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"line 3\n"
    assert (tmp_path / "a.log.2").read_bytes() == b"line 2\n"
    assert not (tmp_path / "a.log.3").exists()
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600


@given(
    lines=st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=30),
    size=st.integers(1, 40),
)
def test_no_byte_is_lost_and_no_line_cut_in_two(tmp_path_factory, lines, size: int) -> None:
    path = tmp_path_factory.mktemp("log") / "a.log"
    log = RotatingFile(path, most_bytes=60, kept=100)
    whole = b"".join(line + b"\n" for line in lines)
    for start in range(0, len(whole), size):
        log.write(whole[start : start + size])
    log.close()
    assert written(path, 100) == whole
    for name in kept_names(path, 100):
        if name.exists() and (held := name.read_bytes()):
            assert held.endswith(b"\n")
            assert len(held) <= 60 + size + 31  # a line that had begun is finished where it began


def test_the_last_lines_are_found_wherever_rotation_has_put_them(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log", most_bytes=16)
    for number in range(6):
        log.write(b"line %d\n" % number)
    assert list(read_lines(tmp_path / "a.log", last=4)) == [f"line {n}" for n in range(2, 6)]


def test_a_follower_sees_every_line_over_any_number_of_rotations(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = RotatingFile(path, most_bytes=20)
    log.write(b"line 0\nli")
    numbers = itertools.count(1)

    def later(_wait_s: float) -> None:
        first = next(numbers)
        log.write(b"ne %d\n" % first)
        for _ in range(4):  # more than one rotation at a time
            log.write(b"line %d\n" % next(numbers))
        log.write(b"li")

    seen = read_lines(path, last=10, follow=True, sleep=later)
    assert list(itertools.islice(seen, 40)) == [f"line {n}" for n in range(40)]


def test_a_log_that_was_moved_away_is_reopened_under_its_name(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log")
    log.write(b"before\n")
    (tmp_path / "a.log").rename(tmp_path / "moved")
    log.reopen()
    log.write(b"after\n")
    assert (tmp_path / "a.log").read_bytes() == b"after\n"
    assert (tmp_path / "moved").read_bytes() == b"before\n"


def test_what_cannot_be_written_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RotatingFile(tmp_path / "a.log")

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    log.write(b"gone\n")
    assert log.lost_bytes == 5
