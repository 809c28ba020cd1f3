from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.hypervisor_pool.conftest import SMALL, task_of

from quetzalcore.errors import BadOutput, BadParameter
from quetzalcore.hypervisor import Hypervisor
from quetzalcore.hypervisor.protocol import Logged, Progressed
from quetzalcore.hypervisor.runtime import CannotEnforce
from quetzalcore.hypervisor.spec import Outcome, Task, Tier, Trust
from quetzalcore.jobs.model import Remedy


def _sleeps(seconds: str) -> bool:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                return True
        except OSError:
            continue
    return False


@pytest.fixture(params=["fresh", "forked"])
def way(request) -> dict[str, Any]:
    """Give the options of a run in a VM of its own, and in a fork of its tenant's."""
    if request.param == "fresh":
        return {"spec": SMALL}
    return {"spec": replace(SMALL, tenant="ann"), "forkable": True}


def test_a_task_sees_what_it_was_given_and_nothing_else(
    house, way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_THE_HOSTS", "x")
    survey = tmp_path / "survey"
    survey.write_text("1,2,3")
    task = Task(
        run="tests.integration.hypervisor_pool.hostile:see",
        params={"spacing_m": 50},
        inputs={"survey.csv": survey},
        stage="gridding",
        seed=7,
        settings={"day_rate": 1.5},
    )
    outcome = house.during(
        lambda hv: hv.run(way["spec"], task, forkable=way.get("forkable", False))
    )
    assert outcome.failure is None
    seen = outcome.result
    assert seen["params"] == {"spacing_m": 50}
    assert seen["inputs"] == {"survey.csv": "1,2,3"}
    assert seen["output"] == []
    assert (seen["cores"], seen["memory_mib"]) == (1, 512)
    assert (seen["stage"], seen["seed"], seen["settings"]) == ("gridding", 7, {"day_rate": 1.5})
    assert "ONLY_THE_HOSTS" not in seen["environment"]
    assert survey.read_text() == "1,2,3"


def test_a_module_that_imports_nothing_is_given_the_likeness_of_a_context(
    house, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("1")
    task = Task(
        run="tests.integration.hypervisor_pool.light:see",
        params={"n": 1},
        inputs={"a": tmp_path / "a"},
        stage="s",
        seed=3,
        settings={"k": "v"},
    )
    outcome = house.during(lambda hv: hv.run(SMALL, task))
    assert outcome.result is not None
    seen = dict(outcome.result)
    assert seen.pop("year") >= 2025
    assert seen == {
        "kind": "LightContext",
        "inputs": {"a": "1"},
        "params": {"n": 1},
        "seed": 3,
        "cores": 1,
        "memory_mib": 512,
        "stage": "s",
        "settings": {"k": "v"},
    }
    assert [product.name for product in outcome.products] == ["made"]


def test_randomness_follows_the_seed_and_is_else_fresh(house, way) -> None:
    async def draw(hv: Hypervisor) -> list[float]:
        draws = []
        for seed in (5, 5, 0, 0):
            task = replace(task_of("see"), seed=seed)
            outcome = await hv.run(way["spec"], task, forkable=way.get("forkable", False))
            assert outcome.result is not None
            draws.append(outcome.result["drawn"])
        return draws

    first, again, fresh, other = house.during(draw)
    assert first == again
    assert len({first, fresh, other}) == 3


def test_what_a_task_writes_is_kept_until_it_is_discarded(house, way) -> None:
    async def make(hv: Hypervisor) -> Outcome:
        outcome = await hv.run(
            way["spec"],
            task_of("write", note="n"),
            vm_id="one",
            forkable=way.get("forkable", False),
        )
        assert [p.name for p in outcome.products] == ["maps/tmi.csv", "note.txt"]
        assert outcome.products[1].path.read_text() == "n"
        hv.discard("one")
        hv.discard("one")
        assert not outcome.products[1].path.exists()
        return outcome

    outcome = house.during(make)
    assert outcome.result == {"files": 2}
    assert outcome.products[0].media_type == "text/csv"
    assert outcome.used.wall_s > 0


def test_what_a_task_says_is_heard_in_order(house, way) -> None:
    events: list[Logged | Progressed] = []
    outcome = house.run("tell", events=events, **way)
    assert outcome.failure is None
    steps = [e for e in events if isinstance(e, Progressed)]
    assert [(s.stage, s.fraction, s.message) for s in steps] == [
        ("gridding", 0.5, "half way"),
        ("gridding", 1.0, ""),
    ]
    lines = [e.text for e in events if isinstance(e, Logged)]
    assert lines[0] == "a line of the log"
    assert lines[1:] == ["printed by Python", "written to descriptor 2", "said by a child"]


@pytest.mark.parametrize(
    ("name", "code", "remedy", "words"),
    [
        ("user_mistake", "bad_table", Remedy.USER, "column tmi is missing"),
        ("retryable", "retryable", Remedy.RETRY, "the moon is not full"),
        ("no_memory", "out_of_memory", Remedy.RETRY, "512 MiB"),
        ("no_space", "scratch_full", Remedy.USER, "scratch_mib"),
        ("defect", "defect", Remedy.NONE, "ZeroDivisionError: a planned defect"),
        ("no_mapping", "defect", Remedy.NONE, "gave a int instead of a JSON object"),
        ("exits", "defect", Remedy.NONE, "sys.exit(3)"),
        ("exits_at_once", "defect", Remedy.NONE, "status 5"),
        ("crashes", "defect", Remedy.NONE, "SIGSEGV"),
        ("kills_itself", "vm_lost", Remedy.RETRY, "killed by something"),
        ("writes_nonsense", "defect", Remedy.NONE, "not JSON"),
        ("giant_result", "result_too_large", Remedy.USER, "9 MiB of JSON; 8 MiB are allowed"),
        ("giant_line", "defect", Remedy.NONE, "longer than a message may be"),
        ("hangs_up", "defect", Remedy.NONE, "status 0 without giving a result"),
        ("lies_about_its_failure", "defect", Remedy.NONE, "d   [2J"),
        ("links_out", "output_refused", Remedy.USER, "shadow"),
    ],
)
def test_every_failure_is_told_in_one_sentence(  # noqa: PLR0917 -- a table
    house, way, name, code, remedy, words
) -> None:
    outcome = house.run(name, **way)
    assert outcome.result is None
    failure = outcome.failure
    assert failure is not None
    assert (failure.code, failure.remedy) == (code, remedy)
    assert words in f"{failure.detail}: {failure.hint}"
    assert "\n" not in failure.detail
    assert outcome.products == ()


def test_a_mistake_says_where_it_is(house) -> None:
    failure = house.run("user_mistake").failure
    assert failure is not None
    assert failure.where == {"file": "a.csv", "row": 7}
    assert failure.hint == "name it"


@pytest.mark.parametrize(("what", "words"), [("nan", "JSON compliant"), ("set", "is not JSON")])
def test_a_result_that_is_no_json_is_a_defect(house, what, words) -> None:
    failure = house.run("not_json", what=what).failure
    assert failure is not None
    assert failure.code == "defect"
    assert words in failure.detail


def test_the_first_of_two_results_counts(house, way) -> None:
    began = time.monotonic()
    assert house.run("two_results", **way).result == {"which": "first"}
    assert time.monotonic() - began < 20


def test_a_flood_of_progress_is_thinned_and_its_end_is_heard(house, way) -> None:
    events: list[Progressed] = []
    outcome = house.run("floods_with_progress", n=5000, events=events, **way)
    assert outcome.result == {"told": 5000}
    assert 50 <= len(events) < 1000
    assert events[-1].fraction == 1.0


def test_a_task_that_prints_without_end_harms_nobody(house, way) -> None:
    events: list[Logged] = []
    outcome = house.run("prints_much", mib=100, events=events, **way)
    assert outcome.result == {"printed": 100}
    assert sum(len(event.text) for event in events) <= (1 << 20) + 1000
    assert sum("left out" in event.text for event in events) == 1


def test_what_outlives_its_task_is_ended(house, way) -> None:
    seconds = f"9999.{time.monotonic_ns()}"
    outcome = house.run("leaves_children", s=seconds, **way)
    assert outcome.failure is None
    assert not _sleeps(seconds)


@pytest.mark.parametrize("name", ["sleep", "will_not_go"])
def test_a_task_is_ended_at_its_wall_limit(house, way, name) -> None:
    spec = replace(way["spec"], wall_s=1.0)
    outcome = house.run(name, **{**way, "spec": spec, "s": 60})
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.remedy) == ("wall_limit", Remedy.USER)
    assert "1 s" in outcome.failure.detail
    assert 1.0 <= outcome.used.wall_s < 10


def test_a_task_at_its_wall_limit_may_tidy_up(house) -> None:
    events: list[Logged] = []
    outcome = house.run("tidies_up", spec=replace(SMALL, wall_s=1.0), events=events)
    assert outcome.failure is not None
    assert outcome.failure.code == "wall_limit"
    assert "tidied up" in [event.text for event in events]


def test_killing_a_vm_confirms_its_end_and_may_be_repeated(house, way) -> None:
    async def go(hv: Hypervisor) -> Outcome:
        asleep = asyncio.Event()
        run = asyncio.ensure_future(
            hv.run(
                way["spec"],
                task_of("sleep", s=60),
                vm_id="one",
                forkable="forkable" in way,
                on_event=lambda _: asleep.set(),
            )
        )
        await asleep.wait()
        await asyncio.gather(hv.kill("one"), hv.kill("one"))
        await hv.kill("one")
        await hv.kill("never existed")
        assert hv.stats().active == 0
        return await run

    outcome = house.during(go)
    assert outcome.failure is not None
    assert outcome.failure.code == "cancelled"


def test_cancelling_a_run_kills_its_vm_first(house, way) -> None:
    async def go(hv: Hypervisor) -> None:
        asleep = asyncio.Event()
        run = asyncio.ensure_future(
            hv.run(
                way["spec"],
                task_of("sleep", s=60),
                forkable="forkable" in way,
                on_event=lambda _: asleep.set(),
            )
        )
        await asleep.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert hv.stats().active == 0

    house.during(go)


def test_nothing_is_left_when_a_hypervisor_closes(house, way) -> None:
    async def go(hv: Hypervisor) -> asyncio.Future[Outcome]:
        asleep = asyncio.Event()
        run = asyncio.ensure_future(
            hv.run(
                way["spec"],
                task_of("sleep", s=60),
                forkable="forkable" in way,
                on_event=lambda _: asleep.set(),
            )
        )
        await asleep.wait()
        run.add_done_callback(lambda done: done.exception())
        return run

    house.during(go, warm={Tier.BARE: 2})
    assert list((house.folder / "vms").iterdir()) == []


def test_a_vm_is_created_by_its_size_started_once_and_stopped(house) -> None:
    async def go(hv: Hypervisor) -> None:
        vm = hv.create_vm(cpu_cores=2, memory_mb=1024, gpu_enabled=True)
        assert (vm.spec.cpus, vm.spec.memory_mib, vm.spec.vgpu) == (2, 1024, 1)
        outcome = await hv.start_vm(vm.vm_id, task_of("see"))
        assert outcome.result is not None
        assert outcome.result["cores"] == 2
        with pytest.raises(BadParameter, match="runs one task"):
            await hv.start_vm(vm.vm_id, task_of("see"))
        await hv.stop_vm(vm.vm_id)
        never = hv.create_vm(SMALL)
        await hv.stop_vm(never.vm_id)
        with pytest.raises(BadParameter):
            await hv.start_vm(never.vm_id, task_of("see"))

    house.during(go)


def test_two_hypervisors_do_not_share_a_folder(house) -> None:
    async def go(_: Hypervisor) -> None:
        with pytest.raises(BadOutput, match="another hypervisor"):
            async with Hypervisor.open(
                folder=house.folder, runtimes=house.runtimes, trust=Trust.OWNER
            ):
                raise AssertionError

    house.during(go)


def test_what_a_dead_predecessor_left_is_swept(house) -> None:
    left = house.folder / "vms" / "old" / "out" / "half"
    left.parent.mkdir(parents=True)
    left.write_text("half a product")

    async def look(_: Hypervisor) -> bool:
        return left.exists()

    assert house.during(look) is False


def test_the_name_of_an_input_stays_in_its_folder(house, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    task = replace(task_of("see"), inputs={"../escaped": tmp_path / "a"})
    outcome = house.during(lambda hv: hv.run(SMALL, task))
    assert outcome.failure is not None
    assert outcome.failure.remedy is Remedy.USER


def test_an_input_that_is_not_there_is_the_nodes_trouble(house, tmp_path: Path) -> None:
    task = replace(task_of("see"), inputs={"a": tmp_path / "missing"})
    outcome = house.during(lambda hv: hv.run(SMALL, task))
    assert outcome.failure is not None
    assert outcome.failure.remedy is Remedy.RETRY


def test_tenants_work_is_refused_where_nothing_can_hold_it(tmp_path: Path) -> None:
    async def go() -> None:
        async with Hypervisor.open(folder=tmp_path, runtimes=[], trust=Trust.TENANT):
            raise AssertionError

    with pytest.raises(CannotEnforce, match="no runtime is known"):
        asyncio.run(go())
