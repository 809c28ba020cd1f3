"""Control groups of machines: make, limit, fill, measure, kill, remove; and sweep what dead agents left."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import itertools
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from quetzalcore.hypervisor.cgroup_layout import Hierarchy, Layout, read_layout
from quetzalcore.hypervisor.plan.limits import GroupLimits, settings_v1, settings_v2
from quetzalcore.hypervisor.runtime import CannotEnforce, Stats

__all__ = ["PREFIX", "Group", "Groups", "open_groups", "own_layout", "sweep"]

PREFIX = "quetzal-"
"""How the names of an agent's groups begin; nothing else is ever swept."""

_MIB = 1024.0**2
_V2 = 2
_POLL_S = 0.002
_PATIENCE = 1000
_LINKS_OF_A_LEAF = 2
_OPTIONAL = ("memory.memsw.limit_in_bytes", "memory.swap.max")  # kernels without swap accounting
_opened = itertools.count()
_V2_CONTROLLERS = "+cpu +memory +pids"
_OWN_LEAF = "guest"  # where the processes of a divided group are that belong to no group below


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One machine's control groups: a directory for each controller, one for all under version 2."""

    version: int
    directories: Mapping[str, Path]

    def paths(self) -> tuple[Path, ...]:
        """Give each directory once."""
        return tuple(dict.fromkeys(self.directories.values()))

    def limit(self, limits: GroupLimits) -> None:
        """Set or change the limits; processes inside feel them at once."""
        if self.version == 1:
            now = int(_read(f"{self.directories['memory']}/memory.limit_in_bytes") or 0)
            settings = settings_v1(limits, now)
        else:
            settings = settings_v2(limits)
        for controller, file, value in settings:
            path = f"{self.directories[controller]}/{file}"
            if file in _OPTIONAL and not os.access(path, os.F_OK):
                continue
            _write(path, value)

    def add(self, pid: int) -> None:
        """Move a process, with all its threads, into every directory; its later children follow."""
        for path in self.paths():
            _write(f"{path}/cgroup.procs", str(pid))

    def doors(self) -> tuple[int, ...]:
        """Open what a process with one thread enters by if it writes 0; the caller closes them.

        Who moves another stops every fork and exit on the host until the kernel's readers have passed,
        which takes milliseconds; who moves itself does not. Version 2 has no such door.
        """
        if self.version != 1:
            return ()
        return tuple(os.open(f"{path}/tasks", os.O_WRONLY | os.O_CLOEXEC) for path in self.paths())

    def holds(self, pid: int) -> bool:
        """Tell whether a process is in every directory."""
        return all(str(pid) in _read(f"{path}/cgroup.procs").split() for path in self.paths())

    def divide(self) -> None:
        """Let groups below have limits of their own; version 2 wants no process beside them."""
        if self.version == 1:
            return
        (top,) = self.paths()
        leaf = top / _OWN_LEAF
        leaf.mkdir(exist_ok=True)
        for pid in _read(f"{top}/cgroup.procs").split():
            with contextlib.suppress(ProcessLookupError):
                _write(f"{leaf}/cgroup.procs", pid)
        _write(f"{top}/cgroup.subtree_control", _V2_CONTROLLERS)

    def within(self, name: str) -> Group:
        """Make a group below, whose processes this one's limits hold too."""
        group = Group(
            version=self.version,
            directories={key: path / name for key, path in self.directories.items()},
        )
        for path in group.paths():
            path.mkdir()
        return group

    def pids(self) -> frozenset[int]:
        """Give the pids of the processes inside, below too; every directory holds the same."""
        top = self.directories.get("memory", self.paths()[0])
        return frozenset(
            int(pid)
            for path in (top, *_below(top))
            for pid in _read(f"{path}/cgroup.procs").split()
        )

    def stats(self) -> Stats:
        """Measure; zeros once it is removed."""
        return _stats_v1(self.directories) if self.version == 1 else _stats_v2(self.paths()[0])

    def cpu_quota_us(self) -> int:
        """Read back the CPU time allowed in each period; 0 where there is no limit."""
        path = self.directories["cpu"]
        text = _read(f"{path}/cpu.max") or _read(f"{path}/cpu.cfs_quota_us")
        first = text.split()[0] if text else "max"
        return max(0, int(first)) if first != "max" else 0

    async def kill(self) -> None:
        """Kill every process inside and wait until none is left; nothing inside can fork meanwhile."""
        while not _kill_once(self):  # noqa: ASYNC110 -- version 1 tells nobody
            await asyncio.sleep(_POLL_S)

    def remove(self) -> None:
        """Remove the directories and what a runtime made below; idempotent. Call it when no process is left."""
        for path in self.paths():
            for below in (*_below(path), path):
                with contextlib.suppress(FileNotFoundError):
                    _remove(below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """An agent's place in the control groups, locked as long as the agent lives."""

    version: int
    directories: Mapping[str, Path]
    locks: tuple[int, ...]

    def create(self, name: str, *, without: tuple[str, ...] = ()) -> Group:
        """Make the groups of one machine, as far as limits and accounts need them."""
        group = Group(
            version=self.version,
            directories={
                key: path / name for key, path in self.directories.items() if key not in without
            },
        )
        for path in group.paths():
            path.mkdir(exist_ok=True)
        return group

    def roots(self) -> tuple[Path, ...]:
        """Give each directory once."""
        return tuple(dict.fromkeys(self.directories.values()))

    def close(self) -> None:
        """Kill what is left, remove everything, give up the locks; idempotent."""
        _clear(self.roots(), self.version)
        for lock in self.locks:
            with contextlib.suppress(OSError):
                os.close(lock)


def own_layout(proc: Path = Path("/proc")) -> Layout:
    """Read this process's layout; none where there is no /proc."""
    try:
        return read_layout((proc / "self/mounts").read_text(), (proc / "self/cgroup").read_text())
    except OSError:
        return Layout(hierarchy=Hierarchy.NONE, own={})


def open_groups(agent: str, layout: Layout | None = None) -> Groups:
    """Make and lock an agent's directories; ``CannotEnforce`` where they cannot be written."""
    layout = layout or own_layout()
    version = _V2 if layout.hierarchy is Hierarchy.V2 else 1
    if not layout.own or (version == 1 and {"cpu", "memory", "pids"} - set(layout.own)):
        raise _unwritable("no cpu, memory and pids control groups are mounted")
    bases = _bases(layout)
    name = f"{PREFIX}{agent}-{os.getpid()}-{next(_opened)}"  # two agents of one name may live here
    directories = {key: base / name for key, base in bases.items()}
    try:
        if version == _V2:
            _delegate(bases["memory"], alone=layout.own["memory"][1] == PurePosixPath("/"))
        for path in dict.fromkeys(directories.values()):
            path.mkdir(exist_ok=True)
        locks = tuple(_lock(path) for path in dict.fromkeys(directories.values()))
        if version == _V2:
            _write(f"{directories['memory']}/cgroup.subtree_control", _V2_CONTROLLERS)
    except OSError as error:
        raise _unwritable(f"{error.filename or bases['memory']}: {error.strerror}") from error
    return Groups(version=version, directories=directories, locks=locks)


def sweep(layout: Layout | None = None) -> tuple[str, ...]:
    """End and remove what dead agents left beside us; give the names. A living agent holds a lock."""
    layout = layout or own_layout()
    version = _V2 if layout.hierarchy is Hierarchy.V2 else 1
    swept = []
    for base in dict.fromkeys(_bases(layout).values()):
        for path in base.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):  # alive, or swept by another at the same time
                lock = _lock(path)
                try:
                    _clear((path,), version)
                    swept.append(path.name)
                finally:
                    os.close(lock)
    return tuple(dict.fromkeys(swept))


