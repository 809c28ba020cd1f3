"""A machine as a bubblewrap command line: a pure function from what is asked and where things lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from quetzalcore.hypervisor.plan.rlimits import walled_rlimits

__all__ = ["Folders", "command_line", "options"]

_FLAGS = {"RLIMIT_CORE": "c", "RLIMIT_NOFILE": "n"}


_LIMITED = (
    "".join(f"ulimit -{_FLAGS[name]} {hard} && " for name, (_, hard) in walled_rlimits().items())
    + 'exec "$@"'
)  # bubblewrap itself sets none


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where a machine's pieces lie, as bubblewrap sees them; ``space`` holds out, tmp and shm."""

    root: PurePosixPath
    inputs: PurePosixPath
    space: PurePosixPath
    late: Sequence[
        tuple[PurePosixPath, PurePosixPath]
    ] = ()  # (where it is reached, where it is shown)


def options(folders: Folders, *, seccomp: int) -> tuple[str, ...]:
    """Give what bubblewrap reads from its ``--args`` descriptor; ``seccomp`` is the filter's descriptor."""
    space = folders.space
    return (
        *("--unshare-all", "--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "vm"),
        *("--seccomp", str(seccomp)),
        *("--ro-bind", str(folders.root), "/"),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--bind", str(space / "shm"), "/dev/shm"),  # noqa: S108 -- the machine's own
        *("--remount-ro", "/dev"),
        *("--bind", str(space / "tmp"), "/tmp"),  # noqa: S108 -- the machine's own
        *("--ro-bind", str(folders.inputs), "/in", "--bind", str(space / "out"), "/out"),
        *(part for path, shown in folders.late for part in ("--ro-bind", str(path), str(shown))),
        *("--chdir", "/tmp"),  # noqa: S108 -- the machine's own
    )


def command_line(
    binary: str, command: Sequence[str], *, args: int, drop: tuple[str, int]
) -> tuple[str, ...]:
    """Give the call; ``drop`` is setpriv and the uid to become first, for bubblewrap never runs as root."""
    tool, uid = drop
    return (
        *("/bin/sh", "-c", _LIMITED, "sh"),
        *(tool, "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all"),
        *("--", binary, "--args", str(args), "--", *command),
    )
