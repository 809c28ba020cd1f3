from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.hypervisor_pool.conftest import ROOT

_AGENT = """
import asyncio, sys
from pathlib import Path
from quetzalcore.hypervisor import Hypervisor
from quetzalcore.hypervisor.runtimes.process import ProcessRuntime
from quetzalcore.hypervisor.spec import Task, Tier, Trust, VMSpec

async def main():
    async with Hypervisor.open(
        folder=Path(sys.argv[1]), runtimes=[ProcessRuntime()], trust=Trust.OWNER,
        warm={Tier.BARE: 2}, modules=[Path(sys.argv[2])],
    ) as hv:
        def asleep(_):
            print("asleep", flush=True)
        task = Task(run="tests.integration.hypervisor_pool.hostile:sleep", params={"s": 120})
        spec = VMSpec(trust=Trust.OWNER, memory_mib=512, tenant="ann")
        await asyncio.gather(
            hv.run(spec, task, on_event=asleep), hv.run(spec, task, on_event=asleep, forkable=True)
        )

asyncio.run(main())
"""


def _processes_of(folder: Path) -> list[str]:
    mark = str(folder).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_no_guest_outlives_a_killed_agent(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    agent = subprocess.Popen(
        [sys.executable, "-c", _AGENT, str(folder), str(ROOT)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert agent.stdout is not None
    try:
        assert [agent.stdout.readline() for _ in range(2)] == ["asleep\n"] * 2
        assert len(_processes_of(folder)) >= 3
        agent.send_signal(signal.SIGKILL)
        agent.wait(10)
        until = time.monotonic() + 10
        while _processes_of(folder) and time.monotonic() < until:
            time.sleep(0.05)
        assert _processes_of(folder) == []
    finally:
        agent.kill()
        agent.wait()
        agent.stdout.close()
