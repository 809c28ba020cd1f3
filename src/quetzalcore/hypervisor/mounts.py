"""A thread that lives in a mount namespace of its own: what it mounts nobody else sees, and it ends with the agent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from quetzalcore.hypervisor.plan.view import View

__all__ = ["MountRoom", "drop_folders", "late_place", "make_folders", "resize_space"]

_T = TypeVar("_T")

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_BIND, _MS_REC, _MS_SLAVE = 4096, 16384, 1 << 19
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE, _AT_EMPTY_PATH = -100, 0x8000, 0x1000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_SYS_FSCONFIG, _SYS_FSPICK, _SYS_MOUNT_SETATTR = 431, 433, 442  # the same on every architecture
_FSCONFIG_SET_STRING, _FSCONFIG_RECONFIGURE = 1, 7
_FSPICK_EMPTY_PATH = 8
_TOP = Path("/run/quetzal")
_BYTES_PER_INODE = 8192
_FEWEST_INODES = 1024
_KEEP_V1 = "devices"  # runc insists on it

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class MountRoom:
    """A private mount namespace, held open by one thread of this process.

    In it, ``top`` is a small file system of its own, and control groups are hidden but for what a
    runtime needs, so that the runtime leaves limits to us. Processes started by ``call`` are in it too.
    Needs CAP_SYS_ADMIN; raises ``OSError`` without.
    """

    def __init__(self) -> None:
        self.top = _TOP
        _TOP.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mount-room")
        self._views: list[tuple[View, Path]] = []
        try:
            self.call(_enter)
        except OSError:
            self.close()
            raise

    def call(self, work: Callable[[], _T]) -> _T:
        """Do something inside."""
        return self._thread.submit(work).result()

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do something inside without holding up the running loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def view(self, view: View) -> Path:
        """Give the root for a view; built at its first use. Inside only."""
        for known, path in self._views:
            if known == view:
                return path
        path = self.top / f"view-{len(self._views)}"
        _build(path, view)
        self._views.append((view, path))
        return path

    def close(self) -> None:
        """Leave; the namespace goes with its last process."""
        self._thread.shutdown()


def late_place(root: Path, number: int) -> Path:
    """Say where a view's late folder of this number can be reached by everybody in the room."""
    return root.with_name(f"{root.name}-late") / str(number)


def make_folders(folder: Path, *, inputs: Path, space_bytes: int, owner: int) -> int:
    """Bind a machine's inputs and mount its one writable space; give an open descriptor of it.

    The space holds ``out``, ``tmp`` and ``shm``, which share its size. Inside the room only.
    """
    into, space = folder / "in", folder / "space"
    into.mkdir(parents=True)
    space.mkdir()
    _mount(str(inputs), into, "", _MS_BIND, "")
    _mount("space", space, "tmpfs", _MS_NOSUID | _MS_NODEV, _options(space_bytes))
    for name in ("out", "tmp", "shm"):
        (space / name).mkdir(mode=0o700)
        os.chown(space / name, owner, owner)
    return os.open(space, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def drop_folders(folder: Path) -> None:
    """Undo ``make_folders``; what still is open stays readable. Idempotent. Inside the room only."""
    for name in ("in", "space"):
        with contextlib.suppress(OSError):
            _check(_libc.umount2(os.fsencode(folder / name), _MNT_DETACH), folder / name)
        with contextlib.suppress(OSError):
            (folder / name).rmdir()
    with contextlib.suppress(OSError):
        folder.rmdir()


def resize_space(descriptor: int, size: int) -> None:
    """Change the size of a mounted space by its open descriptor, wherever it is mounted."""
    context = _check(_libc.syscall(_SYS_FSPICK, descriptor, b"", _FSPICK_EMPTY_PATH), Path("/out"))
    try:
        for key, value in _bounds(size).items():
            text = str(value).encode()
            _configure(context, _FSCONFIG_SET_STRING, key.encode(), text)
        _configure(context, _FSCONFIG_RECONFIGURE, None, None)
    finally:
        os.close(context)


def _configure(context: int, command: int, key: bytes | None, value: bytes | None) -> None:
    _check(_libc.syscall(_SYS_FSCONFIG, context, command, key, value, 0), Path("/out"))


def _bounds(size: int) -> dict[str, int]:
    """Bound bytes and files: a file without contents takes memory too."""
    return {"size": size, "nr_inodes": max(_FEWEST_INODES, size // _BYTES_PER_INODE)}


def _options(size: int) -> str:
    return ",".join(f"{key}={value}" for key, value in _bounds(size).items())


def _enter() -> None:
    _check(_libc.unshare(_CLONE_NEWNS), Path("/"))
    _mount("", Path("/"), "", _MS_REC | _MS_SLAVE, "")
    _hide_groups()
    _mount("room", _TOP, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=64m")


def _hide_groups() -> None:
    for line in reversed(Path("/proc/thread-self/mounts").read_text().splitlines()):
        _, point, kind, options = line.split(" ")[:4]
        hybrid = kind == "cgroup2" and point != "/sys/fs/cgroup"
        if hybrid or (kind == "cgroup" and _KEEP_V1 not in options.split(",")):
            _check(_libc.umount2(os.fsencode(point), _MNT_DETACH), Path(point))


def _build(root: Path, view: View) -> None:
    root.mkdir(mode=0o755)
    for name in view.folders:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, target in view.links.items():
        (root / name.lstrip("/")).symlink_to(target)
    for name, text in view.files.items():
        (root / name).write_bytes(text)
    for path in view.binds:
        _show(Path(path), root / path.relative_to("/"))
    for number, path in enumerate(view.late):
        _show(Path(path), late_place(root, number))


def _show(path: Path, place: Path) -> None:
    _mount_point(place, path)
    _mount(str(path), place, "", _MS_BIND | _MS_REC, "")
    _seal(place)


def _mount_point(place: Path, source: Path) -> None:
    if source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _seal(place: Path) -> None:
    """Make a mount and all below it read-only, without set-uid programs and devices (Linux 5.12)."""
    attributes = _MountAttr(_ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    _check(
        _libc.syscall(
            _SYS_MOUNT_SETATTR,
            _AT_FDCWD,
            os.fsencode(place),
            _AT_RECURSIVE,
            ctypes.byref(attributes),
            ctypes.sizeof(attributes),
        ),
        place,
    )


def _mount(source: str, target: Path, kind: str, flags: int, data: str) -> None:
    _check(
        _libc.mount(
            source.encode() or b"none",
            os.fsencode(target),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
        target,
    )


def _check(result: int, path: Path) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return result
