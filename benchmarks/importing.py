"""How long ``import quetzalcore.geophysics`` takes in a fresh interpreter, and all of its rooms."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.race import Figure

_ROOMS = "from quetzalcore.geophysics import *"


def _seconds(statement: str) -> float:
    code = f"import time; a = time.perf_counter(); {statement}; print(time.perf_counter() - a)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    return statistics.median(runs)


def figures() -> list[Figure]:
    """Measure both in fresh interpreters, medians of five."""
    alone = _seconds("import quetzalcore.geophysics")
    rooms = _seconds(_ROOMS)
    return [
        Figure(
            work="import quetzalcore.geophysics",
            ours=f"{alone:.3f} s (with every room opened: {rooms:.2f} s)",
            bar="under 0.5 s",
            met=alone < 0.5,
        )
    ]
