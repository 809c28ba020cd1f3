from __future__ import annotations

import subprocess
import sys

import pytest

_ASK = """
import json, sys
from quetzalcore.workloads.catalog import catalog
from quetzalcore.workloads.parameters import canonical_params
from quetzalcore.workloads.reuse import data_versions, reuse_key
for kind in catalog().values():
    if kind.name in json.loads(sys.argv[1]):
        params = canonical_params(kind, kind.example)
        kind.resources(params, {"a.csv": 10**9})
        kind.params.model_json_schema()
        reuse_key("t", kind, params, {}, data_versions())
print(" ".join(sys.modules))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Name every module that a gateway loads to know, check, size and key every kind of ours."""
    ours = '["inspect", "mag_survey", "cost_analysis", "igrf", "discriminate", "target_drills", "wasm"]'
    said = subprocess.run(
        [sys.executable, "-c", _ASK, ours], capture_output=True, text=True, check=True
    )
    return set(said.stdout.split())


@pytest.mark.parametrize(
    "heavy",
    [
        "numpy", "numba", "scipy", "pyarrow", "xarray", "rasterio", "matplotlib", "pandas", "wasmtime",
        "quetzalcore.geophysics", "quetzalcore.formats", "quetzalcore.reporting", "quetzalcore.vgpu",
    ],
)  # fmt: skip
def test_knowing_every_kind_loads_no_science(loaded: set[str], heavy: str) -> None:
    assert heavy not in loaded
    assert "quetzalcore.workloads.mag_survey.kind" in loaded
