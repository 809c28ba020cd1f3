"""Each forked job has limits and accounts of its own: it hits them alone, and its siblings do not notice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.hypervisor_pool.conftest import SMALL, House, task_of

from quetzalcore.hypervisor import Hypervisor
from quetzalcore.hypervisor.cgroup_layout import Hierarchy
from quetzalcore.hypervisor.cgroups import Group, own_layout
from quetzalcore.hypervisor.opening import Runtimes
from quetzalcore.hypervisor.spec import Outcome, Task

SPEC = replace(SMALL, tenant="ann", memory_mib=96, scratch_mib=16, pids=16, cpus=0.5)


@pytest.fixture(params=["crun", "bubblewrap"])
def walled(request, runtimes: Runtimes, tmp_path: Path) -> House:
    return House(tmp_path / "hypervisor", [runtimes.by_name[request.param]])


def together(house: House, *tasks: Task) -> list[Outcome]:
    """Run tasks at the same time as forks of one VM."""

    async def work(hv: Hypervisor) -> list[Outcome]:
        outcomes = await asyncio.gather(*(hv.run(SPEC, one, forkable=True) for one in tasks))
        assert hv.stats().forks == len(tasks)
        assert hv.stats().parents == 1, "the VM that forks has died with a job"
        return outcomes

    return house.during(work)


def test_a_fork_that_eats_memory_dies_alone(walled) -> None:
    greedy, modest = together(walled, task_of("eats_memory"), task_of("touches", mib=40, s=1.5))
    assert greedy.failure is not None
    assert greedy.failure.code == "out_of_memory"
    assert modest.failure is None
    assert modest.result == {"mib": 40}


def test_a_fork_that_forks_without_end_dies_alone(walled) -> None:
    bomb, modest = together(walled, task_of("forks_without_end"), task_of("touches", mib=1, s=1.0))
    assert bomb.failure is not None
    assert bomb.failure.code == "too_many_processes"
    assert modest.failure is None


def test_a_fork_is_moved_by_the_host_where_it_has_no_door_to_its_group(walled, monkeypatch) -> None:
    monkeypatch.setattr(Group, "doors", lambda _: ())  # as under version 2
    greedy, modest = together(walled, task_of("eats_memory"), task_of("touches", mib=40, s=1.5))
    assert greedy.failure is not None
    assert greedy.failure.code == "out_of_memory"
    assert modest.failure is None


def test_a_fork_goes_into_its_group_by_itself_where_it_can(walled, monkeypatch) -> None:
    moved: list[int] = []
    add = Group.add

    def noted(group: Group, pid: int) -> None:
        moved.append(pid)
        add(group, pid)

    monkeypatch.setattr(Group, "add", noted)
    doors = own_layout().hierarchy is not Hierarchy.V2
    first, second = together(
        walled, task_of("touches", mib=1, s=0.0), task_of("touches", mib=1, s=0.0)
    )
    assert first.failure is None
    assert second.failure is None
    assert len(moved) == (1 if doors else 3), "the VM itself is moved, and forks without doors"


def test_each_fork_is_told_its_own_use(walled) -> None:
    busy, large = together(walled, task_of("spins", cpu_s=0.4), task_of("touches", mib=60, s=0.1))
    assert 0.35 < busy.used.cpu_s < 1.5
    assert busy.used.peak_memory_mib < 40
    assert large.used.peak_memory_mib >= 60


def test_nothing_that_a_fork_has_started_outlives_it(walled) -> None:
    async def work(hv: Hypervisor) -> None:
        outcome = await hv.run(SPEC, task_of("leaves_children", s="86411"), forkable=True)
        assert outcome.failure is None
        (parent,) = hv._lodging.parents()
        group = parent.machine.group  # type: ignore[attr-defined]  # a walled machine
        below = [one for path in group.paths() for one in path.glob("job-*")]
        assert below == []
        assert len(group.pids()) <= 2  # the launcher and the VM's own process

    walled.during(work)


def test_a_fork_is_held_to_its_own_cores(walled) -> None:
    async def work(hv: Hypervisor) -> Outcome:
        return await hv.run(SPEC, task_of("spins", cpu_s=0.5), forkable=True)

    outcome = walled.during(work)
    assert outcome.failure is None
    assert outcome.used.wall_s > 0.7  # half a core


def test_a_fork_cannot_look_into_its_siblings_or_the_vm_that_forks(walled) -> None:
    curious, modest = together(
        walled, task_of("looks_into_others"), task_of("touches", mib=10, s=1.0)
    )
    assert curious.failure is None
    assert curious.result is not None
    assert curious.result["others"] >= 1
    assert curious.result["opened"] == []
    assert modest.result == {"mib": 10}
