"""A real Docker engine; containers that only sleep."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.integration.autoscaler_providers.grounds.ground import Ground, now
from tests.servers.docker_engine import DockerEngine

from quetzalcore.autoscaler.containers import LABELS
from quetzalcore.autoscaler.provider import Provider
from quetzalcore.autoscaler.provider_settings import DockerSettings, Size
from quetzalcore.autoscaler.providers.docker import DockerProvider
from quetzalcore.autoscaler.worker_start import WorkerAccess

__all__ = ["ACCESS", "DockerGround"]

ACCESS = WorkerAccess(join_url="http://127.0.0.1:8000", join_key="qz_test")


class DockerGround(Ground):
    """Containers are ours by the test's own cluster name."""

    def __init__(self, engine: DockerEngine, image: str, cluster: str) -> None:
        super().__init__()
        self._engine = engine
        self._image = image
        self._cluster = cluster

    def settings(self, **changed: Any) -> DockerSettings:  # noqa: ANN401 -- any field
        values = {
            "socket": self._engine.socket,
            "image": self._image,
            "command": ("/bin/sleep", "600"),
            "network": "none",
            "cluster": self._cluster,
            "tmpfs": (),
            "stop_s": 5.0,
            "most_cpus": 4.0,
            "shapes": (
                Size(name="tiny", cpus=0.25, memory_mib=256),
                Size(name="small", cpus=0.5, memory_mib=512),
            ),
        }
        return DockerSettings.model_validate({**values, **changed})

    def build(self) -> Provider:
        return DockerProvider(self.settings(), ACCESS, now=now)

    def build_broken(self) -> Provider:
        settings = self.settings(devices=("/dev/nothing-here",))
        return DockerProvider(settings, ACCESS, now=now)

    def build_unreachable(self) -> Provider:
        settings = self.settings(socket=self._engine.socket.with_name("nobody.sock"))
        return DockerProvider(settings, ACCESS, now=now)

    async def fill(self) -> Provider:
        return self.keep(DockerProvider(self.settings(most_cpus=0.2), ACCESS, now=now))

    async def add_foreign(self) -> str:
        """Make two that look like ours: of another cluster, and one with our role only."""
        for number, cluster in enumerate((f"{self._cluster}-2", "")):
            await asyncio.to_thread(self._make_foreign, f"{self._cluster}-foreign{number}", cluster)
        return f"{self._cluster}-foreign0"

    async def foreign(self) -> set[str]:
        return await asyncio.to_thread(self._names, f"{LABELS}test={self._cluster}")

    async def traces(self) -> set[str]:
        return await asyncio.to_thread(self._names, f"{LABELS}cluster={self._cluster}")

    async def clear(self) -> None:
        for label in ("cluster", "test"):
            await asyncio.to_thread(self._clear, f"{LABELS}{label}={self._cluster}")

    def inspect(self, name: str) -> dict[str, Any]:
        with self._engine.client() as client:
            return client.get(f"/containers/{name}/json").json()

    def stop(self, name: str) -> None:
        with self._engine.client() as client:
            client.post(f"/containers/{name}/kill").raise_for_status()

    def _make_foreign(self, name: str, cluster: str) -> None:
        labels = {f"{LABELS}role": "worker", f"{LABELS}test": self._cluster}
        body = {
            "Image": self._image,
            "Cmd": ["/bin/sleep", "600"],
            "Labels": {**labels, **({f"{LABELS}cluster": cluster} if cluster else {})},
            "HostConfig": {"NetworkMode": "none"},
        }
        with self._engine.client() as client:
            client.post("/containers/create", params={"name": name}, json=body).raise_for_status()

    def _names(self, label: str) -> set[str]:
        wanted = {"all": "true", "filters": json.dumps({"label": [label]})}
        with self._engine.client() as client:
            found = client.get("/containers/json", params=wanted).json()
        return {container["Names"][0].lstrip("/") for container in found}

    def _clear(self, label: str) -> None:
        for name in self._names(label):
            with self._engine.client() as client:
                client.delete(f"/containers/{name}", params={"force": "true", "v": "true"})
