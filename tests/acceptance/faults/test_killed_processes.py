from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.faults.load import (
    check_each_ended_once,
    during,
    ended_count,
)
from tests.servers.platform import PlatformProcesses, eventually, platform_processes
from tests.servers.postgres import Postgres

from quetzalcore.client.models import JobView

pytestmark = [pytest.mark.faults]

SETTINGS = {"QUETZAL_LEASE_S": "8", "QUETZAL_OWNER_TENANTS": ""}


@pytest.fixture
def platform(tmp_path: Path, misbehaving_kinds: Path) -> Iterator[PlatformProcesses]:
    assert misbehaving_kinds.is_dir()
    yield from platform_processes(tmp_path / "data", SETTINGS)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres.create()
    yield server
    server.remove()


@pytest.fixture
def on_postgres(tmp_path: Path, misbehaving_kinds: Path, postgres) -> Iterator[PlatformProcesses]:
    assert misbehaving_kinds.is_dir()
    settings = {**SETTINGS, "QUETZAL_DATABASE_URL": postgres.url}
    yield from platform_processes(tmp_path / "data", settings)


def start(platform: PlatformProcesses) -> None:
    platform.start("gateway")
    platform.start("master")
    platform.ready()


def test_killing_vms_loses_no_job(platform: PlatformProcesses, tmp_path: Path) -> None:
    start(platform)
    killed = []

    def kill_some() -> None:
        for _ in range(8):
            pids = platform.vm_pids()
            if pids:
                try:
                    victim = random.choice(pids)  # noqa: S311 -- any will do
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                except ProcessLookupError:
                    pass
            time.sleep(0.3)

    accepted = during(platform, kill_some)
    assert killed
    check_each_ended_once(platform, accepted, tmp_path / "got")


def test_a_vm_killed_while_it_runs_ends_as_one_attempt_that_is_tried_again(
    platform: PlatformProcesses,
) -> None:
    start(platform)
    body: Any = {"kind": "spin", "params": {"seconds": 4, "threads": 1}}
    with platform.client() as client:
        job_id = client.submit_job(body)["id"]
        eventually(lambda: spins(client.get_job(job_id)), within_s=60, what="it spins")
        for pid in platform.vm_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        job = client.wait(job_id)
    assert job["state"] == "succeeded", job["error"]
    assert job["result"] == {"threads": 1}
    states = [attempt["state"] for attempt in job["attempts"]]
    assert states[1:] == ["succeeded"]
    assert states[0] in {"failed", "lost"}


def spins(job: JobView) -> bool:
    return job["progress"] is not None and job["progress"]["stage"] == "spinning"


def test_killing_the_worker_loses_no_job(platform: PlatformProcesses, tmp_path: Path) -> None:
    start(platform)
    accepted = during(platform, lambda: os.kill(platform.agent_pid(), signal.SIGKILL))
    check_each_ended_once(platform, accepted, tmp_path / "got")


def test_killing_the_gateway_loses_no_accepted_job(
    platform: PlatformProcesses, tmp_path: Path
) -> None:
    start(platform)

    def kill_and_restart() -> None:
        platform.kill("gateway")
        time.sleep(1)
        platform.start("gateway")
        platform.ready()

    accepted = during(platform, kill_and_restart)
    check_each_ended_once(platform, accepted, tmp_path / "got")


def test_killing_the_leading_master_lets_another_lead_within_10_s(
    platform: PlatformProcesses, tmp_path: Path
) -> None:
    start(platform)
    eventually(lambda: leads(platform), within_s=60, what="the first master leads")
    platform.start("master", name="standby", QUETZAL_MASTER_PORT="0")
    took = []

    def kill_leader() -> None:
        platform.kill("master")
        began, before = time.monotonic(), ended_count(platform)
        eventually(lambda: ended_count(platform) > before + 4, within_s=15, what="another leads")
        took.append(time.monotonic() - began)

    accepted = during(platform, kill_leader)
    check_each_ended_once(platform, accepted, tmp_path / "got")
    assert took[0] < 10


def leads(platform: PlatformProcesses) -> bool:
    with platform.client() as client:
        return bool(client.list_nodes()["items"])


def test_killing_postgres_loses_no_job(
    on_postgres: PlatformProcesses, postgres, tmp_path: Path
) -> None:
    start(on_postgres)

    def kill_and_restart() -> None:
        postgres.kill()
        time.sleep(2)
        postgres.start()

    accepted = during(on_postgres, kill_and_restart)
    check_each_ended_once(on_postgres, accepted, tmp_path / "got")
