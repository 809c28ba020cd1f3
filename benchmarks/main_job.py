"""The main job as a user runs it: a whole process from file to report, time and peak memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.race import Figure

_OSBORNE = Path(__file__).resolve().parents[2] / "shared/data/osborne/osborne-magnetic.csv.xz"
_RUNS = 3
_CODE = """
from quetzalcore.cli.main import run
try:
    run()
finally:
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def figures() -> list[Figure]:
    """Run Osborne three times after a warm-up (kernels compiled); medians of wall time and memory."""
    if not _OSBORNE.is_file():
        return [Figure(work="Osborne, survey run", ours="", bar="needs the survey", met=False)]
    first_s, _ = _run()
    runs = [_run() for _ in range(_RUNS)]
    wall_s = statistics.median(seconds for seconds, _ in runs)
    memory_gb = max(memory for _, memory in runs)
    return [
        Figure(
            work="Osborne, 990,987 points, `survey run`, all stages",
            ours=f"{wall_s:.1f} s (this machine's first run: {first_s:.1f} s)",
            bar="under 30 s; aim 15 s",
            met=wall_s < 30.0,
        ),
        Figure(
            work="Osborne, `survey run`, peak memory",
            ours=f"{memory_gb:.2f} GB",
            bar="under 2 GB",
            met=memory_gb < 2.0,
        ),
    ]


def _run() -> tuple[float, float]:
    """Return wall seconds and peak resident gigabytes of one process.

    The peak is the process's own high-water mark: what the operating system adds up for children
    begins with what this process held when it forked.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["survey", "run", str(_OSBORNE), "-o", f"{folder}/products", "--quiet"]
        start = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", _CODE, *command], check=True, stdout=subprocess.PIPE, text=True
        )
        seconds = time.perf_counter() - start
    return seconds, int(told.stdout.split()[-2]) * 1024 / 1e9
