from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from quetzalcore.client.models import JobView
from tests.servers.platform import PlatformProcesses, eventually, platform_processes
from tests.servers.postgres import Postgres

pytestmark = [pytest.mark.faults]

JOBS = 200
ALL_S = 120.0
ENDED = {"succeeded", "failed", "cancelled"}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformProcesses]:
    yield from platform_processes(tmp_path / "data", {"QUETZAL_LEASE_S": "8"})


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres.create()
    yield server
    server.remove()


@pytest.fixture
def on_postgres(tmp_path: Path, postgres) -> Iterator[PlatformProcesses]:
    settings = {"QUETZAL_LEASE_S": "8", "QUETZAL_DATABASE_URL": postgres.url}
    yield from platform_processes(tmp_path / "data", settings)


def start(platform: PlatformProcesses) -> None:
    platform.start("gateway")
    platform.start("master")
    platform.ready()


def submit(platform: PlatformProcesses) -> dict[str, str]:
    """Submit the jobs as a careful client does, again and again under one idempotency key; give what each echoes."""

    def one(number: int) -> tuple[str, str]:
        echo = f"job {number}"
        body = {"kind": "noop", "params": {"sleep_s": 0.15, "echo": echo}, "reuse": False}
        with platform.client() as client:
            for _ in range(60):
                try:
                    job = client.submit_job(body, idempotency_key=f"fault-{number}")  # type: ignore[arg-type]  # a literal
                except Exception:  # noqa: BLE001 -- the server is being killed; try again
                    time.sleep(0.5)
                else:
                    return job["id"], echo
        raise AssertionError(f"job {number} was never accepted")

    with ThreadPoolExecutor(8) as pool:
        return dict(pool.map(one, range(JOBS)))


def ended(platform: PlatformProcesses, accepted: dict[str, str]) -> list[JobView]:
    """Wait until every accepted job has ended, and give them."""
    waiting, done = set(accepted), {}

    def all_ended() -> bool:
        with platform.client() as client:
            for job_id in list(waiting):
                job = client.get_job(job_id)
                if job["state"] in ENDED:
                    done[job_id] = job
                    waiting.discard(job_id)
        return not waiting

    eventually(all_ended, within_s=ALL_S, what="every accepted job has ended")
    return [done[job_id] for job_id in accepted]


def check_each_ended_once(jobs: list[JobView], accepted: dict[str, str]) -> None:
    for job in jobs:
        assert job["state"] == "succeeded", job["error"]
        assert job["result"] == {"echo": accepted[job["id"]]}
        states = [attempt["state"] for attempt in job["attempts"]]
        assert states.count("succeeded") == 1
        assert states[-1] == "succeeded"
        assert set(states[:-1]) <= {"lost", "failed"}


def during(
    platform: PlatformProcesses, fault: Callable[[], None]
) -> tuple[list[JobView], dict[str, str]]:
    """Submit everything while a fault happens in the midst of it; give how it all ended."""
    accepted: dict[str, str] = {}
    submitting = threading.Thread(target=lambda: accepted.update(submit(platform)))
    submitting.start()
    eventually(lambda: some_ended(platform), within_s=60, what="some jobs have ended")
    fault()
    submitting.join()
    return ended(platform, accepted), accepted


def some_ended(platform: PlatformProcesses) -> bool:
    with platform.client() as client:
        return len(client.list_jobs(state=["succeeded"], limit=20)["items"]) >= 10


def test_killing_vms_loses_no_job(platform: PlatformProcesses) -> None:
    start(platform)
    killed = []

    def kill_some() -> None:
        for _ in range(5):
            pids = platform.vm_pids()
            if pids:
                victim = random.choice(pids)  # noqa: S311 -- any will do
                try:
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                except ProcessLookupError:
                    pass
            time.sleep(0.2)

    jobs, accepted = during(platform, kill_some)
    assert killed
    check_each_ended_once(jobs, accepted)


def test_killing_the_worker_loses_no_job(platform: PlatformProcesses) -> None:
    start(platform)
    jobs, accepted = during(platform, lambda: os.kill(platform.agent_pid(), signal.SIGKILL))
    check_each_ended_once(jobs, accepted)


def test_killing_the_gateway_loses_no_accepted_job(platform: PlatformProcesses) -> None:
    start(platform)

    def kill_and_restart() -> None:
        platform.kill("gateway")
        time.sleep(1)
        platform.start("gateway")
        platform.ready()

    jobs, accepted = during(platform, kill_and_restart)
    check_each_ended_once(jobs, accepted)


def test_killing_the_leading_master_lets_another_lead_within_10_s(
    platform: PlatformProcesses,
) -> None:
    start(platform)
    eventually(lambda: some_started(platform), within_s=60, what="the first master leads")
    standby = str(platform.master_port + 1)
    platform.start("master", name="standby", QUETZAL_MASTER_PORT=standby)
    took = []

    def kill_leader() -> None:
        platform.kill("master")
        before = done_count(platform)
        began = time.monotonic()
        eventually(lambda: done_count(platform) > before, within_s=10, what="another master leads")
        took.append(time.monotonic() - began)

    jobs, accepted = during(platform, kill_leader)
    check_each_ended_once(jobs, accepted)
    assert took[0] < 10


def some_started(platform: PlatformProcesses) -> bool:
    with platform.client() as client:
        return bool(client.list_nodes()["items"])


def done_count(platform: PlatformProcesses) -> int:
    with platform.client() as client:
        return len(client.list_jobs(state=["succeeded"], limit=200)["items"])


def test_killing_postgres_loses_no_job(on_postgres: PlatformProcesses, postgres) -> None:
    start(on_postgres)

    def kill_and_restart() -> None:
        postgres.kill()
        time.sleep(2)
        postgres.start()

    jobs, accepted = during(on_postgres, kill_and_restart)
    check_each_ended_once(jobs, accepted)
