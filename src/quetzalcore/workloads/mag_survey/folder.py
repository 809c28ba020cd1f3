"""An output folder that appears whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import mimetypes
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quetzalcore.errors import BadOutput

__all__ = ["Artifact", "artifacts", "sha256", "whole_folder"]

_MARK = "result.json"  # says which files of a folder are ours and may be replaced
_SCRATCH = ".quetzal-"
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_MEDIA = {
    ".tif": "image/tiff; application=geotiff",
    ".parquet": "application/vnd.apache.parquet",
    ".geojson": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3",
    ".nc": "application/x-netcdf",
    ".toml": "application/toml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One product file."""

    name: str
    media_type: str
    size: int
    sha256: str


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a scratch folder and put what it holds into ``target`` only when the block succeeds.

    A folder that holds an earlier run's products and nothing else is replaced; they stay until the
    new ones are complete. Any other folder with files in it is refused. An existing folder stays the
    same folder, so that it may be the working folder, a mount or a link.

    Raises
    ------
    BadOutput
        If ``target`` is a file, holds somebody else's files or cannot be written, or the disk is full.
    """
    _check(target)
    try:
        scratch = _scratch(target)
    except OSError as error:
        raise BadOutput(
            f"{target} cannot be written ({error.strerror})", hint="choose another folder with -o"
        ) from None
    try:
        yield scratch
        scratch.chmod(0o755)
        _replace(target, scratch)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise BadOutput(
            f"{target} cannot be written ({error.strerror})",
            hint="make room on the disk, or choose another folder with -o",
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def artifacts(folder: Path) -> tuple[Artifact, ...]:
    """List every file below ``folder`` with its media type, size and digest, by name."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(
        Artifact(
            name=path.relative_to(folder).as_posix(),
            media_type=_MEDIA.get(path.suffix)
            or mimetypes.guess_type(path.name)[0]
            or "application/octet-stream",
            size=path.stat().st_size,
            sha256=sha256(path),
        )
        for path in found
    )


def sha256(path: Path) -> str:
    """Give the hex SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _scratch(target: Path) -> Path:
    if target.is_dir():
        return Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=target))
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))


def _check(target: Path) -> None:
    if not target.is_dir():
        if target.exists():
            raise BadOutput(f"{target} is a file", hint="choose a folder with -o")
        return
    foreign = next(iter(sorted(_files(target) - _products(target))), None)
    if foreign is not None:
        raise BadOutput(
            f"{target} holds files that are not an earlier run's products ({foreign})",
            hint="choose a new or empty folder with -o",
        )


def _files(folder: Path) -> set[str]:
    """Name every file of ``folder``, what a killed run left in its scratch folder apart."""
    inside = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return {path.as_posix() for path in inside if not path.parts[0].startswith(_SCRATCH)}


def _products(folder: Path) -> set[str]:
    """Name the files that the run which made ``folder`` wrote into it."""
    try:
        told = json.loads((folder / _MARK).read_text(encoding="utf-8"))
        return {_MARK, *(str(item["name"]) for item in told["artifacts"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _replace(target: Path, scratch: Path) -> None:
    if scratch.parent != target:
        scratch.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=target))
    for path in [p for p in target.iterdir() if p not in {old, scratch}]:
        path.rename(old / path.name)
    new = sorted(scratch.iterdir(), key=lambda path: path.name == _MARK)  # the mark comes last
    for path in new:
        path.rename(target / path.name)
    shutil.rmtree(old, ignore_errors=True)
