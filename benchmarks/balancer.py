"""nginx before real gateway instances over one SQLite file: authenticated job reads by one client on the same cores."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.race import Figure
from quetzalcore.database import open_database
from quetzalcore.identity.model import Role
from quetzalcore.identity.sql import open_identity_store
from quetzalcore.jobs.model import JobRequest
from quetzalcore.jobs.sql import open_ledger
from quetzalcore.ops.balancer.nginx import Nginx, nginx_version
from quetzalcore.ops.balancer.options import BalancerOptions, Limits, Upstream

_READS_PER_S = 1000
_P95_MS = 50.0
_ERRORS = 0.01
_SPREAD = 0.20
_CONNECTIONS = 32
_SECONDS = 8
_JOBS = 500
_SECRET = "of-a-benchmark"  # noqa: S105 -- of nobody

# wrk writes one request after another from this; its summary comes back as JSON.
_SCRIPT = """
local jobs, number = {%s}, 0
request = function()
  number = number + 1
  local headers = {["Authorization"] = "Bearer %s", ["X-Balancer-Exempt"] = "%s"}
  return wrk.format("GET", "/api/jobs/" .. jobs[number * 7 %% #jobs + 1], headers)
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.stderr:write(string.format('{"reads": %%d, "took_us": %%d, "errors": %%d, "p50_us": %%d, "p95_us": %%d, "p99_us": %%d}',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: float
    spread: float
    others: float
    cpu_ms: float
    nginx_ms: float

    def told(self) -> str:
        """Say it in words."""
        return (
            f"{self.per_s:,.0f}/s, p50 {self.p50_ms:.1f} ms, p95 {self.p95_ms:.1f} ms, p99 {self.p99_ms:.1f} ms,"
            f" {100 * self.errors:.2f} % errors, {self.cpu_ms:.2f} ms of CPU each and {self.nginx_ms:.2f} ms in nginx;"
            f" load of the host before {self.others:.1f}"
        )


def figures() -> list[Figure]:
    """Read jobs through nginx from one instance, and from three."""
    if shutil.which("wrk") is None:
        raise SystemExit("the client is missing: apt-get install wrk")
    one, three = (asyncio.run(_measure(number)) for number in (1, 3))
    cores = len(os.sched_getaffinity(0))
    told = f"GET /api/jobs/ID by key through nginx, {_CONNECTIONS} connections of wrk, {cores} cores for all"
    return [
        Figure(
            work=f"{told}, 1 instance",
            ours=one.told(),
            bar=f"at least {_READS_PER_S:,}/s, p95 under {_P95_MS:.0f} ms, under 1 % errors",
            met=one.per_s >= _READS_PER_S and one.p95_ms < _P95_MS and one.errors < _ERRORS,
        ),
        Figure(
            work=f"{told}, 3 instances",
            ours=f"{three.told()}; each instance within {100 * three.spread:.1f} % of the mean",
            bar="spread over instances within 20 %",
            met=three.spread <= _SPREAD and three.errors < _ERRORS,
        ),
    ]


async def _measure(instances: int) -> _Load:
    folder = Path(tempfile.mkdtemp(prefix="qb-"))
    try:
        key, jobs = await _filled(folder)
        with contextlib.ExitStack() as stack:
            behind = [stack.enter_context(_instance(folder, n)) for n in range(instances)]
            async with _nginx(folder / "nginx", [port for port, _ in behind]) as (address, nginx):
                script = folder / "reads.lua"
                named = ",".join(f'"{job}"' for job in jobs)
                script.write_text(_SCRIPT % (named, key, _SECRET))
                await asyncio.to_thread(_wrk, address, script, 2)  # it knows every key by now
                began = (folder / "nginx" / "access.log").stat().st_size
                others = os.getloadavg()[0]
                pids = [pid for _, pid in behind], [each.pid for each in nginx.children()]
                before = [_cpu_s(each) for each in pids]
                said = await asyncio.to_thread(_wrk, address, script, _SECONDS)
                spent = [_cpu_s(each) - was for each, was in zip(pids, before, strict=True)]
            served = Counter(_upstreams(folder / "nginx" / "access.log", began))
        mean = sum(served.values()) / instances
        return _Load(
            per_s=said["reads"] / said["took_us"] * 1e6,
            p50_ms=said["p50_us"] / 1000,
            p95_ms=said["p95_us"] / 1000,
            p99_ms=said["p99_us"] / 1000,
            errors=said["errors"] / max(1, said["reads"]),
            spread=max(abs(number - mean) for number in served.values()) / mean,
            others=others,
            cpu_ms=1000 * spent[0] / said["reads"],
            nginx_ms=1000 * spent[1] / said["reads"],
        )
    finally:
        shutil.rmtree(folder)


def _wrk(address: str, script: Path, seconds: int) -> dict[str, int]:
    command = ("wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}", "-s", str(script), address)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(done.stderr)
    return found


def _cpu_s(pids: list[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


def _upstreams(log: Path, begin: int) -> Iterator[str]:
    """Give who answered each request, from nginx's own log."""
    with log.open("rb") as lines:
        lines.seek(begin)
        for line in lines:
            found = re.search(rb'"upstream":"([0-9.:]+)"', line)
            if found is not None:
                yield found[1].decode()


@contextlib.asynccontextmanager
async def _nginx(folder: Path, ports: list[int]) -> AsyncIterator[tuple[str, psutil.Process]]:
    listen = "127.0.0.1:18580"
    options = BalancerOptions(
        folder=folder,
        version=await nginx_version(),
        listen=(listen,),
        user="root" if os.geteuid() == 0 else "",
        limits=Limits(exempt_secret=_SECRET),
        connections=512,
    )
    nginx = Nginx(options)
    try:
        await nginx.apply([Upstream(address=f"127.0.0.1:{port}") for port in ports])
        master = nginx.master()
        assert master is not None
        yield f"http://{listen}/", master
    finally:
        await nginx.stop()


@contextlib.contextmanager
def _instance(folder: Path, number: int) -> Iterator[tuple[int, int]]:
    """Run ``quetzal gateway`` on the folder's ledger; give its port and its pid."""
    environment = {
        **os.environ,
        "QUETZAL_DATA_DIR": str(folder),
        "QUETZAL_RATE_LIMIT": "100000000/minute",
        "QUETZAL_ENV": "production",
    }
    ready, told = os.pipe()
    command = (sys.executable, "-c", "from quetzalcore.cli.main import run; run()", "gateway")
    with (folder / f"gateway-{number}.log").open("w") as log:
        process = subprocess.Popen(
            (*command, "--port", str(18581 + number), "--ready-fd", str(told)),
            env=environment,
            pass_fds=(told,),
            stdout=log,
            stderr=log,
        )
    os.close(told)
    try:
        if not os.read(ready, 16):
            raise SystemExit((folder / f"gateway-{number}.log").read_text())
        yield 18581 + number, process.pid
    finally:
        os.close(ready)
        process.terminate()
        process.wait(30)


async def _filled(folder: Path) -> tuple[str, list[str]]:
    """Add a user with a key, and jobs."""
    database = await open_database(f"sqlite:///{folder / 'ledger.sqlite'}")
    identity = await open_identity_store(database)
    try:
        await identity.add_user(
            "bench", tenant="bench", role=Role.ANALYST, password=None, now=_now()
        )
        _, key = await identity.create_key("bench", now=_now())
        ledger = await open_ledger(database)
        request = JobRequest(
            tenant="bench", user="bench", kind="noop", kind_version="1", run="x:y", params={}
        )
        return key, [(await ledger.submit(request, now=_now()))[0].id for _ in range(_JOBS)]
    finally:
        await identity.close()
        await database.close()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