def _unwritable(why: str) -> CannotEnforce:
    return CannotEnforce(
        f"control groups cannot be used ({why}), so CPU, memory and processes cannot be limited",
        hint=(
            "run the worker as root, or as a systemd service with Delegate=yes,"
            " or with trust = owner if the data and the code are yours"
        ),
    )


def _bases(layout: Layout) -> dict[str, Path]:
    """Find this process's own groups; in a container the path may be the host's, then the mount's top.

    The paths lead through the first thread's root, because a mount room hides them from its own.
    """
    bases = {}
    for controller, (point, path) in layout.own.items():
        top = Path("/proc/self/root") / point.relative_to("/")
        own = top / path.relative_to("/")
        bases[controller] = own if own.is_dir() else top
    return bases


def _delegate(base: Path, *, alone: bool) -> None:
    """Let children of ``base`` have controllers; a group with controllers holds no processes itself.

    Its processes are moved into a child only where they are ours to move: ``alone`` in a control group
    namespace, in a group that systemd has delegated, or where nobody else is in it.
    """
    try:
        _write(f"{base}/cgroup.subtree_control", _V2_CONTROLLERS)
    except OSError as error:
        if error.errno != errno.EBUSY or not (alone or _delegated(base) or not _strangers(base)):
            raise
        leaf = base / "supervisor"
        leaf.mkdir(exist_ok=True)
        for pid in _read(f"{base}/cgroup.procs").split():
            with contextlib.suppress(ProcessLookupError):
                _write(f"{leaf}/cgroup.procs", pid)
        _write(f"{base}/cgroup.subtree_control", _V2_CONTROLLERS)


