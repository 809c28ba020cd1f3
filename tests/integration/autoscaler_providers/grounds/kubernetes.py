"""A RayCluster with two worker groups of ours and one that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.autoscaler_providers.grounds.ground import Ground, now
from tests.servers.kubernetes_api import NAMESPACE, TOKEN, FakeKubernetes
from tests.servers.redis import free_port

from quetzalcore.autoscaler.provider import Provider
from quetzalcore.autoscaler.provider_settings import KubernetesSettings, Size
from quetzalcore.autoscaler.providers.kubernetes import KubernetesProvider

__all__ = ["KubernetesGround", "ray_cluster", "worker_group"]

CLUSTER = "quetzal"
_TEMPLATE = {
    "metadata": {"labels": {"app": "quetzal-worker"}},
    "spec": {
        "containers": [
            {
                "name": "worker",
                "image": "quetzalcore:latest",
                "resources": {"limits": {"cpu": "2", "memory": "4Gi"}},
                "env": [
                    {
                        "name": "QUETZAL_NODE_ID",
                        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                    }
                ],
            }
        ]
    },
}


def worker_group(name: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    group = {
        "groupName": name,
        "replicas": 0,
        "minReplicas": 0,
        "maxReplicas": 5,
        "rayStartParams": {},
        "template": _TEMPLATE,
    }
    return {**group, **changed}


def ray_cluster(*groups: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": CLUSTER, "namespace": NAMESPACE},
        "spec": {
            "enableInTreeAutoscaling": False,
            "headGroupSpec": {"rayStartParams": {}, "template": _TEMPLATE},
            "workerGroupSpecs": list(groups),
        },
    }


class KubernetesGround(Ground):
    def __init__(self, kubernetes: FakeKubernetes, folder: Path) -> None:
        super().__init__()
        self.kubernetes = kubernetes
        self._token = folder / "token"
        self._token.write_text(f"{TOKEN}\n")
        groups = (worker_group("others"), worker_group("small"), worker_group("large"))
        kubernetes.put(ray_cluster(*groups))

    def settings(self, **changed: Any) -> KubernetesSettings:  # noqa: ANN401 -- any field
        values = {
            "url": self.kubernetes.url,
            "namespace": NAMESPACE,
            "ray_cluster": CLUSTER,
            "token_file": self._token,
            "ca_file": None,
            "shapes": (
                Size(name="small-pod", cpus=2, memory_mib=4096, size="small"),
                Size(name="large", cpus=8, memory_mib=16384),
            ),
        }
        return KubernetesSettings.model_validate({**values, **changed})

    def build(self, **changed: Any) -> Provider:  # noqa: ANN401 -- any field
        return KubernetesProvider(self.settings(**changed), now=now)

    def build_broken(self) -> Provider:
        self.kubernetes.denial = "admission webhook says no"
        return self.build()

    def build_unreachable(self) -> Provider:
        return self.build(url=f"http://127.0.0.1:{free_port()}")

    async def fill(self) -> Provider:
        groups = (
            worker_group("others"),
            worker_group("small", maxReplicas=0),
            worker_group("large"),
        )
        self.kubernetes.put(ray_cluster(*groups))
        return self.provider()

    async def add_foreign(self) -> str:
        """Let a group that is not ours have a pod."""
        self.kubernetes.put(
            ray_cluster(
                worker_group("others", replicas=1), worker_group("small"), worker_group("large")
            )
        )
        with self.kubernetes.lock:
            return self.kubernetes.add_pod(CLUSTER, "others", _TEMPLATE)

    async def foreign(self) -> set[str]:
        return self._pods("ray.io/group=others")

    async def traces(self) -> set[str]:
        """Give our pods, and how many more KubeRay still owes."""
        with self.kubernetes.lock:
            groups = self.kubernetes.cluster(CLUSTER)["spec"]["workerGroupSpecs"][1:]
            pods = self._pods("ray.io/group in (small,large)")
            owed = sum(group["replicas"] for group in groups) - len(pods)
            return pods | {f"owed {number}" for number in range(owed)}

    async def clear(self) -> None:
        self.kubernetes.clear()

    def _pods(self, selector: str) -> set[str]:
        return {pod["metadata"]["name"] for pod in self.kubernetes.select(selector)}
