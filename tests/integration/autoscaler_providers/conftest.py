"""Every place that a provider can work in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from tests.integration.autoscaler_providers.grounds.cloud import CloudGround
from tests.integration.autoscaler_providers.grounds.docker import DockerGround
from tests.integration.autoscaler_providers.grounds.ground import Ground
from tests.integration.autoscaler_providers.grounds.hosts import HostsGround
from tests.integration.autoscaler_providers.grounds.kubernetes import KubernetesGround
from tests.integration.autoscaler_providers.grounds.nowhere import FakeGround, LocalGround
from tests.integration.autoscaler_providers.grounds.this_host import ThisHostGround
from tests.integration.autoscaler_providers.grounds.told_docker import ToldDockerGround
from tests.servers.docker_engine import (  # noqa: F401 -- one is a fixture
    docker_engine,
    imported,
    tiny_root,
)
from tests.servers.ec2 import ec2_server  # noqa: F401 -- a fixture
from tests.servers.kubernetes_api import kubernetes_api  # noqa: F401 -- a fixture
from tests.servers.sshd import ssh_server  # noqa: F401 -- a fixture

Request = pytest.FixtureRequest
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sleeping_image(docker_engine) -> Iterator[str]:  # noqa: F811 -- the fixture
    """Give an image that can only sleep, and take it away again."""
    image = imported(docker_engine, tiny_root(), "quetzal-contract:test")
    yield image
    with docker_engine.client() as client:
        client.delete(f"/images/{image}", params={"force": "true"})


@pytest.fixture
def docker_ground(docker_engine, sleeping_image) -> DockerGround:  # noqa: F811 -- the fixture
    """Give an engine without containers of ours."""
    return DockerGround(docker_engine, sleeping_image, f"contract-{next(_numbers)}")


@pytest.fixture
def told_docker_ground() -> ToldDockerGround:
    """Give an engine that is none."""
    return ToldDockerGround()


@pytest.fixture
def fake_ground() -> FakeGround:
    """Give the fake's cloud."""
    return FakeGround()


@pytest.fixture
def local_ground(tmp_path) -> LocalGround:
    """Give a host with a fleet without processes."""
    return LocalGround(tmp_path)


@pytest.fixture
def this_host_ground(tmp_path) -> ThisHostGround:
    """Give this host, with agents that are processes."""
    return ThisHostGround(tmp_path / "vms")


@pytest.fixture
def hosts_ground(ssh_server) -> HostsGround:  # noqa: F811 -- the fixture
    """Give three free hosts."""
    return HostsGround(ssh_server)


@pytest.fixture
def kubernetes_ground(kubernetes_api, tmp_path) -> KubernetesGround:  # noqa: F811 -- the fixture
    """Give a RayCluster without workers."""
    return KubernetesGround(kubernetes_api, tmp_path)


@pytest.fixture
def cloud_ground(ec2_server, tmp_path) -> CloudGround:  # noqa: F811 -- the fixture
    """Give an account without instances of ours."""
    return CloudGround(ec2_server, tmp_path, f"contract-{next(_numbers)}")


@pytest.fixture(
    params=[
        "fake",
        "local",
        "hosts",
        "kubernetes",
        "cloud",
        "told_docker",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("this_host", marks=pytest.mark.faults),  # a process each: not for every run
    ],
)
def ground(request: Request) -> Ground:
    """Give a place without machines."""
    found: Ground = request.getfixturevalue(f"{request.param}_ground")
    return found
