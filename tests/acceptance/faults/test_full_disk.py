"""The disk that holds the ledger, the files and the scratch folders runs full while jobs run, and is freed again."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.acceptance.faults.load import (
    all_ended,
    check_each_ended_once,
    check_succeeded_once,
    during,
    submit,
)
from tests.servers.platform import PlatformProcesses, platform_processes

from quetzalcore.cli.connection import kept_key

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


def test_a_full_disk_loses_no_accepted_job_and_all_goes_on_once_there_is_room(
    platform: PlatformProcesses, small_disk: Path, tmp_path: Path
) -> None:
    platform.start("gateway")
    platform.start("master")
    platform.ready()
    answers: list[httpx.Response] = []
    freed_at: list[dt.datetime] = []

    def fill_and_free() -> None:
        answers.extend(_keep_full(platform, small_disk / "filler", seconds=5))
        freed_at.append(dt.datetime.now(dt.UTC))

    accepted = during(platform, fill_and_free)
    statuses = {answer.status_code for answer in answers}
    assert 507 in statuses, "the disk was full, and who uploaded was not told so"
    assert statuses <= {503, 507}
    assert all("full" in a.json()["detail"] for a in answers if a.status_code == 507)
    check_each_ended_once(platform, accepted, tmp_path / "got", may_fail=True)
    ended = all_ended(platform, accepted)
    late = [
        job for job in ended if dt.datetime.fromisoformat(str(job["finished_at"])) > freed_at[0]
    ]
    assert any(job["state"] == "succeeded" for job in late), "what waited ran when there was room"
    afresh = dict(submit(platform, f"afresh {n}") for n in range(20))
    for job in all_ended(platform, afresh):
        check_succeeded_once(job, afresh[job["id"]])
        assert len(job["attempts"]) == 1


def _keep_full(
    platform: PlatformProcesses, filler: Path, *, seconds: float
) -> Iterator[httpx.Response]:
    """Take all room there is for a while, and give what uploads are answered meanwhile."""
    until = time.monotonic() + seconds
    with filler.open("wb", buffering=0) as sink:
        while time.monotonic() < until:  # and again, as soon as something is freed
            try:
                sink.write(b"\0" * 4096)
            except OSError:
                yield _upload(platform, bytes(1 << 20))
                time.sleep(0.1)
    filler.unlink()


def _upload(platform: PlatformProcesses, content: bytes) -> httpx.Response:
    return httpx.post(
        f"{platform.url}/api/uploads",
        content=content,
        headers={"Authorization": f"Bearer {kept_key(platform.files)}"},
        timeout=30,
    )
