"""Packages that add kinds: found by entry point, here and in processes that we start, and run."""

from __future__ import annotations

import hashlib
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.servers.third_party import installed

from quetzalcore.workloads.catalog import OURS, catalog
from quetzalcore.workloads.parameters import canonical_params
from quetzalcore.workloads.task import TaskContext

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "kind-example"
_LIST = "from quetzalcore.workloads.catalog import catalog; print(*catalog())"


@pytest.fixture
def example() -> Iterator[Path]:
    with installed(EXAMPLE) as folder:
        yield folder


def call(
    kind: str, params: Mapping[str, Any], output: Path, inputs: Sequence[Path] = ()
) -> dict[str, Any]:
    found = catalog()[kind]
    module, _, name = found.run.partition(":")
    output.mkdir()
    task = TaskContext(
        params=canonical_params(found, params),
        inputs={path.name: path for path in inputs},
        output=output,
        progress=lambda *_: None,
        log=lambda _: None,
        cores=1,
        memory_mib=256,
        seed=5,
    )
    return dict(getattr(importlib.import_module(module), name)(task))


def test_the_example_package_adds_a_kind_and_takes_it_along_when_it_goes() -> None:
    assert set(catalog()) >= set(OURS)
    before = set(catalog())
    with installed(EXAMPLE):
        assert set(catalog()) == before | {"line_statistics"}
    assert set(catalog()) == before


@pytest.mark.usefixtures("example")
def test_the_example_package_is_seen_by_processes_that_we_start() -> None:
    said = subprocess.run([sys.executable, "-c", _LIST], capture_output=True, text=True, check=True)
    assert "line_statistics" in said.stdout.split()


@pytest.mark.usefixtures("example")
def test_the_example_kind_runs(tmp_path: Path) -> None:
    survey = tmp_path / "survey.csv"
    rows = [
        f"{k},{470_000 + 50 * k},{7_560_000 + 10 * i},{k * i}" for k in (1, 2) for i in range(99)
    ]
    survey.write_text("line,easting,northing,tmi_anomaly_nt\n" + "\n".join(rows))
    result = call("line_statistics", {"crs": "EPSG:32754"}, tmp_path / "out", [survey])
    assert result["lines"] == 2
    assert result["spread_nt"] == pytest.approx(73.5)
    assert (tmp_path / "out" / "lines.csv").is_file()


@pytest.mark.usefixtures("example")
def test_the_example_package_s_own_tests_pass() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=EXAMPLE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout


def test_a_broken_package_beside_it_takes_nothing_down(tmp_path: Path, caplog) -> None:
    project = tmp_path / "broken"
    (project / "broken_kinds").mkdir(parents=True)
    (project / "broken_kinds" / "__init__.py").write_text("raise SystemError('no')\n")
    (project / "pyproject.toml").write_text(
        '[project]\nname = "broken-kinds"\nversion = "1"\n'
        '[project.entry-points."quetzalcore.workloads"]\nbroken = "broken_kinds:KIND"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["broken_kinds"]\n'
    )
    with installed(project), installed(EXAMPLE):
        found = catalog()
    assert "line_statistics" in found
    assert "broken" not in found
    assert "the job kind broken (broken_kinds:KIND) cannot be loaded" in caplog.text


@pytest.mark.usefixtures("misbehaving_kinds")
def test_every_misbehaving_kind_can_be_asked_for() -> None:
    theirs = {name: kind for name, kind in catalog().items() if kind.run.startswith("misbehaving.")}
    assert len(theirs) == 16
    for kind in theirs.values():
        assert canonical_params(kind, {}) == kind.params().model_dump(mode="json")
        module, _, name = kind.run.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.usefixtures("misbehaving_kinds")
def test_the_well_behaved_one_says_what_it_read_and_wrote(tmp_path: Path) -> None:
    data = tmp_path / "data.bin"
    data.write_bytes(b"quetzal" * 1000)
    result = call("sum_file", {"size": 5000}, tmp_path / "out", [data])
    made = (tmp_path / "out" / "sum.bin").read_bytes()
    assert result["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert result["artifact_sha256"] == hashlib.sha256(made).hexdigest()
    assert len(made) == 5000
    assert call("sum_file", {"size": 5000}, tmp_path / "again", [data]) == result


@pytest.mark.usefixtures("misbehaving_kinds")
def test_those_that_only_look_say_what_they_saw(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of another tenant")
    params = {"usual": False, "paths": [str(secret), str(tmp_path / "none")]}
    seen = call("read_secrets", params, tmp_path / "secrets")
    assert seen["read"] == {str(secret): "of another tenant"}
    assert seen["refused"] == {str(tmp_path / "none"): "ENOENT"}
    assert "1" in seen["processes"]
    written = call("write_outside", params, tmp_path / "outside")
    assert written["written"] == params["paths"]
    assert (tmp_path / "none").read_text() == "quetzal was here\n"
    drawn = [call("random_number", {}, tmp_path / f"random-{k}") for k in (1, 2)]
    assert drawn[0]["bytes"] != drawn[1]["bytes"]
    json.dumps([seen, written, drawn])


@pytest.mark.usefixtures("misbehaving_kinds")
def test_hostile_outputs_are_really_hostile(tmp_path: Path) -> None:
    call("hostile_outputs", {"count": 50}, tmp_path / "out")
    left = list((tmp_path / "out").rglob("*"))
    assert sum(path.is_symlink() for path in left) == 5
    assert any(path.is_fifo() for path in left)
    assert (tmp_path / "out" / "sparse.bin").stat().st_size == 1 << 40
    assert "new\nline.txt" in {path.name for path in left}
    assert len(left) > 260
    (tmp_path / "out" / "locked").chmod(0o700)
