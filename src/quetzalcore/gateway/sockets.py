"""One WebSocket that watches many jobs, each resumable by sequence number.

The client sends ``{"type": "subscribe", "job_id": ..., "after": 0}``, ``{"type": "unsubscribe", "job_id": ...}``
or ``{"type": "ping"}``. The server sends events as server-sent events carry them, ``{"type": "end", "job_id"}``
after the last one, ``{"type": "pong"}``, and ``{"type": "error", "job_id", "problem"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from quetzalcore.errors import BadParameter, QuetzalError
from quetzalcore.gateway.authentication import shown_key
from quetzalcore.gateway.documents import event_document
from quetzalcore.gateway.guard import count_guess, count_request, same_origin
from quetzalcore.gateway.instance import Gateway
from quetzalcore.gateway.names import checked_id
from quetzalcore.gateway.problems import TooManyRequests, problem_of
from quetzalcore.gateway.replies import json_text
from quetzalcore.gateway.watching import Subscription, is_end
from quetzalcore.identity.model import Principal
from quetzalcore.identity.store import NotAuthenticated
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.model import TERMINAL, EventType

__all__ = ["serve_socket"]

_POLICY = 1008
_RESTARTING = 1012  # this instance leaves; another one serves
_TRY_LATER = 1013
_LONGEST_MESSAGE = 4096


async def serve_socket(socket: WebSocket) -> None:
    """Serve a connection to ``/ws`` until either side leaves."""
    gateway: Gateway = socket.app.state.gateway
    who = await _admitted(socket, gateway)
    if who is None:
        return
    with gateway.streams.one(who.tenant):
        await socket.accept()
        await _Session(socket, gateway, who).run()


async def _admitted(socket: WebSocket, gateway: Gateway) -> Principal | None:
    """Check key or session and, for sessions, the Origin; a refused handshake answers 403."""
    by_key = shown_key(socket) is not None
    try:
        who = await _known(socket, gateway, by_key=by_key)
    except QuetzalError as error:
        await socket.close(_POLICY, reason=error.title)
        return None
    welcome = same_origin(socket, gateway.config.public_url) and (
        by_key or "origin" in socket.headers
    )
    if who.scope == "join" or not welcome:
        await socket.close(_POLICY, reason="Not allowed")
        return None
    if gateway.streams.refusal(who.tenant):
        await socket.close(_TRY_LATER, reason="Too many streams")
        return None
    return who


async def _known(socket: WebSocket, gateway: Gateway, *, by_key: bool) -> Principal:
    """Say who knocks, held to the same limits as any request."""
    try:
        who = await gateway.authenticator.authenticate(socket)
    except NotAuthenticated:
        if by_key:
            await count_guess(socket, gateway)
        raise
    await _count(gateway, who)
    return who


async def _count(gateway: Gateway, who: Principal) -> None:
    verdict = await count_request(who, gateway)
    if not verdict.allowed:
        raise TooManyRequests(verdict.reset_s)


class _Session:
    """One open socket: a task that reads, and one for each watched job; writes take turns."""

    def __init__(self, socket: WebSocket, gateway: Gateway, who: Principal) -> None:
        self._socket = socket
        self._gateway = gateway
        self._who = who
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        check = asyncio.create_task(self._stay_welcome())
        read = asyncio.create_task(self._read())
        try:
            await asyncio.wait({check, read}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = {check, read, *self._watches.values()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._socket.application_state is WebSocketState.CONNECTED:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await self._socket.close(
                        _RESTARTING if self._gateway.watcher.closed else _POLICY
                    )

    async def _stay_welcome(self) -> None:
        """Return when the key or session is no longer valid, or the instance ends."""
        every_s = min(1.0, self._gateway.config.heartbeat_s)
        waited_s = 0.0
        while not self._gateway.watcher.closed:
            await asyncio.sleep(every_s)
            waited_s += every_s
            if waited_s >= self._gateway.config.heartbeat_s:
                waited_s = 0.0
                try:
                    await self._gateway.authenticator.authenticate(self._socket)
                except NotAuthenticated:
                    return
                except QuetzalError:
                    continue  # the store is away for a moment

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            job_id = ""
            try:
                await _count(self._gateway, self._who)
                order = _order(text)
                job_id = str(order.get("job_id", ""))
                await self._obey(order, job_id)
            except QuetzalError as error:
                await self._say_error(job_id, error)

    async def _obey(self, order: Mapping[str, Any], job_id: str) -> None:
        what = order.get("type")
        if what == "ping":
            await self._say({"type": "pong"})
        elif what == "unsubscribe":
            self._drop(job_id)
        elif what == "subscribe":
            await self._subscribe(job_id, order.get("after", 0))
        else:
            raise BadParameter(
                "the message has no known type", hint="send subscribe, unsubscribe or ping"
            )

    async def _subscribe(self, job_id: str, after: object) -> None:
        if not isinstance(after, int) or isinstance(after, bool) or not 0 <= after <= 2**53:
            raise BadParameter("after is not a sequence number", hint="send a whole number from 0")
        ledger = self._gateway.parts.ledger
        job = await ledger.get(checked_id(job_id, "job"), tenant=self._who.tenant)
        self._drop(job_id)
        if len(self._watches) >= self._gateway.config.socket_jobs:
            raise BadParameter(
                f"this socket watches {len(self._watches)} jobs already",
                hint="unsubscribe from some, or open another socket",
            )
        task = asyncio.create_task(self._watch(job.id, after))
        self._watches[job.id] = task
        task.add_done_callback(lambda done: self._ended(job.id, done))

    async def _watch(self, job_id: str, after: int) -> None:
        try:
            with self._gateway.watcher.subscribe(job_id, after=after) as subscription:
                while not self._gateway.watcher.closed:
                    if await self._tell(job_id, subscription):
                        await self._say({"type": "end", "job_id": job_id})
                        return
        except QuetzalError as error:
            await self._say_error(job_id, error)

    async def _tell(self, job_id: str, subscription: Subscription) -> bool:
        """Send the next events; say whether the job has ended and all is told."""
        events = await subscription.batch(timeout_s=self._gateway.config.heartbeat_s)
        for event in events:
            await self._say(event_document(event))
        states = [event for event in events if event.type is EventType.STATE]
        if events and not (states and is_end(states[-1])):
            return False
        ledger = self._gateway.parts.ledger
        if (await ledger.get(job_id, tenant=self._who.tenant)).state not in TERMINAL:
            return False
        return not await ledger.events(job_id, after=subscription.after, limit=1)

    async def _say(self, document: Mapping[str, Any]) -> None:
        async with self._turn:
            await self._socket.send_text(json_text(document))

    async def _say_error(self, job_id: str, error: QuetzalError) -> None:
        problem = problem_of(error).document(instance="/ws", request_id=new_id())
        await self._say({"type": "error", "job_id": job_id or None, "problem": problem})

    def _drop(self, job_id: str) -> None:
        task = self._watches.pop(job_id, None)
        if task is not None:
            task.cancel()

    def _ended(self, job_id: str, task: asyncio.Task[None]) -> None:
        if self._watches.get(job_id) is task:
            del self._watches[job_id]
        if not task.cancelled():
            task.exception()  # a socket that closed meanwhile


def _order(text: str | None) -> Mapping[str, Any]:
    try:
        if text is None or len(text) > _LONGEST_MESSAGE:
            raise ValueError  # noqa: TRY301 -- one sentence for all of it
        order = json.loads(text)
    except (ValueError, RecursionError):
        raise BadParameter(
            "the message is not a short JSON text",
            hint='send {"type": "subscribe", "job_id": "..."}',
        ) from None
    if not isinstance(order, dict):
        raise BadParameter("the message is not a JSON object", hint="send an object with a type")
    return order
