"""What a RayCluster of KubeRay says of its workers, and what to change in it to have more or fewer; pure.

KubeRay makes pods until a group has ``replicas`` of them, gives them names of its own, and removes those named in
``workersToDelete``. Which order a pod was made for is written into an annotation of the RayCluster, in the same
change that asks for it: so the same order counts once, whoever gives it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quetzalcore.autoscaler.provider import NoCapacity, ProviderRefused

__all__ = [
    "ANNOTATION",
    "Entry",
    "Pod",
    "RayCluster",
    "WorkerGroup",
    "matched",
    "patch_of",
    "read_cluster",
    "read_pod",
    "with_order",
    "without",
]

ANNOTATION = "quetzalcore.org/workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An order and the pod that came of it; one that nobody ordered has the name of its pod."""

    name: str
    group: str
    at: dt.datetime
    pod: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGroup:
    """A worker group: how many pods it shall have, may have, and which of them go."""

    index: int
    name: str
    replicas: int
    most: int
    strategy: Mapping[str, Any]

    @property
    def leaving(self) -> frozenset[str]:
        """The pods that KubeRay was told to remove."""
        return frozenset(self.strategy.get("workersToDelete", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """A RayCluster as it was read; ``version`` lets a change pass only if nobody else made one since."""

    version: str
    groups: tuple[WorkerGroup, ...]
    entries: tuple[Entry, ...] = ()
    epoch: int = 0
    annotated: bool = False  # has any annotations

    def group(self, name: str) -> WorkerGroup:
        """Give a group; ``ProviderRefused`` if there is none of that name."""
        for group in self.groups:
            if group.name == name:
                return group
        raise ProviderRefused(
            f"the RayCluster has no worker group {name!r}",
            hint=f"its groups are {', '.join(group.name for group in self.groups) or 'none'}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A worker's pod."""

    name: str
    group: str
    created_at: dt.datetime
    phase: str
    stopping: bool = False
    address: str = ""


def read_cluster(document: Mapping[str, Any]) -> RayCluster:
    """Read a RayCluster; ``ProviderRefused`` where somebody else scales it, or a replica is several pods."""
    spec = document["spec"]
    if spec.get("enableInTreeAutoscaling"):
        raise ProviderRefused(
            "Ray's own autoscaler scales this RayCluster", hint="set enableInTreeAutoscaling: false"
        )
    annotations = document["metadata"].get("annotations") or {}
    entries, epoch = _read_annotation(annotations.get(ANNOTATION, "{}"))
    return RayCluster(
        version=document["metadata"]["resourceVersion"],
        groups=tuple(
            _read_group(index, group)
            for index, group in enumerate(spec.get("workerGroupSpecs", ()))
        ),
        entries=entries,
        epoch=epoch,
        annotated=bool(annotations),
    )


def _read_annotation(text: str) -> tuple[tuple[Entry, ...], int]:
    try:
        kept = json.loads(text)
        entries = tuple(
            Entry(name=name, group=group, at=dt.datetime.fromisoformat(at), pod=pod)
            for name, group, at, pod in kept.get("workers", ())
        )
        return entries, int(kept.get("epoch", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise ProviderRefused(
            f"the annotation {ANNOTATION} of the RayCluster cannot be read",
            hint="somebody changed it by hand: remove it, and workers are known by their pods",
        ) from error


def _read_group(index: int, group: Mapping[str, Any]) -> WorkerGroup:
    if group.get("numOfHosts", 1) > 1:
        raise ProviderRefused(
            f"worker group {group['groupName']!r} makes {group['numOfHosts']} pods a replica",
            hint="set numOfHosts: 1",
        )
    least = group.get("minReplicas") or 0
    most = group.get("maxReplicas")
    replicas = group.get("replicas")
    return WorkerGroup(
        index=index,
        name=group["groupName"],
        replicas=max(least, least if replicas is None else replicas),
        most=(1 << 31) - 1 if most is None else most,
        strategy=group.get("scaleStrategy") or {},
    )


def read_pod(document: Mapping[str, Any]) -> Pod:
    """Read a pod."""
    about, status = document["metadata"], document.get("status", {})
    return Pod(
        name=about["name"],
        group=about.get("labels", {}).get("ray.io/group", ""),
        created_at=dt.datetime.fromisoformat(about["creationTimestamp"]),
        phase=status.get("phase", "Pending"),
        stopping="deletionTimestamp" in about,
        address=status.get("podIP", ""),
    )


def matched(cluster: RayCluster, pods: Iterable[Pod]) -> tuple[Entry, ...]:
    """Give every entry that still counts with its pod, and an entry for each pod that none is for.

    Where KubeRay replaced a pod, its order goes over to the new one. An order without a pod counts only as far
    as KubeRay still owes pods.
    """
    there = sorted(pods, key=lambda pod: (pod.created_at, pod.name))
    return tuple(entry for group in cluster.groups for entry in _matched_in(cluster, group, there))


def _matched_in(cluster: RayCluster, group: WorkerGroup, there: Sequence[Pod]) -> Sequence[Entry]:
    own = {pod.name: pod for pod in there if pod.group == group.name}
    entries = [
        entry
        for entry in cluster.entries
        if entry.group == group.name and (entry.pod in own or entry.pod not in group.leaving)
    ]
    settled = [entry for entry in entries if entry.pod in own]
    taken = {entry.pod for entry in settled}
    new = [pod for name, pod in own.items() if name not in taken]
    open_ = [replace(entry, pod="") for entry in entries if entry.pod not in own]
    came = [replace(entry, pod=pod.name) for entry, pod in zip(open_, new, strict=False)]
    unasked = [
        Entry(name=pod.name, group=group.name, at=pod.created_at, pod=pod.name)
        for pod in new[len(came) :]
    ]
    staying = len(own.keys() - group.leaving)
    waiting = open_[len(came) :]
    owed = max(0, group.replicas - staying)
    return [*settled, *came, *unasked, *waiting[max(0, len(waiting) - owed) :]]


def with_order(cluster: RayCluster, pods: Sequence[Pod], order: Entry, *, epoch: int) -> RayCluster:
    """Ask for one worker more; ``NoCapacity`` at the group's most."""
    group = cluster.group(order.group)
    if group.replicas >= group.most:
        raise NoCapacity(
            f"worker group {group.name!r} has {group.replicas} of at most {group.most} replicas",
            hint="wait until a worker goes, or raise maxReplicas of the group",
        )
    entries = (*matched(cluster, pods), order)
    grown = replace(group, replicas=group.replicas + 1)
    return _changed(cluster, pods, grown, entries=entries, epoch=epoch)


def without(cluster: RayCluster, pods: Sequence[Pod], gone: Entry, *, epoch: int) -> RayCluster:
    """Let one worker go: its pod by name, or, where none came yet, the wish for it."""
    group = cluster.group(gone.group)
    if gone.pod in group.leaving:
        return cluster
    entries = tuple(
        entry
        for entry in matched(cluster, pods)
        if gone.pod or entry.name != gone.name  # one with a pod is kept until the pod is gone
    )
    names = [*group.strategy.get("workersToDelete", ()), *([gone.pod] if gone.pod else ())]
    shrunk = replace(
        group,
        replicas=max(0, group.replicas - 1),
        strategy={**group.strategy, "workersToDelete": names},
    )
    return _changed(cluster, pods, shrunk, entries=entries, epoch=epoch)


def _changed(
    cluster: RayCluster,
    pods: Sequence[Pod],
    group: WorkerGroup,
    *,
    entries: Sequence[Entry],
    epoch: int,
) -> RayCluster:
    """Put a group in its place; forget the names of pods that are gone.

    A name stays until then: KubeRay counts a pod that is still ending, and would remove another one for it.
    """
    there = {pod.name for pod in pods}
    leaving = [name for name in group.strategy.get("workersToDelete", ()) if name in there]
    group = replace(group, strategy={**group.strategy, "workersToDelete": leaving})
    groups = (group if one.index == group.index else one for one in cluster.groups)
    return replace(
        cluster, groups=tuple(groups), entries=tuple(entries), epoch=max(epoch, cluster.epoch)
    )


def patch_of(before: RayCluster, after: RayCluster) -> list[dict[str, Any]]:
    """Give the JSON Patch from one to the other; the server refuses it if anybody changed the RayCluster since."""
    kept = {
        "epoch": after.epoch,
        "workers": [[one.name, one.group, one.at.isoformat(), one.pod] for one in after.entries],
    }
    text = json.dumps(kept, separators=(",", ":"))
    key = ANNOTATION.replace("~", "~0").replace("/", "~1")
    place, value = (
        (f"/metadata/annotations/{key}", text)
        if before.annotated
        else ("/metadata/annotations", {ANNOTATION: text})
    )
    patch: list[dict[str, Any]] = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": before.version},
        {"op": "add", "path": place, "value": value},
    ]
    for old, new in zip(before.groups, after.groups, strict=True):
        if old != new:
            path = f"/spec/workerGroupSpecs/{new.index}"
            patch += [
                {"op": "test", "path": f"{path}/groupName", "value": new.name},
                {"op": "add", "path": f"{path}/replicas", "value": new.replicas},
                {"op": "add", "path": f"{path}/scaleStrategy", "value": dict(new.strategy)},
            ]
    return patch
