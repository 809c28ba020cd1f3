"""Wheels made in no time: of the sources as they are, or of a stand-in that has the same command."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["real_wheel", "stand_in_wheel"]

_SOURCES = Path(__file__).resolve().parents[2] / "src"
_SCRIPT = "[console_scripts]\nquetzal = {}\n"


def real_wheel(folder: Path) -> Path:
    """Pack the sources as the build does; their requirements are left out."""
    files = {
        str(path.relative_to(_SOURCES)): path.read_bytes()
        for path in sorted((_SOURCES / "quetzalcore").rglob("*"))
        if path.is_file() and path.suffix not in {".pyc", ".nbi", ".nbc"}
    }
    return _packed(folder, "0.1.0", files, entry="quetzalcore.cli.main:run")


def stand_in_wheel(folder: Path, version: str, program: str) -> Path:
    """Pack one module that is the whole command."""
    name = "quetzalcore/__init__.py"
    return _packed(folder, version, {name: program.encode()}, entry="quetzalcore:main")


def _packed(folder: Path, version: str, files: Mapping[str, bytes], *, entry: str) -> Path:
    about = f"quetzalcore-{version}.dist-info"
    tag = "py3-none-any"
    contents = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: quetzalcore\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{about}/entry_points.txt": _SCRIPT.format(entry).encode(),
    }
    record = "".join(
        f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in contents.items()
    )
    contents[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    path = folder / f"quetzalcore-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # no times: the same bytes again
    return path


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
