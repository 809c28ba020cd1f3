"""Two hundred jobs whose results can be checked, submitted while something goes wrong."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.servers.platform import PlatformProcesses, eventually

from quetzalcore.client.models import JobView
from quetzalcore.errors import QuetzalError

JOBS = 200
SIZE = 20_000
ENDED = frozenset({"succeeded", "failed", "cancelled"})
_ALL_S = 150.0
_TRIES = 120


def expected_digest(tag: str) -> str:
    """Give the digest of the file that a ``sum_file`` of this tag writes."""
    start = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256((start * (SIZE // len(start) + 1))[:SIZE]).hexdigest()


def during(platform: PlatformProcesses, fault: Callable[[], None]) -> dict[str, str]:
    """Submit everything while a fault happens in the midst of it; give each accepted job's tag."""
    with ThreadPoolExecutor(6) as pool:
        accepted = [pool.submit(submit, platform, f"job {n}") for n in range(JOBS)]
        eventually(lambda: ended_count(platform) >= 10, within_s=90, what="ten jobs have ended")
        fault()
        return dict(each.result() for each in accepted)


def ended_count(platform: PlatformProcesses) -> int:
    """Say how many jobs have succeeded, of the latest 200."""
    try:
        with platform.client() as client:
            return len(client.list_jobs(state=["succeeded"], limit=200)["items"])
    except QuetzalError:
        return 0


def all_ended(platform: PlatformProcesses, accepted: Mapping[str, str]) -> list[JobView]:
    """Wait until every accepted job has ended, and give them."""
    waiting, done = set(accepted), {}

    def look() -> bool:
        with platform.client() as client:
            for job_id in list(waiting):
                job = client.get_job(job_id)
                if job["state"] in ENDED:
                    done[job_id] = job
                    waiting.discard(job_id)
        return not waiting

    eventually(look, within_s=_ALL_S, what="every accepted job has ended")
    return [done[job_id] for job_id in accepted]


def check_each_ended_once(
    platform: PlatformProcesses,
    accepted: Mapping[str, str],
    folder: Path,
    *,
    may_fail: bool = False,
) -> None:
    """Hold every accepted job to its one right result, or where allowed to one clear failure."""
    assert len(accepted) == JOBS
    succeeded = []
    for job in all_ended(platform, accepted):
        if may_fail and job["state"] == "failed":
            error = job["error"]
            assert error is not None
            assert error["detail"]
            assert error["hint"]
            assert job["artifacts"] == []
            continue
        check_succeeded_once(job, accepted[job["id"]])
        succeeded.append(job)
    with platform.client() as client:
        for job in succeeded[::5]:
            (file,) = client.download(job, folder / job["id"])
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            assert digest == expected_digest(accepted[job["id"]])


def check_succeeded_once(job: JobView, tag: str) -> None:
    """Hold a job to its tag's result and to exactly one attempt that ended well."""
    assert job["state"] == "succeeded", job["error"]
    assert job["result"] is not None
    assert job["result"]["artifact_sha256"] == expected_digest(tag)
    assert [file["sha256"] for file in job["artifacts"]] == [expected_digest(tag)]
    states = [attempt["state"] for attempt in job["attempts"]]
    assert states.count("succeeded") == 1
    assert states[-1] == "succeeded"
    assert set(states[:-1]) <= {"lost", "failed"}


def submit(platform: PlatformProcesses, tag: str) -> tuple[str, str]:
    """Submit as a careful client does: again and again under one idempotency key."""
    body: Any = {"kind": "sum_file", "params": {"tag": tag, "size": SIZE, "sleep_s": 0.1}}
    for _ in range(_TRIES):
        try:
            with platform.client() as client:
                return client.submit_job(body, idempotency_key=tag)["id"], tag
        except QuetzalError:
            time.sleep(0.5)
    raise AssertionError(f"{tag} was never accepted")


__all__ = [
    "JOBS",
    "SIZE",
    "all_ended",
    "check_each_ended_once",
    "check_succeeded_once",
    "during",
    "ended_count",
    "expected_digest",
    "submit",
]
