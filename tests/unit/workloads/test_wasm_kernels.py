"""The example kernels: what they do, and that what is committed is what their source builds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from quetzalcore.errors import UserMistake
from quetzalcore.workloads.wasm.kind import ModuleParams
from quetzalcore.workloads.wasm.machine import Machine, load_machine

KERNELS = Path(__file__).resolve().parents[3] / "examples" / "wasm-kernels"


def kernel(name: str, *, folder: Path = KERNELS, parameters: tuple[float, ...] = ()) -> Machine:
    file = f"{name}.wasm"
    return load_machine(folder / file, ModuleParams(module=file, parameters=parameters))


def reference_despike(tmi: np.ndarray, line: np.ndarray, least: float) -> np.ndarray:
    """The kernel in plain Python."""
    out = tmi.copy()
    for i in range(1, len(tmi) - 1):
        three = out[i - 1], out[i], out[i + 1]
        if not (line[i - 1] == line[i] == line[i + 1]) or np.isnan(three).any():
            continue
        up, down = out[i] - out[i - 1], out[i] - out[i + 1]
        if (up > least and down > least) or (up < -least and down < -least):
            out[i] = 0.5 * (out[i - 1] + out[i + 1])
    return out


def survey(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    tmi = rng.normal(0.0, 40.0, 5000).cumsum() * 0.05
    tmi[rng.integers(0, 5000, 60)] += rng.choice([-300.0, 300.0], 60)
    tmi[rng.integers(0, 5000, 20)] = np.nan
    return tmi, np.repeat(np.arange(50.0), 100)


def test_despiking_is_what_its_plain_version_says() -> None:
    tmi, line = survey(np.random.default_rng(1))
    cleaned, same_line = kernel("despike", parameters=(80.0,)).over_columns([tmi, line])
    assert np.array_equal(cleaned, reference_despike(tmi, line, 80.0), equal_nan=True)
    assert np.array_equal(same_line, line)
    assert 30 < np.count_nonzero(cleaned[~np.isnan(tmi)] != tmi[~np.isnan(tmi)]) <= 60


def test_a_bad_parameter_is_the_module_s_own_answer() -> None:
    with pytest.raises(UserMistake, match="configure answered 2"):
        kernel("despike", parameters=(-1.0,))


def test_decorrugation_takes_stripes_and_leaves_anomalies_and_gaps() -> None:
    north, east = np.mgrid[0:60, 0:80].astype(float)
    truth = 100.0 * np.exp(-((north - 30) ** 2 + (east - 40) ** 2) / 400.0)
    stripes = np.where(np.arange(80) % 7 == 3, 3.0, 0.0)
    striped = truth + stripes
    striped[:10, :10] = np.nan
    made = kernel("decorrugate", parameters=(3.0, 5.0)).over_grid(striped, 25.0)
    known = ~np.isnan(striped)
    assert np.array_equal(np.isnan(made), ~known)
    left = np.sqrt(np.mean((made - truth)[known] ** 2))
    assert left < 0.6 * np.sqrt(np.mean((striped - truth)[known] ** 2))


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_the_committed_kernels_are_what_their_source_builds(tmp_path: Path) -> None:
    subprocess.run([KERNELS / "build.sh", tmp_path], check=True)
    tmi, line = survey(np.random.default_rng(2))
    grid = tmi[:4900].reshape(70, 70)
    for folder in (KERNELS, tmp_path):
        assert (folder / "despike.wasm").stat().st_size < 50_000
    committed, built = (
        [
            *kernel("despike", folder=folder).over_columns([tmi, line]),
            kernel("decorrugate", folder=folder).over_grid(grid, 10.0),
        ]
        for folder in (KERNELS, tmp_path)
    )
    for one, other in zip(committed, built, strict=True):
        assert np.array_equal(one, other, equal_nan=True)
