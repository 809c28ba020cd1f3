from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.faults.load import check_each_ended_once, during
from tests.servers.platform import PlatformProcesses, platform_processes

pytestmark = [pytest.mark.faults]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 256 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", place), check=True)
    yield place
    subprocess.run(("umount", "-l", place), check=True)


@pytest.fixture
def platform(small_disk: Path, misbehaving_kinds: Path) -> Iterator[PlatformProcesses]:
    assert misbehaving_kinds.is_dir()
    yield from platform_processes(small_disk / "data", {"QUETZAL_LEASE_S": "8"})


def test_a_full_disk_loses_no_accepted_job_and_shows_no_half_written_file(
    platform: PlatformProcesses, small_disk: Path, tmp_path: Path
) -> None:
    platform.start("gateway")
    platform.start("master")
    platform.ready()
    filler = small_disk / "filler"

    def fill_and_free() -> None:
        until = time.monotonic() + 5
        with filler.open("wb", buffering=0) as sink:
            while time.monotonic() < until:  # and again, as soon as something is freed
                try:
                    sink.write(b"\0" * 4096)
                except OSError:
                    time.sleep(0.05)
        filler.unlink()

    accepted = during(platform, fill_and_free)
    check_each_ended_once(platform, accepted, tmp_path / "got", may_fail=True)
