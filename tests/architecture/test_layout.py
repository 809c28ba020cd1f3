from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import quetzalcore

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(quetzalcore.__file__).parent


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


@pytest.mark.parametrize("heavy", ["numpy", "numba", "scipy", "pandas", "xarray", "pydantic"])
def test_importing_geophysics_loads_nothing_heavy(heavy: str) -> None:
    assert heavy not in modules_after("import quetzalcore.geophysics")


@pytest.mark.parametrize("heavy", ["rasterio", "matplotlib", "numba", "pandas"])
def test_asking_the_command_for_help_loads_no_science(heavy: str) -> None:
    loaded = modules_after("import quetzalcore.cli.main")
    assert heavy not in loaded


def test_touching_a_room_of_geophysics_opens_it() -> None:
    assert "quetzalcore.geophysics.survey" in modules_after(
        "import quetzalcore.geophysics as g; g.survey.Survey"
    )


def test_a_room_that_does_not_exist_is_an_attribute_error() -> None:
    geophysics = importlib.import_module("quetzalcore.geophysics")
    with pytest.raises(AttributeError, match="no attribute 'gravity'"):
        _ = geophysics.gravity
    assert "igrf" in dir(geophysics)


def test_the_root_holds_only_what_a_newcomer_needs() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    at_root = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert at_root <= {
        ".ci", ".dockerignore", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
        "Makefile", "README.md", "benchmarks", "changes", "deploy", "docs", "examples",
        "pyproject.toml",
        "requirements", "src", "tests",
    }  # fmt: skip


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        path
        for path in SOURCE.rglob("__init__.py")
        if not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert silent == []
