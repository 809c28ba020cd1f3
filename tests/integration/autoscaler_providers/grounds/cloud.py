"""EC2 as moto has it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.autoscaler_providers.grounds.ground import Ground, now
from tests.servers.ec2 import Ec2Server
from tests.servers.redis import free_port
from tests.servers.s3 import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

from quetzalcore.autoscaler.clouds.ec2 import open_ec2
from quetzalcore.autoscaler.provider import Provider
from quetzalcore.autoscaler.provider_settings import AwsSettings, Size
from quetzalcore.autoscaler.providers.cloud import CloudProvider
from quetzalcore.autoscaler.worker_start import WorkerAccess

__all__ = ["CloudGround"]

_ACCESS = WorkerAccess(join_url="https://gateway.example.org", join_key="qz_test")
_LIVE = ["pending", "running", "stopping", "stopped"]


class CloudGround(Ground):
    """Instances are ours by the test's own cluster name."""

    def __init__(self, server: Ec2Server, folder: Path, cluster: str) -> None:
        super().__init__()
        self.server = server
        self._client = server.client()
        self._cluster = cluster
        self._secret = folder / "secret"
        self._secret.write_text(f"{SECRET_ACCESS_KEY}\n")

    def settings(self, **changed: Any) -> AwsSettings:  # noqa: ANN401 -- any field
        values = {
            "cluster": self._cluster,
            "image": self.server.image,
            "region": REGION,
            "access_key_id": ACCESS_KEY_ID,
            "secret_file": self._secret,
            "endpoint": self.server.endpoint,
            "shapes": (
                Size(name="large", cpus=8, memory_mib=32768, hourly_price=0.4, size="m6i.2xlarge"),
                Size(name="small", cpus=2, memory_mib=8192, hourly_price=0.1, size="m6i.large"),
            ),
        }
        return AwsSettings.model_validate({**values, **changed})

    def build(self, **changed: Any) -> Provider:  # noqa: ANN401 -- any field
        settings = self.settings(**changed)
        return CloudProvider(settings, _ACCESS, open_cloud=partial(open_ec2, settings), now=now)

    def build_broken(self) -> Provider:
        return self.build(image="ami-00000000000000000", subnet="subnet-0000000000000000")

    def build_unreachable(self) -> Provider:
        return self.build(endpoint=f"http://127.0.0.1:{free_port()}")

    async def fill(self) -> Provider:
        self.server.refusals["RunInstances"] = "InsufficientInstanceCapacity"
        return self.provider()

    async def add_foreign(self) -> str:
        """Make an instance of another cluster with the rest of our tags."""
        tags = {
            "role": "worker",
            "cluster": f"{self._cluster}-2",
            "order": "foreign",
            "epoch": "99",
        }
        return await asyncio.to_thread(self._run, tags)

    async def foreign(self) -> set[str]:
        return await asyncio.to_thread(self._live, f"{self._cluster}-2")

    async def traces(self) -> set[str]:
        return await asyncio.to_thread(self._live, self._cluster)

    async def clear(self) -> None:
        self.server.refusals.clear()
        self.server.losing.clear()
        self.server.asked.clear()
        for cluster in (self._cluster, f"{self._cluster}-2"):
            left = await asyncio.to_thread(self._live, cluster)
            if left:
                self._client.terminate_instances(InstanceIds=list(left))
        self._client.close()

    def _run(self, tags: dict[str, str]) -> str:
        named = [{"Key": f"quetzalcore-{name}", "Value": value} for name, value in tags.items()]
        made = self._client.run_instances(
            ImageId=self.server.image,
            MinCount=1,
            MaxCount=1,
            InstanceType="m6i.large",
            TagSpecifications=[{"ResourceType": "instance", "Tags": named}],
        )
        return made["Instances"][0]["InstanceId"]

    def _live(self, cluster: str) -> set[str]:
        found = self._client.describe_instances(
            Filters=[
                {"Name": "tag:quetzalcore-cluster", "Values": [cluster]},
                {"Name": "instance-state-name", "Values": _LIVE},
            ]
        )
        return {
            instance["InstanceId"]
            for reservation in found["Reservations"]
            for instance in reservation["Instances"]
        }
