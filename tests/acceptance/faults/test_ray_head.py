from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.acceptance.faults.load import check_each_ended_once, during
from tests.servers.platform import (
    PlatformProcesses,
    eventually,
    free_port,
    platform_processes,
)
from tests.servers.redis import running_redis

from quetzalcore.cluster.addresses import own_addresses
from quetzalcore.cluster.ray_process import marked_processes

pytestmark = [pytest.mark.faults]

_UP_S = 120.0


@pytest.fixture
def platform(misbehaving_kinds: Path) -> Iterator[PlatformProcesses]:
    """Give a platform in a folder with a short path, for Ray's sockets, and a Redis of its own."""
    assert misbehaving_kinds.is_dir()
    folder = Path(tempfile.mkdtemp(prefix="qr-", dir="/tmp"))
    with running_redis() as redis:
        settings = {
            "QUETZAL_ENGINE": "ray",
            "QUETZAL_REDIS_URL": redis,
            "QUETZAL_RAY_PORT": str(free_port()),
            "QUETZAL_OWNER_TENANTS": "",
            "QUETZAL_WARM_NUMERIC": "0",
        }
        yield from platform_processes(folder, settings)
    shutil.rmtree(folder, ignore_errors=True)


def start(platform: PlatformProcesses) -> None:
    """Start the head, a master and a gateway apart from it, and a worker that joins."""
    platform.start("master", "--head-only", name="head")
    eventually(lambda: bool(gcs_pids(platform)), within_s=_UP_S, what="the Ray head is up")
    host = own_addresses()[0]
    apart = {
        "QUETZAL_RAY_ADDRESS": f"{host}:{platform.setting('QUETZAL_RAY_PORT')}",
        "QUETZAL_PUBLIC_URL": f"http://{host}:{platform.port}",
    }
    platform.start("gateway", "--host", "0.0.0.0", **apart)  # noqa: S104 -- for a test
    platform.start("master", **apart)
    platform.ready()
    made = platform.quetzal("key", "create", "--user", "admin", "--join")
    assert made.returncode == 0, made.stderr
    platform.start(
        *("worker", "--join", platform.url, "--key", made.stdout.strip()),
        name="worker",
        QUETZAL_DATA_DIR=str(platform.folder / "w"),
    )
    eventually(lambda: has_node(platform), within_s=_UP_S, what="the worker has joined")


def gcs_pids(platform: PlatformProcesses) -> list[int]:
    """Give the process that is the cluster's head: the one that knows its members."""
    return [
        pid
        for pid in marked_processes(platform.folder / "ray" / "head")
        if "gcs_server" in Path(psutil.Process(pid).exe()).name
    ]


def has_node(platform: PlatformProcesses) -> bool:
    platform.check_roles()
    with platform.client() as client:
        return any(node["ready"] for node in client.list_nodes()["items"])


def test_killing_the_ray_head_loses_no_job(platform: PlatformProcesses, tmp_path: Path) -> None:
    start(platform)
    (head,) = gcs_pids(platform)

    def kill_head() -> None:
        os.kill(head, signal.SIGKILL)
        eventually(
            lambda: bool(set(gcs_pids(platform)) - {head}), within_s=_UP_S, what="a new head is up"
        )

    accepted = during(platform, kill_head)
    check_each_ended_once(platform, accepted, tmp_path / "got")
