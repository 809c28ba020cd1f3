"""Workers as containers of a Docker engine, by its HTTP interface on a unix socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx

from quetzalcore.autoscaler.containers import LABELS, container_of
from quetzalcore.autoscaler.marks import Fence, Mark, mark_of
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    LaunchOrder,
    Machine,
    MachineState,
    NoCapacity,
    ProviderRefused,
    ProviderUnreachable,
)
from quetzalcore.autoscaler.provider_settings import DockerSettings
from quetzalcore.autoscaler.worker_start import WorkerAccess

__all__ = ["DockerProvider"]

_API = "/v1.41"
_ANSWER_S = 60.0  # a start waits for the disk
_MIB = 1 << 20
_STATES = {
    "created": MachineState.PENDING,
    "restarting": MachineState.PENDING,
    "running": MachineState.RUNNING,
    "paused": MachineState.RUNNING,
    "exited": MachineState.PENDING,  # it has no node, so it will be replaced
    "dead": MachineState.PENDING,
    "removing": MachineState.STOPPING,
}


class DockerProvider:
    """Makes containers; the order's name is the container's, so an engine holds it once."""

    def __init__(
        self,
        settings: DockerSettings,
        access: WorkerAccess,
        *,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._access = access
        self._now = now
        self._fence = Fence()
        self._counting = asyncio.Lock()
        self._client = httpx.AsyncClient(
            transport=transport or httpx.AsyncHTTPTransport(uds=str(settings.socket)),
            base_url=f"http://docker{_API}",
            timeout=_ANSWER_S,
        )

    async def shapes(self) -> tuple[Shape, ...]:
        """Give the configured sizes, with the room that the engine's host has for them."""
        return self._sizes(await self._offered(), await self._machines())

    async def launch(self, order: LaunchOrder) -> Machine:
        """Create and start a container; one that does not start is removed."""
        async with self._counting:  # so that two launches do not take the same room
            machines = await self._machines()
            self._fence.admit(order.epoch)
            there = next((one for one in machines if one.id == order.name), None)
            if there is not None and there.state is not MachineState.PENDING:
                return there
            if there is None:
                self._check_room(order.shape, await self._offered(), machines)
                mark = Mark(
                    cluster=self._settings.cluster,
                    order=order.name,
                    epoch=order.epoch,
                    launched_at=self._now(),
                    shape=order.shape,
                )
                there = await self._create(mark)
            await self._start(there)  # also what a leader that died has only created
            return replace(there, state=MachineState.RUNNING)

    async def list(self) -> tuple[Machine, ...]:
        """Give our containers."""
        return await self._machines()

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """Stop a container, kindly first, and remove it."""
        machines = {machine.id: machine for machine in await self._machines()}
        self._fence.admit(epoch)
        machine = machines.get(machine_id)
        if machine is None:
            return
        stop_s = round(self._settings.stop_s)
        path = f"/containers/{machine.provider_id}/stop"
        answer = await self._ask("POST", path, params={"t": stop_s}, timeout_s=stop_s + _ANSWER_S)
        _check(answer, allowed=(204, 304, 404))
        await self._remove(machine.provider_id)

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _machines(self) -> tuple[Machine, ...]:
        wanted = {"label": [f"{LABELS}role=worker", f"{LABELS}cluster={self._settings.cluster}"]}
        answer = await self._ask(
            "GET", "/containers/json", params={"all": "true", "filters": json.dumps(wanted)}
        )
        _check(answer, allowed=(200,))
        return tuple(machine for raw in answer.json() if (machine := self._read(raw)) is not None)

    def _read(self, raw: Mapping[str, Any]) -> Machine | None:
        mark = mark_of(
            raw["Labels"],
            prefix=LABELS,
            cluster=self._settings.cluster,
            shapes=self._settings.offered(),
        )
        if mark is None:
            return None
        self._fence.see(mark.epoch)
        networks = raw.get("NetworkSettings", {}).get("Networks", {}).values()
        return Machine(
            id=mark.order,
            shape=mark.shape,
            state=_STATES.get(raw["State"], MachineState.PENDING),
            launched_at=mark.launched_at,
            provider_id=raw["Id"],
            address=next((one["IPAddress"] for one in networks if one.get("IPAddress")), ""),
        )

    async def _offered(self) -> tuple[float, int]:
        """Give the cores and the memory that workers may have here."""
        answer = await self._ask("GET", "/info")
        _check(answer, allowed=(200,))
        host = answer.json()
        cpus = self._settings.most_cpus or float(host["NCPU"])
        return cpus, self._settings.most_memory_mib or int(0.8 * host["MemTotal"] / _MIB)

    def _sizes(
        self, offered: tuple[float, int], machines: tuple[Machine, ...]
    ) -> tuple[Shape, ...]:
        cpus = offered[0] - sum(machine.shape.cpus for machine in machines)
        memory_mib = offered[1] - sum(machine.shape.memory_mib for machine in machines)
        return tuple(
            replace(size, room=max(0, min(int(cpus / size.cpus), memory_mib // size.memory_mib)))
            for size in self._settings.offered()
        )

    def _check_room(
        self, shape: Shape, offered: tuple[float, int], machines: tuple[Machine, ...]
    ) -> None:
        if any(size.name == shape.name and size.room for size in self._sizes(offered, machines)):
            return
        raise NoCapacity(
            f"the Docker engine has no room for a {shape.name} container: {len(machines)} workers"
            f" share {offered[0]:g} cores and {offered[1]} MiB",
            hint="wait until a worker goes, or raise most_cpus and most_memory_mib",
        )

    async def _create(self, mark: Mark) -> Machine:
        body = container_of(mark, self._settings, self._access)
        answer = await self._ask(
            "POST", "/containers/create", params={"name": mark.order}, body=body
        )
        if answer.status_code == httpx.codes.CONFLICT:
            machines = {machine.id: machine for machine in await self._machines()}
            if mark.order in machines:  # another leader was faster with the same order
                return machines[mark.order]
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise LaunchFailed(
                f"Docker makes no container {mark.order}: {_said(answer)}",
                hint="check image, network and volumes of the provider's file",
            )
        return Machine(
            id=mark.order,
            shape=mark.shape,
            state=MachineState.PENDING,
            launched_at=mark.launched_at,
            provider_id=answer.json()["Id"],
        )

    async def _start(self, machine: Machine) -> None:
        try:
            answer = await self._ask("POST", f"/containers/{machine.provider_id}/start")
        except (ProviderUnreachable, asyncio.CancelledError):
            await asyncio.shield(self._remove(machine.provider_id))
            raise
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            await self._remove(machine.provider_id)
            raise LaunchFailed(
                f"container {machine.id} does not start: {_said(answer)}",
                hint="check command, devices and limits of the provider's file",
            )

    async def _remove(self, container: str) -> None:
        answer = await self._ask(
            "DELETE", f"/containers/{container}", params={"force": "true", "v": "true"}
        )
        _check(answer, allowed=(204, 404, 409))  # 409: it is being removed already

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout_s: float = _ANSWER_S,
    ) -> httpx.Response:
        try:
            return await self._client.request(
                method, path, params=params, json=body, timeout=timeout_s
            )
        except httpx.TransportError as error:
            raise ProviderUnreachable(
                f"the Docker engine at {self._settings.socket} does not answer:"
                f" {type(error).__name__} {error}",
                hint="check that it runs, and that we may use its socket",
            ) from error


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError):
        return f"status {answer.status_code}"


def _check(answer: httpx.Response, *, allowed: tuple[int, ...]) -> None:
    """Let an expected answer pass; an engine's own trouble may end, a refusal will not."""
    if answer.status_code in allowed:
        return
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise ProviderUnreachable(
            f"the Docker engine is in trouble: {_said(answer)}", hint="see the engine's log"
        )
    raise ProviderRefused(
        f"the Docker engine refuses: {_said(answer)}", hint="check the provider's file"
    )
