"""Kinds behind real walls: compiled modules under our system-call filter, kernels in forked VMs."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from quetzalcore.hypervisor import Hypervisor
from quetzalcore.hypervisor.opening import Runtimes, open_runtimes
from quetzalcore.hypervisor.spec import Outcome, Task, Tier, Trust, VMSpec
from quetzalcore.workloads.catalog import OURS
from quetzalcore.workloads.parameters import canonical_params

DESPIKE = Path(__file__).resolve().parents[3] / "examples" / "wasm-kernels" / "despike.wasm"


@pytest.fixture(scope="module")
def runtimes() -> Iterator[Runtimes]:
    with open_runtimes(f"kinds-{os.getpid()}") as opened:
        yield opened


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that the unprivileged user of a VM may look into, which pytest's own forbid."""
    with tempfile.TemporaryDirectory(prefix="kinds-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def in_a_vm(runtimes: Runtimes, open_folder: Path) -> Callable[..., list[Outcome]]:
    def run(
        name: str, kind: str, jobs: Sequence[Mapping[str, Any]], inputs: Sequence[Path] = ()
    ) -> list[Outcome]:
        """Run jobs of one kind one after another in VMs of one tenant, as an agent would."""
        return asyncio.run(_run(runtimes.by_name[name], open_folder / "hv", kind, jobs, inputs))

    return run


async def _run(
    runtime: Any,  # noqa: ANN401 -- whichever is tried
    folder: Path,
    name: str,
    jobs: Sequence[Mapping[str, Any]],
    inputs: Sequence[Path],
) -> list[Outcome]:
    kind = OURS[name]
    canonical = [canonical_params(kind, params) for params in jobs]
    asked = kind.resources(canonical[0], {path.name: path.stat().st_size for path in inputs})
    spec = VMSpec(
        cpus=asked.cpus, memory_mib=asked.memory_mib, scratch_mib=asked.scratch_mib,
        wall_s=300.0, tenant="acme", tier=Tier(kind.tier),
    )  # fmt: skip
    async with Hypervisor.open(folder=folder, runtimes=[runtime], trust=Trust.TENANT) as hypervisor:
        return [
            await hypervisor.run(
                spec,
                Task(run=kind.run, params=params, inputs={path.name: path for path in inputs}),
                forkable=kind.forkable,
            )
            for params in canonical
        ]


@pytest.mark.parametrize("runtime", ["runc", "bubblewrap"])
def test_a_module_is_compiled_and_run_behind_walls(in_a_vm, runtime: str, tmp_path: Path) -> None:
    table = tmp_path / "readings.csv"
    table.write_text("tmi,line\n0,1\n900,1\n1,1\n")
    params = {"module": "despike.wasm", "memory_mib": 64}
    spin = {**params, "fuel": 10}
    done, refused = in_a_vm(runtime, "wasm", [params, spin], [DESPIKE, table])
    assert done.failure is None
    assert done.result["changes"][0]["changed"] == 1
    assert [product.name for product in done.products] == ["output.parquet"]
    assert refused.failure.code == "module_failed"
    assert refused.failure.remedy == "user"
    assert refused.failure.where == {"file": "despike.wasm"}


def test_kernels_run_in_forks_of_a_tenant_s_warm_vm(in_a_vm) -> None:
    points = [{"longitude": lon, "latitude": 10, "date": "2020-01-01"} for lon in (10, 20)]
    first, second = in_a_vm("runc", "igrf", points)
    assert first.failure is None
    assert second.failure is None
    assert first.result["points"][0]["total_nt"] != second.result["points"][0]["total_nt"]


def test_a_hostile_upload_ends_as_its_owner_s_mistake(in_a_vm, tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_bytes(b"\x00\xff" * 1000)
    (outcome,) = in_a_vm("runc", "inspect", [{}], [path])
    assert outcome.failure.remedy == "user"
    assert outcome.failure.where["file"] == "survey.csv"
