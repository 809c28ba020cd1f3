"""The agent as a master meets it, on a virtual clock."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Never

from tests.unit.cluster.virtual_clock import run_virtually

from quetzalcore.cluster.agent import Agent
from quetzalcore.cluster.fakes import FakeVMs
from quetzalcore.cluster.messages import (
    Answer,
    Assignment,
    EventBatch,
    Finished,
    Grant,
    InputLink,
    Produced,
    Renew,
    Start,
    Started,
    Stop,
)
from quetzalcore.jobs.model import Node, Resources

TOTAL = Resources(cpus=4, memory_mib=4096, scratch_mib=4096)
NODE = Node(id="n", address="here", total=TOTAL, free=TOTAL)


def assignment(attempt: str = "a1", *, lease_s: float = 30.0, **params: Any) -> Assignment:  # noqa: ANN401 -- any of its fields
    inputs = params.pop("inputs", ())
    return Assignment(
        attempt_id=attempt,
        job_id=f"job-{attempt}",
        tenant="t",
        kind="noop",
        run="x:y",
        params=params,
        inputs=inputs,
        resources=Resources(cpus=1, memory_mib=512, scratch_mib=100),
        tier="bare",
        wall_s=60,
        trust="owner",
        lease_s=lease_s,
    )


class Desk:
    """An agent on a fake hypervisor, and a master's memory of what it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.vms = FakeVMs(folder)
        self.agent = Agent(NODE, self.vms, folder / "work", first_event=1)
        self.after = 0

    async def start(self, *assignments: Assignment, epoch: int = 1) -> Answer:
        return await self.agent.command(Start(epoch=epoch, assignments=assignments))

    async def hear(self, wait_s: float = 100.0) -> EventBatch:
        batch = await self.agent.events(self.after, wait_s)
        if batch.events:
            self.after = batch.events[-1].sequence
        return batch

    async def hear_until_finished(self) -> list:
        heard: list = []
        while not any(isinstance(event, Finished) for event in heard):
            batch = await self.hear()
            assert batch.events, "the agent fell silent"
            heard += batch.events
        await self.hear(0)
        return heard


def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_attempt_is_started_run_and_finished_once(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(echo="hello", sleep_s=1))
        answer = await desk.start(assignment(echo="hello", sleep_s=1))
        assert answer.attempts == ("a1",)
        heard = await desk.hear_until_finished()
        assert isinstance(heard[0], Started)
        assert heard[-1].ending == "succeeded"
        assert heard[-1].result == {"echo": "hello"}
        assert len(desk.vms.begun) == 1
        await desk.agent.close()

    run_virtually(scenario())


def test_the_start_of_a_short_task_comes_with_its_end(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(sleep_s=0.01))
        batch = await desk.hear()
        assert isinstance(batch.events[0], Started)
        assert isinstance(batch.events[-1], Finished)
        await desk.start(assignment("a2", sleep_s=5))
        assert isinstance((await desk.hear()).events[0], Started)
        assert now() < 1, "the start of a long task must not wait for its end"
        await desk.agent.close()

    run_virtually(scenario())


def test_a_finished_attempt_is_held_until_its_end_is_acknowledged(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment())
        batch = await desk.hear()
        held = await desk.agent.command(Renew(epoch=1, leases_s={}))
        assert held.attempts == ("a1",)
        assert held.node is not None
        assert held.node.free == TOTAL, "what has ended holds nothing"
        again = await desk.agent.events(0, 1)
        assert again.events == batch.events
        await desk.hear(0)
        held = await desk.agent.command(Renew(epoch=1, leases_s={}))
        assert held.attempts == ()
        await desk.agent.close()

    run_virtually(scenario())


