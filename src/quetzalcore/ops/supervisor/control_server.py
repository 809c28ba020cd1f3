"""The supervisor's end of the control socket: who may open the data folder may give orders."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from quetzalcore.errors import BadParameter, QuetzalError
from quetzalcore.ops.supervisor.control import (
    SOCKET,
    LaunchRequest,
    NoRoom,
    OldLeader,
    ReopenLogsRequest,
    Request,
    RestartRequest,
    ScaleRequest,
    StatusRequest,
    StopRequest,
    TerminateRequest,
    answer_line,
    parsed_request,
    refusal_line,
)
from quetzalcore.ops.supervisor.events import Launch, Restart, Scale, Terminate
from quetzalcore.ops.supervisor.supervisor import Supervisor
from quetzalcore.socket_paths import short_folder

__all__ = ["control_socket"]

_LONGEST_LINE = 1 << 16


@asynccontextmanager
async def control_socket(supervisor: Supervisor) -> AsyncIterator[None]:
    """Take orders, one a line, while the context lasts."""
    desk = _Desk(supervisor)
    path = supervisor.plan.run / SOCKET
    path.unlink(missing_ok=True)  # of one that was killed: the lock says that it is no more
    with short_folder(path.parent) as folder:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(f"{folder}/{SOCKET}")
        finally:
            os.umask(before)
        server = await asyncio.start_unix_server(desk.serve, sock=listener, limit=_LONGEST_LINE)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


class _Desk:
    """Takes orders; remembers the latest leader."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._epoch = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer line by line until the other side leaves."""
        with suppress(ConnectionError):
            try:
                while line := await reader.readline():
                    writer.write(self._answer(line))
                    await writer.drain()
            except ValueError:  # longer than any request is
                error = BadParameter("the line is too long", hint="send one request a line")
                writer.write(refusal_line(error))
            writer.close()
            await writer.wait_closed()

    def _answer(self, line: bytes) -> bytes:
        try:
            return self._done(parsed_request(line))
        except QuetzalError as error:
            return refusal_line(error)

    def _done(self, request: Request) -> bytes:
        supervisor = self._supervisor
        match request:
            case StatusRequest():
                return answer_line(status=supervisor.status())
            case LaunchRequest():
                return answer_line(instance=self._launch(request))
            case TerminateRequest():
                self._lead(request.epoch)
                supervisor.order(Terminate(id=request.id))
            case ScaleRequest():
                self._check_room(request.instances)
                supervisor.order(Scale(instances=request.instances))
            case RestartRequest():
                return answer_line(restarting=self._restart(request))
            case StopRequest():
                supervisor.stop()
            case ReopenLogsRequest():
                supervisor.reopen_logs()
        return answer_line()

    def _launch(self, request: LaunchRequest) -> dict[str, object]:
        self._lead(request.epoch)
        known = self._supervisor.known
        if all(slot.order != request.name for slot in known.slots):
            self._check_room(len(known.instances()) + 1)
            self._supervisor.order(Launch(name=request.name))
        found = (one for one in self._supervisor.instances() if one["name"] == request.name)
        instance = next(found, None)
        if instance is None:
            raise NoRoom("the platform is stopping", hint="start it again")
        return instance

    def _lead(self, epoch: int) -> None:
        """Refuse a leader after a later one; people have no epoch."""
        if epoch and epoch < self._epoch:
            raise OldLeader("another master leads", hint="stand by")
        self._epoch = max(self._epoch, epoch)

    def _check_room(self, count: int) -> None:
        most = self._supervisor.plan.most_instances
        if count > most:
            raise NoRoom(
                f"{count} instances are more than the {most} that there may be",
                hint="raise scaling_max_instances, or remove one",
            )

    def _restart(self, request: RestartRequest) -> list[str]:
        known = self._supervisor.known
        if request.service:
            if known.named(request.service) is None:
                names = ", ".join(slot.name for slot in known.slots)
                raise BadParameter(
                    f"there is no service {request.service!r}", hint=f"the services are: {names}"
                )
            slots = [request.service]
        else:
            born = [(0.0 if s.run is None else s.run.born_at, s.name) for s in known.instances()]
            slots = [name for _, name in sorted(born)][: request.count or None]
        self._supervisor.order(Restart(slots=tuple(slots)))
        return slots
