from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.servers.platform import PlatformProcesses, eventually, platform_processes

from quetzalcore.cli.connection import kept_key

pytestmark = [pytest.mark.faults]

_GIB = 1 << 30
_TMP = "/tmp"  # noqa: S108 -- where nothing may appear
_HEAD = b"line,easting,northing,tmi\n"
_ROW = b"1,470000,7560000,40\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcesses]:
    """Give a platform that takes work of tenants: files are opened behind every wall."""
    folder = tmp_path_factory.mktemp("uploads") / "data"
    for processes in platform_processes(folder, {"QUETZAL_ENV": "production"}):
        processes.start("up", "--foreground", name="up")
        processes.ready()
        eventually(partial(_has_node, processes), within_s=30, what="a node is there")
        yield processes


def _has_node(platform: PlatformProcesses) -> bool:
    with platform.client() as client:
        return bool(client.list_nodes()["items"])


def _zip(*members: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def _zip_bomb() -> bytes:
    return _zip(("survey.csv", _HEAD + _ROW * 8_000_000))


def _gzip_bomb() -> bytes:
    return gzip.compress(bytes(1 << 24)) * 64  # members follow each other as one file


def _nested_zip() -> bytes:
    content = bytes(1 << 24)
    for _ in range(5):
        content = _zip(*((f"{n}.zip", content) for n in range(10)))[: 1 << 24]
    return content


def _lying_zip() -> bytes:
    """Give an archive whose directory names a hundredth of what comes out."""
    packed = bytearray(_zip(("survey.csv", _HEAD + _ROW * 2_000_000)))
    directory = packed.rindex(b"PK\x01\x02")
    packed[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    return bytes(packed)


def _climbing_zip() -> bytes:
    return _zip(("../../../../etc/cron.d/quetzal-was-here", b"* * * * * root true\n"))


_BOMBS: dict[str, Callable[[], bytes]] = {
    "survey.csv.zip": _zip_bomb,
    "survey.csv.gz": _gzip_bomb,
    "nested.zip": _nested_zip,
    "lying.zip": _lying_zip,
    "climbing.zip": _climbing_zip,
}


@pytest.mark.parametrize("name", _BOMBS)
def test_a_file_that_would_hurt_its_reader_is_refused_in_words(
    platform: PlatformProcesses, name: str
) -> None:
    headers = {"Authorization": f"Bearer {kept_key(platform.files)}"}
    with httpx.Client(base_url=platform.url, headers=headers, timeout=90) as http:
        sent = http.post("/api/uploads", params={"filename": name}, content=_BOMBS[name]())
        assert sent.status_code == 201, sent.text
        answer = http.post(
            f"/api/uploads/{sent.json()['id']}/inspect", params={"wait": 60}, json={}
        )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"]
    assert problem["hint"]
    assert "Traceback" not in answer.text
    assert str(platform.folder) not in answer.text
    assert not Path("/etc/cron.d/quetzal-was-here").exists()


def test_names_that_climb_leave_nothing_outside_the_store(platform: PlatformProcesses) -> None:
    headers = {"Authorization": f"Bearer {kept_key(platform.files)}"}
    before = {path for path in platform.folder.rglob("*") if "artifacts" not in path.parts}
    for name in ("../../quetzal-was-here", f"{_TMP}/quetzal-was-here", "..\\quetzal-was-here"):
        answer = httpx.post(
            f"{platform.url}/api/uploads",
            headers=headers,
            files={"file": (name, _HEAD + _ROW, "text/csv")},
        )
        assert answer.status_code in {201, 422}, answer.text
    after = {path for path in platform.folder.rglob("*") if "artifacts" not in path.parts}
    assert not [path for path in after - before if "quetzal-was-here" in path.name]
    assert not list(platform.folder.parent.glob("*quetzal-was-here*"))
    assert not list(platform.folder.rglob("*quetzal-was-here*"))
    assert not Path(f"{_TMP}/quetzal-was-here").exists()


def test_ten_gigabytes_are_refused_by_what_is_declared(platform: PlatformProcesses) -> None:
    answer = httpx.post(
        f"{platform.url}/api/uploads",
        headers={"Authorization": f"Bearer {kept_key(platform.files)}"},
        json={"filename": "survey.csv", "size": 10 * _GIB},
    )
    assert answer.status_code == 413, answer.text
    assert answer.json()["hint"]
