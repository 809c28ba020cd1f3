"""Layouts are read from texts as real hosts show them: version 1, hybrid, version 2, none."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from quetzalcore.hypervisor.cgroup_layout import Hierarchy, read_layout

V1 = (
    """\
sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,nosuid,nodev,noexec,relatime,xattr,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,nodev,noexec,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,nodev,noexec,relatime,pids 0 0
cgroup /sys/fs/cgroup/devices cgroup rw,nosuid,nodev,noexec,relatime,devices 0 0
""",
    """\
11:memory:/system.slice/quetzal.service
8:pids:/system.slice/quetzal.service
5:devices:/system.slice/quetzal.service
3:cpu,cpuacct:/system.slice/quetzal.service
1:name=systemd:/system.slice/quetzal.service
""",
)
HYBRID = (
    """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/cpuacct cgroup rw,relatime,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
""",
    "8:pids:/\n4:memory:/agents/0f5c\n2:cpuacct:/\n1:cpu:/\n0::/\n",
)
V2 = (
    "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n",
    "0::/system.slice/quetzal.service\n",
)


def test_version_1_with_joined_controllers_is_read() -> None:
    layout = read_layout(*V1)
    assert layout.hierarchy is Hierarchy.V1
    assert layout.unified is None
    joined = (
        PurePosixPath("/sys/fs/cgroup/cpu,cpuacct"),
        PurePosixPath("/system.slice/quetzal.service"),
    )
    assert layout.own["cpu"] == layout.own["cpuacct"] == joined
    assert set(layout.own) == {"cpu", "cpuacct", "devices", "memory", "pids"}


def test_a_hybrid_is_version_1_with_an_idle_tree_beside_it() -> None:
    layout = read_layout(*HYBRID)
    assert layout.hierarchy is Hierarchy.HYBRID
    assert layout.unified == PurePosixPath("/sys/fs/cgroup/unified")
    assert layout.own["memory"] == (
        PurePosixPath("/sys/fs/cgroup/memory"), PurePosixPath("/agents/0f5c"),
    )  # fmt: skip


def test_version_2_has_one_place_for_all_controllers() -> None:
    layout = read_layout(*V2)
    assert layout.hierarchy is Hierarchy.V2
    assert set(layout.own.values()) == {
        (PurePosixPath("/sys/fs/cgroup"), PurePosixPath("/system.slice/quetzal.service"))
    }


@pytest.mark.parametrize("mounts", ["", "proc /proc proc rw 0 0\n", "nonsense\n"])
def test_no_control_groups_are_told_as_such(mounts) -> None:
    assert read_layout(mounts, "").hierarchy is Hierarchy.NONE


def test_an_escaped_mount_point_is_read() -> None:
    layout = read_layout("cgroup2 /my\\040groups cgroup2 rw 0 0\n", "0::/\n")
    assert layout.unified == PurePosixPath("/my groups")
