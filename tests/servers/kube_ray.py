"""A namespace of Kubernetes with KubeRay in it, in memory.

KubeRay's part is what its controller does with worker groups: it removes the pods that are named, makes those that
are missing, and removes some of its own choice where there are too many.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import re
import threading
from typing import Any

from tests.servers.ray_cluster_schema import Refused, check_cluster, check_pod

__all__ = ["NAMESPACE", "FakeKubernetes"]

NAMESPACE = "surveys"
_GRACE_S = 0.05


class FakeKubernetes:
    """What the namespace holds; ``patches`` are those that came, ``denial`` refuses them as a webhook would.

    ``meddling`` times somebody else changes the RayCluster just before a patch. A ``stalled`` KubeRay does nothing.
    """

    def __init__(self) -> None:
        self.url = ""
        self.clusters: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.patches: list[list[dict[str, Any]]] = []
        self.denial = ""
        self.meddling = 0
        self.stalled = False
        self.lock = threading.RLock()
        self._versions = itertools.count(1)
        self._names = itertools.count(1)
        self._ending: dict[str, float] = {}

    def put(self, cluster: dict[str, Any]) -> None:
        """Make or replace a RayCluster."""
        with self.lock:
            cluster = copy.deepcopy(cluster)
            cluster["metadata"]["resourceVersion"] = str(next(self._versions))
            check_cluster(cluster)
            self.clusters[cluster["metadata"]["name"]] = cluster

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.clusters.clear()
            self.pods.clear()
            self._ending.clear()
            self.patches.clear()
            self.denial, self.meddling, self.stalled = "", 0, False

    def patch(self, name: str, patch: list[dict[str, Any]]) -> dict[str, Any]:
        """Apply a JSON Patch as the API server does: whole or not, and only to the version it names."""
        with self.lock:
            self.patches.append(patch)
            if self.denial:
                raise Refused(403, self.denial)
            if self.meddling:
                self.meddling -= 1
                self._touch(name)
            before = self.cluster(name)
            after = _patched(before, patch)
            if after["metadata"].get("resourceVersion") != before["metadata"]["resourceVersion"]:
                raise Refused(409, f'rayclusters.ray.io "{name}": the object has been modified')
            check_cluster(after)
            self.clusters[name] = after
            self._touch(name)
            return after

    def cluster(self, name: str) -> dict[str, Any]:
        """Give a RayCluster."""
        try:
            return self.clusters[name]
        except KeyError:
            raise Refused(404, f'rayclusters.ray.io "{name}" not found') from None

    def select(self, selector: str) -> list[dict[str, Any]]:
        """Give the pods with labels that are asked for."""
        wanted = _selector(selector)
        with self.lock:
            return [
                copy.deepcopy(pod)
                for pod in self.pods.values()
                if all(pod["metadata"]["labels"].get(key) in some for key, some in wanted.items())
            ]

    def add_pod(self, cluster: str, group: str, template: dict[str, Any]) -> str:
        """Make a worker's pod, under a name that nobody could have foreseen."""
        name = f"{cluster}-{group}-worker-{next(self._names):05x}"
        labels = {
            "ray.io/cluster": cluster,
            "ray.io/group": group,
            "ray.io/node-type": "worker",
            **template.get("metadata", {}).get("labels", {}),
        }
        created = dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": labels,
                "creationTimestamp": created,
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        check_pod({**pod, "metadata": {"name": "any", "labels": labels}})
        self.pods[name] = pod
        return name

    def tick(self, now_s: float) -> None:
        """Let KubeRay and the kubelets do what is due."""
        with self.lock:
            if self.stalled:
                return
            for name, ends_s in list(self._ending.items()):
                if now_s >= ends_s:
                    del self._ending[name], self.pods[name]
            for pod in self.pods.values():
                if pod["status"]["phase"] == "Pending":
                    pod["status"] = {"phase": "Running", "podIP": "10.1.0.7"}
            for name, cluster in self.clusters.items():
                changes = [
                    self._reconcile(name, group, now_s)
                    for group in cluster["spec"].get("workerGroupSpecs", ())
                ]
                if any(changes):
                    self._touch(name)  # KubeRay writes the status

    def _reconcile(self, cluster: str, group: dict[str, Any], now_s: float) -> bool:
        own = [
            name
            for name, pod in self.pods.items()
            if (
                pod["metadata"]["labels"]["ray.io/cluster"],
                pod["metadata"]["labels"]["ray.io/group"],
            )
            == (cluster, group["groupName"])
        ]
        named = set(group.get("scaleStrategy", {}).get("workersToDelete", ())) & set(own)
        deleted = [self._delete(name, now_s) for name in sorted(named)]
        changed = any(deleted)
        running = [name for name in own if name not in named]
        wanted = min(max(group.get("replicas", 0), group["minReplicas"]), group["maxReplicas"])
        for _ in range(wanted - len(running)):
            self.add_pod(cluster, group["groupName"], group["template"])
            changed = True
        for name in running[: max(0, len(running) - wanted)]:
            changed = self._delete(name, now_s) or changed
        return changed

    def _delete(self, name: str, now_s: float) -> bool:
        if name in self._ending:
            return False
        self._ending[name] = now_s + _GRACE_S
        self.pods[name]["metadata"]["deletionTimestamp"] = "2026-03-02T08:00:00Z"
        return True

    def _touch(self, name: str) -> None:
        self.clusters[name]["metadata"]["resourceVersion"] = str(next(self._versions))


def _patched(document: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply add, replace and test of RFC 6902."""
    result: dict[str, Any] = copy.deepcopy(document)
    for step in patch:
        *way, last = (
            part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]
        )
        place: Any = result
        try:
            for part in way:
                place = place[int(part) if isinstance(place, list) else part]
            if step["op"] != "add":
                place[last]
        except (KeyError, IndexError) as error:
            raise Refused(422, f"the patch finds no {step['path']}") from error
        if step["op"] == "test":
            if place[last] != step["value"]:
                raise Refused(422, f"the patch's test of {step['path']} failed")
        else:
            place[last] = step["value"]
    return result


def _selector(text: str) -> dict[str, set[str]]:
    wanted = {}
    for key, values, value in re.findall(r"([\w./-]+)(?: in \(([^)]*)\)|=([\w.-]*))", text):
        wanted[key] = set(values.split(",")) if values else {value}
    return wanted
