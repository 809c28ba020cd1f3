"""Workers as replicas of a RayCluster, which KubeRay turns into pods."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from quetzalcore.autoscaler.marks import Fence
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    LaunchOrder,
    Machine,
    MachineState,
    ProviderRefused,
    ProviderUnreachable,
)
from quetzalcore.autoscaler.provider_settings import KubernetesSettings
from quetzalcore.autoscaler.ray_cluster import (
    Entry,
    Pod,
    RayCluster,
    matched,
    patch_of,
    read_cluster,
    read_pod,
    with_order,
    without,
)
from quetzalcore.errors import BadParameter

__all__ = ["KubernetesProvider"]

_IN_CLUSTER = "https://kubernetes.default.svc"
_ANSWER_S = 30.0
_TRIES = 20
_POD_S = 5.0
_POLL_S = 0.2

Change = Callable[[RayCluster, Sequence[Pod]], RayCluster]


class KubernetesProvider:
    """Changes replicas of one RayCluster; the groups named as shapes are wholly ours.

    A machine is known by its order until KubeRay has made its pod, and by the pod's name from then on.
    """

    def __init__(self, settings: KubernetesSettings, *, now: Callable[[], dt.datetime]) -> None:
        self._settings = settings
        self._now = now
        self._fence = Fence()
        self._turn = asyncio.Lock()
        self._groups = {settings.size_of(shape): shape for shape in settings.offered()}
        url = settings.url or _IN_CLUSTER
        namespace, trust = _surroundings(settings, secure=url.startswith("https:"))
        self._cluster_path = (
            f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters/{settings.ray_cluster}"
        )
        self._pods_path = f"/api/v1/namespaces/{namespace}/pods"
        self._client = httpx.AsyncClient(base_url=url, timeout=_ANSWER_S, verify=trust)

    async def shapes(self) -> tuple[Shape, ...]:
        """Give the groups' sizes, with the replicas that each may still have."""
        cluster, _ = await self._read()
        groups = ((cluster.group(name), shape) for name, shape in self._groups.items())
        return tuple(
            replace(shape, room=max(0, group.most - group.replicas)) for group, shape in groups
        )

    async def launch(self, order: LaunchOrder) -> Machine:
        """Raise a group's replicas by one, unless that was done for this order."""
        group = self._settings.size_of(order.shape)
        entry = Entry(name=order.name, group=group, at=self._now())

        def grow(cluster: RayCluster, pods: Sequence[Pod]) -> RayCluster:
            if any(one.name == order.name for one in matched(cluster, pods)):
                return cluster
            return with_order(cluster, pods, entry, epoch=order.epoch)

        try:
            cluster, pods = await self._change(grow, epoch=order.epoch)
        except ProviderRefused as error:
            raise LaunchFailed(error.detail, hint=error.hint) from error
        machines = {one.id: one for one in self._machines(cluster, pods)}
        pod = next((one.pod for one in matched(cluster, pods) if one.name == order.name), "")
        return machines.get(pod or order.name) or self._machine(entry, None)

    async def list(self) -> tuple[Machine, ...]:
        """Give the groups' pods, and what KubeRay still owes."""
        return self._machines(*await self._read())

    async def terminate(self, machine_id: str, *, epoch: int) -> None:
        """Let KubeRay remove a pod; one that is only on its way is waited for a little, to be named."""
        give_up_at = asyncio.get_running_loop().time() + _POD_S

        def shrink(cluster: RayCluster, pods: Sequence[Pod]) -> RayCluster:
            entry = _find(cluster, pods, machine_id)
            if entry is None:
                return cluster
            if not entry.pod and asyncio.get_running_loop().time() < give_up_at:
                raise _TooEarly
            return without(cluster, pods, entry, epoch=epoch)

        while True:
            try:
                await self._change(shrink, epoch=epoch)
            except _TooEarly:
                await asyncio.sleep(_POLL_S)
            else:
                return

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    def _machines(self, cluster: RayCluster, pods: Sequence[Pod]) -> tuple[Machine, ...]:
        there = {pod.name: pod for pod in pods}
        leaving = {name for group in cluster.groups for name in group.leaving}
        machines = (
            (entry, self._machine(entry, there.get(entry.pod)))
            for entry in matched(cluster, pods)
            if entry.group in self._groups
        )
        return tuple(
            replace(machine, state=MachineState.STOPPING) if entry.pod in leaving else machine
            for entry, machine in machines
        )

    def _machine(self, entry: Entry, pod: Pod | None) -> Machine:
        state = MachineState.PENDING
        if pod is not None and pod.phase == "Running":
            state = MachineState.RUNNING
        if pod is not None and (pod.stopping or pod.phase in {"Failed", "Succeeded"}):
            state = MachineState.STOPPING
        return Machine(
            id=entry.pod or entry.name,
            shape=self._groups[entry.group],
            state=state,
            launched_at=entry.at,
            provider_id=entry.pod,
            address=pod.address if pod is not None else "",
        )

    async def _read(self) -> tuple[RayCluster, tuple[Pod, ...]]:
        """Read the RayCluster, then its pods: so no pod is missed that the RayCluster asked for before."""
        cluster = read_cluster(_document(await self._ask("GET", self._cluster_path)))
        self._fence.see(cluster.epoch)
        wanted = (
            f"ray.io/cluster={self._settings.ray_cluster},ray.io/node-type=worker,"
            f"ray.io/group in ({','.join(self._groups)})"
        )
        listed = _document(await self._ask("GET", self._pods_path, labelSelector=wanted))
        return cluster, tuple(read_pod(item) for item in listed["items"])

    async def _change(self, change: Change, *, epoch: int) -> tuple[RayCluster, tuple[Pod, ...]]:
        """Change what was read, again and again until nobody changed it in between."""
        async with self._turn:
            for attempt in range(_TRIES):
                before, pods = await self._read()
                self._fence.admit(epoch)
                after = change(before, pods)
                if after == before:
                    return before, pods
                answer = await self._ask("PATCH", self._cluster_path, patch=patch_of(before, after))
                if answer.status_code != httpx.codes.CONFLICT:
                    return read_cluster(_document(answer)), pods
                await asyncio.sleep(0.01 * attempt)
        raise ProviderUnreachable(
            f"others change the RayCluster {self._settings.ray_cluster} all the time",
            hint="look for another controller that scales it",
        )

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        patch: Sequence[Mapping[str, Any]] | None = None,
        **query: str,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token()}"}  # read anew: tokens are rotated
        if patch is not None:
            headers["Content-Type"] = "application/json-patch+json"
        try:
            return await self._client.request(
                method, path, params=query, json=patch, headers=headers
            )
        except httpx.TransportError as error:
            raise ProviderUnreachable(
                f"the Kubernetes API at {self._client.base_url} does not answer:"
                f" {type(error).__name__} {error}",
                hint="check url and ca_file of the provider's file",
            ) from error

    def _token(self) -> str:
        try:
            return self._settings.token_file.read_text("ascii").strip()
        except OSError as error:
            raise ProviderRefused(
                f"the token cannot be read: {error}", hint="check token_file of the provider's file"
            ) from error


def _surroundings(
    settings: KubernetesSettings, *, secure: bool
) -> tuple[str, ssl.SSLContext | bool]:
    """Give the namespace, and whose certificates are trusted; a pod finds both in files."""
    try:
        namespace = settings.namespace or settings.namespace_file.read_text("ascii").strip()
        return namespace, secure and ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise BadParameter(
            f"what a pod knows of its cluster cannot be read: {error}",
            hint="run in a pod, or set url, namespace, token_file and ca_file in the provider's file",
        ) from error


class _TooEarly(Exception):
    """The pod is not made yet."""


def _find(cluster: RayCluster, pods: Sequence[Pod], machine_id: str) -> Entry | None:
    entries = matched(cluster, pods)
    return next((one for one in entries if machine_id in {one.pod, one.name}), None)


def _document(answer: httpx.Response) -> Any:  # noqa: ANN401 -- JSON
    if answer.is_success:
        return answer.json()
    try:
        said = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        said = f"status {answer.status_code}"
    if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise ProviderUnreachable(
            f"the Kubernetes API is in trouble: {said}", hint="it is tried again"
        )
    raise ProviderRefused(
        f"the Kubernetes API refuses: {said}",
        hint="check the role, and names in the provider's file",
    )
