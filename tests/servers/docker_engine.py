"""A real Docker engine: the one that runs here, or one of our own that leaves the host's network alone."""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

__all__ = ["DockerEngine", "docker_engine", "imported", "running_engine", "tiny_root"]

HOST_SOCKET = Path("/var/run/docker.sock")
NO_NETWORK = (
    *("--bridge=none", "--iptables=false", "--ip6tables=false"),
    *("--ip-forward=false", "--ip-masq=false", "--userland-proxy=false"),
)
"""Nothing of the host's network is touched; containers have the networks ``none`` and ``host``."""

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerEngine:
    """Where the engine listens; ``pid`` is of the one that we started, None where it ran before."""

    socket: Path
    pid: int | None = None

    def client(self, *, timeout_s: float = 60.0) -> httpx.Client:
        """Give a client of the engine's API; close it."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        return httpx.Client(transport=transport, base_url="http://docker", timeout=timeout_s)


def answers(path: Path) -> bool:
    """Say whether an engine answers on a socket."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:  # httpx leaves one open that found nobody
            probe.connect(str(path))
        with DockerEngine(socket=path).client(timeout_s=5.0) as client:
            return client.get("/_ping").text == "OK"
    except (OSError, httpx.TransportError):
        return False


@contextmanager
def running_engine(
    *,
    arguments: tuple[str, ...] = NO_NETWORK,
    within: tuple[str, ...] = (),
    images: Path | None = None,
) -> Iterator[DockerEngine]:
    """Give the host's engine; where none runs, start one with everything of its own and end it by its pid.

    ``within`` is a command that starts it elsewhere, say in a network namespace; ``images`` a folder in which
    its images stay for the next time.
    """
    if answers(HOST_SOCKET):
        yield DockerEngine(socket=HOST_SOCKET)
        return
    with _own_engine(arguments, within, images) as engine:
        yield engine


@contextmanager
def _own_engine(
    arguments: tuple[str, ...], within: tuple[str, ...], images: Path | None
) -> Iterator[DockerEngine]:
    program = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.fail("dockerd is missing: apt-get install docker.io")
    folder = Path(tempfile.mkdtemp(prefix="qz-docker-"))  # short: a socket's path has 108 bytes
    path, log = folder / "docker.sock", folder / "log"
    command = (
        *(*within, program),
        *("--data-root", str(images or folder / "data"), "--exec-root", str(folder / "exec")),
        *("--pidfile", str(folder / "pid"), "--host", f"unix://{path}", *arguments),
    )
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(process, path, log)
        yield DockerEngine(socket=path, pid=process.pid)
    finally:
        if answers(path):
            _remove_containers(DockerEngine(socket=path))
        process.terminate()  # its containerd is its child and goes with it
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # An engine leaves its own network's handle.
        for mounted in (folder / "exec/netns").glob("*"):
            subprocess.run(("umount", str(mounted)), capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    give_up_at = time.monotonic() + _START_LIMIT_S
    while not answers(path):
        if process.poll() is not None or time.monotonic() > give_up_at:
            pytest.fail(f"the Docker engine did not start: {log.read_text()[-3000:]}")
        time.sleep(0.05)


def _remove_containers(engine: DockerEngine) -> None:
    """End every container of an engine that is ours alone; their processes would outlive it."""
    with engine.client() as client:
        for container in client.get("/containers/json", params={"all": "true"}).json():
            client.delete(f"/containers/{container['Id']}", params={"force": "true", "v": "true"})


def tiny_root() -> bytes:
    """Give a root filesystem as a tar: one static busybox, known as ``sh`` and ``sleep`` too."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.fail("busybox is missing: apt-get install busybox-static")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(Path(busybox).resolve(), arcname="bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return packed.getvalue()


def imported(engine: DockerEngine, root: bytes, name: str) -> str:
    """Make an image of a root filesystem, as ``docker import`` does; give its name."""
    repository, _, tag = name.partition(":")
    with engine.client() as client:
        answer = client.post(
            "/images/create",
            params={"fromSrc": "-", "repo": repository, "tag": tag or "latest"},
            content=root,
            headers={"Content-Type": "application/x-tar"},
        )
    answer.raise_for_status()
    return name


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """Give an engine that the whole session shares; remove what you make in it."""
    with running_engine() as engine:
        yield engine
