from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.hypervisor_pool.conftest import ROOT, SMALL

from quetzalcore.hypervisor.kernels import Kernels
from quetzalcore.hypervisor.spec import Tier

NUMERIC = replace(SMALL, cpus=2, memory_mib=2048, tier=Tier.NUMERIC)


def test_a_numeric_task_is_held_to_its_cores_and_its_device_is_accounted_for(house) -> None:
    outcome = house.run("count_pairs", spec=NUMERIC)
    assert outcome.result is not None
    assert outcome.result["workers"] == 2
    assert outcome.used.vgpu["enforced_by"] in {"advisory", "cgroup"}
    assert outcome.used.vgpu["transforms"] == 0


def test_kernels_that_the_host_has_compiled_are_not_compiled_again(house) -> None:
    kernels = house.folder / "kernels"
    kernels.mkdir(parents=True)
    compiled = "import numpy as np; from tests.integration.hypervisor_pool import kernel; "
    subprocess.run(
        [sys.executable, "-c", compiled + "kernel.total(np.arange(4.0))"],
        cwd=ROOT,
        env={"NUMBA_CACHE_DIR": str(kernels), "PYTHONPATH": f"{ROOT}:{ROOT}/src"},
        check=True,
    )
    before = {path: path.stat().st_mtime_ns for path in kernels.rglob("*") if path.is_file()}
    assert before
    outcome = house.run("sums", spec=NUMERIC)
    assert outcome.failure is None
    assert outcome.result is not None
    assert outcome.result["total"] == outcome.result["whole"] == 6
    assert (outcome.result["hits"], outcome.result["misses"]) == (1, 1)
    after = {path: path.stat().st_mtime_ns for path in kernels.rglob("*") if path.is_file()}
    assert after == before  # a VM writes what it compiles into its own folder


def test_kernels_are_complete_until_a_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = Kernels(tmp_path)
    assert not kernels.complete()
    monkeypatch.setattr("quetzalcore.hypervisor.kernels._state", lambda: "as it is")
    (tmp_path / "complete").write_text("as it is")
    assert kernels.complete()
    monkeypatch.setattr("quetzalcore.hypervisor.kernels._state", lambda: "changed")
    assert not kernels.complete()
    assert os.listdir(tmp_path) == ["complete"]  # noqa: PTH208 -- nothing else was written
