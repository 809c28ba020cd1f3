"""The embedded platform as a user starts it: how soon it is up, and what it holds while idle."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.own_platform import free_port
from benchmarks.race import Figure

_RUNS = 5
_SETTLE_S = 20.0
_UP_S = 3.0
_IDLE_MIB = 400.0
_CPU_S = 10.0


def figures() -> list[Figure]:
    """Measure ``quetzal up`` to ready, and the memory and CPU of everything it started."""
    with tempfile.TemporaryDirectory(prefix="qz-bench-") as folder:
        took = []
        for _ in range(_RUNS):
            took.append(_up(folder))
            _quetzal("down", folder=folder)
        _up(folder)
        try:
            time.sleep(_SETTLE_S)
            memory, busy = _idle(folder)
        finally:
            _quetzal("down", folder=folder)
    up = statistics.median(took)
    return [
        Figure(
            work=f"quetzal up to ready, median of {_RUNS} (first, with new tables: {took[0]:.1f} s)",
            ours=f"{up:.2f} s", bar=f"under {_UP_S:.0f} s", met=up < _UP_S,
        ),
        Figure(
            work="embedded platform idle, one warm VM with NumPy and one bare: memory (PSS)",
            ours=f"{memory:,.0f} MB", bar=f"under {_IDLE_MIB:.0f} MB", met=memory < _IDLE_MIB,
        ),
        Figure(
            work=f"embedded platform idle: CPU over {_CPU_S:.0f} s",
            ours=f"{busy:.1%} of one core", bar="reported", met=True,
        ),
    ]  # fmt: skip


def _up(folder: str) -> float:
    began = time.perf_counter()
    _quetzal("up", folder=folder)
    return time.perf_counter() - began


def _quetzal(command: str, *, folder: str) -> None:
    environment = {
        **os.environ,
        "QUETZAL_DATA_DIR": folder,
        "QUETZAL_PORT": str(free_port()),
        "QUETZAL_MASTER_PORT": str(free_port()),
    }
    program = Path(sys.executable).with_name("quetzal")
    subprocess.run((program, command), env=environment, check=True, capture_output=True)


def _idle(folder: str) -> tuple[float, float]:
    """Give the memory of every process of the platform in MB (shared pages by share), and its CPU."""
    before = {process: _cpu_s(process) for process in _processes(folder)}
    time.sleep(_CPU_S)
    spent = sum(_cpu_s(process) - used for process, used in before.items())
    memory = sum(_pss_kib(process.pid) for process in before) * 1024 / 1e6
    return memory, spent / _CPU_S


def _processes(folder: str) -> list[psutil.Process]:
    """Give the platform's process, the agent's, and all that descends from either."""
    note = json.loads((Path(folder) / "run/platform.json").read_text())
    agent = int((Path(folder) / "vms/agent.pid").read_text())
    roots = [psutil.Process(note["pid"]), psutil.Process(agent)]
    return list({p for root in roots for p in (root, *root.children(recursive=True))})


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _pss_kib(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
