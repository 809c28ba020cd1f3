"""Emitted loops are cached on disk: a second process compiles nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import numpy as np
from quetzalcore.vgpu import CpuDevice
from quetzalcore.vgpu.pairs import emit_numba
from quetzalcore.geophysics.forward.dipoles import _FIELD
one = [np.ones(3)]
sums = CpuDevice().pairsum(_FIELD, one * 3, [np.zeros(1)] * 5 + [np.ones(1)])
stats = emit_numba(_FIELD).stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), sums[2][0])
"""


@pytest.mark.slow
def test_a_second_process_finds_the_compiled_loop(tmp_path: Path) -> None:
    def run() -> list[str]:
        finished = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env={"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return finished.stdout.split()

    first, second = run(), run()
    assert first[:2] == ["0", "1"]
    assert second[:2] == ["1", "0"]
    assert first[2] == second[2]
