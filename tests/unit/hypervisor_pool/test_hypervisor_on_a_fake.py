"""The hypervisor over a runtime without processes, in virtual time: warm pool, limits, kills, and nothing left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.unit.cluster.virtual_clock import run_virtually

from quetzalcore.hypervisor import Hypervisor
from quetzalcore.hypervisor.fakes import FakeRuntime
from quetzalcore.hypervisor.runtime import CannotEnforce
from quetzalcore.hypervisor.spec import Limit, Outcome, Task, Tier, Trust, VMSpec
from quetzalcore.jobs.model import Remedy

T = TypeVar("T")
SPEC = VMSpec(cpus=1, memory_mib=512, wall_s=3600.0, tenant="ann")


class House:
    """A hypervisor over one fake runtime."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = FakeRuntime()

    def during(self, work: Callable[[Hypervisor], Awaitable[T]], **options: Any) -> T:  # noqa: ANN401 -- as open takes them
        async def go() -> T:
            clock = asyncio.get_running_loop().time
            async with Hypervisor.open(
                folder=self.folder, runtimes=[self.runtime], clock=clock, **options
            ) as hypervisor:
                return await work(hypervisor)

        return run_virtually(go())

    def is_empty(self) -> bool:
        """Say whether no machine lives and no folder of one is left."""
        dead = all(machine.ended.done() for machine in self.runtime.launched)
        return dead and not list((self.folder / "vms").iterdir())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "hypervisor")


def task_of(**params: Any) -> Task:  # noqa: ANN401 -- what a fake guest understands
    return Task(run="any:thing", params=params)


def test_a_task_is_run_and_its_products_stay_until_they_are_discarded(house, tmp_path) -> None:
    (tmp_path / "survey.csv").write_text("1,2")
    task = replace(
        task_of(echo="x", products={"maps/tmi.csv": "7"}),
        inputs={"survey.csv": tmp_path / "survey.csv"},
    )

    async def work(hypervisor: Hypervisor) -> None:
        outcome = await hypervisor.run(SPEC, task, vm_id="one")
        assert outcome.failure is None
        assert outcome.result == {"echo": "x", "survey.csv": "1,2"}
        (product,) = outcome.products
        assert (product.name, product.path.read_text()) == ("maps/tmi.csv", "7")
        hypervisor.discard("one")
        assert not product.path.exists()
        assert hypervisor.stats().active == 0

    house.during(work)
    assert house.is_empty()


@pytest.mark.parametrize("wall_s", [0.25, 60.0, 86_400.0])
def test_a_task_that_goes_on_too_long_is_ended_at_its_limit(house, wall_s) -> None:
    async def work(hypervisor: Hypervisor) -> tuple[Outcome, float]:
        began = asyncio.get_running_loop().time()
        outcome = await hypervisor.run(replace(SPEC, wall_s=wall_s), task_of(sleep_s=10**6))
        return outcome, asyncio.get_running_loop().time() - began

    outcome, took_s = house.during(work)
    assert outcome.failure is not None
    assert outcome.failure.remedy is Remedy.USER
    assert "wall_s" in f"{outcome.failure.detail} {outcome.failure.hint}"
    assert wall_s <= took_s < wall_s + 2.0
    assert house.is_empty()


def test_a_warm_vm_is_taken_with_its_job_s_limits_and_another_is_made_ready(house) -> None:
    async def work(hypervisor: Hypervisor) -> None:
        await asyncio.sleep(5)
        assert hypervisor.stats().warm == {"bare": 2}
        first = house.runtime.launched[0]
        outcome = await hypervisor.run(SPEC, task_of(echo="warm"))
        assert outcome.result == {"echo": "warm"}
        assert first.spec == SPEC
        await asyncio.sleep(5)
        stats = hypervisor.stats()
        assert (stats.warm_starts, stats.cold_starts, stats.warm) == (1, 0, {"bare": 2})
        assert first.ended.done(), "one task, one VM"

    house.during(work, warm={Tier.BARE: 2})
    assert len(house.runtime.launched) == 3
    assert house.is_empty()


def test_a_vm_that_does_not_come_up_is_a_failure_to_be_tried_again(house) -> None:
    async def work(hypervisor: Hypervisor) -> tuple[Outcome, Outcome]:
        house.runtime.stillborn = 1
        first = await hypervisor.run(SPEC, task_of(echo="x"))
        return first, await hypervisor.run(SPEC, task_of(echo="x"))

    first, second = house.during(work)
    assert first.failure is not None
    assert (first.failure.code, first.failure.remedy) == ("vm_lost", Remedy.RETRY)
    assert second.result == {"echo": "x"}
    assert house.is_empty()


@pytest.mark.parametrize("fault", [{"fail": "user"}, {"fail": "retry"}, {"exit": 3}])
def test_a_task_that_fails_leaves_no_products(house, fault) -> None:
    async def work(hypervisor: Hypervisor) -> Outcome:
        return await hypervisor.run(SPEC, task_of(products={"a": "b"}, **fault))

    outcome = house.during(work)
    assert outcome.failure is not None
    assert outcome.products == ()
    if "fail" in fault:
        assert outcome.failure.remedy == fault["fail"]
    assert house.is_empty()


def test_a_cancelled_run_has_ended_its_vm_before_the_cancellation_is_raised(house) -> None:
    async def work(hypervisor: Hypervisor) -> None:
        run = asyncio.create_task(hypervisor.run(SPEC, task_of(sleep_s=600), vm_id="one"))
        await asyncio.sleep(1)
        assert hypervisor.stats().active == 1
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        (machine,) = house.runtime.launched
        assert machine.ended.result() == -9
        assert hypervisor.stats().active == 0

    house.during(work)
    assert house.is_empty()


def test_a_hypervisor_that_closes_ends_what_runs_and_what_waits(house) -> None:
    async def work(hypervisor: Hypervisor) -> asyncio.Task[Outcome]:
        run = asyncio.create_task(hypervisor.run(SPEC, task_of(sleep_s=600)))
        await asyncio.sleep(5)
        return run

    house.during(work, warm={Tier.BARE: 3})
    assert len(house.runtime.launched) >= 4
    assert house.is_empty()


def test_a_tenant_is_not_put_up_where_a_wall_is_missing(house) -> None:
    house.runtime = FakeRuntime(frozenset(Limit) - {Limit.NETWORK})

    async def work(hypervisor: Hypervisor) -> None:
        with pytest.raises(CannotEnforce, match="network"):
            hypervisor.create_vm(SPEC)
        outcome = await hypervisor.run(SPEC, task_of())
        assert outcome.failure is not None
        assert outcome.failure.code == "cannot_enforce"
        owner = await hypervisor.run(replace(SPEC, trust=Trust.OWNER), task_of(echo="mine"))
        assert owner.result == {"echo": "mine"}

    house.during(work, trust=Trust.OWNER)
    assert house.is_empty()
