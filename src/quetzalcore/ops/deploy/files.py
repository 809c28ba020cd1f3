"""The files that a host shall have: settings, and units or, where there is no systemd, their likes."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from quetzalcore.ops.deploy.environment import environment_text
from quetzalcore.ops.deploy.model import Service, Wish
from quetzalcore.ops.deploy.texts import KEEP

__all__ = ["HostFile", "files_for", "paths_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFile:
    """A file as it shall be on a host."""

    path: str
    content: bytes = field(repr=False)  # settings are secret
    what: str
    mode: str = "644"
    service: str = ""  # the unit's or service's name, if it is one

    @property
    def seen(self) -> str:
        """Give what a look tells of the file where it is as it shall be."""
        return f"{hashlib.sha256(self.content).hexdigest()}:{self.mode}"


def files_for(wish: Wish, *, systemd: bool) -> tuple[HostFile, ...]:
    """Give all files that a wish needs on a host."""
    services = _units(wish) if systemd else _scripts(wish)
    return (*_settings(wish), *services)


def paths_of(wish: Wish) -> tuple[str, ...]:
    """Give the paths that a look has to tell of, whichever way the host runs services."""
    both = (*files_for(wish, systemd=True), *files_for(wish, systemd=False))
    return tuple(sorted({*(file.path for file in both), wish.layout.environment}))


def _settings(wish: Wish) -> Iterator[HostFile]:
    if wish.environment is not None:
        path, names = wish.layout.environment, ", ".join(sorted(wish.environment))
        yield HostFile(
            path=path,
            content=environment_text(wish.environment),
            what=f"write {path} ({names})",
            mode="600",
        )


def _units(wish: Wish) -> Iterator[HostFile]:
    contents = {service.template: service.content for service in wish.services}
    for name, content in contents.items():
        yield HostFile(
            path=f"{wish.layout.units}/{name}",
            content=content.encode(),
            what=f"write the unit {name}",
            service=name,
        )


def _scripts(wish: Wish) -> Iterator[HostFile]:
    opt = wish.layout.opt
    yield HostFile(path=f"{opt}/keep", content=KEEP.encode(), what=f"write {opt}/keep")
    for service in wish.services:
        if not service.is_group:
            yield HostFile(
                path=f"{opt}/services/{service.name}",
                content=_script(service, wish).encode(),
                what=f"write the service {service.name}",
                service=service.name,
            )


def _script(service: Service, wish: Wish) -> str:
    """Give what a unit says as a script; as with units, the file of settings has the last word."""
    data = shlex.quote(service.data_folder)
    return (
        f"# {service.name}, as its unit runs it\n"
        f"export QUETZAL_DATA_DIR={data}\n"
        f"set -a\n. {shlex.quote(wish.layout.environment)}\nset +a\n"
        'mkdir -p "$QUETZAL_DATA_DIR"\n'
        f"exec {shlex.join(service.command)}\n"
    )
