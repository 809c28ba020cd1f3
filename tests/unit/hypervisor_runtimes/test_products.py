"""Products are plain files with plain names, counted and measured; whatever else a machine leaves is refused."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from quetzalcore.hypervisor.products import BadProduct, ProductLimits, collect, media_type
from quetzalcore.hypervisor.takeout import take_out


@pytest.fixture
def out(tmp_path) -> Path:
    folder: Path = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def taken(tmp_path) -> Callable[[Path], Path]:
    """Give what taking a folder out makes of it."""

    def take(folder: Path) -> Path:
        target = tmp_path / "taken"
        target.mkdir()
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            take_out(descriptor, target, size=1 << 20)
        finally:
            os.close(descriptor)
        return target

    return take


def test_files_are_taken_in_the_order_of_their_names_with_size_digest_and_type(out) -> None:
    (out / "grids").mkdir()
    (out / "grids" / "tmi.tif").write_bytes(b"grid")
    (out / "a.json").write_bytes(b"{}")
    (out / "empty").touch()
    products = collect(out)
    assert [product.name for product in products] == ["a.json", "empty", "grids/tmi.tif"]
    assert [product.size for product in products] == [2, 0, 4]
    assert products[2].sha256 == hashlib.sha256(b"grid").hexdigest()
    assert products[2].path == out / "grids" / "tmi.tif"
    assert [product.media_type for product in products] == [
        "application/json", "application/octet-stream", "image/tiff",
    ]  # fmt: skip


def test_a_folder_that_was_never_made_holds_nothing(tmp_path) -> None:
    assert collect(tmp_path / "none") == ()


def test_a_type_is_told_by_the_suffix_in_any_case() -> None:
    assert media_type("report.HTML") == "text/html"
    assert media_type("archive.exe") == "application/octet-stream"


def symlink_to_a_secret(out: Path) -> None:
    (out / "a").symlink_to("/etc/shadow")


def symlink_to_a_folder(out: Path) -> None:
    (out / "a").symlink_to("/etc")


def pipe(out: Path) -> None:
    os.mkfifo(out / "a")


def hard_link(out: Path) -> None:
    (out / "a").touch()
    (out / "b").hardlink_to(out / "a")


def bound_socket(out: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(".", os.O_RDONLY)
        os.chdir(out)  # its full path is too long for a socket
        try:
            bound.bind("a")
        finally:
            os.fchdir(here)
            os.close(here)


def endless_hole(out: Path) -> None:
    with (out / "a").open("w") as file:
        file.truncate(1 << 42)


def deep_folders(out: Path) -> None:
    (out / "/".join("d" * 12)).mkdir(parents=True)


def name_that_is_not_utf8(out: Path) -> None:
    (out / os.fsdecode(b"\xff")).touch()


def name_with_a_line_break(out: Path) -> None:
    (out / "a\nb").touch()


def name_with_a_backslash(out: Path) -> None:
    (out / "..\\b").touch()


def too_long_a_name(out: Path) -> None:
    (out / ("a" * 200) / ("b" * 200)).mkdir(parents=True)
    (out / ("a" * 200) / ("b" * 200) / ("c" * 200)).touch()


HOSTILE = [
    symlink_to_a_secret,
    symlink_to_a_folder,
    pipe,
    hard_link,
    bound_socket,
    endless_hole,
    deep_folders,
    name_that_is_not_utf8,
    name_with_a_line_break,
    name_with_a_backslash,
    too_long_a_name,
]


@pytest.mark.parametrize("make", HOSTILE)
def test_a_hostile_folder_is_refused_as_it_lies(out, make) -> None:
    make(out)
    with pytest.raises(BadProduct):
        collect(out)


@pytest.mark.parametrize("make", HOSTILE)
def test_a_hostile_folder_is_refused_after_it_was_taken_out_of_a_machine(out, taken, make) -> None:
    make(out)
    target = taken(out)
    used = sum(path.lstat().st_blocks for path in target.rglob("*") if not path.is_dir())
    assert used == 0  # a hole of a terabyte costs nothing
    with pytest.raises(BadProduct):
        collect(target)


def test_an_output_folder_that_became_a_link_is_refused(tmp_path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    with pytest.raises(BadProduct, match="replaced"):
        collect(tmp_path / "out")


def test_more_files_than_allowed_are_refused(out) -> None:
    for number in range(4):
        (out / str(number)).touch()
    assert len(collect(out, ProductLimits(files=4))) == 4
    with pytest.raises(BadProduct, match="more than 3"):
        collect(out, ProductLimits(files=3))


def test_more_bytes_than_allowed_are_refused_counting_all_files(out) -> None:
    for number in range(3):
        (out / str(number)).write_bytes(bytes(600_000))
    assert len(collect(out, ProductLimits(total_mib=2))) == 3
    with pytest.raises(BadProduct, match="larger than allowed"):
        collect(out, ProductLimits(total_mib=1))


def test_taking_out_copies_plain_trees_and_stops_at_its_size(out, taken) -> None:
    (out / "deep" / "er").mkdir(parents=True)
    (out / "deep" / "er" / "a.csv").write_bytes(b"x" * 600_000)
    (out / "deep" / "b.csv").write_bytes(b"y" * 600_000)
    target = taken(out)
    products = collect(target)
    assert [product.size for product in products] == [600_000, 600_000]
    assert sum(product.path.stat().st_blocks * 512 for product in products) < 700_000


def test_taking_out_copies_contents_exactly(out, taken) -> None:
    content = os.urandom(300_000)
    (out / "a").write_bytes(content)
    assert (taken(out) / "a").read_bytes() == content


def test_a_pipe_that_is_swapped_in_for_a_file_holds_nobody_up_and_is_refused(
    out, tmp_path, monkeypatch
) -> None:
    (out / "map.csv").write_text("1,2")
    target, look = tmp_path / "taken", os.stat
    target.mkdir()

    def swapping(name, *, dir_fd, follow_symlinks) -> os.stat_result:
        seen = look(name, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        (out / "map.csv").unlink()
        os.mkfifo(out / "map.csv")
        return seen

    monkeypatch.setattr(os, "stat", swapping)
    descriptor = os.open(out, os.O_RDONLY)
    taker = threading.Thread(
        target=take_out, args=(descriptor, target), kwargs={"size": 1 << 20}, daemon=True
    )
    taker.start()
    taker.join(5)
    assert not taker.is_alive(), "a pipe without a writer has held up the host"
    os.close(descriptor)
    monkeypatch.undo()
    with pytest.raises(BadProduct, match=r"map\.csv"):
        collect(target)
