"""The other end of the control socket: for commands, and for the scaling loop."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quetzalcore.errors import BadParameter, Permanent, QuetzalError, Retryable
from quetzalcore.ops.supervisor.control import (
    SOCKET,
    LaunchRequest,
    NoRoom,
    OldLeader,
    Request,
    StatusRequest,
    TerminateRequest,
    parsed_answer,
    request_line,
)
from quetzalcore.socket_paths import short_folder

__all__ = ["NoSupervisor", "SupervisedInstance", "SupervisorClient", "ask"]

_PATIENCE_S = 10.0
_REFUSALS: Mapping[str, type[QuetzalError]] = {
    NoRoom.code: NoRoom,
    OldLeader.code: OldLeader,
    BadParameter.code: BadParameter,
}


class NoSupervisor(Retryable):
    """Nobody answers on the control socket."""

    code = "no_supervisor"
    title = "The supervisor does not answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedInstance:
    """A gateway instance as its supervisor knows it; ``state`` is pending, running or stopping."""

    id: str
    name: str
    state: str
    launched_at: dt.datetime
    url: str


def ask(run: Path, request: Request, *, timeout_s: float = _PATIENCE_S) -> dict[str, Any]:
    """Ask the supervisor whose socket is in this folder.

    Raises
    ------
    NoSupervisor
        If nobody answers.
    QuetzalError
        As the supervisor refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout_s)
            with short_folder(run) as folder:
                line.connect(f"{folder}/{SOCKET}")
            line.sendall(request_line(request))
            with line.makefile("rb") as answers:
                return _understood(answers.readline())
    except OSError as error:
        raise _silence(error) from error


class SupervisorClient:
    """Launches, lists and terminates instances; whoever leads may use it."""

    def __init__(self, run: Path, *, timeout_s: float = _PATIENCE_S) -> None:
        self._run = run
        self._timeout_s = timeout_s

    async def launch(self, name: str, *, epoch: int) -> SupervisedInstance | None:
        """Ask for one more, idempotently by its name; None where there is no room; ``OldLeader``."""
        try:
            answer = await self._ask(LaunchRequest(name=name, epoch=epoch))
        except NoRoom:
            return None
        return _instance(answer["instance"])

    async def list(self) -> tuple[SupervisedInstance, ...]:
        """Give those that there are."""
        status = (await self._ask(StatusRequest()))["status"]
        return tuple(_instance(each) for each in status["instances"])

    async def room(self) -> int:
        """Say how many more there may be."""
        status = (await self._ask(StatusRequest()))["status"]
        there = [one for one in status["instances"] if one["state"] != "stopping"]
        return max(0, int(status["most_instances"]) - len(there))

    async def terminate(self, instance_id: str, *, epoch: int) -> None:
        """Let one drain and end; one that is gone is no error; ``OldLeader``."""
        await self._ask(TerminateRequest(id=instance_id, epoch=epoch))

    async def _ask(self, request: Request) -> dict[str, Any]:
        return await asyncio.to_thread(ask, self._run, request, timeout_s=self._timeout_s)


def _instance(document: Mapping[str, Any]) -> SupervisedInstance:
    at = dt.datetime.fromtimestamp(document["launched_at"], dt.UTC)
    return SupervisedInstance(**{**document, "launched_at": at})


def _understood(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise _silence(EOFError("it hung up"))
    answer = parsed_answer(line)
    if answer["ok"]:
        return answer
    kind = _REFUSALS.get(str(answer.get("code")), Permanent)
    raise kind(str(answer.get("detail", "")), hint=str(answer.get("hint", "")))


def _silence(error: Exception) -> NoSupervisor:
    reason = getattr(error, "strerror", None) or str(error)
    return NoSupervisor(
        f"the supervisor of this host does not answer ({reason})",
        hint="see quetzal status, or start it with quetzal up --instances 2",
    )