def _delegated(base: Path) -> bool:
    """Tell whether systemd has marked a group as its service's own."""
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(base, name) == b"1":
                return True
    return False


def _strangers(base: Path) -> bool:
    """Tell whether processes other than this one and its children share its group."""
    mine = {str(os.getpid()), *_children(os.getpid())}
    return bool(set(_read(f"{base}/cgroup.procs").split()) - mine)


def _children(pid: int) -> Iterable[str]:
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in _read(f"{task}/children").split():
            yield child
            yield from _children(int(child))


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _clear(roots: Iterable[Path], version: int) -> None:
    for root in roots:
        for path in (*(child for child in root.glob("*") if child.is_dir()), root):
            group = Group(version=version, directories={"any": path})
            while path.is_dir() and not _kill_once(group):
                os.sched_yield()
            group.remove()


def _kill_once(group: Group) -> bool:
    """Signal everything inside, first forbidding forks; say whether nothing was left to signal."""
    pids = group.pids()
    if not pids:
        return True
    for path in group.paths():
        with contextlib.suppress(OSError):
            _write(f"{path}/cgroup.kill", "1")
        with contextlib.suppress(OSError):
            _write(f"{path}/pids.max", "0")
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return False


def _stats_v1(directories: Mapping[str, Path]) -> Stats:
    memory, cpu = directories["memory"], directories["cpu"]
    accounting = directories.get("cpuacct", cpu)
    return Stats(
        cpu_s=int(_read(f"{accounting}/cpuacct.usage") or 0) / 1e9,
        peak_memory_mib=int(_read(f"{memory}/memory.max_usage_in_bytes") or 0) / _MIB,
        pids=int(_read(f"{directories['pids']}/pids.current") or 0),
        out_of_memory=_table(f"{memory}/memory.oom_control").get("oom_kill", 0) > 0,
        out_of_pids=_table(f"{directories['pids']}/pids.events").get("max", 0) > 0,
        throttled_s=_table(f"{cpu}/cpu.stat").get("throttled_time", 0) / 1e9,
    )


def _stats_v2(path: Path) -> Stats:
    cpu = _table(f"{path}/cpu.stat")
    peak = (
        _read(f"{path}/memory.peak") or _read(f"{path}/memory.current") or "0"
    )  # peak: Linux 5.19
    return Stats(
        cpu_s=cpu.get("usage_usec", 0) / 1e6,
        peak_memory_mib=int(peak) / _MIB,
        pids=int(_read(f"{path}/pids.current") or 0),
        out_of_memory=_table(f"{path}/memory.events").get("oom_kill", 0) > 0,
        out_of_pids=_table(f"{path}/pids.events").get("max", 0) > 0,
        throttled_s=cpu.get("throttled_usec", 0) / 1e6,
    )


def _below(path: Path) -> tuple[Path, ...]:
    """Find the groups within one; a group's links are two and one for each."""
    try:
        if os.stat(path).st_nlink == _LINKS_OF_A_LEAF:  # noqa: PTH116 -- a Path's own costs more
            return ()
        with os.scandir(path) as entries:
            return tuple(path / entry.name for entry in entries if entry.is_dir())
    except FileNotFoundError:
        return ()


def _remove(path: Path) -> None:
    """Remove a directory; a process that has just ended may hold it for a moment longer."""
    for _ in range(_PATIENCE):
        try:
            path.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            os.sched_yield()
        else:
            return
    path.rmdir()


def _table(path: str) -> dict[str, int]:
    rows = (line.split() for line in _read(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}


def _read(path: str) -> str:
    """Read a small file; nothing where it does not exist, or goes away meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        return b"".join(iter(lambda: os.read(descriptor, 65536), b"")).decode()
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return ""
    finally:
        os.close(descriptor)


def _write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
