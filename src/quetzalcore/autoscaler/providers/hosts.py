"""Workers on hosts that are given, reached by SSH: one worker a host."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from quetzalcore.autoscaler.host_scripts import (
    STALE,
    TAKEN,
    HostView,
    launch_command,
    launch_input,
    look_command,
    read_view,
    terminate_command,
)
from quetzalcore.autoscaler.marks import Fence, Mark
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
from quetzalcore.autoscaler.provider_settings import HostsSettings
from quetzalcore.autoscaler.worker_start import WorkerAccess, environment_file, worker_environment
from quetzalcore.jobs.ledger import StaleEpoch
from quetzalcore.ssh import RemoteResult, SshAccess, SshUnreachable, hang_up, run_on

__all__ = ["HostsProvider", "host_sizes"]

_AT_ONCE = 16
_ANSWER_S = 30.0

Views = tuple[HostView, ...]

log = logging.getLogger(__name__)


def host_sizes(views: Iterable[HostView]) -> tuple[Shape, ...]:
    """Give the sizes that there are among hosts, the smallest first, with how many of each are free."""
    free: dict[Shape, int] = {}
    for view in views:
        free[view.shape] = free.get(view.shape, 0) + (not view.taken)
    ordered = sorted(free, key=lambda shape: (shape.cpus, shape.memory_mib))
    return tuple(replace(shape, room=free[shape]) for shape in ordered)


class HostsProvider:
    """Takes free hosts; a mark on each says whose it is, and a lock there lets one leader act at a time."""

    def __init__(
        self,
        settings: HostsSettings,
        access: WorkerAccess,
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._settings = settings
        self._access = access
        self._now = now
        self._fence = Fence()
        self._ssh = SshAccess(
            user=settings.user,
            port=settings.port,
            identity_file=settings.identity_file,
            known_hosts_file=settings.known_hosts_file,
            connect_timeout_s=settings.connect_timeout_s,
            control_folder=Path(tempfile.mkdtemp(prefix="qz-ssh-")),
        )
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._claimed: set[str] = set()
        self._doubtful: dict[str, str] = {}  # order -> host that fell silent while it was launched

    async def shapes(self) -> tuple[Shape, ...]:
        """Give the sizes of the hosts that answer."""
        return host_sizes((await self._look())[0])

    async def launch(self, order: LaunchOrder) -> Machine:
        """Take a free host and start its worker; a host whose worker does not start is free again."""
        turn = self._turns.setdefault(order.name, asyncio.Lock())
        async with turn:
            views, _ = await self._look()
            self._fence.admit(order.epoch)
            there = next((one for one in _machines(views) if one.id == order.name), None)
            if there is not None:
                self._doubtful.pop(order.name, None)
                return there
            self._settle_doubt(order.name, views)
            for view in views:
                if view.taken or view.host in self._claimed or not _fits(order.shape, view.shape):
                    continue
                machine = await self._take(view, order)
                if machine is not None:
                    return machine
        raise NoCapacity(
            f"none of {len(self._settings.hosts)} hosts is free for a worker of"
            f" {order.shape.cpus:g} cores and {order.shape.memory_mib} MiB"
            f" ({len(views)} answer, {sum(view.taken for view in views)} are taken)",
            hint="wait until a worker goes, or add hosts to worker_nodes",
        )

    async def list(self) -> tuple[Machine, ...]:
        """Give the hosts that run a worker of ours; those that do not answer are left out, and logged."""
        return _machines((await self._look())[0])

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """End a host's worker; the host is free again."""
        views, silent = await self._look()
        self._fence.admit(epoch)
        found = [view for view in views if view.mark and view.mark.order == machine_id]
        if not found and silent:
            raise ProviderUnreachable(
                f"{machine_id} may be on a host that does not answer: {', '.join(silent)}",
                hint="it is tried again; a host that is gone for good leaves worker_nodes",
            )
        command = terminate_command(self._settings, machine_id, epoch=epoch)
        for view in found:
            patience_s = self._settings.stop_s + _ANSWER_S
            result = await self._run(view.host, command, timeout_s=patience_s)
            _refuse_stale(result, epoch)
            if result.status:
                raise ProviderRefused(
                    f"{view.host} does not end its worker: {result.said}", hint="look at the host"
                )

    async def close(self) -> None:
        """Hang up."""
        if self._ssh.control_folder is not None:
            await hang_up(self._settings.hosts, access=self._ssh)
            shutil.rmtree(self._ssh.control_folder, ignore_errors=True)

    async def _look(self) -> tuple[Views, tuple[str, ...]]:
        """Look at all hosts; give those that answer, and the names of those that do not."""
        hosts = self._settings.hosts
        seen = await asyncio.gather(*map(self._look_at, hosts))
        views = tuple(view for view in seen if view is not None)
        silent = tuple(host for host, view in zip(hosts, seen, strict=True) if view is None)
        if hosts and not views:
            raise ProviderUnreachable(
                f"none of {len(hosts)} hosts answers", hint="check the network and the SSH keys"
            )
        self._fence.see(*(view.epoch for view in views))
        return views, silent

    async def _look_at(self, host: str) -> HostView | None:
        try:
            result = await self._run(host, look_command(self._settings))
        except ProviderUnreachable as error:
            log.warning("%s", error)
            return None
        if result.status:
            log.warning("%s does not say how it is: %s", host, result.said)
            return None
        return read_view(host, result.stdout, cluster=self._settings.cluster)

    def _settle_doubt(self, name: str, views: Views) -> None:
        """Let an order go to another host only when the one that fell silent says that it is not there."""
        host = self._doubtful.get(name)
        if host is None:
            return
        if host not in {view.host for view in views}:
            raise ProviderUnreachable(
                f"{name} may run on {host}, which does not answer", hint="it is tried again"
            )
        del self._doubtful[name]

    async def _take(self, view: HostView, order: LaunchOrder) -> Machine | None:
        """Start a worker on a host; None if somebody else was faster."""
        mark = Mark(
            cluster=self._settings.cluster,
            order=order.name,
            epoch=order.epoch,
            launched_at=self._now(),
            shape=view.shape,
        )
        variables = environment_file(worker_environment(self._access, order.name))
        command = launch_command(self._settings, epoch=order.epoch)
        self._claimed.add(view.host)
        self._doubtful[order.name] = view.host
        try:
            result = await self._run(view.host, command, stdin=launch_input(mark, variables))
        finally:
            self._claimed.discard(view.host)
        del self._doubtful[order.name]
        _refuse_stale(result, order.epoch)
        if result.status == TAKEN:
            return None
        if result.status:
            raise LaunchFailed(
                f"the worker on {view.host} does not start: {result.said or result.status}",
                hint="check the unit or the command of the provider's file on that host",
            )
        return _machine(replace(view, alive=True), mark)

    async def _run(
        self,
        host: str,
        command: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float = _ANSWER_S,
    ) -> RemoteResult:
        async with self._places:
            try:
                return await run_on(
                    host, command, access=self._ssh, stdin=stdin, timeout_s=timeout_s
                )
            except SshUnreachable as error:
                raise ProviderUnreachable(error.detail, hint=error.hint) from error


def _fits(asked: Shape, there: Shape) -> bool:
    return asked.cpus <= there.cpus and asked.memory_mib <= there.memory_mib


def _machine(view: HostView, mark: Mark) -> Machine:
    return Machine(
        id=mark.order,
        shape=mark.shape,
        state=MachineState.RUNNING if view.alive else MachineState.PENDING,
        launched_at=mark.launched_at,
        provider_id=view.host,
        address=view.host,
    )


def _machines(views: Iterable[HostView]) -> tuple[Machine, ...]:
    return tuple(_machine(view, view.mark) for view in views if view.mark is not None)


def _refuse_stale(result: RemoteResult, epoch: int) -> None:
    if result.status == STALE:
        seen = result.stdout.decode(errors="replace").strip()
        raise StaleEpoch(
            f"epoch {epoch} is over on {result.host}: epoch {seen} leads",
            hint="stand by as another leads",
        )
