"""A Docker engine where none runs, in a network of its own, and the stack in it.

Every part is made as an operator would make it; images, bases and wheels are kept in ``QUETZAL_DOCKER_CACHE``
(default ``~/.cache/quetzalcore/docker-tests``), so that only the first run builds everything.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.docker.host_network import changes, network_settings
from tests.docker.images import Builder, run, set_version, sources
from tests.docker.stack import Stack, until
from tests.servers.docker_engine import HOST_SOCKET, answers, running_engine

_PORTS = (
    *("QUETZAL_HTTP_PORT", "QUETZAL_ALT_PORT", "QUETZAL_GATEWAY_PORT", "QUETZAL_DASHBOARD_PORT"),
    *("QUETZAL_WEBSOCKET_PORT", "QUETZAL_MASTER_PORT", "QUETZAL_HTTPS_PORT", "QUETZAL_LAPTOP_PORT"),
)
_ENGINE = (
    *("--storage-driver", "overlay2", "--bip", "172.29.0.1/24"),
    *("--default-address-pool", "base=172.28.0.0/16,size=24"),
)


@pytest.fixture(scope="session")
def cache() -> Path:
    """Give the folder in which what is slow to make is kept."""
    place = os.environ.get("QUETZAL_DOCKER_CACHE", "~/.cache/quetzalcore/docker-tests")
    folder = Path(place).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def builder(cache) -> Iterator[Builder]:
    """Give an engine to build in; the host's network must be set afterwards as it was before."""
    before = network_settings()
    with _engine(cache) as builder:
        builder.bases()
        yield builder
        builder.forget()
    with suppress(AssertionError):  # what is amiss is named below
        until(lambda: not changes(before, network_settings()), limit_s=20, what="as it was")
    assert changes(before, network_settings()) == []


@contextmanager
def _engine(cache: Path) -> Iterator[Builder]:
    if answers(HOST_SOCKET):
        with running_engine() as engine:
            yield Builder(engine=engine, cache=cache)
        return
    with _space(f"qzd{os.getpid()}") as within:
        images = cache / "engine"
        with running_engine(arguments=_ENGINE, within=within, images=images) as engine:
            yield Builder(engine=engine, cache=cache, within=within)
    for group in Path("/sys/fs/cgroup").glob("*/docker"):
        with suppress(OSError):
            group.rmdir()


_HOST_END, _ENGINE_END = "10.97.11.1", "10.97.11.2"


@contextmanager
def _space(name: str) -> Iterator[tuple[str, ...]]:
    """Make a network namespace with a wire to this one and nothing beyond; give the command that enters it.

    What the engine does to filters, bridges and forwarding, it does in there.
    """
    run(("ip", "netns", "add", name))
    try:
        for command in (
            ("ip", "link", "add", f"{name}h", "type", "veth", "peer", "name", "up0", "netns", name),
            ("ip", "addr", "add", f"{_HOST_END}/30", "dev", f"{name}h"),
            ("ip", "link", "set", f"{name}h", "up"),
            ("ip", "-n", name, "link", "set", "lo", "up"),
            ("ip", "-n", name, "addr", "add", f"{_ENGINE_END}/30", "dev", "up0"),
            ("ip", "-n", name, "link", "set", "up0", "up"),
            ("ip", "-n", name, "route", "add", "default", "via", _HOST_END),
        ):
            run(command)
        yield ("nsenter", f"--net=/run/netns/{name}")
    finally:
        run(("ip", "netns", "del", name))
        with suppress(AssertionError):  # it goes with the namespace, a moment later
            run(("ip", "link", "del", f"{name}h"))


@pytest.fixture(scope="session")
def images(builder, tmp_path_factory) -> dict[str, str]:
    """Build the platform twice: as it is, and as a later version of the same.

    With ``QUETZAL_DOCKER_BUILT=1`` the images of the last run are taken instead.
    """
    built = {}
    if os.environ.get("QUETZAL_DOCKER_BUILT"):
        return {version: f"quetzalcore-test:{version}" for version in ("1.0.0", "1.0.1")}
    context = sources(tmp_path_factory.mktemp("sources") / "context")
    for version in ("1.0.0", "1.0.1"):
        set_version(context, version)
        built[version] = f"quetzalcore-test:{version}"
        builder.platform(built[version], context, version=version)
    return built


@pytest.fixture(scope="session")
def stack(builder, images, tmp_path_factory) -> Iterator[Stack]:
    """Bring the stack up with two gateways and one worker; take all of it down at the end."""
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    stack = Stack(
        builder=builder,
        image=images["1.0.0"],
        host=_ENGINE_END if builder.within else "127.0.0.1",
        ports=ports,
        secrets=tmp_path_factory.mktemp("secrets"),
        name=f"qz{os.getpid()}",
    )
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
def surveys(tmp_path_factory) -> dict[int, Path]:
    """Simulate surveys with known bodies: one a test, because work that was done is not done again."""
    folder = tmp_path_factory.mktemp("survey")
    quetzal = Path(sys.executable).with_name("quetzal")
    files = {seed: folder / f"survey-{seed}.csv" for seed in (1, 2)}
    for seed, file in files.items():
        run((str(quetzal), "survey", "simulate", "--seed", str(seed), "-o", str(file)))
    return files


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
