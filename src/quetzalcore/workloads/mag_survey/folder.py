"""An output folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import mimetypes
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quetzalcore.errors import BadOutput

__all__ = ["Artifact", "artifacts", "sha256", "whole_folder"]

_MARK = "result.json"  # a folder that holds one is ours and may be replaced
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
    """Give a scratch folder beside ``target`` and move it there only when the block succeeds.

    An empty folder, or one that an earlier run made (it holds ``result.json``), is replaced; the old
    one stays until the new one is complete. Any other folder with files in it is refused.

    Raises
    ------
    BadOutput
        If ``target`` is a file, holds somebody else's files or cannot be written.
    """
    _check(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise BadOutput(
            f"{target} cannot be written ({error.strerror})", hint="choose another folder with -o"
        ) from None
    try:
        yield scratch
        scratch.chmod(0o755)
        _replace(target, scratch)
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


def _check(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()) and not (target / _MARK).is_file():
            raise BadOutput(
                f"{target} holds files that are not an earlier run's products",
                hint="choose a new or empty folder with -o",
            )
    elif target.exists():
        raise BadOutput(f"{target} is a file", hint="choose a folder with -o")


def _replace(target: Path, scratch: Path) -> None:
    if not target.exists():
        scratch.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    target.rename(old / target.name)
    scratch.rename(target)
    shutil.rmtree(old, ignore_errors=True)
