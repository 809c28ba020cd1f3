"""A runtime without processes, for tests: its guests are coroutines that do what a task's parameters say."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quetzalcore.hypervisor.protocol import encode_line
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Launch, Machine, Stats
from quetzalcore.hypervisor.spec import Limit, Trust, VMSpec

__all__ = ["FakeMachine", "FakeRuntime"]

_NOBODY = 2**22  # the kernel gives no such pid: whoever kills one by mistake hits nobody
_KILLED = -9
_PIDS = itertools.count(_NOBODY)


@dataclass(slots=True, kw_only=True)
class FakeMachine:
    """A guest that is a coroutine of this process; ``spec`` is what it was resized to last."""

    launch: Launch
    spec: VMSpec
    pid: int
    ended: asyncio.Future[int]
    products: dict[str, str] = field(default_factory=dict)
    guest: asyncio.Task[int] | None = None

    async def wait(self) -> int:
        """Wait for the end; give the exit status (negative: the signal)."""
        return await asyncio.shield(self.ended)

    def console(self) -> str:
        """Give the end of what it printed: nothing."""
        return ""


class FakeRuntime:
    """Machines whose guests sleep ``sleep_s``, write ``products`` (name -> text), fail by ``fail`` (a remedy) or ``exit``.

    The result of a task has its ``echo`` and the text of each input. ``enforces`` is what is claimed, and
    nothing is held. A machine never forks, and comes up unless ``stillborn`` is positive, which counts down.
    ``launched`` lists every machine.
    """

    name = "fake"

    def __init__(self, enforces: frozenset[Limit] = frozenset(Limit)) -> None:
        self._enforces = enforces
        self.launched: list[FakeMachine] = []
        self.stillborn = 0

    def probe(self) -> Capabilities:
        """Say what is claimed."""
        missing = {str(limit): "it is a fake" for limit in Limit if limit not in self._enforces}
        return Capabilities(
            name=self.name, available=True, enforces=self._enforces, missing=missing
        )

    async def launch(self, launch: Launch) -> Machine:
        """Start a machine; a tenant's is refused where a limit is missing."""
        missing = frozenset(Limit) - self._enforces
        if launch.spec.trust is Trust.TENANT and missing:
            raise CannotEnforce(
                f"the fake does not claim to hold {', '.join(sorted(missing))}",
                hint="claim it, or run it with trust = owner",
            )
        for name in ("in", "out"):
            (launch.folder / name).mkdir(parents=True, exist_ok=True)
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        machine = FakeMachine(launch=launch, spec=launch.spec, pid=next(_PIDS), ended=ended)
        self.launched.append(machine)
        guest = _stillborn() if self.stillborn > 0 else _live(machine, os.dup(launch.channel))
        self.stillborn -= 1
        machine.guest = asyncio.create_task(guest)
        machine.guest.add_done_callback(lambda task: _note(machine, task))
        return machine

    async def resize(self, machine: Machine, spec: VMSpec) -> None:
        """Note the new limits."""
        _ours(machine).spec = spec

    async def kill(self, machine: Machine) -> None:
        """End the coroutine, and let its products be seen."""
        machine = _ours(machine)
        if machine.guest is not None:
            machine.guest.cancel()
        await machine.wait()
        for name, text in machine.products.items():
            path = machine.launch.folder / "out" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        machine.products.clear()

    def stats(self, machine: Machine) -> Stats:
        """Say that it has used nothing, in one process while it lives."""
        return Stats(cpu_s=0.0, peak_memory_mib=0.0, pids=int(not _ours(machine).ended.done()))


def _ours(machine: Machine) -> FakeMachine:
    if not isinstance(machine, FakeMachine):
        raise TypeError(f"not a machine of the fake runtime: {machine!r}")
    return machine


def _note(machine: FakeMachine, task: asyncio.Task[int]) -> None:
    machine.ended.set_result(_KILLED if task.cancelled() else task.result())


async def _stillborn() -> int:
    return 1


async def _live(machine: FakeMachine, channel: int) -> int:
    """Be a guest: say that one is ready, wait for a task, do it, say how it ended."""
    end = socket.socket(fileno=channel)
    end.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=end)
    try:
        writer.write(encode_line({"type": "ready", "tier": str(machine.spec.tier)}))
        line = await reader.readline()
        if not line:
            return 0
        said = json.loads(line)
        if said["type"] != "task":
            return 1  # it serves no forks
        return await _until_told(machine, said, reader, writer)
    finally:
        writer.close()


async def _until_told(
    machine: FakeMachine,
    said: Mapping[str, Any],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> int:
    """Do a task unless the host asks for its end first, or hangs up."""
    work = asyncio.create_task(_work(machine, said))
    told = asyncio.create_task(reader.readline())
    try:
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return 1
        answer = work.result()
        if isinstance(answer, int):
            return answer
        writer.write(encode_line(answer))
        with suppress(ConnectionError):
            await writer.drain()
        return 0
    finally:
        for task in (work, told):
            task.cancel()
        await asyncio.wait({work, told})


async def _work(machine: FakeMachine, said: Mapping[str, Any]) -> Mapping[str, Any] | int:
    """Give the message that ends a task, or the status of an exit without words."""
    params = said["params"]
    await asyncio.sleep(params.get("sleep_s", 0.0))
    if "exit" in params:
        return int(params["exit"])
    if "fail" in params:
        return {
            "type": "error",
            "code": "told_to_fail",
            "title": "Failed",
            "detail": "the task was told to fail",
            "remedy": params["fail"],
        }
    machine.products = dict(params.get("products", {}))
    read = {name: _text(machine.launch.folder, name) for name in said["inputs"]}
    return {"type": "result", "value": {"echo": params.get("echo", ""), **read}, "vgpu": {}}


def _text(folder: Path, name: str) -> str:
    return (folder / "in" / name).read_text()
