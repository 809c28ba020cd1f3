"""One Ray cluster of two nodes that tests share; those that kill things make their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.servers.ray import RayHosts, ray_hosts


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayHosts]:
    with ray_hosts() as hosts:
        hosts.head()
        hosts.workers("north", "south")
        yield hosts
