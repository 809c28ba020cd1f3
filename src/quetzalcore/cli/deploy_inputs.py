"""What ``quetzal deploy`` is given, or finds by itself: hosts, settings, the wheel, the units."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath

import quetzalcore
from quetzalcore.cli.console import warn
from quetzalcore.errors import BadParameter, Permanent, UnreadableInput, Where
from quetzalcore.ops.deploy.environment import read_environment
from quetzalcore.ops.deploy.model import Layout, Package
from quetzalcore.ops.deploy.services import UNITS
from quetzalcore.settings import load_settings

__all__ = [
    "HostSettings",
    "given_package",
    "host_names",
    "host_settings",
    "layout_below",
    "read_units",
]

_WHEEL = re.compile(r"quetzalcore-(?P<version>[A-Za-z0-9._+!]+)-[\w.]+-[\w.]+-[\w.]+\.whl")
_PREFIX = re.compile(r"/[A-Za-z0-9._/-]*[A-Za-z0-9._-]")  # units and shebangs take no other
_BY_FILE = "_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """The settings that hosts are given, and what of them has to be known here."""

    values: Mapping[str, str] = field(repr=False)
    joins: bool
    shares: bool


def host_names(text: str) -> tuple[str, ...]:
    """Read ``a,b,c``.

    Raises
    ------
    BadParameter
        If there is none, or one twice.
    """
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    if not names or len(set(names)) < len(names):
        raise BadParameter(f"--hosts is {text!r}", hint="name each host once, like a,b,c")
    return names


def layout_below(prefix: str) -> Layout:
    """Give where things lie on the hosts.

    Raises
    ------
    BadParameter
        If the prefix is no plain absolute path.
    """
    if prefix and (not _PREFIX.fullmatch(prefix) or ".." in PurePosixPath(prefix).parts):
        raise BadParameter(
            f"{prefix!r} cannot be a prefix", hint="give an absolute path like /srv/quetzal"
        )
    return Layout(prefix=prefix)


def host_settings(path: Path | None) -> HostSettings | None:
    """Read the settings for the hosts, and refuse what they would refuse; None where none are given.

    Raises
    ------
    UserMistake
        If the file cannot be read, or a setting is wrong.
    """
    if path is None:
        return None
    values = read_environment(_read(path).decode("utf-8", "replace"), source=str(path))
    by_file = {name for name in values if name.endswith(_BY_FILE)}
    settings, warnings = load_settings(
        {}, {name: value for name, value in values.items() if name not in by_file}
    )
    for warning in warnings:
        warn(f"{path}: {warning}")
    keyed = bool(settings.join_key.get_secret_value() or "QUETZAL_JOIN_KEY_FILE" in by_file)
    databases = {"QUETZAL_DATABASE_URL_FILE", "DATABASE_URL_FILE"}
    return HostSettings(
        values=values,
        joins=bool(settings.join_url) and keyed,
        shares=bool(settings.database_url or databases & by_file),
    )


def read_units() -> dict[str, str]:
    """Give the systemd units that come with this installation."""
    folder = resources.files("quetzalcore.ops.deploy") / "units"
    return {name: (folder / name).read_text("utf-8") for name in UNITS}


def given_package(wheel: Path | None, constraints: Path | None) -> Package:
    """Give what is installed: the wheel that was named, or one built from the checkout that this runs from.

    Raises
    ------
    UserMistake
        If there is no wheel, or it is none of ours.
    """
    pinned = b"" if constraints is None else _read(constraints)
    if wheel is not None:
        return _package(wheel, pinned)
    checkout = Path(quetzalcore.__file__).parents[2]
    if not (checkout / "pyproject.toml").is_file():
        raise BadParameter("there is no wheel to install", hint="give one with --wheel FILE")
    own = checkout / "requirements" / "constraints.txt"
    if constraints is None and own.is_file():
        pinned = _read(own)
    with tempfile.TemporaryDirectory(prefix="qz-wheel-") as folder:
        return _package(_built(checkout, Path(folder)), pinned)


def _package(wheel: Path, constraints: bytes) -> Package:
    name = _WHEEL.fullmatch(wheel.name)
    if name is None:
        raise BadParameter(
            f"{wheel.name} is no wheel of quetzalcore",
            hint="give one like quetzalcore-1.0.0-py3-none-any.whl",
        )
    return Package(
        name=wheel.name, version=name["version"], wheel=_read(wheel), constraints=constraints
    )


def _built(checkout: Path, folder: Path) -> Path:
    """Build the checkout's wheel; the same sources give the same bytes."""
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
    built = subprocess.run(  # noqa: S603 -- our own interpreter and sources
        (*command, "--no-deps", "--wheel-dir", str(folder), str(checkout)),
        check=False,
        capture_output=True,
        text=True,
    )
    found = sorted(folder.glob("*.whl"))
    if built.returncode or not found:
        said = " ".join(built.stderr.split())[-300:]
        raise Permanent(f"the wheel cannot be built ({said})", hint="give one with --wheel FILE")
    return found[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInput(
            f"it cannot be read ({error.strerror})",
            hint="give a file that you may read",
            where=Where(file=str(path)),
        ) from None
