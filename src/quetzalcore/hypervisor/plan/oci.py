"""A machine as an OCI configuration: a pure function from what is asked and where things lie to JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from quetzalcore.hypervisor.plan.environment import environment
from quetzalcore.hypervisor.plan.rlimits import walled_rlimits
from quetzalcore.hypervisor.runtime import Launch

__all__ = ["MASKED", "READ_ONLY", "Places", "command_line", "configuration"]

MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kmsg"),
    *("/proc/latency_stats", "/proc/mounts_stats", "/proc/sched_debug", "/proc/scsi"),
    *("/proc/sysrq-trigger", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo"),
)
"""What of /proc a machine cannot read."""

READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys")
"""What of /proc it can read and never write."""

_NAMESPACES = ("cgroup", "ipc", "mount", "network", "pid", "uts")
_PROGRAM = "run.oci.seccomp_bpf_data"
_SAFE = ("nosuid", "nodev")
_OOM_SCORE = 500  # the guest goes before the runtime that holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a machine's pieces lie, as the runtime sees them, and who the guest is on the host."""

    root: PurePosixPath
    inputs: PurePosixPath
    space: PurePosixPath  # holds out, tmp and shm
    late: Sequence[
        tuple[PurePosixPath, PurePosixPath]
    ] = ()  # (where it is reached, where it is shown)
    uid: int
    group: str = ""  # where the runtime itself makes its control group; empty: it makes none


def configuration(
    launch: Launch, places: Places, *, seccomp: Mapping[str, Any], program: bytes
) -> dict[str, Any]:
    """Give the whole ``config.json``: no network, no capability, no new privilege, nothing of the host writable.

    CPU, memory and processes are limited by the group that the runtime itself is put into. ``program`` is
    the filter ``seccomp`` in the kernel's form: crun takes it as it is, which saves compiling it each time.
    """
    document: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "root": {"path": str(places.root), "readonly": True},
        "hostname": "vm",
        "process": _process(launch, places.uid),
        "mounts": _mounts(places),
        "annotations": {_PROGRAM: base64.b64encode(program).decode()},
        "linux": {
            "namespaces": [{"type": name} for name in _NAMESPACES],
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READ_ONLY),
            "rootfsPropagation": "private",
            "seccomp": dict(seccomp),
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        },
    }
    if places.group:
        document["linux"]["cgroupsPath"] = places.group
    return document


def command_line(
    binary: str, *, name: str, bundle: PurePosixPath, state: PurePosixPath, config: str = ""
) -> tuple[str, ...]:
    """Give the call that creates, starts, waits for and deletes a machine in one, handing on descriptor 3."""
    own = ("--cgroup-manager=disabled",) if config else ()
    return (
        *(binary, "--root", str(state), *own, "run", "--no-new-keyring"),
        *("--preserve-fds", "1", "--bundle", str(bundle)),
        *(("--config", config) if config else ()),
        name,
    )


def _process(launch: Launch, uid: int) -> dict[str, Any]:
    nothing: dict[str, list[str]] = {
        kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")
    }
    return {
        "terminal": False,
        "user": {"uid": uid, "gid": uid, "additionalGids": []},
        "args": list(launch.command),
        "env": [f"{name}={value}" for name, value in environment(launch.spec).items()],
        "cwd": "/tmp",  # noqa: S108 -- the machine's own
        "capabilities": nothing,
        "noNewPrivileges": True,
        "oomScoreAdj": _OOM_SCORE,
        "rlimits": [
            {"type": name, "soft": soft, "hard": hard}
            for name, (soft, hard) in walled_rlimits().items()
        ],
    }


def _mounts(places: Places) -> list[dict[str, Any]]:
    space = places.space
    return [
        _mount("/proc", "proc", "proc", *_SAFE, "noexec"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "mode=755", "size=64k"),
        _mount("/dev/shm", "bind", space / "shm", "bind", "rw", *_SAFE, "noexec"),  # noqa: S108 -- the machine's own
        _mount("/tmp", "bind", space / "tmp", "bind", "rw", *_SAFE),  # noqa: S108 -- the machine's own
        _mount("/out", "bind", space / "out", "bind", "rw", *_SAFE, "noexec"),
        _mount("/in", "bind", places.inputs, "bind", "ro", *_SAFE, "noexec"),
        *(_mount(str(shown), "bind", path, "rbind", "ro", *_SAFE) for path, shown in places.late),
    ]


def _mount(place: str, kind: str, source: PurePosixPath | str, *options: str) -> dict[str, Any]:
    return {"destination": place, "type": kind, "source": str(source), "options": list(options)}