def test_an_older_epoch_is_refused_and_changes_nothing(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.agent.command(Renew(epoch=7, leases_s={}))
        answer = await desk.start(assignment(), epoch=6)
        assert not answer.ok
        assert answer.error == "stale_epoch"
        assert not desk.vms.begun
        await desk.agent.close()

    run_virtually(scenario())


def test_what_is_not_renewed_is_dead_before_its_lease_ends(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment("kept", sleep_s=100), assignment("left", sleep_s=100))
        for _ in range(4):
            await asyncio.sleep(10)
            await desk.agent.command(Renew(epoch=1, leases_s={"kept": 30}))
            if now() < 30:
                assert len(desk.vms.killed) == (now() > 25.5)
        heard = [e for e in (await desk.hear()).events if isinstance(e, Finished)]
        assert [(e.attempt_id, e.failure and e.failure.code) for e in heard] == [
            ("left", "lease_expired")
        ]
        assert len(desk.vms.killed) == 1
        await asyncio.sleep(40)
        assert len(desk.vms.killed) == 2
        await desk.agent.close()

    run_virtually(scenario())


def test_a_stopped_attempt_ends_cancelled_and_its_vm_is_gone_by_then(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(sleep_s=100))
        await asyncio.sleep(1)
        for _ in range(2):
            await desk.agent.command(Stop(epoch=1, attempt_ids=("a1", "unknown")))
        heard = await desk.hear_until_finished()
        assert heard[-1].ending == "cancelled"
        assert len(desk.vms.ended) == 1
        assert now() < 2
        await desk.agent.close()

    run_virtually(scenario())


def test_products_wait_for_their_links_and_appear_whole(tmp_path) -> None:
    store = tmp_path / "store"

    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(products={"maps/a.txt": "alpha", "b.txt": "beta"}))
        produced = next(e for e in (await desk.hear()).events if isinstance(e, Produced))
        urls = {file.name: (store / file.name).as_uri() for file in produced.files}
        await asyncio.sleep(5)
        assert not store.exists()
        for _ in range(2):
            await desk.agent.command(Grant(epoch=1, attempt_id="a1", urls=urls))
        heard = await desk.hear_until_finished()
        assert heard[-1].ending == "succeeded"
        assert {a.name: a.sha256 for a in heard[-1].artifacts} == {
            "maps/a.txt": hashlib.sha256(b"alpha").hexdigest(),
            "b.txt": hashlib.sha256(b"beta").hexdigest(),
        }
        assert (store / "maps" / "a.txt").read_text() == "alpha"
        assert sorted(p.name for p in store.rglob("*") if p.is_file()) == ["a.txt", "b.txt"]
        assert not (tmp_path / "a1").exists(), "products are discarded once they are stored"
        await desk.agent.close()

    run_virtually(scenario())


def test_a_store_that_cannot_be_written_fails_the_attempt_in_words(tmp_path) -> None:
    (tmp_path / "wall").write_text("a file, not a folder")

    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(products={"a.txt": "alpha"}))
        await desk.hear()
        urls = {"a.txt": (tmp_path / "wall" / "a.txt").as_uri()}
        await desk.agent.command(Grant(epoch=1, attempt_id="a1", urls=urls))
        ending = (await desk.hear_until_finished())[-1]
        assert ending.ending == "failed"
        assert ending.failure.code == "transfer_failed"
        assert ending.failure.remedy == "retry"
        await desk.agent.close()

    run_virtually(scenario())


def link_to(path: Path, text: str) -> InputLink:
    path.write_text(text)
    digest = hashlib.sha256(b"what was uploaded").hexdigest()
    return InputLink(name="in.txt", url=path.as_uri(), size=17, sha256=digest)


def test_inputs_are_fetched_and_removed_afterwards(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        link = link_to(tmp_path / "stored", "what was uploaded")
        await desk.start(assignment(inputs=(link,)))
        ending = (await desk.hear_until_finished())[-1]
        assert ending.result["in.txt"] == "what was uploaded"
        assert not (tmp_path / "work" / "a1").exists()
        assert (tmp_path / "stored").exists()
        await desk.agent.close()

    run_virtually(scenario())


def test_a_damaged_input_is_never_run(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(inputs=(link_to(tmp_path / "stored", "what was UPLOADED"),)))
        ending = (await desk.hear_until_finished())[-1]
        assert ending.failure.code == "damaged_input"
        assert not desk.vms.begun
        await desk.agent.close()

    run_virtually(scenario())


def test_a_fault_of_the_hypervisor_ends_the_attempt_and_not_the_agent(tmp_path, caplog) -> None:
    class Broken(FakeVMs):
        async def run(self, *_args: object, **_kwargs: object) -> Never:
            raise RuntimeError("no more file descriptors")

    async def scenario() -> None:
        desk = Desk(tmp_path)
        desk.agent = Agent(NODE, Broken(tmp_path), tmp_path / "work", first_event=1)
        await desk.start(assignment())
        ending = (await desk.hear_until_finished())[-1]
        assert ending.failure.code == "agent_fault"
        assert "file descriptors" not in ending.failure.detail, "it is the operator's to know"
        assert "no more file descriptors" in caplog.text
        await desk.agent.close()

    run_virtually(scenario())


def test_an_agent_is_abandoned_only_when_it_is_idle_and_no_master_has_spoken(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(sleep_s=100, lease_s=300))
        await asyncio.sleep(70)
        assert not desk.agent.is_abandoned(60)
        await asyncio.sleep(40)
        assert desk.agent.is_abandoned(60)
        await desk.hear(0)
        assert not desk.agent.is_abandoned(60)
        await desk.agent.close()

    run_virtually(scenario())


def test_closing_kills_what_runs(tmp_path) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path)
        await desk.start(assignment(sleep_s=100))
        await asyncio.sleep(1)
        await desk.agent.close()
        assert len(desk.vms.killed) == 1

    run_virtually(scenario())
