"""Three hosts, each in a network namespace of its own, that joined by the real command: one is lost, no job is.

PostgreSQL, Redis and S3 stand behind; files reach the hosts and leave them by presigned links alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no stubs
import pytest
from tests.servers.cluster import Cluster, running_cluster
from tests.servers.platform import PlatformProcesses, eventually, platform_processes

from quetzalcore.client.models import JobView

pytestmark = pytest.mark.slow

HOSTS = ("node-1", "node-2", "node-3")
JOBS = 24
SKIPPED = ["depth", "targets", "maps", "report"]  # the rest has grids, and less to compile
ENDED = frozenset({"succeeded", "failed", "cancelled"})
_TIMES = frozenset({"duration_s", "started_at"})
_ALL_S = 150.0


@pytest.fixture(scope="module")
def database_url(postgres_url: str) -> str:
    name = f"ray_{os.getpid()}"

    async def create() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return f"{postgres_url.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="module")
def cluster(database_url: str, redis_url: str, misbehaving_kinds: Path) -> Iterator[Cluster]:
    assert misbehaving_kinds.is_dir()  # so that the hosts have sum_file
    settings = {
        "QUETZAL_DATABASE_URL": database_url,
        "QUETZAL_REDIS_URL": redis_url,
        "QUETZAL_LEASE_S": "15",
    }
    with running_cluster(settings) as cluster:
        cluster.join(*HOSTS)
        yield cluster


@pytest.fixture
def one_host(tmp_path: Path) -> Iterator[PlatformProcesses]:
    for platform in platform_processes(tmp_path / "alone"):
        platform.start("up", "--foreground", name="up")
        platform.ready()
        yield platform


def _surveyed(platform: PlatformProcesses, survey: Path) -> JobView:
    given = {"input": {"crs": "EPSG:28354", "date": "2024-05-14"}, "skip": SKIPPED}
    with platform.client() as client:
        upload = client.upload(survey)["id"]
        body: Any = {"kind": "mag_survey", "params": given, "inputs": [{"upload_id": upload}]}
        return client.wait(client.submit_job(body)["id"])


def test_a_survey_on_the_cluster_has_the_grids_of_the_same_job_on_one_host(
    cluster: Cluster, one_host: PlatformProcesses, rows, tmp_path: Path
) -> None:
    survey = tmp_path / "survey.csv"
    survey.write_text(rows.csv())
    with ThreadPoolExecutor(2) as pool:
        places = (cluster.platform, one_host)
        there, here = pool.map(lambda platform: _surveyed(platform, survey), places)
    assert there["state"] == here["state"] == "succeeded", there["error"]
    assert there["attempts"][-1]["node"] in HOSTS
    assert here["attempts"][-1]["node"] not in HOSTS
    digests = [{f["name"]: f["sha256"] for f in job["artifacts"]} for job in (there, here)]
    grids = [{n: d for n, d in each.items() if n.endswith((".tif", ".csv"))} for each in digests]
    assert "grids/tmi.tif" in grids[0]
    assert grids[0] == grids[1]
    assert _untimed(there["result"]) == _untimed(here["result"])
    with cluster.platform.client() as client:
        client.download(there, tmp_path / "got")
    for name, digest in digests[0].items():
        assert hashlib.sha256((tmp_path / "got" / name).read_bytes()).hexdigest() == digest


def _untimed(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Give a result without the times in it, and without the digests of files that have them."""
    if isinstance(value, dict):
        left = {name: item for name, item in value.items() if name not in _TIMES}
        return {name: _untimed(item) for name, item in left.items() if name != "artifacts"}
    return [_untimed(item) for item in value] if isinstance(value, list) else value


def test_a_host_lost_midway_loses_no_job(cluster: Cluster, tmp_path: Path) -> None:
    content = tmp_path / "input.bin"
    content.write_bytes(os.urandom(200_000))
    platform = cluster.platform
    with platform.client() as client:
        upload = client.upload(content)["id"]
        jobs = {}
        for number in range(JOBS):
            params = {"tag": f"job {number}", "size": 50_000, "sleep_s": 1.0}
            body: Any = {"kind": "sum_file", "params": params, "inputs": [{"upload_id": upload}]}
            jobs[client.submit_job(body)["id"]] = f"job {number}"
    eventually(lambda: _works(platform, jobs, "node-2"), within_s=60, what="node-2 is at work")
    cluster.cut_power("node-2")
    ended = _all_ended(platform, jobs)
    for job in ended:
        _check(job, content.read_bytes(), jobs[job["id"]])
    attempts = [attempt for job in ended for attempt in job["attempts"]]
    assert "lost" in {attempt["state"] for attempt in attempts}, "the lost host was doing nothing"
    assert {attempt["node"] for attempt in attempts} == set(HOSTS)
    with platform.client() as client:
        (product,) = client.download(ended[-1], tmp_path / "got")
    assert product.read_bytes() == _expected(content.read_bytes(), jobs[ended[-1]["id"]])[1]
    cluster.join("node-2")  # with what the last agent there left behind


def _works(platform: PlatformProcesses, jobs: Mapping[str, str], node: str) -> bool:
    """Say whether a host runs one of the jobs and others have already ended."""
    with platform.client() as client:
        seen = client.list_jobs(limit=200)["items"]
        running = [client.get_job(job["id"]) for job in seen if job["state"] == "running"]
    ended = sum(job["state"] == "succeeded" and job["id"] in jobs for job in seen)
    now = [(a["node"], a["state"]) for job in running for a in job["attempts"]]
    return ended >= 4 and (node, "running") in now


def _all_ended(platform: PlatformProcesses, jobs: Mapping[str, str]) -> list[JobView]:
    done: dict[str, JobView] = {}

    def look() -> bool:
        with platform.client() as client:
            for job_id in set(jobs) - set(done):
                job = client.get_job(job_id)
                if job["state"] in ENDED:
                    done[job_id] = job
        return len(done) == len(jobs)

    eventually(look, within_s=_ALL_S, what="every job has ended")
    return [done[job_id] for job_id in jobs]


def _expected(content: bytes, tag: str) -> tuple[str, bytes]:
    """Give what ``sum_file`` says of the input, and the bytes that it makes."""
    digest = hashlib.sha256(tag.encode() + content)
    start = digest.digest()
    return digest.hexdigest(), (start * (50_000 // len(start) + 1))[:50_000]


def _check(job: JobView, content: bytes, tag: str) -> None:
    """Hold a job to its one right result and to exactly one attempt that ended well."""
    assert job["state"] == "succeeded", job["error"]
    said, made = _expected(content, tag)
    digest = hashlib.sha256(made).hexdigest()
    assert job["result"] is not None
    assert (job["result"]["sha256"], job["result"]["artifact_sha256"]) == (said, digest)
    assert [(file["size"], file["sha256"]) for file in job["artifacts"]] == [(len(made), digest)]
    states = [attempt["state"] for attempt in job["attempts"]]
    assert states[-1] == "succeeded"
    assert set(states[:-1]) <= {"lost"}
