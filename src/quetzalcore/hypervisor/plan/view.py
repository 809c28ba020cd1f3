"""What a machine sees of the host: a small tree, planned as data, that holds the system and Python, read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from quetzalcore.hypervisor.runtime import CannotEnforce

__all__ = ["HostTree", "View", "plan_view"]

_ROOT = PurePosixPath("/")
_PRIVATE = PurePosixPath("/tmp")  # noqa: S108 -- the machine's own, empty at its start
_NEVER = frozenset(
    map(
        PurePosixPath,
        (
            *(
                "/",
                "/boot",
                "/dev",
                "/etc",
                "/home",
                "/in",
                "/lost+found",
                "/media",
                "/mnt",
                "/opt",
            ),
            *("/out", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/var", "/var/lib"),  # noqa: S108 -- refused
            *("/var/run", "/var/tmp", "/Users"),  # noqa: S108 -- refused
        ),
    )
)
_HOMES = frozenset(map(PurePosixPath, ("/home", "/Users")))
_FOLDERS = ("dev", "etc", "in", "out", "proc", "run", "tmp", "var")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/tmp:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTree:
    """What the plan needs to know of the host's file system.

    ``links`` are top folders that are links (``/bin`` to ``usr/bin``), ``folders`` those that are real;
    ``python`` are the interpreter's and the program's own folders; ``files`` are small public files
    that are copied, with their text.
    """

    links: Mapping[str, str]
    folders: tuple[PurePosixPath, ...]
    python: tuple[PurePosixPath, ...]
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A root: real (empty) folders, links, small files, and host folders bound read-only at the same place.

    ``late`` lies below ``/tmp``, which is the machine's own: it is bound after that has been mounted.
    """

    folders: tuple[str, ...]
    links: Mapping[str, str]
    files: Mapping[str, bytes]
    binds: tuple[PurePosixPath, ...]
    late: tuple[PurePosixPath, ...]


def plan_view(
    host: HostTree, *, readable: Iterable[PurePosixPath] = (), hidden: Iterable[PurePosixPath] = ()
) -> View:
    """Plan a root that shows the system, Python and ``readable``, and nothing at or below ``hidden``.

    A path that is too wide to be shown (a home, ``/etc``, ``/var`` ...) or that holds something hidden
    is refused with ``CannotEnforce``.
    """
    asked = (*host.folders, *host.python, *readable)
    for path in asked:
        if not path.is_absolute() or ".." in path.parts:
            raise CannotEnforce(f"{path} is not an absolute path", hint="give absolute paths")
    wanted = _outermost(asked)
    for path in wanted:
        _check(path, tuple(hidden))
    late = tuple(path for path in wanted if path.is_relative_to(_PRIVATE))
    binds = tuple(path for path in wanted if path not in late)
    links = {
        link: target for link, target in host.links.items() if PurePosixPath(link) not in binds
    }
    return View(
        folders=_FOLDERS,
        links={**links, "/var/tmp": "../tmp"},  # noqa: S108 -- a link in the machine's own tree
        files={name: text.encode() for name, text in _FILES.items()} | dict(host.files),
        binds=binds,
        late=late,
    )


def _outermost(paths: Iterable[PurePosixPath]) -> tuple[PurePosixPath, ...]:
    """Drop what lies below another; the order of names, so that parents are made before children."""
    kept: list[PurePosixPath] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return tuple(kept)


def _check(path: PurePosixPath, hidden: tuple[PurePosixPath, ...]) -> None:
    if (
        path in _NEVER
        or path.parent in _HOMES
        or any(secret.is_relative_to(path) for secret in hidden)
    ):
        raise CannotEnforce(
            f"a machine would see all of {path}, which holds more than programs",
            hint="install Python and the programs into a folder of their own, away from the data",
        )
    if any(path.is_relative_to(secret) for secret in hidden):
        raise CannotEnforce(f"{path} is hidden from machines", hint="move the program elsewhere")
