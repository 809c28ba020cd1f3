"""Packages that add job kinds, as if pip had installed them: for this process and for those it starts."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["installed", "misbehaving_kinds"]

_TESTS = Path(__file__).resolve().parents[1]


@contextmanager
def installed(project: Path) -> Iterator[Path]:
    """Lay a project's packages and its entry points into a folder on the module path; remove it after.

    Any user of the host may read the folder, as with a real installation: a VM runs as another one.
    """
    folder = Path(tempfile.mkdtemp(prefix="third-party-"))
    try:
        folder.chmod(0o755)
        _lay_out(project, folder)
        with _on_the_path(folder):
            yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def misbehaving_kinds() -> Iterator[Path]:
    """Install the kinds that misbehave; give the folder, which is in PYTHONPATH."""
    with installed(_TESTS / "misbehaving_kinds") as folder:
        yield folder


def _lay_out(project: Path, folder: Path) -> None:
    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    for package in told["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(
            project / package,
            folder / Path(package).name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    name, version = told["project"]["name"], told["project"]["version"]
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
    )
    lines = [
        line
        for group, points in told["project"]["entry-points"].items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in points.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def _on_the_path(folder: Path) -> Iterator[None]:
    before = os.environ.get("PYTHONPATH")
    modules = set(sys.modules)
    sys.path.append(str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [before, str(folder)]))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
        own = {path.name for path in folder.iterdir() if path.is_dir()}
        for name in set(sys.modules) - modules:
            if name.partition(".")[0] in own:
                del sys.modules[name]
