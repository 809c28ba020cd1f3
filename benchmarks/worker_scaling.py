"""Workers of one host that come and go under jobs: how soon the first new one helps, and that nothing is lost."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.own_platform import admin_key, free_port
from benchmarks.race import Figure
from quetzalcore.client import QuetzalClient

_HELP_S = 8.0
_IDLE_S = 10.0
_PATIENCE_S = 240.0
_POLL_S = 0.25
_JOBS = 600
_MANY, _FEW = 20, 2
_AT_ONCE = 8

_COMMON = {
    "QUETZAL_WARM_NUMERIC": "0",
    "QUETZAL_RATE_LIMIT": "1000000/minute",
    "SCALING_SCALE_UP_COOLDOWN": "5",
    "SCALING_SCALE_DOWN_COOLDOWN": "5",
    "QUETZAL_SCALING_IDLE_S": str(_IDLE_S),
}


def figures() -> list[Figure]:
    """Measure a backlog on one worker, and two workers that become twenty and two again."""
    return [*_backlog(), *_there_and_back()]


def _backlog() -> Iterator[Figure]:
    """Let 50 jobs of two seconds wait for one worker that runs one at a time."""
    sizes = {"QUETZAL_WORKER_CPUS": "0.25", "QUETZAL_WORKER_MEMORY_MIB": "512"}
    with _platform(sizes) as client:
        first = client.list_nodes()["items"][0]["id"]
        began = dt.datetime.now(dt.UTC)
        ids = _submit(client, 50, sleep_s=2.0)
        jobs = _ended(client, ids)
        ends = max(_time(job["finished_at"]) for job in jobs)
        new = [
            _time(a["started_at"]) for job in jobs for a in job["attempts"] if a["node"] != first
        ]
        waited_s = (min(new) - began).total_seconds() if new else float("inf")
        most = len({a["node"] for job in jobs for a in job["attempts"]})
        back_s = _until_count(client, 1) - ends.timestamp()
    yield Figure(
        work=f"50 jobs of 2 s on 1 worker of 0.25 cores (grew to {most}): first job to a new worker",
        ours=f"{waited_s:.1f} s after the first was submitted",
        bar=f"within {_HELP_S:.0f} s",
        met=waited_s <= _HELP_S,
    )
    yield Figure(
        work=f"the same: back to 1 worker after the last job, idle time {_IDLE_S:.0f} s",
        ours=f"{back_s:.1f} s",
        bar="after the idle time",
        met=back_s >= _IDLE_S,
    )


def _there_and_back() -> Iterator[Figure]:
    """Ask for 20 workers while tiny jobs come, and for 2 while they still come."""
    sizes = {
        "QUETZAL_WORKER_CPUS": "0.25",
        "QUETZAL_WORKER_MEMORY_MIB": "256",
        "QUETZAL_WARM_BARE": "0",
        "QUETZAL_SCALING_MIN_WORKERS": str(_FEW),
        "MAX_RUNNERS": str(_MANY),
        "SCALING_SCALE_UP_COOLDOWN": "300",
    }
    with _platform(sizes) as client:
        _until_count(client, _FEW)
        began = time.time()
        with ThreadPoolExecutor(1) as beside:
            submitting = beside.submit(_submit, client, _JOBS, sleep_s=0.0)
            client.scale({"action": "set", "count": _MANY, "target": "workers"})
            grown_s = _until_count(client, _MANY, ready=True) - began
            ids = submitting.result()
            ids += _submit(client, _JOBS // 2, sleep_s=0.0)
            client.scale({"action": "set", "count": _FEW, "target": "workers"})
            ids += _submit(client, _JOBS // 2, sleep_s=0.0)
            jobs = _ended(client, ids)
        _until_count(client, _FEW)
        lost = sum(job["state"] != "succeeded" for job in jobs)
        twice = sum(len(job["attempts"]) != 1 for job in jobs)
        nodes = len({a["node"] for job in jobs for a in job["attempts"]})
        doubled = len(ids) - len(set(ids))
    yield Figure(
        work=f"{_FEW} -> {_MANY} -> {_FEW} local workers under {len(ids):,} tiny jobs "
        f"(all ready after {grown_s:.0f} s; {nodes} of them ran jobs)",
        ours=f"{lost} lost, {doubled} doubled, {twice} begun more than once",
        bar="none lost, doubled, or run twice by drain",
        met=not (lost or doubled or twice) and nodes > _FEW,
    )


@contextmanager
def _platform(settings: dict[str, str]) -> Iterator[QuetzalClient]:
    with tempfile.TemporaryDirectory(prefix="qz-bench-") as folder:
        environment = {
            **os.environ,
            **_COMMON,
            **settings,
            "QUETZAL_DATA_DIR": folder,
            "QUETZAL_PORT": str(free_port()),
            "QUETZAL_MASTER_PORT": str(free_port()),
        }
        program = Path(sys.executable).with_name("quetzal")
        subprocess.run((program, "up"), env=environment, check=True, capture_output=True)
        try:
            url = json.loads(Path(folder, "run/platform.json").read_text())["url"]
            with QuetzalClient(url, key=admin_key(Path(folder))) as client:
                _until_count(client, int(settings.get("QUETZAL_SCALING_MIN_WORKERS", "1")))
                yield client
        finally:
            subprocess.run((program, "down"), env=environment, check=True, capture_output=True)


def _submit(client: QuetzalClient, count: int, *, sleep_s: float) -> list[str]:
    def one(number: int) -> str:
        params = {"sleep_s": sleep_s, "echo": str(number)}
        return client.submit_job({"kind": "noop", "params": params})["id"]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, range(count)))


def _ended(client: QuetzalClient, ids: Sequence[str]) -> list[Any]:
    """Wait for every job and give them as they ended."""
    give_up_at = time.monotonic() + _PATIENCE_S
    jobs = []
    for job_id in ids:
        while (job := client.get_job(job_id))["state"] not in {"succeeded", "failed", "cancelled"}:
            if time.monotonic() > give_up_at:
                break
            time.sleep(_POLL_S)
        jobs.append(job)
    return jobs


def _until_count(client: QuetzalClient, count: int, *, ready: bool = False) -> float:
    """Wait until the leader counts so many workers, and no other is there any more; give the time."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_at:
        workers = client.scaling_status()["targets"]["workers"]
        if workers is not None:
            there = workers["ready"] if ready else workers["count"]
            if there == count and not workers["draining"]:
                return time.time()
        time.sleep(_POLL_S)
    message = f"there were never {count} workers"
    raise TimeoutError(message)


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
