"""A hypervisor without processes, for tests: a task is what its parameters say."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quetzalcore.hypervisor.channel import Listener
from quetzalcore.hypervisor.protocol import Progressed
from quetzalcore.hypervisor.spec import Outcome, Product, Task, VMSpec
from quetzalcore.jobs.model import Failure, Remedy, Usage

__all__ = ["FakeCounts", "FakeVMs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCounts:
    """What runs; nothing is ever warm."""

    active: int
    warm: Mapping[str, int] = field(default_factory=dict)


class FakeVMs:
    """Runs tasks as coroutines: sleeps ``sleep_s``, writes ``products`` (name -> text), fails by ``fail`` (a remedy).

    ``begun`` and ``ended`` list what ran, so that tests can count.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.begun: list[Task] = []
        self.ended: list[Task] = []
        self.killed: list[Task] = []

    async def run(
        self,
        spec: VMSpec,
        task: Task,
        *,
        on_event: Listener | None = None,
        forkable: bool = False,
        vm_id: str = "",
    ) -> Outcome:
        """Do what the parameters say."""
        self.begun.append(task)
        try:
            if on_event is not None:
                on_event(Progressed(stage="work", fraction=0.0))
            await asyncio.sleep(task.params.get("sleep_s", 0.0))
        except asyncio.CancelledError:
            self.killed.append(task)
            raise
        finally:
            self.ended.append(task)
        used = Usage(wall_s=task.params.get("sleep_s", 0.0), runtime=f"fake{' fork' * forkable}")
        if "fail" in task.params:
            failure = Failure(
                code="fake",
                title="Failed",
                detail=f"the task of {spec.tenant} was told to fail",
                remedy=Remedy(task.params["fail"]),
            )
            return Outcome(result=None, failure=failure, products=(), used=used)
        read = {name: path.read_text() for name, path in task.inputs.items()}
        return Outcome(
            result={"echo": task.params.get("echo", ""), **read},
            failure=None,
            products=self._products(vm_id, task),
            used=used,
        )

    def discard(self, vm_id: str) -> None:
        """Delete what was produced."""
        shutil.rmtree(self._folder / vm_id, ignore_errors=True)

    def stats(self) -> FakeCounts:
        """Count what runs."""
        return FakeCounts(active=len(self.begun) - len(self.ended))

    def _products(self, vm_id: str, task: Task) -> tuple[Product, ...]:
        products = []
        for name, text in task.params.get("products", {}).items():
            path = self._folder / vm_id / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            products.append(
                Product(
                    name=name,
                    path=path,
                    size=len(text.encode()),
                    sha256=hashlib.sha256(text.encode()).hexdigest(),
                    media_type="text/plain",
                )
            )
        return tuple(products)
