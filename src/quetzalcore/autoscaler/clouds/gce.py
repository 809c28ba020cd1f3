"""Google Compute Engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from libcloud.common.google import ResourceExistsError, ResourceNotFoundError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

from quetzalcore.autoscaler.clouds.cloud import Instance, Wanted
from quetzalcore.autoscaler.provider import MachineState
from quetzalcore.autoscaler.provider_settings import GcpSettings

__all__ = ["Gce", "launch_arguments", "open_gce"]

_ANSWER_S = 60.0
_STATES = {
    "PROVISIONING": MachineState.PENDING,
    "STAGING": MachineState.PENDING,
    "RUNNING": MachineState.RUNNING,
    "STOPPING": MachineState.STOPPING,
}


def launch_arguments(settings: GcpSettings, wanted: Wanted) -> dict[str, Any]:
    """Give what a launch asks for; the disk is made with the instance and goes with it."""
    disk = {
        "boot": True,
        "autoDelete": True,
        "initializeParams": {
            "sourceImage": settings.image,
            "diskSizeGb": str(settings.disk_gib),
        },
    }
    return {
        "name": wanted.name,
        "size": wanted.size,
        "image": None,
        "location": settings.zone,
        "ex_network": settings.network,
        "ex_subnetwork": settings.subnetwork or None,
        "ex_metadata": {"items": [{"key": "startup-script", "value": wanted.script}]},
        "ex_labels": dict(wanted.tags),
        "ex_preemptible": wanted.spot,
        "ex_disks_gce_struct": [disk],
    }


class Gce:
    """One zone of one project, in which a name is given once."""

    def __init__(self, settings: GcpSettings, driver: Any) -> None:  # noqa: ANN401 -- Libcloud's
        self._settings = settings
        self._driver = driver

    def create(self, wanted: Wanted) -> Instance:
        """Insert one instance."""
        try:
            node = self._driver.create_node(**launch_arguments(self._settings, wanted))
        except ResourceExistsError:  # nobody heard the first answer
            node = self._driver.ex_get_node(wanted.name, self._settings.zone)
        return _instance(node)

    def instances(self) -> Sequence[Instance]:
        """Give the zone's instances."""
        return [_instance(node) for node in self._driver.list_nodes(ex_zone=self._settings.zone)]

    def remove(self, instance_id: str) -> None:
        """Delete an instance; its end is not waited for."""
        try:
            node = self._driver.ex_get_node(instance_id, self._settings.zone)
            self._driver.destroy_node(node, sync=False)
        except ResourceNotFoundError:
            return


def open_gce(settings: GcpSettings) -> Gce:
    """Get ready to speak with Compute Engine; the project's zones are asked for."""
    driver = get_driver(Provider.GCE)(
        settings.service_account,
        str(settings.key_file),
        project=settings.project,
        datacenter=settings.zone,
        auth_type="SA",  # else Libcloud guesses by the address, and may ask for a browser
        timeout=_ANSWER_S,
    )
    return Gce(settings, driver)


def _instance(node: Any) -> Instance:  # noqa: ANN401 -- Libcloud's
    labels: Mapping[str, str] = node.extra.get("labels") or {}
    addresses = [*node.private_ips, *node.public_ips]
    return Instance(
        id=node.name,
        tags=dict(labels),
        state=_STATES.get(node.extra.get("status", ""), MachineState.PENDING),
        address=addresses[0] if addresses else "",
    )
