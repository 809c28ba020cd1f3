"""Reading which control groups a host has, from the text of /proc: version 1, 2, or both at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

__all__ = ["CONTROLLERS", "Hierarchy", "Layout", "read_layout"]

CONTROLLERS = ("cpu", "cpuacct", "devices", "memory", "pids")
"""What limits and measures a machine; version 2 has cpuacct within cpu. runc insists on devices."""

_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


class Hierarchy(StrEnum):
    """How a host's control groups are mounted."""

    NONE = "none"
    V1 = "v1"
    HYBRID = "hybrid"  # version 1 does the work; a version 2 tree is mounted beside it
    V2 = "v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where this process's own control groups are.

    ``own`` maps each controller to its mount point and to this process's path below it; under version 2
    every controller has the same. ``unified`` is the mount point of the version 2 tree, if there is one.
    """

    hierarchy: Hierarchy
    own: Mapping[str, tuple[PurePosixPath, PurePosixPath]]
    unified: PurePosixPath | None = None


def read_layout(mounts: str, membership: str) -> Layout:
    """Read ``/proc/self/mounts`` and ``/proc/self/cgroup``."""
    points, unified = _mount_points(mounts)
    paths = _paths(membership)
    own = {
        name: (points[name], paths.get(name, PurePosixPath("/")))
        for name in CONTROLLERS
        if name in points
    }
    if own:
        hierarchy = Hierarchy.V1 if unified is None else Hierarchy.HYBRID
        return Layout(hierarchy=hierarchy, own=own, unified=unified)
    if unified is None:
        return Layout(hierarchy=Hierarchy.NONE, own={})
    place = (unified, paths.get("", PurePosixPath("/")))
    return Layout(hierarchy=Hierarchy.V2, own=dict.fromkeys(CONTROLLERS, place), unified=unified)


def _mount_points(mounts: str) -> tuple[dict[str, PurePosixPath], PurePosixPath | None]:
    points: dict[str, PurePosixPath] = {}
    unified = None
    for line in mounts.splitlines():
        _, point, kind, options, *_ = (*line.split(" "), "", "", "")
        path = PurePosixPath(_unescape(point))
        if kind == "cgroup2":
            unified = path
        elif kind == "cgroup":
            points.update(dict.fromkeys(options.split(","), path))
    return points, unified


def _paths(membership: str) -> dict[str, PurePosixPath]:
    found = {}
    for line in membership.splitlines():
        _, _, rest = line.partition(":")
        names, separator, path = rest.partition(":")
        if separator:
            found.update(dict.fromkeys(names.split(","), PurePosixPath(path)))
    return found


def _unescape(text: str) -> str:
    for code, character in _ESCAPES.items():
        text = text.replace(code, character)
    return text
