"""A Docker engine as its interface tells; the real one is behind the marker ``docker``."""

from __future__ import annotations

from typing import Any

import httpx
from tests.integration.autoscaler_providers.grounds.ground import Ground, now
from tests.servers.docker_api import FakeDocker

from quetzalcore.autoscaler.containers import LABELS
from quetzalcore.autoscaler.provider import Provider
from quetzalcore.autoscaler.provider_settings import DockerSettings, Size
from quetzalcore.autoscaler.providers.docker import DockerProvider
from quetzalcore.autoscaler.worker_start import WorkerAccess

__all__ = ["ToldDockerGround"]

_ACCESS = WorkerAccess(join_url="http://127.0.0.1:8000", join_key="qz_test")


class ToldDockerGround(Ground):
    def __init__(self) -> None:
        super().__init__()
        self.engine = FakeDocker()

    def build(self, **changed: Any) -> Provider:  # noqa: ANN401 -- any field
        shapes = (Size(name="small", cpus=0.5, memory_mib=512),)
        settings = DockerSettings.model_validate({"shapes": shapes, **changed})
        transport = httpx.MockTransport(self.engine)
        return DockerProvider(settings, _ACCESS, now=now, transport=transport)

    def build_broken(self) -> Provider:
        self.engine.failing = True
        return self.build()

    def build_unreachable(self) -> Provider:
        self.engine.dead = True
        return self.build()

    async def fill(self) -> Provider:
        return self.keep(self.build(most_memory_mib=300))

    async def add_foreign(self) -> str:
        self.engine.containers["other"] = {
            "Id": "other",
            "Names": ["/foreign"],
            "Labels": {f"{LABELS}role": "worker", f"{LABELS}cluster": "another"},
            "State": "running",
        }
        return "foreign"

    async def foreign(self) -> set[str]:
        return {"foreign"} & {one["Names"][0][1:] for one in self.engine.containers.values()}

    async def traces(self) -> set[str]:
        return set(self.engine.containers) - {"other"}
