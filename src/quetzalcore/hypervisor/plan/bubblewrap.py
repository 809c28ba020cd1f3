"""A machine as a bubblewrap command line: a pure function from what is asked and where things lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from quetzalcore.hypervisor.plan.view import View

__all__ = ["Folders", "command_line", "options"]

_DEV_BYTES = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where a machine's pieces lie. An empty ``space`` means that nothing limits what is written to ``outputs``.

    ``root`` is a prepared root, or a view to be put together by bubblewrap itself from the host's folders.
    """

    root: PurePosixPath | View
    inputs: PurePosixPath
    outputs: PurePosixPath
    late: Sequence[PurePosixPath] = ()
    space: PurePosixPath | None = None
    scratch_bytes: int


def options(folders: Folders, *, seccomp: int | None) -> tuple[str, ...]:
    """Give what bubblewrap reads from its ``--args`` descriptor."""
    filtered = () if seccomp is None else ("--seccomp", str(seccomp))
    return (
        *("--unshare-all", "--die-with-parent", "--new-session", "--hostname", "vm", *filtered),
        *_root(folders.root),
        *("--proc", "/proc", "--dev", "/dev"),
        *_writable(folders),
        *("--remount-ro", "/dev"),
        *("--ro-bind", str(folders.inputs), "/in", "--bind", str(folders.outputs), "/out"),
        *(part for path in folders.late for part in ("--ro-bind", str(path), str(path))),
        *("--chdir", "/tmp"),  # noqa: S108 -- the machine's own
    )


def command_line(
    binary: str, command: Sequence[str], *, args: int, drop: tuple[str, int] | None
) -> tuple[str, ...]:
    """Give the call; ``drop`` is the path of setpriv and the uid to become first, for it is never run as root."""
    lower: tuple[str, ...] = ()
    if drop is not None:
        tool, uid = drop
        lower = (
            tool,
            "--reuid",
            str(uid),
            "--regid",
            str(uid),
            "--clear-groups",
            "--inh-caps=-all",
            "--",
        )
    return (*lower, binary, "--args", str(args), "--", *command)


def _writable(folders: Folders) -> tuple[str, ...]:
    if folders.space is None:
        size = str(folders.scratch_bytes)
        return (
            *("--size", size, "--perms", "0700", "--tmpfs", "/tmp"),  # noqa: S108 -- the machine's own
            *("--size", size, "--perms", "0700", "--tmpfs", "/dev/shm"),  # noqa: S108 -- the machine's own
        )
    return (
        *("--bind", str(folders.space / "tmp"), "/tmp"),  # noqa: S108 -- the machine's own
        *("--bind", str(folders.space / "shm"), "/dev/shm"),  # noqa: S108 -- the machine's own
    )


def _root(root: PurePosixPath | View) -> tuple[str, ...]:
    if isinstance(root, PurePosixPath):
        return ("--ro-bind", str(root), "/")
    parts: list[str] = []
    for path in root.binds:
        parts += ["--ro-bind", str(path), str(path)]
    for link, target in root.links.items():
        parts += ["--symlink", target, link]
    for name in root.folders:
        parts += ["--dir", f"/{name}"]
    return tuple(parts)
