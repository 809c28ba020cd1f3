"""One attempt on a node: fetch its inputs, run it in a VM, put its products, say how it ended."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from quetzalcore.cluster.failures import failure_of
from quetzalcore.cluster.messages import (
    AgentEvent,
    Assignment,
    Finished,
    LogLine,
    Produced,
    ProducedFile,
    Progressed,
    Started,
)
from quetzalcore.cluster.transfer import Transfer
from quetzalcore.cluster.vms import VMs
from quetzalcore.errors import QuetzalError
from quetzalcore.hypervisor.flow import Said
from quetzalcore.hypervisor.protocol import Progressed as VmProgressed
from quetzalcore.hypervisor.spec import Outcome, Product, Task, Tier, Trust, VMSpec
from quetzalcore.jobs.model import Artifact, Failure, Remedy

__all__ = ["CLOSED", "Attempt", "Means", "Reporter"]

_PUTS_AT_ONCE = 4

log = logging.getLogger(__name__)


class Reporter(Protocol):
    """Keeps an event for the master."""

    def __call__(self, kind: type[AgentEvent], assignment: Assignment, **fields: Any) -> None:  # noqa: ANN401 -- the event's own fields
        """Append an event about an attempt."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What attempts work with."""

    vms: VMs
    transfer: Transfer
    folder: Path
    report: Reporter


class Attempt:
    """A running assignment; reports exactly one ``Finished``, after nothing of it runs any more."""

    def __init__(self, assignment: Assignment, means: Means) -> None:
        self.assignment = assignment
        self.finished = False
        self._means = means
        self._folder = means.folder / assignment.attempt_id
        self._granted: asyncio.Future[Mapping[str, str]] = (
            asyncio.get_running_loop().create_future()
        )
        self._stopped: Failure | None = None
        self._task = asyncio.create_task(self._live())
        self._task.add_done_callback(self._see_off)

    def stop(self, why: Failure) -> None:
        """Begin to kill it; only the first reason counts."""
        if self._stopped is None and not self.finished:
            self._stopped = why
            self._task.cancel()

    def grant(self, urls: Mapping[str, str]) -> None:
        """Give the links under which its products may be put."""
        if not self._granted.done():
            self._granted.set_result(urls)

    async def wait(self) -> None:
        """Wait until nothing of it runs."""
        await asyncio.wait({self._task})

    async def _live(self) -> None:
        try:
            ending = await self._work()
        except QuetzalError as error:
            ending = {"ending": "failed", "failure": failure_of(error)}
        finally:
            if self.assignment.inputs:
                await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._finish(ending)

    async def _work(self) -> Mapping[str, Any]:
        inputs = await self._fetch()
        self._means.report(Started, self.assignment)
        outcome = await self._means.vms.run(
            _spec(self.assignment),
            _task(self.assignment, inputs),
            on_event=self._tell,
            forkable=self.assignment.forkable,
            vm_id=self.assignment.attempt_id,
        )
        try:
            artifacts = await self._deliver(outcome)
        finally:
            self._means.vms.discard(self.assignment.attempt_id)
        return {
            "ending": "failed" if outcome.failure else "succeeded",
            "result": outcome.result,
            "failure": outcome.failure,
            "used": outcome.used,
            "artifacts": artifacts,
        }

    async def _fetch(self) -> Mapping[str, Path]:
        inputs = {}
        for link in self.assignment.inputs:
            inputs[link.name] = self._folder / link.name
            await self._means.transfer.fetch(link, inputs[link.name])
        return inputs

    async def _deliver(self, outcome: Outcome) -> tuple[Artifact, ...]:
        if outcome.failure is not None or not outcome.products:
            return ()
        files = tuple(
            ProducedFile(
                name=product.name,
                size=product.size,
                sha256=product.sha256,
                media_type=product.media_type,
            )
            for product in outcome.products
        )
        self._means.report(Produced, self.assignment, files=files)
        urls = await self._granted
        gate = asyncio.Semaphore(_PUTS_AT_ONCE)

        async def put(product: Product) -> None:
            async with gate:
                await self._means.transfer.put(product.path, urls[product.name])

        puts = (put(product) for product in outcome.products)
        for fault in await asyncio.gather(*puts, return_exceptions=True):  # all of them have ended
            if fault is not None:
                raise fault
        return tuple(_artifact(product) for product in outcome.products)

    def _tell(self, said: Said) -> None:
        kind = Progressed if isinstance(said, VmProgressed) else LogLine
        self._means.report(kind, self.assignment, **asdict(said))

    def _finish(self, fields: Mapping[str, Any]) -> None:
        self.finished = True
        self._means.report(Finished, self.assignment, **fields)

    def _see_off(self, task: asyncio.Task[None]) -> None:
        """Report the endings that the attempt itself could not: a kill, and a fault of ours."""
        if self.finished:
            return
        if task.cancelled():
            stopped = self._stopped or CLOSED
            cancelled = stopped.code == "cancelled"
            self._finish({"ending": "cancelled" if cancelled else "failed", "failure": stopped})
        elif (error := task.exception()) is not None:
            log.error("attempt %s failed", self.assignment.attempt_id, exc_info=error)
            self._finish({"ending": "failed", "failure": _INTERNAL})


CLOSED = Failure(
    code="agent_closed",
    title="The node was shut down",
    detail="the node's agent was shut down while the job ran",
    remedy=Remedy.RETRY,
)


_INTERNAL = Failure(
    code="agent_fault",
    title="The node failed",
    detail="the node's agent met an error of its own",
    hint="its operator finds it in the agent's log on that node",
    remedy=Remedy.RETRY,
)


def _spec(assignment: Assignment) -> VMSpec:
    resources = assignment.resources
    return VMSpec(
        cpus=resources.cpus,
        memory_mib=resources.memory_mib,
        vgpu=resources.vgpus,
        scratch_mib=resources.scratch_mib,
        wall_s=assignment.wall_s,
        tenant=assignment.tenant,
        trust=Trust(assignment.trust),
        tier=Tier(assignment.tier),
    )


def _task(assignment: Assignment, inputs: Mapping[str, Path]) -> Task:
    return Task(
        run=assignment.run,
        params=assignment.params,
        inputs=inputs,
        kind=assignment.kind,
        stage=assignment.stage,
        settings=assignment.settings,
    )


def _artifact(product: Product) -> Artifact:
    """Describe a stored product; its key is the master's to know."""
    return Artifact(
        name=product.name,
        key="",
        size=product.size,
        sha256=product.sha256,
        media_type=product.media_type,
    )
