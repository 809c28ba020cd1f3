"""Workers as machines of a cloud."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import LibcloudError

from quetzalcore.autoscaler.clouds.cloud import (
    TAGS,
    Cloud,
    Instance,
    Wanted,
    failure_of,
    launch_failure_of,
)
from quetzalcore.autoscaler.marks import Fence, Mark, mark_of, tags_of
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import LaunchOrder, Machine
from quetzalcore.autoscaler.provider_settings import CloudSettings
from quetzalcore.autoscaler.worker_start import WorkerAccess, startup_script, worker_environment

__all__ = ["CloudProvider"]

_AT_ONCE = 8

T = TypeVar("T")


class CloudProvider:
    """Makes instances whose tags say whose they are; calls block, so they are made in threads.

    Libcloud's drivers serve one thread at a time: ``open_cloud`` is called once in each.
    """

    def __init__(
        self,
        settings: CloudSettings,
        access: WorkerAccess,
        *,
        open_cloud: Callable[[], Cloud],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._settings = settings
        self._access = access
        self._now = now
        self._fence = Fence()
        self._open_cloud = open_cloud
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="cloud")
        self._opened = threading.local()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def shapes(self) -> tuple[Shape, ...]:
        """Give the configured sizes; how much room a cloud has, it does not tell."""
        return self._settings.offered()

    async def launch(self, order: LaunchOrder) -> Machine:
        """Make an instance with its tags in one request."""
        turn = self._turns.setdefault(order.name, asyncio.Lock())
        async with turn:
            machines = await self._machines()
            self._fence.admit(order.epoch)
            if order.name in machines:
                return machines[order.name]
            mark = Mark(
                cluster=self._settings.cluster,
                order=order.name,
                epoch=order.epoch,
                launched_at=self._now(),
                shape=order.shape,
            )
            variables = worker_environment(self._access, order.name)
            wanted = Wanted(
                name=order.name,
                size=self._settings.size_of(order.shape),
                script=startup_script(
                    variables, install=self._settings.install, start=self._settings.start
                ),
                tags=tags_of(mark, prefix=TAGS),
                spot=order.shape.spot,
            )
            try:
                instance = await self._ask(lambda cloud: cloud.create(wanted))
            except (LibcloudError, BaseHTTPError, OSError) as error:
                raise launch_failure_of(error) from error
            return _machine(instance, mark)

    async def list(self) -> tuple[Machine, ...]:
        """Give the instances with our tags."""
        return tuple((await self._machines()).values())

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """End an instance and what belongs to it."""
        machines = await self._machines()
        self._fence.admit(epoch)
        machine = machines.get(machine_id)
        if machine is None:
            return
        try:
            await self._ask(lambda cloud: cloud.remove(machine.provider_id))
        except (LibcloudError, BaseHTTPError, OSError) as error:
            raise failure_of(error) from error

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _machines(self) -> dict[str, Machine]:
        try:
            instances = await self._ask(lambda cloud: cloud.instances())
        except (LibcloudError, BaseHTTPError, OSError) as error:
            raise failure_of(error) from error
        machines: dict[str, Machine] = {}
        for instance in instances:
            mark = self._mark(instance)
            if mark is not None:
                self._fence.see(mark.epoch)
                machines[mark.order] = _machine(instance, mark)
        return machines

    def _mark(self, instance: Instance) -> Mark | None:
        return mark_of(
            instance.tags,
            prefix=TAGS,
            cluster=self._settings.cluster,
            shapes=self._settings.offered(),
        )

    async def _ask(self, act: Callable[[Cloud], T]) -> T:
        def in_thread() -> T:
            cloud: Cloud | None = getattr(self._opened, "cloud", None)
            if cloud is None:
                cloud = self._opened.cloud = self._open_cloud()
            return act(cloud)

        return await asyncio.get_running_loop().run_in_executor(self._threads, in_thread)


def _machine(instance: Instance, mark: Mark) -> Machine:
    return Machine(
        id=mark.order,
        shape=mark.shape,
        state=instance.state,
        launched_at=mark.launched_at,
        provider_id=instance.id,
        address=instance.address,
    )
