"""The images that the stack is tested with, made without any image registry.

A Debian base comes from debootstrap, Python packages from a folder of wheels that pip fetches the way this host is
set up; the same Dockerfile as in production then needs no network. Bases, wheels and layers are kept in a cache folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.docker_engine import DockerEngine

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASES = Path(__file__).parent / "databases"
BASE, DATABASE_BASE = "quetzalcore-base:bookworm", "quetzalcore-databases:bookworm"
POSTGRES, REDIS = "quetzalcore-test-postgres:bookworm", "quetzalcore-test-redis:bookworm"
_SYSTEM = "ca-certificates,python3,python3-venv,bubblewrap,crun,nginx-light"
_MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
_LIMIT_S = 900
_KEPT = ("dependencies", "trimmed")  # stages that are slow to build, kept by a name of their own
_WHEELS_PORT = 47811  # always the same: another address would be another build, with no layer kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds images in one engine; ``within`` is the command that runs others on the engine's network."""

    engine: DockerEngine
    cache: Path
    within: tuple[str, ...] = ()

    def docker(self, *arguments: str) -> str:
        """Run the engine's command line; give what it says."""
        return run(("docker", *arguments), environment=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Where the engine is; the classic builder, because Debian's engine brings no other."""
        return {"DOCKER_HOST": f"unix://{self.engine.socket}", "DOCKER_BUILDKIT": "0"}

    def bases(self) -> None:
        """Import the two roots that everything else is built from."""
        roots = _roots(self.cache)
        for name, root in roots.items():
            if not self.docker("images", "--quiet", name).strip():
                self.docker("import", str(root), name)
        for target, name in (("postgres", POSTGRES), ("redis", REDIS)):
            self.docker(
                *("build", "--quiet", "--target", target, "--tag", name),
                *("--build-arg", f"BASE={DATABASE_BASE}", str(DATABASES)),
            )

    def forget(self) -> None:
        """Remove what no build of the same sources needs again."""
        self.docker("image", "prune", "--force")

    def platform(self, name: str, context: Path, *, version: str) -> None:
        """Build the platform's image from a copy of its sources."""
        wheels = _wheels(self.cache, context)
        with _served(wheels, self.within) as url:
            build = (
                *("build", "--quiet", "--network", "host"),
                *("--file", str(context / "deploy/docker/Dockerfile")),
                *("--build-arg", f"BASE={BASE}", "--build-arg", f"VERSION={version}"),
                *("--build-arg", "PIP_NO_INDEX=1", "--build-arg", f"PIP_FIND_LINKS={url}"),
            )
            for stage in _KEPT:
                tag = f"quetzalcore-test-stage:{stage}"
                self.docker(*build, "--target", stage, "--tag", tag, str(context))
            self.docker(*build, "--tag", name, str(context))


def sources(folder: Path) -> Path:
    """Copy what the image is made of, so that nobody edits it between two builds."""
    for name in ("pyproject.toml", "README.md", "LICENSE", ".dockerignore"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.py[co]", "*.nb[ic]")
    for name in ("src", "requirements", "deploy/docker"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    return folder


def set_version(folder: Path, version: str) -> None:
    """Give the copied sources a version."""
    told = folder / "src/quetzalcore/__init__.py"
    lines = told.read_text().splitlines()
    changed = [f'__version__ = "{version}"' if x.startswith("__version__ =") else x for x in lines]
    told.write_text("\n".join(changed) + "\n")


def run(
    command: tuple[str, ...], *, environment: Mapping[str, str] | None = None, limit_s: float = 900
) -> str:
    """Run a command to its end; what it complained of is in the error if it fails."""
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def _roots(cache: Path) -> dict[str, Path]:
    """Give the roots as tars: Debian with what roles need, and the same with both databases."""
    app, databases = cache / "base.tar", cache / "databases.tar"
    if not databases.exists():
        root = cache / "root"
        shutil.rmtree(root, ignore_errors=True)
        run(
            (
                *("debootstrap", "--variant=minbase", f"--include={_SYSTEM}"),
                *("bookworm", str(root), _MIRROR),
            ),
            limit_s=_LIMIT_S,
        )
        _pack(root, app)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        run(("chroot", str(root), "apt-get", "update", "-qq"))
        run(
            (
                *("chroot", str(root), "apt-get", "install", "-y", "-qq"),
                *("--no-install-recommends", "postgresql", "redis-server"),
            ),
            environment={"DEBIAN_FRONTEND": "noninteractive"},
        )
        _pack(root, databases)
        shutil.rmtree(root)
    return {BASE: app, DATABASE_BASE: databases}


def _pack(root: Path, tar: Path) -> None:
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder / "partial").mkdir(parents=True)
    draft = tar.with_suffix(".draft")
    run(("tar", "-C", str(root), "-cf", str(draft), "."))
    draft.rename(tar)


def _wheels(cache: Path, context: Path) -> Path:
    """Fetch what the image installs, and what builds its wheel, where pins or needs have changed."""
    folder, done = cache / "wheels", cache / "wheels.for"
    pins = context / "requirements/constraints.txt"
    project = tomllib.loads((context / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needs = [*project["dependencies"], *extras["platform"], *extras["cluster"]]
    wanted = "\n".join((pins.read_text(), *needs))
    if not done.exists() or done.read_text() != wanted:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder))
        # What builds the wheel, and what Debian's Python 3.11.2 needs beyond this one, come too.
        older = [p for p in pins.read_text().splitlines() if p.startswith("async-timeout==")]
        run((*pip, "-c", str(pins), f"{context}[platform,cluster]"), limit_s=_LIMIT_S)
        run((*pip, "hatchling", "pip", *older), limit_s=_LIMIT_S)
        done.write_text(wanted)
    return folder


@contextmanager
def _served(folder: Path, within: tuple[str, ...]) -> Iterator[str]:
    """Serve a folder to the engine's own host for as long as a build lasts."""
    server = subprocess.Popen(
        (
            *(*within, sys.executable, "-u", "-m", "http.server", str(_WHEELS_PORT)),
            *("--bind", "127.0.0.1", "--directory", str(folder)),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        said = server.stdout.readline() if server.stdout else ""  # "Serving HTTP on ... port 1234"
        assert "Serving" in said, f"port {_WHEELS_PORT} of the engine's host is taken"
        yield f"http://127.0.0.1:{_WHEELS_PORT}/"
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()
