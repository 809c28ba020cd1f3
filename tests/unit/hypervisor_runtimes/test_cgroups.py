"""A group writes and reads the files of its version; the files here are plain ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from quetzalcore.hypervisor.cgroups import Group
from quetzalcore.hypervisor.plan.limits import group_limits
from quetzalcore.hypervisor.runtime import Stats
from quetzalcore.hypervisor.spec import VMSpec

LIMITS = group_limits(VMSpec(cpus=1.5, memory_mib=100, scratch_mib=28, pids=60))


def group_of(folder: Path, version: int, files: dict[str, str]) -> Group:
    for name, text in files.items():
        (folder / name).write_text(text)
    names = ("cpu", "memory", "pids") if version == 2 else ("cpu", "cpuacct", "memory", "pids")
    return Group(version=version, directories=dict.fromkeys(names, folder))


def test_version_2_limits_go_into_its_files(tmp_path) -> None:
    files = {
        "cpu.max": "max 100000",
        "memory.max": "max",
        "memory.swap.max": "max",
        "pids.max": "max",
    }
    group = group_of(tmp_path, 2, files)
    assert group.cpu_quota_us() == 0
    group.limit(LIMITS)
    assert (tmp_path / "cpu.max").read_text().startswith("150000 100000")
    assert (tmp_path / "memory.max").read_text() == str(128 << 20)
    assert (tmp_path / "memory.swap.max").read_text().startswith("0")
    assert (tmp_path / "pids.max").read_text().startswith("64")
    assert group.cpu_quota_us() == 150_000


def test_a_kernel_that_does_not_account_swap_is_no_obstacle(tmp_path) -> None:
    group = group_of(tmp_path, 2, {"cpu.max": "", "memory.max": "", "pids.max": ""})
    group.limit(LIMITS)
    assert not (tmp_path / "memory.swap.max").exists()


def test_version_2_is_measured_from_its_files(tmp_path) -> None:
    group = group_of(
        tmp_path,
        2,
        {
            "cpu.stat": "usage_usec 2500000\nuser_usec 1\nthrottled_usec 300000\n",
            "memory.peak": str(64 << 20),
            "memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\n",
            "pids.events": "max 3\n",
            "pids.current": "7\n",
        },
    )
    assert group.stats() == Stats(
        cpu_s=2.5,
        peak_memory_mib=64.0,
        pids=7,
        out_of_memory=True,
        out_of_pids=True,
        throttled_s=0.3,
    )


def test_version_1_is_measured_from_its_files(tmp_path) -> None:
    group = group_of(
        tmp_path,
        1,
        {
            "cpuacct.usage": "2500000000\n",
            "cpu.stat": "nr_periods 1\nnr_throttled 0\nthrottled_time 300000000\n",
            "memory.max_usage_in_bytes": str(64 << 20),
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
            "pids.events": "max 0\n",
            "pids.current": "1\n",
        },
    )
    assert group.stats() == Stats(cpu_s=2.5, peak_memory_mib=64.0, pids=1, throttled_s=0.3)


@pytest.mark.parametrize("version", [1, 2])
def test_a_group_that_has_been_removed_measures_nothing(tmp_path, version) -> None:
    gone = tmp_path / "gone"
    group = Group(version=version, directories=dict.fromkeys(("cpu", "memory", "pids"), gone))
    assert group.stats() == Stats(cpu_s=0.0, peak_memory_mib=0.0, pids=0)
    assert group.pids() == frozenset()
    group.remove()


def test_processes_are_found_in_what_a_runtime_made_below(tmp_path) -> None:
    group = group_of(tmp_path, 1, {"cgroup.procs": "11\n12\n"})
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "cgroup.procs").write_text("13\n")
    assert group.pids() == {11, 12, 13}


def test_a_divided_group_of_version_2_holds_no_process_itself(tmp_path) -> None:
    group = group_of(tmp_path, 2, {"cgroup.procs": "11\n", "cgroup.subtree_control": ""})
    (tmp_path / "guest").mkdir()
    (tmp_path / "guest" / "cgroup.procs").write_text("")
    group.divide()
    assert (tmp_path / "guest" / "cgroup.procs").read_text() == "11"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_groups_below_are_made_in_every_directory_once(tmp_path) -> None:
    cpu, memory = tmp_path / "cpu", tmp_path / "memory"
    for path in (cpu, memory):
        path.mkdir()
    group = Group(version=1, directories={"cpu": cpu, "cpuacct": cpu, "memory": memory})
    group.divide()
    below = group.within("job-1")
    assert below.paths() == (cpu / "job-1", memory / "job-1")
    with pytest.raises(FileExistsError):
        group.within("job-1")
    below.remove()
    assert not (cpu / "job-1").exists()
